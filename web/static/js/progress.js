// Remembers which chapters are read and which exercises are done, in this browser alone: nothing
// is sent. Where the browser lets a page keep nothing, a mark lasts until the page is left.
(() => {
  "use strict";
  const KEY = "pan-progress";
  const top = new URL(document.documentElement.dataset.content_root || "./", location.href);
  let memory = null; // what is kept where storage is blocked

  // Read whatever was stored or imported as {read: [chapter], done: {chapter: [exercise]}}.
  const cleaned = (value) => {
    const texts = (list) => [...new Set((Array.isArray(list) ? list : []).filter((x) => typeof x === "string"))];
    const done = {};
    for (const [chapter, list] of Object.entries((value && value.done) || {})) {
      if (texts(list).length) done[chapter] = texts(list).sort();
    }
    return { version: 1, read: texts(value && value.read).sort(), done };
  };
  const load = () => {
    if (memory) return memory;
    try {
      return cleaned(JSON.parse(localStorage.getItem(KEY)));
    } catch {
      return cleaned(null);
    }
  };
  const save = (progress) => {
    try {
      localStorage.setItem(KEY, JSON.stringify(progress));
    } catch {
      memory = progress;
      for (const note of document.querySelectorAll(".pan-note")) {
        note.textContent = "This browser lets the page keep nothing: the mark lasts until you leave.";
      }
    }
    show();
  };

  // The name of the chapter that a link leads to, as the marks name it.
  const chapterOf = (link) => {
    const url = new URL(link.href);
    const inside = url.origin === top.origin && url.pathname.startsWith(top.pathname);
    return inside ? url.pathname.slice(top.pathname.length).replace(/\.html$/, "") : "";
  };
  const tick = (link) => {
    const sign = Object.assign(document.createElement("span"), { className: "pan-tick" });
    const word = Object.assign(document.createElement("span"), { className: "visually-hidden" });
    word.textContent = " read";
    sign.append(word);
    link.append(sign);
  };

  const show = () => {
    const progress = load();
    const isDone = (chapter, exercise) => (progress.done[chapter] || []).includes(exercise);
    for (const button of document.querySelectorAll("button[data-chapter]")) {
      const { chapter, exercise } = button.dataset;
      const on = exercise ? isDone(chapter, exercise) : progress.read.includes(chapter);
      button.setAttribute("aria-pressed", String(on));
    }
    for (const old of document.querySelectorAll(".pan-tick")) old.remove();
    for (const link of document.querySelectorAll("nav.bd-links a, .pan-card")) {
      if (progress.read.includes(chapterOf(link))) tick(link);
    }
    for (const cell of document.querySelectorAll("[data-count]")) {
      const done = (progress.done[cell.dataset.count] || []).length;
      cell.textContent = `${Math.min(done, Number(cell.dataset.all))} of ${cell.dataset.all}`;
    }
  };

  const toggle = (button) => {
    const progress = structuredClone(load());
    const { chapter, exercise } = button.dataset;
    const list = exercise ? progress.done[chapter] || [] : progress.read;
    const entry = exercise || chapter;
    const next = list.includes(entry) ? list.filter((x) => x !== entry) : [...list, entry];
    if (exercise) progress.done[chapter] = next;
    else progress.read = next;
    save(cleaned(progress));
  };

  const say = (text) => {
    const note = document.querySelector("#pan-progress-said");
    if (note) note.textContent = text;
  };
  const exported = () => {
    const file = new Blob([JSON.stringify(load(), null, 2) + "\n"], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "paying-attention-to-noise-progress.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 0);
    say("The file is in your downloads.");
  };
  const imported = async (input) => {
    let value = null;
    try {
      value = JSON.parse(await input.files[0].text());
    } catch {
      value = null;
    }
    input.value = "";
    if (!value || value.version !== 1 || !Array.isArray(value.read)) {
      say("That file holds no progress of this book; nothing was changed.");
      return;
    }
    const [old, more] = [load(), cleaned(value)];
    const done = { ...old.done };
    for (const [chapter, list] of Object.entries(more.done)) done[chapter] = [...(done[chapter] || []), ...list];
    save(cleaned({ read: [...old.read, ...more.read], done }));
    say("The marks of the file are added to yours.");
  };

  const start = () => {
    const dialog = document.querySelector("dialog.pan-reset");
    const actions = {
      export: exported,
      import: () => document.querySelector("#pan-progress-file").click(),
      reset: () => dialog.showModal(),
      keep: () => dialog.close(),
      forget: () => {
        dialog.close();
        save(cleaned(null));
        try {
          localStorage.removeItem("pan-answers"); // exercises.js keeps answers and predictions there
        } catch {
          // nothing could be kept
        }
        say("All marks are gone.");
      },
    };
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-chapter], button[data-progress]");
      if (!button) return;
      if (button.dataset.progress) actions[button.dataset.progress]();
      else toggle(button);
    });
    const input = document.querySelector("#pan-progress-file");
    if (input) input.addEventListener("change", () => input.files.length && imported(input));
    window.addEventListener("storage", (event) => event.key === KEY && show());
    for (const box of document.querySelectorAll(".pan-progress[hidden]")) box.hidden = false;
    show();
  };
  start();
})();

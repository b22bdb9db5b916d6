// Opens the search: by a button, by Ctrl+K, or by an address that asks for something. Everything
// else (search-results.js, Pagefind, the index) is loaded when a reader searches, and not before.
(() => {
  "use strict";
  const MODULE = new URL("search-results.js", document.currentScript.src);
  const FROM_DISK =
    "These pages were opened from disk, and search needs a server. In their folder, run: " +
    "python -m http.server";
  // The copy of the book for reading from disk has window.panDisk: tools/offline.py.
  const NOT_LOADED = "The search could not be loaded. Reload the page to try again.";

  const box = document.querySelector(".pan-search");
  if (!box) return;
  const dialog = box.closest("dialog"); // none on the page of results
  const field = box.querySelector("input");
  const status = box.querySelector("[role=status]");

  let started = false;
  const start = () => {
    if (started) return;
    started = true;
    if (location.protocol === "file:" && !window.panDisk) {
      status.textContent = FROM_DISK;
      return;
    }
    status.textContent = "Loading …";
    import(MODULE)
      .then((module) => module.attach(box))
      .catch(() => {
        status.textContent = NOT_LOADED;
      });
  };

  const open = () => {
    if (dialog && !dialog.open) dialog.showModal();
    field.focus();
    field.select();
    if (dialog) start();
  };

  for (const button of document.querySelectorAll(".search-button__button")) {
    button.addEventListener("click", open);
  }
  window.addEventListener("keydown", (event) => {
    const asked = (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
    if (!asked || event.key.toLowerCase() !== "k") return;
    event.preventDefault();
    if (dialog?.open) dialog.close();
    else open();
  });
  if (dialog) {
    dialog.querySelector(".pan-search-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      const outside = event.target === dialog; // the backdrop; the inside covers the rest
      if (outside || event.target.closest("a")) dialog.close();
    });
  } else {
    field.value = new URLSearchParams(location.search).get("q") ?? "";
    if (field.value) start();
    else field.addEventListener("input", start, { once: true });
  }
})();

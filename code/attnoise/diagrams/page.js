// A diagram answers: what is pointed at, focused or tapped is explained in the strip beside it.
const root = document.currentScript.closest(".pan-diagram");
const parts = JSON.parse(root.querySelector(".pan-diagram-data").textContent);
const svg = root.querySelector("svg");
const strip = root.querySelector(".pan-diagram-strip");
const { files } = root.dataset; // below this address lies the package
const groups = [...svg.querySelectorAll(".pd-part")];
const of = (part) => groups.filter((group) => group.dataset.part === part);
let held = false; // a chosen part stays, so that the pointer may travel to the strip

const line = (name, ...inside) => {
  const element = document.createElement("p");
  element.className = `pan-diagram-${name}`;
  element.append(...inside);
  return element;
};
// Long lines break behind brackets, dots and commas.
const code = (text) => {
  const element = document.createElement("code");
  element.append(...text.split(/(?<=[(.,])/).flatMap((piece) => [piece, document.createElement("wbr")]));
  return element;
};

const show = (part) => {
  groups.forEach((group) => group.classList.toggle("pd-shown", group.dataset.part === part));
  root.dataset.shown = part;
  const { title, note, shape, text, file, where } = parts[part];
  const link = files ? Object.assign(document.createElement("a"), { href: files + file, textContent: file }) : file;
  strip.replaceChildren(
    line("part", title),
    line("note", note),
    ...(shape ? [line("shape", "Shape: ", code(shape))] : []),
    line("line", code(text)),
    line("where", where, ", ", link),
  );
};

// What is read out holds what is seen, so that who speaks to the page can name it.
const nameOf = (title, group) => {
  const seen = group.textContent.trim();
  return title.toLowerCase().includes(seen.toLowerCase()) ? title : `${title}: ${seen}`;
};

const release = () => {
  held = false;
  delete root.dataset.shown;
  groups.forEach((group) => group.classList.remove("pd-shown"));
  strip.replaceChildren(line("note", "Point at a part, tap it, or go from part to part with Tab: its shape and its line of code stand here."));
};

svg.setAttribute("role", "group");
Object.keys(parts).forEach((part) => {
  of(part).forEach((group, i) => {
    if (i === 0) {
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "button");
      group.setAttribute("aria-label", nameOf(parts[part].title, group));
    }
    group.addEventListener("pointerenter", () => { if (!held) show(part); });
    group.addEventListener("focus", () => { held = true; show(part); });
    group.addEventListener("click", (event) => { event.stopPropagation(); held = true; show(part); });
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); strip.querySelector("a")?.focus(); }
    });
  });
});
svg.addEventListener("click", release);
root.addEventListener("keydown", (event) => { if (event.key === "Escape") release(); });
strip.hidden = false;
release();

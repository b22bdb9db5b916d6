// A box that scrolls sideways can be reached and scrolled with the keyboard, and shows its cut edges.
(() => {
  "use strict";
  const BOXES = [
    [".katex-display", "Equation, scrolls sideways"],
    [".pst-scrollable-table-container, .text_html:has(> table, > div > table)", "Table, scrolls sideways"],
    ["pre", "Code or output, scrolls sideways"],
    [".cell_output .output", "Output, scrolls sideways"],
  ];

  // On which sides more of a box's content lies: css/formulas.css shades these edges.
  const cutSides = (box) => {
    const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
    return [box.scrollLeft > 1 && "left", rest > 1 && "right"].filter(Boolean).join(" ");
  };

  const scrolls = (box) => box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";

  const mark = () => {
    // Read all, then write all: a page has hundreds of boxes, and a change in between lays it out anew.
    const seen = BOXES.flatMap(([selector, label]) =>
      [...document.querySelectorAll(selector)].map((box) => [box, label, scrolls(box) ? cutSides(box) : null]),
    );
    for (const [box, label, sides] of seen) {
      if (sides !== null) {
        if (!box.dataset.panScroll) Object.assign(box, { tabIndex: 0, role: "group", ariaLabel: label });
        Object.assign(box.dataset, { panScroll: "yes", panCut: sides });
      } else if (box.dataset.panScroll) {
        for (const name of ["tabindex", "role", "aria-label", "data-pan-scroll", "data-pan-cut"]) box.removeAttribute(name);
      }
    }
  };

  let waiting = 0;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(mark, 60);
  };
  const start = () => {
    mark();
    new ResizeObserver(later).observe(document.body);
    const scrolled = ({ target: box }) => {
      if (box.dataset && box.dataset.panScroll) box.dataset.panCut = cutSides(box);
    };
    document.addEventListener("scroll", scrolled, { capture: true, passive: true });
  };
  // Pictures load when a reader comes near them; a page that is printed needs all of them.
  window.addEventListener("beforeprint", () => {
    for (const picture of document.querySelectorAll("img[loading=lazy]")) picture.loading = "eager";
  });
  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
})();

// The list of chapters scrolls to the chapter that is open.
(() => {
  "use strict";
  const link = [...document.querySelectorAll(".bd-docs-nav li.active > a")].pop();
  if (!link) return;
  const list = link.closest(".sidebar-primary-item");
  const below = link.getBoundingClientRect().top - list.getBoundingClientRect().top;
  if (below > list.clientHeight / 2) list.scrollTop = below - list.clientHeight / 4;
})();

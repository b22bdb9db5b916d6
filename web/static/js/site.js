// A box that scrolls sideways can be reached and scrolled with the keyboard.
(() => {
  "use strict";
  const BOXES = [
    [".katex-display", "Equation, scrolls sideways"],
    [".pst-scrollable-table-container, .text_html:has(> table, > div > table)", "Table, scrolls sideways"],
    ["pre", "Code or output, scrolls sideways"],
    [".cell_output .output", "Output, scrolls sideways"],
  ];

  const mark = () => {
    for (const [selector, label] of BOXES) {
      for (const box of document.querySelectorAll(selector)) {
        const scrolls = box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX !== "visible";
        if (scrolls && !box.dataset.panScroll) {
          Object.assign(box, { tabIndex: 0, role: "group", ariaLabel: label });
          box.dataset.panScroll = "yes";
        } else if (!scrolls && box.dataset.panScroll) {
          for (const name of ["tabindex", "role", "aria-label", "data-pan-scroll"]) box.removeAttribute(name);
        }
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
  };
  if (document.readyState === "complete") start();
  else window.addEventListener("load", start);
})();

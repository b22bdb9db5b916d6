// The menus behind buttons in the bar above a page: they open below their button; Escape, Tab or a
// click elsewhere closes them; the arrows go from entry to entry.
(() => {
  "use strict";
  for (const button of document.querySelectorAll(".dropdown-toggle")) {
    const menu = button.nextElementSibling;
    const entries = [...menu.querySelectorAll("a, button")];
    const isOpen = () => menu.classList.contains("show");
    const set = (open) => {
      menu.classList.toggle("show", open);
      button.setAttribute("aria-expanded", open);
    };
    const leave = () => {
      set(false);
      button.focus();
    };
    button.addEventListener("click", () => set(!isOpen()));
    button.parentElement.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape" && isOpen()) leave();
      if (!step) return;
      event.preventDefault();
      set(true);
      const place = entries.indexOf(document.activeElement);
      entries[place < 0 && step < 0 ? entries.length - 1 : (place + step + entries.length) % entries.length].focus();
    });
    button.parentElement.addEventListener("focusout", (event) => {
      if (!button.parentElement.contains(event.relatedTarget)) set(false);
    });
    document.addEventListener("click", (event) => {
      if (!button.parentElement.contains(event.target)) set(false);
    });
  }
})();

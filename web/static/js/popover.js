// Shows beside a link what it leads to: a term's meaning, a source, an equation. It opens for the
// mouse and for the keyboard, never for touch; Escape closes it. Without it the links still lead.
(() => {
  "use strict";
  const LINKS = "a.pan-term, .bibtex-citation a, a.reference.internal[href*='#equation-']";
  const DELAY = 150; // milliseconds: a mouse that passes by opens nothing
  if (!("popover" in HTMLElement.prototype)) return;

  const tip = document.createElement("div");
  tip.id = tip.className = "pan-popover";
  tip.popover = "manual";
  tip.setAttribute("role", "tooltip");
  const pages = new Map();
  let current = null;
  let timer = 0;

  // The document that an address lies in: this page, or one that is fetched once.
  const pageOf = (url) => {
    const [place] = url.href.split("#"); // from disk a page has no origin
    if (place === location.href.split("#")[0]) return Promise.resolve(document);
    if (!pages.has(place)) {
      const parsed = fetch(place)
        .then((answer) => (answer.ok ? answer.text() : Promise.reject(answer.status)))
        .then((text) => new DOMParser().parseFromString(text, "text/html"));
      parsed.catch(() => pages.delete(place));
      pages.set(place, parsed);
    }
    return pages.get(place);
  };

  // A copy to be read and not to be used: no ids, no buttons, and links as plain words.
  const copyOf = (node) => {
    const copy = node.cloneNode(true);
    for (const part of copy.querySelectorAll(".headerlink, .eqno, button, script")) part.remove();
    for (const link of copy.querySelectorAll("a")) {
      const words = document.createElement("span");
      words.className = "pan-popover-link";
      words.append(...link.childNodes);
      link.replaceWith(words);
    }
    for (const part of [copy, ...copy.querySelectorAll("*")]) {
      for (const name of ["id", "tabindex", "role", "aria-label", "data-pan-scroll"]) {
        if (name === "id" || !part.closest(".katex")) part.removeAttribute(name);
      }
    }
    return copy;
  };

  const contentOf = async (link) => {
    if (link.title) {
      link.dataset.panSource = link.title; // the browser's own hint would lie on ours
      link.removeAttribute("title");
    }
    if (link.dataset.panSource) return [new Text(link.dataset.panSource)];
    const url = new URL(link.href);
    const target = (await pageOf(url)).getElementById(decodeURIComponent(url.hash.slice(1)));
    if (!target) return null;
    if (target.tagName !== "DT") return [copyOf(target)];
    let meaning = target;
    while (meaning && meaning.tagName !== "DD") meaning = meaning.nextElementSibling;
    return meaning && [...copyOf(meaning).childNodes];
  };

  const place = () => {
    const [line] = current.getClientRects();
    const room = document.documentElement;
    const left = Math.min(line.left, room.clientWidth - tip.offsetWidth - 8);
    const below = line.bottom + 6;
    const fits = below + tip.offsetHeight <= room.clientHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${fits ? below : Math.max(8, line.top - tip.offsetHeight - 6)}px`;
  };

  const hide = () => {
    clearTimeout(timer);
    if (current) current.removeAttribute("aria-describedby");
    current = null;
    if (tip.matches(":popover-open")) tip.hidePopover();
  };

  const show = async (link) => {
    if (link === current) return;
    hide();
    current = link;
    const content = await contentOf(link).catch(() => null);
    if (current !== link || !content) return;
    tip.replaceChildren(...content);
    (document.querySelector("main") || document.body).append(tip);
    tip.showPopover();
    link.setAttribute("aria-describedby", tip.id);
    place();
  };

  const later = (action) => {
    clearTimeout(timer);
    timer = setTimeout(action, DELAY);
  };
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "mouse") return;
    const link = event.target.closest(LINKS);
    if (link) later(() => show(link));
    else if (tip.contains(event.target)) clearTimeout(timer); // it may be pointed at, too
    else if (current && current !== document.activeElement) later(hide);
    else clearTimeout(timer);
  });
  document.addEventListener("focusin", (event) => {
    const link = event.target.closest(LINKS);
    if (link && link.matches(":focus-visible")) show(link);
    else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
  for (const kind of ["scroll", "resize"]) {
    window.addEventListener(kind, () => tip.matches(":popover-open") && place(), { passive: true });
  }
})();

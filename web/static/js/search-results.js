// Asks Pagefind's index, and lists what it finds: pages, and under each its sections.
import * as pagefind from "../search/pagefind.js";

const SITE = new URL("../../", import.meta.url);
const WORDS = new URL("../search/words.txt", import.meta.url);
const WEIGHTS = { title: 5, also: 15, chapter: 10 }; // of a match in a title, an alias, a number
const PAUSE = 150; // milliseconds without a key before a search
const IN_DIALOG = 8; // pages; the page of results shows all
const SECTIONS = 3; // under each page
const STEM = 4; // letters that a word shares with others of its family

/** Search as the reader types in the field of `box`, and once for what already stands there. */
export async function attach(box) {
  const field = box.querySelector("input");
  const status = box.querySelector("[role=status]");
  const list = box.querySelector(".pan-search-results");
  const most = box.closest("dialog") ? IN_DIALOG : Infinity;

  await pagefind.options({ baseUrl: SITE.pathname, excerptLength: 24, ranking: { metaWeights: WEIGHTS } });
  const words = (await (await fetch(WORDS)).text()).trim().split("\n");

  let latest = 0;
  const update = async () => {
    const query = field.value.trim();
    const turn = ++latest;
    if (!query) {
      status.textContent = "";
      list.replaceChildren();
      return;
    }
    const asked = corrected(query, words);
    const answer = await pagefind.debouncedSearch(asked, {}, PAUSE);
    if (answer === null || turn !== latest) return; // the reader typed on
    const pages = await Promise.all(answer.results.slice(0, most).map((result) => result.data()));
    if (turn !== latest) return;
    list.replaceChildren(...pages.map(listed));
    status.textContent = summary(query, asked, answer.results.length);
    if (answer.results.length > most) list.append(more(query, answer.results.length));
  };
  field.addEventListener("input", update);
  box.addEventListener("keydown", (event) => step(event, box));
  await update();
}

/**
 * The query with each word that the book does not have replaced by the nearest that it has, and
 * left out where it is near to none. (Pagefind alone would take the beginnings of such a word.)
 */
export function corrected(query, words) {
  const asked = query.replace(/[a-z]{3,}/gi, (word) => {
    const small = word.toLowerCase();
    if (words.some((known) => known.startsWith(small))) return word;
    const related = words.some((known) => known.startsWith(small.slice(0, STEM)));
    return nearest(small, words) ?? (related ? word : "");
  });
  return asked.replace(/\s+/g, " ").trim();
}

/** The word with the fewest slips, of equally near ones the commonest; none for a short word. */
function nearest(word, words) {
  const most = [0, 0, 0, 0, 0, 1, 1, 1][word.length] ?? 2; // slips
  let [best, fewest] = [undefined, most + 1];
  for (const known of words) {
    if (Math.abs(known.length - word.length) > most) continue;
    const slips = distance(word, known);
    if (slips < fewest) [best, fewest] = [known, slips];
  }
  return best;
}

/** The edit distance, in which two neighbours that changed places are one slip. */
export function distance(a, b) {
  let before = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
}

function summary(query, asked, count) {
  const pages = count === 1 ? "1 page" : `${count || "No"} pages`;
  if (!asked || asked === query) return `${pages} for “${query}”.`;
  return `“${query}” is not in the book. ${pages} for “${asked}”.`;
}

function listed(page) {
  const item = element("li");
  const link = element("a", "pan-search-page", page.meta.title);
  link.href = page.url;
  if (page.meta.chapter) link.prepend(element("span", "pan-search-chapter", page.meta.chapter), " ");
  const sections = bestSections(page.sub_results);
  const excerpt = element("p", "pan-search-excerpt");
  excerpt.append(...quoted(bestExcerpt(page, sections)));
  item.append(link, excerpt);
  if (sections.length) {
    const under = element("ul", "pan-search-sections");
    for (const section of sections) {
      const place = element("a", "", section.title);
      place.href = section.url;
      const line = element("li");
      line.append(place);
      under.append(line);
    }
    item.append(under);
  }
  return item;
}

/** The sections that answer best, in the page's order; the first sub-result is the page itself. */
function bestSections(results) {
  const weight = (result) => result.weighted_locations.reduce((sum, at) => sum + at.balanced_score, 0);
  const sections = results.filter((result) => result.anchor);
  const best = [...sections].sort((a, b) => weight(b) - weight(a)).slice(0, SECTIONS);
  return sections.filter((section) => best.includes(section));
}

/** What the page's opening says of the query, or else its first of the best sections. */
function bestExcerpt(page, sections) {
  const opening = page.sub_results.find((result) => !result.anchor);
  const { title, excerpt } = opening ?? sections[0] ?? { title: page.meta.title, excerpt: page.excerpt };
  const words = excerpt.split(" ");
  const length = title.split(" ").length;
  const heading = words.slice(0, length).join(" ").replace(/<\/?mark>/g, "");
  if (heading !== `${title}.`) return `… ${excerpt} …`;
  return `${words.slice(length).join(" ")} …`; // the title stands above it already
}

/** An excerpt as text and <mark>: Pagefind writes it as html, of which nothing else is let in. */
function quoted(excerpt) {
  return excerpt.split(/<\/?mark>/).map((part, number) => {
    const text = part.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
    return number % 2 ? element("mark", "", text) : text;
  });
}

function more(query, count) {
  const link = element("a", "pan-search-more", `All ${count} pages`);
  link.href = new URL(`search.html?q=${encodeURIComponent(query)}`, SITE);
  const item = element("li");
  item.append(link);
  return item;
}

/** Arrow keys go from the field to the first result, and from one result to the next. */
function step(event, box) {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const stops = [box.querySelector("input"), ...box.querySelectorAll(".pan-search-results a")];
  const next = stops[stops.indexOf(document.activeElement) + by];
  if (!next || !stops.includes(document.activeElement)) return;
  event.preventDefault();
  next.focus();
}

function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.textContent = text;
  return made;
}

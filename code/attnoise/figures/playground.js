// The playground. A recorded example, and a GPT that reads the reader's text once it is asked to.
import { makeBytePairs } from "./js/byte_pairs.js";
import { download, megabytes, progressText } from "./js/download.js";
import { makeGPT, makeText, multiplyAdds, readOn, readSafetensors } from "./js/gpt.js";
import { uniform } from "./js/random.js";
import { draw, ranked, reshapeDistribution } from "./js/sampling.js";
import { asset, canRun } from "./js/site.js";
import { softmax } from "./js/softmax.js";

const { config, prompt, written, seed } = fig.data;
const [SHOWN, ROW] = [12, 24]; // bars, and the height of one
const { encode, decode, bytes } = makeBytePairs(fig.data.merges);
const content = (address) => Uint8Array.from(atob(address.split(",")[1]), (sign) => sign.charCodeAt(0));

// A token as a reader sees it: a dot for a space, an arrow for a new line, numbers for odd bytes.
const nameOf = (token) => {
  const text = decode([token]);
  if (/[\ufffd\0-\x09\x0b-\x1f]/.test(text)) return bytes(token).map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join(" ");
  return text.replaceAll(" ", "·").replaceAll("\n", "↵");
};

// --- the text and what the model found -----------------------------------------------------------
const recorded = () => {
  const { tokens } = fig.data;
  const [looked, n, { depth, heads }] = [content(fig.data.looked), tokens.length, config];
  const row = (i, block, head) => Array.from(looked.subarray(((i * depth + block) * heads + head) * n).subarray(0, i + 1), (part) => part / 255);
  const range = (count, make) => Array.from({ length: count }, (_, i) => make(i));
  return Object.assign(makeText(tokens, config), {
    logits: [...new Float32Array(content(fig.data.logits).buffer)],
    weights: range(n, (i) => range(depth, (block) => range(heads, (head) => row(i, block, head)))),
  });
};
let text = recorded();
let prompted = text.tokens.length - written; // tokens that are the reader's
let head = fig.data.head;
let [pinned, hovered] = [null, null]; // the token that looks; the last one if none
let [note, spent] = ["", null]; // spent: {cached, milliseconds} of the last token
let [gpt, loading] = [null, null];
let ticket = 0; // what the reader does cancels what is under way

const settings = ({ temperature, top_k: topK, top_p: topP, min_p: minP }) => ({ temperature, topK, topP: topP < 1 ? topP : null, minP: minP || null });

// --- what the reader works with ------------------------------------------------------------------
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const button = (label, act) => {
  const element = make("button", { type: "button", class: "pan-fig-play" }, label);
  element.addEventListener("click", act);
  return element;
};
const field = make("textarea", { rows: 2, maxlength: 400, spellcheck: "false", autocomplete: "off" });
field.value = prompt;
const seedField = make("input", { type: "number", value: seed, min: 0, max: 4294967295, step: 1 });
const cacheBox = make("input", { type: "checkbox", role: "switch" });
cacheBox.checked = true;
const bar = make("progress", { "aria-label": "Loading the model", max: 1, value: 0, hidden: "" });
const status = make("p", { class: "pan-play-status", role: "status" }, `A recorded example. The first button you press loads the model, at most ${fig.data.megabytes} MB, once; it runs on your machine.`);
const said = make("p", { class: "pan-play-said", "aria-live": "polite" }); // for screen readers alone
const list = make("ol", { class: "pan-play-tokens", "aria-label": "Tokens of the text" });
const look = make("p", { class: "pan-play-look", "aria-live": "polite" });
const heads = make("div", { class: "pan-play-heads", role: "group", "aria-label": "Heads" });
const funnel = make("p", { class: "pan-play-funnel" });
const cost = make("div", { class: "pan-play-cost" });

// --- the model -----------------------------------------------------------------------------------
const load = () => (loading ??= (async () => {
  let last = 0;
  bar.hidden = false;
  status.textContent = "Loading the model …";
  const [buffer] = await download([asset(`models/${fig.data.weights}.safetensors.gz`)], (received, total) => {
    last = received;
    if (total) bar.value = received / total;
    note = progressText(received, total);
    refresh();
  });
  gpt = makeGPT(readSafetensors(buffer), config);
  status.textContent = `The model is here and runs on your machine; ${megabytes(last)} MB were loaded.`;
})().finally(() => { bar.hidden = true; }));

// Read what is new of the text, and remember what it took.
const read = () => {
  const start = performance.now();
  readOn(gpt, text, cacheBox.checked);
  spent = { cached: cacheBox.checked, milliseconds: performance.now() - start };
};
const tell = () => {
  const { tokens, first, logits, weights } = text;
  root.dataset.ran = JSON.stringify({ tokens, first, logits: [...logits], weights: weights.at(-1).map((block) => block.map((row) => [...row])), text: decode(tokens) });
};

// Draw so many tokens; the first time, fetch the model.
const write = async (count) => {
  ticket += 1;
  const mine = ticket;
  delete root.dataset.failed;
  if (!text.tokens.length) return complain();
  quiet(true);
  try {
    await load();
    if (mine !== ticket) return undefined;
    const before = text.tokens.length;
    if (!text.cache) read();
    for (let i = 0; i < count && mine === ticket; i += 1) {
      const p = reshapeDistribution(text.logits, settings(fig.values()));
      text.tokens.push(draw(p, uniform(+seedField.value, text.tokens.length - prompted)));
      read();
      note = i + 1 < count ? `Writing token ${i + 1} of ${count}.` : "";
      if (!calm.matches || i + 1 === count) { refresh(); list.scrollTop = list.scrollHeight; }
      await new Promise((next) => setTimeout(next)); // let the page paint, and answer its reader
    }
    said.textContent = `Written: ${decode(text.tokens.slice(before))}`;
    if (mine === ticket) { quiet(false); tell(); }
  } catch (error) {
    loading = null;
    root.dataset.failed = String(error);
    if (mine !== ticket) return undefined;
    note = "The model could not be loaded here. The recorded example still works: move the sliders, or press a button to try again.";
    status.textContent = "A recorded example.";
    quiet(false);
  }
  return refresh();
};
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const quiet = (on) => { // while it writes, a screen reader hears nothing
  for (const part of [words, look]) part.setAttribute("aria-live", on ? "off" : "polite");
  stop.setAttribute("aria-disabled", !on);
};
const complain = () => {
  note = "Type at least one letter: the model continues a text.";
  refresh();
};

// The field has another text, or the reader begins anew.
const begin = () => {
  ticket += 1;
  quiet(false);
  [pinned, hovered, spent, note] = [null, null, null, ""];
  const tokens = encode(field.value);
  text = makeText(tokens, config);
  prompted = tokens.length;
  if (gpt && tokens.length) { read(); tell(); }
  if (!tokens.length) complain(); else refresh();
};
const startAgain = () => {
  if (!gpt) field.value = prompt;
  begin();
  if (!gpt) [text, prompted] = [recorded(), fig.data.tokens.length - written];
  refresh();
};
const halt = () => {
  ticket += 1;
  note = "";
  quiet(false);
  if (gpt && text.cache) tell();
  refresh();
};
const stop = button("Stop", halt);
stop.setAttribute("aria-disabled", "true");
if (canRun) {
  let pause = 0;
  field.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(begin, gpt ? 150 : 0); // a reader who types fast is not held up
  });
  cacheBox.addEventListener("change", () => refresh());
  stage.before(make("div", { class: "pan-play" },
    make("label", { class: "pan-play-prompt" }, "Prompt ", field),
    make("div", { class: "pan-play-row" },
      button("Next token", () => write(1)), button("Write 20", () => write(20)), stop, button("Start again", startAgain),
      make("label", {}, "Seed ", seedField), make("label", {}, cacheBox, " Cache")),
    bar, status, said));
}

// --- the tokens and the heads --------------------------------------------------------------------
const percent = (part) => `${fig.number(100 * part, 0)} %`;
const lookingAt = () => hovered ?? pinned ?? text.tokens.length - 1;
const rowOf = (block, h) => text.weights[lookingAt() - text.first]?.[block][h];

const pin = (i) => { pinned = i; refresh(); list.children[i].firstChild.focus(); };
const makeChip = (i) => {
  const chip = make("button", { type: "button", class: "pan-play-token" }, make("span"), make("small"));
  chip.addEventListener("click", () => pin(i));
  chip.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") { hovered = i; refresh(); } });
  chip.addEventListener("keydown", (event) => {
    const [last, step] = [text.tokens.length - 1, { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key]];
    const goal = { Home: 0, End: last }[event.key] ?? (step && Math.min(last, Math.max(0, i + step)));
    if (goal === undefined) return;
    event.preventDefault();
    pin(goal);
  });
  return make("li", {}, chip);
};
list.addEventListener("pointerleave", () => { hovered = null; refresh(); });

const paintTokens = () => {
  const [at, { tokens, first }] = [lookingAt(), text];
  const weights = rowOf(...head);
  while (list.childElementCount > tokens.length) list.lastChild.remove();
  while (list.childElementCount < tokens.length) list.append(makeChip(list.childElementCount));
  [...list.children].forEach((item, i) => {
    const [chip, weight] = [item.firstChild, weights?.[i - first] ?? 0];
    const [name, small] = chip.children;
    if (name.textContent !== nameOf(tokens[i])) name.textContent = nameOf(tokens[i]);
    small.textContent = weight >= 0.005 ? percent(weight) : "";
    item.className = name.textContent.endsWith("↵") ? "pan-play-break" : "";
    chip.classList.toggle("pan-play-written", i >= prompted);
    chip.classList.toggle("pan-play-forgotten", i < first);
    chip.classList.toggle("pan-play-at", i === at);
    chip.style.setProperty("--weight", weight.toFixed(3));
    chip.tabIndex = i === (pinned ?? tokens.length - 1) ? 0 : -1;
    chip.setAttribute("aria-pressed", i === at);
  });
  if (!weights) { look.textContent = tokens.length ? `${tokens.length} tokens.` : ""; return; }
  const [best, second] = ranked(weights);
  const one = (i) => `“${nameOf(tokens[first + i])}” (${percent(weights[i])})`;
  look.textContent = `With head ${head[1] + 1} of block ${head[0] + 1}, “${nameOf(tokens[at])}” looks at ${one(best)}${second === undefined ? "" : ` and ${one(second)}`}.${tokens.length > prompted ? " Underlined: written by the model." : ""}${first ? ` It has forgotten the first ${first} tokens.` : ""}`;
};

const cells = Array.from({ length: config.depth }, (_, block) => {
  heads.append(make("span", {}, `block ${block + 1}`));
  return Array.from({ length: config.heads }, (__, h) => {
    const cell = make("button", { type: "button", "aria-label": `head ${h + 1} of block ${block + 1}` }, `head ${h + 1}`);
    const svg = fig.add(null, "svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
    const path = fig.add(svg, "path", { fill: "var(--fig-key)" });
    cell.append(svg);
    cell.addEventListener("click", () => { head = [block, h]; refresh(); });
    heads.append(cell);
    return { cell, svg, path };
  });
});
heads.style.setProperty("--heads", config.heads);
const paintHeads = () => cells.forEach((row, block) => row.forEach(({ cell, svg, path }, h) => {
  const weights = rowOf(block, h) ?? [];
  cell.setAttribute("aria-pressed", block === head[0] && h === head[1]);
  svg.setAttribute("viewBox", `0 0 ${Math.max(12, text.tokens.length - text.first)} 1`);
  path.setAttribute("d", weights.map((weight, i) => `M${i} 1v${-weight.toFixed(3)}h0.9v${weight.toFixed(3)}z`).join(""));
}));

// --- what follows --------------------------------------------------------------------------------
const makeBars = (width) => {
  const svg = fig.add(null, "svg", { width, height: SHOWN * ROW + 4, viewBox: `0 0 ${width} ${SHOWN * ROW + 4}`, role: "img" });
  const [left, room] = [96, width - 96 - 92];
  const rows = Array.from({ length: SHOWN }, (_, k) => {
    const y = 2 + k * ROW;
    return {
      y,
      label: fig.add(svg, "text", { x: left - 8, y: y + 16, "text-anchor": "end" }),
      after: fig.add(svg, "rect", { x: left, y: y + 4, height: ROW - 8, fill: "var(--fig-prediction)" }),
      hatch: fig.add(svg, "path", { stroke: "var(--fig-ink)", fill: "none" }),
      before: fig.add(svg, "rect", { x: left, y: y + 2, height: ROW - 4, fill: "none", stroke: "var(--fig-ink)" }),
      share: fig.add(svg, "text", { y: y + 16 }),
    };
  });
  const paintBars = (before, after) => {
    const order = ranked(before).slice(0, SHOWN);
    const scale = room / Math.max(...order.map((i) => Math.max(before[i], after[i])));
    svg.setAttribute("aria-label", `The likeliest next tokens: ${order.map((i) => `“${nameOf(i)}” ${after[i] ? percent(after[i]) : "cut off"}`).join(", ")}.`);
    rows.forEach(({ y, label, after: full, hatch, before: frame, share }, k) => {
      const i = order[k];
      const [cut, wide] = [after[i] === 0, before[i] * scale];
      label.textContent = nameOf(i);
      fig.put(label, { "text-decoration": cut ? "line-through" : "none" });
      fig.put(full, { width: after[i] * scale });
      fig.put(frame, { width: wide });
      const lines = cut ? Math.max(1, Math.floor(wide / 5)) : 0;
      hatch.setAttribute("d", Array.from({ length: lines }, (_, j) => `M${left + 5 * j} ${y + ROW - 2}l${Math.min(5, wide)} ${4 - ROW}`).join(""));
      share.textContent = cut ? `cut (${percent(before[i])})` : percent(after[i]);
      share.setAttribute("x", left + 6 + Math.max(wide, after[i] * scale));
    });
  };
  return { svg, paintBars };
};

const controlText = (name) => page.controls.find((control) => control.name === name).texts[fig.places()[page.controls.findIndex((control) => control.name === name)]];
const describeNext = (p) => {
  const [best] = ranked(p);
  const said = [["Temperature", "temperature"], ["Top-k", "top_k"], ["Top-p", "top_p"], ["Min-p", "min_p"]].map(([label, name]) => `${label} ${controlText(name)}`);
  return `${said.join(", ")}: ${count(p).toLocaleString("en")} of ${p.length.toLocaleString("en")} tokens can follow, first of all “${nameOf(best)}” with ${percent(p[best])}.`;
};
const count = (p) => p.filter((part) => part > 0).length;

// How many tokens each sampling parameter leaves, one after the other.
const paintFunnel = (values) => {
  const all = settings(values);
  const left = (names) => count(reshapeDistribution(text.logits, Object.fromEntries(names.map((name) => [name, all[name]]))));
  const steps = [["top-k", ["topK"], "top_k"], ["top-p", ["topK", "topP"], "top_p"], ["min-p", ["topK", "topP", "minP"], "min_p"]];
  funnel.textContent = [`What follows? ${config.vocab.toLocaleString("en")} tokens`, ...steps.map(([label, names, name]) => `${label} ${controlText(name)} leaves ${left(["temperature", ...names]).toLocaleString("en")}`)].join(" → ");
};

// Multiply-adds for the prediction after the last token, with and without the cache.
const paintCost = () => {
  const n = text.tokens.length - text.first;
  const rows = [["with the cache", multiplyAdds(config, n - 1, 1), true], ["everything anew", multiplyAdds(config, 0, n), false]];
  const most = rows[1][1];
  cost.replaceChildren(make("p", {}, `Multiply-adds to predict what follows ${n} tokens, ${(most / rows[0][1]).toFixed(0)} to 1:`), ...rows.map(([label, sum, cached]) => {
    const used = canRun && cacheBox.checked === cached;
    const time = used && spent?.cached === cached ? `, ${spent.milliseconds.toFixed(0)} ms here` : "";
    const line = make("i", { "aria-hidden": "true" });
    line.style.width = `${(100 * sum) / most}%`;
    return make("div", used ? { class: "pan-play-used" } : {}, make("span", {}, `${label}${used ? " (on)" : ""}: ${(sum / 1e6).toFixed(1)} million${time}`), line);
  }));
};

fig.show((width) => {
  const { svg, paintBars } = makeBars(width);
  const waiting = make("p", {}, "The model has not read this text yet. Press “Next token”.");
  stage.replaceChildren(list, look, heads, cost, funnel, svg, waiting);
  return (values) => {
    paintTokens();
    paintHeads();
    const known = text.logits !== null;
    for (const part of [svg, funnel]) part.style.display = known ? "" : "none";
    waiting.hidden = known;
    cost.hidden = !text.tokens.length;
    if (text.tokens.length) paintCost();
    if (!known) return { sentence: note || `${text.tokens.length} tokens. Press “Next token”, and the model reads them.`, numbers: {} };
    const [before, p] = [softmax(text.logits), reshapeDistribution(text.logits, settings(values))];
    paintBars(before, p);
    paintFunnel(values);
    return { sentence: note || describeNext(p), numbers: { p: ranked(text.logits).slice(0, SHOWN).map((i) => p[i]) } };
  };
});

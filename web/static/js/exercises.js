// Answers to exercises and predictions, in the reader's browser alone: nothing is sent. The answers
// are sealed (tools/answers.py): what is typed, put through a slow hash, opens the check's sentence.
// Where the browser lets a page keep nothing, what is written lasts until the page is left.
(() => {
  "use strict";
  const KEY = "pan-answers";
  const NO_CRYPTO = "This browser checks answers only on pages that come by https or from your own machine. The check in the notebook always works.";
  let memory = null; // what is kept where storage is blocked

  // Read whatever was stored as {answers: {name: [text]}, predictions: {name: text}}.
  const cleaned = (value) => {
    const entries = (part, good) => Object.fromEntries(Object.entries((value && value[part]) || {}).filter(([, x]) => good(x)));
    const isText = (x) => typeof x === "string";
    const answers = entries("answers", (x) => Array.isArray(x) && x.every(isText));
    return { version: 1, answers, predictions: entries("predictions", isText) };
  };
  const load = () => {
    if (memory) return memory;
    try {
      return cleaned(JSON.parse(localStorage.getItem(KEY)));
    } catch {
      return cleaned(null);
    }
  };
  const keep = (part, name, value) => {
    const kept = load();
    if (value.length) kept[part][name] = value;
    else delete kept[part][name];
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      memory = kept;
    }
  };

  // Numbers as people write them -----------------------------------------------------------------
  const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  const plain = (text) => (DECIMAL.test(text) ? Number(text) : NaN);
  const fraction = (text) => {
    const [above, below, ...more] = text.split("/").map(plain);
    return more.length || below === 0 ? NaN : above / (below ?? 1);
  };
  // What a text may mean: 0,25 and 1/4 are a quarter; 4,096 may be a thousand times another number.
  const readings = (text) => {
    const tidy = text.replace(/[−–]/g, "-").replace(/[\s_]/g, "").replace(/^=/, "");
    const whole = /^[+-]?[1-9]\d{0,2}(,\d{3})+$/.test(tidy) ? [fraction(tidy.replaceAll(",", ""))] : [];
    return [...whole, fraction(tidy.replaceAll(",", "."))].filter(Number.isFinite);
  };
  // A list in the first field, the others empty: a number for each of them.
  const spread = (texts) => {
    if (texts.length < 2 || texts.slice(1).some((text) => text.trim())) return texts;
    const bare = texts[0].replace(/[()[\]]/g, " ");
    for (const mark of [/;/, /,\s/, /\s/, /,/]) {
      const parts = bare.split(mark).map((part) => part.trim()).filter(Boolean);
      if (parts.length === texts.length) return parts;
    }
    return texts;
  };

  // The seals ------------------------------------------------------------------------------------
  const bytesOf = (text) => new TextEncoder().encode(text);
  const fromBase64 = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const slow = async (text, { salt, iterations }) => {
    const key = await crypto.subtle.importKey("raw", bytesOf(text), "PBKDF2", false, ["deriveBits"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt: bytesOf(salt), iterations };
    return new Uint8Array(await crypto.subtle.deriveBits(how, key, 256));
  };
  const quick = async (key, purpose, length) => {
    const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const out = new Uint8Array(length);
    for (let i = 0; i * 32 < length; i++) {
      const block = new Uint8Array(await crypto.subtle.sign("HMAC", hmac, bytesOf(purpose + i)));
      out.set(block.subarray(0, length - i * 32), i * 32);
    }
    return out;
  };
  const crossed = async (text, key) => {
    const stream = await quick(key, "text", text.length);
    return text.map((byte, i) => byte ^ stream[i]);
  };
  const tagOf = async (key) => [...(await quick(key, "tag", 6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const NONE = new Uint8Array(8);

  // The nearest point of a grid that is even up to 10 and ten times as wide in each further decade.
  const gridPoint = (x, unit) => {
    let [decade, scale] = [0, 1];
    for (; Math.abs(x) / scale >= 10; decade++) scale *= 10;
    return `${decade}:${Math.floor(x / (unit * scale) + 0.5)}`;
  };
  const tokenOf = async (field, text, sealed) => {
    const key = await slow(`${field} ${text}`, sealed);
    const found = sealed.fields[field][await tagOf(key)];
    return found ? crossed(fromBase64(found), key) : null;
  };
  const tokenOfField = async (field, meanings, sealed) => {
    for (const x of meanings) {
      const token = await tokenOf(field, typeof x === "number" ? gridPoint(x, sealed.units[field]) : x, sealed);
      if (token) return token;
    }
    return NONE;
  };
  const verdictOf = async (given, sealed) => {
    const tokens = await Promise.all(given.map((meanings, i) => tokenOfField(i, meanings, sealed)));
    for (const some of [tokens, tokens.map(() => NONE)]) {
      const parts = [bytesOf(sealed.salt), ...some].flatMap((part) => [...part]);
      const key = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(parts)));
      const found = sealed.verdicts[await tagOf(key)];
      if (!found) continue;
      const sentenceKey = await crossed(fromBase64(found[1]), key);
      return new TextDecoder().decode(await crossed(fromBase64(sealed.sentences[found[0]]), sentenceKey));
    }
    throw new Error(`no verdict for ${sealed.salt}`);
  };

  // Cards ----------------------------------------------------------------------------------------
  const controls = (field) => [...field.querySelectorAll("input")];
  const textOf = (field) => {
    const inputs = controls(field);
    if (inputs[0].type === "text") return inputs[0].value;
    return inputs.filter((input) => input.checked).map((input) => input.value).join(" ");
  };
  const fill = (field, text) => {
    for (const input of controls(field)) {
      if (input.type === "text") input.value = text;
      else input.checked = text.split(" ").includes(input.value);
    }
  };
  const labelOf = (field) => field.querySelector("span, legend").textContent;

  // For each field what it may mean; or a sentence that says what is missing, and in which field.
  const read = (fields, texts, { options, choose }) => {
    const given = [];
    for (const [i, text] of texts.entries()) {
      const of = texts.length > 1 ? ` (${labelOf(fields[i])})` : "";
      const wrong = (sentence) => ({ sentence, field: fields[i] });
      if (choose[i]) {
        const chosen = text.split(" ").filter(Boolean).length;
        if (chosen !== choose[i]) return wrong(`Choose ${choose[i]} of the ${options[i].length}${of}; ${chosen || "none"} ${chosen < 2 ? "is" : "are"} chosen.`);
        given.push([text]);
        continue;
      }
      if (!text.trim()) return wrong(`Type a number first${of}.`);
      const meanings = readings(text);
      if (!meanings.length) return wrong(`“${text.trim()}” cannot be read as a number${of}. Write it as 0.25, 0,25, 1/4 or 2.5e-1.`);
      if (options[i].length) {
        const whole = meanings.find((x) => options[i].includes(x));
        if (whole === undefined) return wrong(`A whole number from ${options[i][0]} to ${options[i].at(-1)} is asked for.`);
        given.push([String(whole)]);
      } else given.push(meanings);
    }
    return { given };
  };

  const show = (form, sentence) => {
    const line = form.querySelector(".pan-verdict");
    form.dataset.verdict = { "✓": "right", "✗": "wrong" }[sentence[0]] || (sentence ? "unread" : "");
    line.textContent = sentence;
  };
  const check = async (form, sealed, { again = false } = {}) => {
    const fields = [...form.querySelectorAll(".pan-field")];
    const texts = spread(fields.map(textOf));
    fields.forEach((field, i) => fill(field, texts[i]));
    for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    const { given, sentence, field } = read(fields, texts, sealed);
    if (!given) {
      if (again) return;
      show(form, sentence);
      for (const input of controls(field)) if (input.type === "text") input.ariaInvalid = "true";
      controls(field)[0].focus();
      return;
    }
    keep("answers", `${form.dataset.chapter} ${form.dataset.exercise}`, texts);
    if (!globalThis.crypto?.subtle) return show(form, NO_CRYPTO);
    const asked = texts.join();
    const verdict = await verdictOf(given, sealed);
    if (fields.map(textOf).join() !== asked) return; // it was changed meanwhile
    show(form, verdict);
    if (form.dataset.verdict === "right" && !again) markDone(form);
  };
  // The mark of progress under the card is progress.js's: press it once.
  const markDone = (form) => {
    const button = form.closest("section").querySelector("button[data-exercise][aria-pressed=false]");
    if (button) button.click();
  };

  for (const form of document.querySelectorAll("form.pan-answer")) {
    const sealed = JSON.parse(form.querySelector("script").textContent);
    const stored = load().answers[`${form.dataset.chapter} ${form.dataset.exercise}`];
    const fields = [...form.querySelectorAll(".pan-field")];
    if (stored && stored.length === fields.length) {
      fields.forEach((field, i) => fill(field, stored[i]));
      check(form, sealed, { again: true });
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      check(form, sealed);
    });
    form.addEventListener("input", () => show(form, ""));
  }

  // Predictions ----------------------------------------------------------------------------------
  for (const form of document.querySelectorAll("form.pan-predict")) {
    const text = form.querySelector("textarea");
    const shown = document.getElementById(`${text.id}-shown`);
    const box = shown.closest("details");
    const showBeside = () => {
      shown.querySelector("q").textContent = text.value.trim();
      shown.hidden = !text.value.trim();
    };
    text.value = load().predictions[form.dataset.prediction] || "";
    showBeside();
    text.addEventListener("input", () => keep("predictions", form.dataset.prediction, text.value));
    text.addEventListener("change", showBeside);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      showBeside();
      if (box) box.open = true;
      const goal = shown.hidden ? (box ? box.querySelector("summary") : shown.nextElementSibling) : shown;
      if (goal) goal.scrollIntoView({ block: "center" });
      if (!shown.hidden || box) goal.focus({ preventScroll: true });
    });
    if (box) box.addEventListener("toggle", showBeside);
  }
})();

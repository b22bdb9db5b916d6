// Sets formulas with KaTeX: a line of JSON in, a line of JSON out, until the input ends.
// Arguments: KaTeX's script, and the classes that \htmlClass may give, by the macro's name.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [script, classes] = process.argv.slice(2);
const katex = createRequire(import.meta.url)(script);
const macros = {};
for (const [name, given] of Object.entries(JSON.parse(classes))) macros[`\\${name}`] = `\\htmlClass{${given}}{#1}`;

const run = (tex, displayMode, output) =>
  katex.renderToString(tex, {
    displayMode,
    output,
    macros: { ...macros }, // KaTeX would add what a formula defines
    trust: ({ command }) => command === "\\htmlClass",
    strict: (code) => (code === "htmlExtension" ? "ignore" : "error"),
  });

// The statements of a displayed equation: what stands between \qquad outside of all groups.
const clauses = (tex) => {
  const found = [""];
  let depth = 0;
  for (const token of tex.match(/\\[a-zA-Z]+|\\.|[^]/gs)) {
    if (/^(\{|\\begin|\\left)$/.test(token)) depth += 1;
    if (/^(\}|\\end|\\right)$/.test(token)) depth -= 1;
    if (token === "\\qquad" && depth === 0) found.push("");
    else found[found.length - 1] += token;
  }
  return found;
};

// KaTeX keeps the TeX in its MathML; notebooks have it, and a reader would hear it twice.
const SOURCE = /<semantics>(.*)<annotation encoding="application\/x-tex">.*<\/annotation><\/semantics>/s;
const mathml = (tex, display) => run(tex, display, "mathml").replace(SOURCE, "$1").match(/<math.*<\/math>/s)[0];
// What stands in the innermost of KaTeX's frames, two in a line and three around a display. Between
// its parts a line may break: browsers would break behind the last as well, in front of a full stop.
const INNERMOST = 'aria-hidden="true">';
const bases = (tex, display) => {
  const html = run(tex, display, "html");
  const inside = html.slice(html.indexOf(INNERMOST) + INNERMOST.length, -"</span>".length * (display ? 3 : 2));
  return display ? inside : inside.replaceAll('</span><span class="base">', '</span><wbr/><span class="base">');
};

// A display's clauses share a line where there is room for it, and stand below each other elsewhere.
const set = (tex, display) => {
  const parts = display ? clauses(tex) : [tex];
  const drawn = parts.map((part) => bases(part, display));
  const several = parts.length > 1;
  const lines = several ? drawn.map((part) => `<span class="pan-clause">${part}</span>`) : drawn;
  const html =
    `<span class="katex"><span class="katex-mathml">${mathml(tex, display)}</span>` +
    `<span class="katex-html${several ? " pan-clauses" : ""}" aria-hidden="true">${lines.join("")}</span></span>`;
  return display ? `<span class="katex-display">${html}</span>` : html;
};

const answer = ({ tex, display }) => {
  try {
    return { html: set(tex, display) };
  } catch (error) {
    if (!(error instanceof katex.ParseError)) throw error;
    return { error: error.message.replace(/^KaTeX parse error: /, "") };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + "\n");
}

// Sets formulas with KaTeX: a line of JSON in, a line of JSON out, until the input ends.
// Arguments: KaTeX's script, and the classes that \htmlClass may give, by the macro's name.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [script, classes] = process.argv.slice(2);
const katex = createRequire(import.meta.url)(script);
const macros = {};
for (const [name, given] of Object.entries(JSON.parse(classes))) macros[`\\${name}`] = `\\htmlClass{${given}}{#1}`;

// The TeX source would only be read twice: the notebooks have it.
const SOURCE = /<semantics>(.*)<annotation encoding="application\/x-tex">.*<\/annotation><\/semantics>/s;

const set = ({ tex, display }) => {
  try {
    const html = katex.renderToString(tex, {
      displayMode: display,
      output: "htmlAndMathml",
      macros: { ...macros }, // KaTeX would add what a formula defines
      trust: ({ command }) => command === "\\htmlClass",
      strict: (code) => (code === "htmlExtension" ? "ignore" : "error"),
    });
    return { html: html.replace(SOURCE, "$1") };
  } catch (error) {
    if (!(error instanceof katex.ParseError)) throw error;
    return { error: error.message.replace(/^KaTeX parse error: /, "") };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(set(JSON.parse(line))) + "\n");
}

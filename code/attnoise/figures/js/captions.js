// Captions of shapes: the grammar, tokens, and the nearest caption to what a reader wrote.
// Twins: parse_caption and encode_captions of attnoise.data.captions. Words come from Python, as `facts`.

export class CaptionError extends Error {}

// Read a caption into {objects: [{size, colour, shape}], relation}, or say what is wrong with it.
export const parseCaption = (facts, text) => {
  const { sizes, colours, shapes, relations, vocab } = facts;
  const words = text.toLowerCase().replaceAll(".", " ").split(/\s+/).filter(Boolean);
  if (!words.length) throw new CaptionError("caption must name an object, but it is empty; try 'a large red circle'.");
  const unknown = words.filter((word) => !vocab.includes(word));
  if (unknown.length) {
    const [named, verb] = [unknown.map((word) => `'${word}'`).join(", "), unknown.length === 1 ? "is" : "are"];
    throw new CaptionError(`caption must be made of known words, but ${named} ${verb} none; known are ${vocab.join(", ")}.`);
  }
  const object = ([article, ...parts]) => {
    const kinds = { size: sizes, colour: colours, shape: shapes };
    Object.entries(kinds).forEach(([kind, known], i) => {
      if (article === "a" && known.includes(parts[i])) return;
      const said = [article, ...parts].join(" ");
      throw new CaptionError(`caption must describe an object as 'a', size, colour, shape, but it has '${said}'; as ${kind} it may have ${known.join(", ")}.`);
    });
    return { size: parts[0], colour: parts[1], shape: parts[2] };
  };
  if (words.length === 4) return { objects: [object(words)], relation: null };
  const relation = words.slice(4, -4).join(" ");
  if (words.length < 9 || !relations.includes(relation)) {
    throw new CaptionError(
      `caption must be one object, or two with a relation between them, but it is '${text}'; ` +
        "an object is 'a', size, colour, shape; a relation is above, below, left of or right of.",
    );
  }
  const [first, second] = [object(words.slice(0, 4)), object(words.slice(-4))];
  if (first.colour === second.colour && first.shape === second.shape) {
    throw new CaptionError(`caption must name two objects that differ in colour or shape, but both are ${first.colour} ${first.shape}s; change one of them.`);
  }
  return { objects: [first, second], relation };
};

export const objectText = ({ size, colour, shape }) => `a ${size} ${colour} ${shape}`;
export const captionText = ({ objects, relation }) => objects.map(objectText).join(` ${relation} `);

// Tokens of a caption; 0 is padding, null is the caption without words.
export const encodeCaption = (facts, caption) => {
  const words = caption ? captionText(caption).split(" ") : [];
  return Array.from({ length: facts.max_length }, (_, i) => (i < words.length ? facts.vocab.indexOf(words[i]) + 1 : 0));
};

// What readers write for the grammar's words, and for its relations of two words.
const SYNONYMS = {
  large: ["big", "huge", "giant", "great", "tall", "wide"],
  small: ["tiny", "little", "mini", "short"],
  red: ["crimson", "scarlet", "pink", "orange"],
  green: ["lime", "emerald"],
  blue: ["navy", "azure", "cyan", "turquoise"],
  yellow: ["gold", "golden"],
  purple: ["violet", "lilac", "magenta"],
  white: ["silver", "grey", "gray"],
  circle: ["ball", "disc", "disk", "dot", "sphere", "round"],
  square: ["box", "cube", "block", "rectangle"],
  triangle: ["pyramid", "wedge"],
  cross: ["plus", "x"],
  ring: ["hoop", "donut", "doughnut", "loop"],
  above: ["over", "on", "atop", "top"],
  below: ["under", "beneath", "underneath"],
  left: ["beside", "near", "next", "and", "with", "by"],
  right: [],
};

// How many letters must be added, dropped, exchanged or swapped with a neighbour.
const editDistance = (a, b) => {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? rows[i - 2][j - 2] + 1 : Infinity;
      rows[i].push(Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] !== b[j - 1]), swapped));
    }
  }
  return rows[a.length][b.length];
};

// The grammar's word for one that a reader wrote, or null: itself, a synonym, a plural, a slip.
const meant = (word) => {
  const all = Object.entries(SYNONYMS).flatMap(([known, others]) => [known, ...others].map((other) => [other, known]));
  for (const form of [word, word.replace(/e?s$/, ""), word.replace(/s$/, "")]) {
    const exact = all.find(([other]) => other === form);
    if (exact) return exact[1];
  }
  if (word.length < 4) return null; // a short word is one letter away from many
  const near = all.filter(([other]) => other.length > 3).map(([other, known]) => [editDistance(word, other), known]);
  const [far, known] = near.reduce((best, one) => (one[0] < best[0] ? one : best));
  return far <= (word.length > 5 ? 2 : 1) ? known : null;
};

// The legal caption nearest to a text, or null if no word of it says what to paint. What is not
// said becomes large, red or a circle; two objects without a relation stand side by side.
export const nearestCaption = (facts, text) => {
  const kinds = { size: facts.sizes, colour: facts.colours, shape: facts.shapes };
  const objects = [{}];
  let relation = null;
  for (const word of text.toLowerCase().split(/[^a-z]+/).map(meant)) {
    const kind = Object.keys(kinds).find((name) => kinds[name].includes(word));
    const stated = facts.relations.find((name) => name.split(" ")[0] === word);
    const last = objects[objects.length - 1];
    if (stated && Object.keys(objects[0]).length) {
      relation = stated === "left of" ? relation ?? stated : stated; // "and to the right of", "next to, above"
      if (objects.length === 1) objects.push({});
    } else if (kind && objects.length === 1 && last.shape && last[kind]) {
      objects.push({ [kind]: word }); // "red circle, blue square"
    } else if (kind && !last[kind]) last[kind] = word;
  }
  const said = objects.filter((object) => Object.keys(object).length);
  if (!said.length) return null;
  const [first, second] = said.map((object) => ({ size: "large", colour: "red", shape: "circle", ...object }));
  if (!second) return captionText({ objects: [first], relation: null });
  if (first.colour === second.colour && first.shape === second.shape) second.colour = facts.colours.find((colour) => colour !== first.colour);
  return captionText({ objects: [first, second], relation: relation ?? "left of" });
};

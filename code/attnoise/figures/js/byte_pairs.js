// Byte-pair encoding. Twin: attnoise.transformers.BytePairTokenizer.

// Words with the space before them, numbers, other signs, and white space by itself; Python's
// classes of characters, written out.
const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const PIECES = new RegExp(` ?[\\p{L}\\p{Nl}\\p{No}]+| ?\\p{Nd}+| ?[^\\p{L}\\p{N}${SPACE}]+|[${SPACE}]+(?![^${SPACE}])|[${SPACE}]+`, "gu");

// A tokenizer from its merges, pairs of tokens in the order in which they were learned.
export const makeBytePairs = (merges) => {
  const bytes = Array.from({ length: 256 }, (_, i) => [i]);
  const ranks = new Map(); // "left,right": the token that the pair becomes
  for (const [left, right] of merges) {
    ranks.set(`${left},${right}`, bytes.length);
    bytes.push([...bytes[left], ...bytes[right]]);
  }

  // Replay the merges: the one that was learned first, everywhere, until no pair is left.
  const encodePiece = (piece) => {
    let word = [...new TextEncoder().encode(piece)];
    for (;;) {
      const made = word.slice(1).map((right, i) => ranks.get(`${word[i]},${right}`) ?? Infinity);
      const first = Math.min(...made);
      if (first === Infinity) return word;
      const merged = [];
      for (let i = 0; i < word.length; i += 1) {
        merged.push(made[i] === first ? first : word[i]);
        if (made[i] === first) i += 1; // its right half is spent
      }
      word = merged;
    }
  };

  return {
    encode: (text) => (text.replace(/\p{Cs}/gu, "?").match(PIECES) ?? []).flatMap(encodePiece),
    bytes: (token) => bytes[token],
    // The text of tokens; bytes that are no whole character become U+FFFD.
    decode: (tokens) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(tokens.flatMap((token) => bytes[token]))),
  };
};

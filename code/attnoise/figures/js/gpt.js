// A GPT with rotary positions, QK-norm, RMSNorm and SwiGLU, one token at a time with its cache.
// Twins: attnoise.transformers.GPT and generate, safetensors.torch.load, torch's FlopCounterMode.
import { attention, dot } from "./attention.js";
import { rotaryAngles } from "./rotary.js";

const POWERS = Array.from({ length: 31 }, (_, exponent) => 2 ** ((exponent || 1) - 15));
const QK_EPS = 2 ** -23; // what torch adds under the root if nothing else is said

// A number of 16 bits; weights are neither infinite nor NaN.
const half = (bits) => {
  const exponent = (bits >> 10) & 31;
  const size = POWERS[exponent] * ((exponent ? 1 : 0) + (bits & 1023) / 1024);
  return bits & 0x8000 ? -size : size;
};

// The tensors of a safetensors file in 16 bits, each as a flat list by its name.
export const readSafetensors = (buffer) => {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensor = ({ dtype, data_offsets: [start, end] }) => {
    if (dtype !== "F16") throw new Error(`weights must be F16, but they are ${dtype}`);
    return Float32Array.from(new Uint16Array(buffer.slice(8 + length + start, 8 + length + end)), half);
  };
  return Object.fromEntries(Object.entries(header).filter(([name]) => name !== "__metadata__").map(([name, entry]) => [name, tensor(entry)]));
};

// W x, a row of W for each number that comes out.
const linear = (weight, x) => {
  const y = new Float32Array(weight.length / x.length);
  for (let row = 0, k = 0; row < y.length; row += 1) {
    let sum = 0;
    for (let j = 0; j < x.length; j += 1, k += 1) sum += weight[k] * x[j];
    y[row] = sum;
  }
  return y;
};

const rmsNorm = (x, gain, eps) => {
  const size = Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((part, i) => (part / size) * gain[i]);
};

// Turn each pair (j, j + k / 2), the layout "half".
const rotateHalf = (x, position, angles) => {
  const pairs = angles.length;
  return x.map((part, i) => {
    const angle = position * angles[i % pairs];
    return part * Math.cos(angle) + (i < pairs ? -x[i + pairs] : x[i - pairs]) * Math.sin(angle);
  });
};

const silu = (x) => x / (1 + Math.exp(-x));
const add = (x, y) => x.map((part, i) => part + y[i]);
const split = (x, k) => Array.from({ length: x.length / k }, (_, h) => x.subarray(h * k, (h + 1) * k));

// A model from its tensors. read(token, cache) lets it read one token after those in the cache, and
// returns the end of the residual stream and the weights [block][head] on all tokens so far;
// predict(x) makes the logits of what follows.
export const makeGPT = (tensors, config) => {
  const { d, heads, depth, rotary_base: base, norm_eps: eps } = config;
  const angles = rotaryAngles(d / heads, base);
  const blocks = Array.from({ length: depth }, (_, i) => (name) => tensors[`blocks.${i}.${name}.weight`]);

  const attend = (x, block, stores) => {
    const position = stores[0].keys.length;
    const [queries, keys, values] = ["query", "key", "value"].map((name) => split(linear(block(`attention.to_${name}`), x), d / heads));
    const turn = (vector, name) => rotateHalf(rmsNorm(vector, block(`attention.${name}_norm`), QK_EPS), position, angles);
    const mixed = new Float32Array(d);
    const weights = stores.map((store, h) => {
      store.keys.push(turn(keys[h], "key"));
      store.values.push(values[h]);
      const found = attention(turn(queries[h], "query"), store.keys, store.values);
      mixed.set(found.output, (h * d) / heads);
      return found.weights;
    });
    return { output: linear(block("attention.to_output"), mixed), weights };
  };

  const swiglu = (x, block) => {
    const [gate, up] = ["gate", "up"].map((name) => linear(block(`mlp.${name}`), x));
    return linear(block("mlp.down"), gate.map((part, i) => silu(part) * up[i]));
  };

  return {
    config,
    makeCache: () => blocks.map(() => Array.from({ length: heads }, () => ({ keys: [], values: [] }))),
    read(token, cache) {
      let x = tensors["tokens.weight"].slice(token * d, (token + 1) * d);
      const weights = blocks.map((block, i) => {
        const looked = attend(rmsNorm(x, block("attention_norm"), eps), block, cache[i]);
        x = add(x, looked.output);
        x = add(x, swiglu(rmsNorm(x, block("mlp_norm"), eps), block));
        return looked.weights;
      });
      return { x, weights };
    },
    predict: (x) => linear(tensors["tokens.weight"], rmsNorm(x, tensors["norm.weight"], eps)),
  };
};

// A text that is written on: all tokens, the first that the model sees, what it has read of them.
export const makeText = (tokens, { max_length: room }) => ({ tokens: [...tokens], first: Math.max(0, tokens.length - room), cache: null, weights: [], logits: null });

// Let the model read what is new of a text, or everything if it keeps no cache. A text that has
// outgrown it loses its older half.
export const readOn = (gpt, text, useCache) => {
  const { max_length: room } = gpt.config;
  if (text.tokens.length - text.first > room) Object.assign(text, { first: text.tokens.length - Math.max(1, Math.floor(room / 2)), cache: null });
  if (!useCache || !text.cache) Object.assign(text, { cache: gpt.makeCache(), weights: [] });
  let end = null;
  for (const token of text.tokens.slice(text.first + text.weights.length)) {
    end = gpt.read(token, text.cache);
    text.weights.push(end.weights);
  }
  if (end) text.logits = gpt.predict(end.x);
};

// Multiply-adds of the matrix products when a model reads `fresh` tokens after `past` in its cache
// and predicts once. Each token looks at itself and at those before it.
export const multiplyAdds = ({ vocab, d, hidden, depth }, past, fresh) => {
  const looked = fresh * past + (fresh * (fresh + 1)) / 2;
  return depth * (fresh * (4 * d * d + 3 * d * hidden) + 2 * d * looked) + vocab * d;
};

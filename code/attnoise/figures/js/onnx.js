// Models that run on the page, by the onnxruntime-web that the built website brings.
import { download } from "./download.js";
import { asset } from "./site.js";

// The captions and the parser of pictures; after a failure the next call tries again.
let shapes = null;
export const loadShapes = () => (shapes ??= import(asset("js/shapes.js")).catch((error) => {
  shapes = null;
  throw error;
}));

// The runtime, and a session for each model by its name; tell(received, total) counts bytes.
export const loadModels = async (names, tell) => {
  const ort = await import(asset("vendor/ort/ort.wasm.bundle.min.mjs"));
  const files = ["vendor/ort/ort-wasm-simd-threaded.wasm.gz", ...names.map((name) => `models/${name}.onnx.gz`)];
  const [runtime, ...models] = await download(files.map(asset), tell);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = runtime;
  const sessions = [];
  for (const model of models) sessions.push(await ort.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"] }));
  return { ort, sessions };
};

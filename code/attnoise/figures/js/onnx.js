// Models that run on the page, by the onnxruntime-web that the built website brings.
const site = document.documentElement.dataset.content_root; // only the built website has one
export const canRun = site !== undefined;
const asset = (path) => new URL(path, new URL(`${site}_static/`, location.href));

// The captions and the parser of pictures; after a failure the next call tries again.
let shapes = null;
export const loadShapes = () => (shapes ??= import(asset("js/shapes.js")).catch((error) => {
  shapes = null;
  throw error;
}));

// The runtime, and a session for each model by its name.
export const loadModels = async (...names) => {
  const ort = await import(asset("vendor/ort/ort.wasm.bundle.min.mjs"));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: asset("vendor/ort/ort-wasm-simd-threaded.wasm").href };
  const sessions = [];
  for (const name of names) sessions.push(await ort.InferenceSession.create(asset(`models/${name}.onnx`).href, { executionProviders: ["wasm"] }));
  return { ort, sessions };
};

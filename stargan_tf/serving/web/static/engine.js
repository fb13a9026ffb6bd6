// The page's side of worker.js: questions, and promises of their answers.

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let asked = 0;
let onProgress = () => {};

worker.onmessage = ({ data }) => {
  if ("progress" in data) {
    onProgress(data.progress);
    return;
  }
  const { resolve, reject } = waiting.get(data.number);
  waiting.delete(data.number);
  if ("problem" in data) reject(new Error(data.problem));
  else resolve(data.result);
};

worker.onerror = (event) => {
  const problem = new Error(`This browser cannot run the model (${event.message ?? "its worker does not start"}).`);
  for (const { reject } of waiting.values()) reject(problem);
  waiting.clear();
};

/** Asks for one of the tasks of worker.js; they are done one after the other. */
export function ask(task, input) {
  return new Promise((resolve, reject) => {
    asked += 1;
    waiting.set(asked, { resolve, reject });
    worker.postMessage({ number: asked, task, input });
  });
}

/**
 * Loads the model.
 * @param facts what model.json holds
 * @param device `wasm` or `webgpu`
 * @param progressed is called with the loaded share, 0 to 1
 */
export function load(facts, device, progressed) {
  onProgress = progressed;
  return ask("load", { facts, device });
}

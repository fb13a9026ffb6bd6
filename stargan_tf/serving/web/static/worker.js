// Does what takes long, beside the page: loads runtime and networks, reads pictures, draws. One message after the other.

import { latentOfSeed } from "./latents.js";
import { checkPixels, readPicture } from "./picture.js";

let ort;
let model;
let encoded; // of the source that was chosen last
const sessions = {};

/** What may be asked; each result is sent back. */
const tasks = {
  /** Loads everything that is ever needed, so that the page goes on without a network. */
  async load({ facts, device }) {
    checkPixels();
    model = facts;
    const runtime = model.runtime[device];
    const files = [runtime.binary, ...model.networks];
    const total = files.reduce((sum, file) => sum + file.bytes, 0);
    let loaded = 0;
    const contents = [];
    for (const { path } of files) {
      contents.push(await fetchBytes(path, (bytes) => postMessage({ progress: (loaded += bytes) / total })));
    }
    ort = await import(`./${runtime.script}`);
    ort.env.wasm.numThreads = 1; // more need headers that static hosts do not send
    ort.env.wasm.wasmPaths = { mjs: new URL(runtime.glue, import.meta.url).href };
    ort.env.wasm.wasmBinary = contents[0].buffer;
    ort.env.logLevel = "error";
    for (const [index, { name }] of model.networks.entries()) {
      sessions[name] = await ort.InferenceSession.create(contents[index + 1], { executionProviders: [device] });
    }
  },

  /** Pixels of a file as the network sees them. */
  read: ({ file }) => readPicture(file, model),

  /** Takes pixels as the source of what is drawn next. */
  async choose({ pixels }) {
    encoded = await sessions.encode_image.run({ image: imageTensor(pixels) });
  },

  /** Style code of a seed. */
  async drawStyle({ seed, domain, psi }) {
    const latent = latentOfSeed(seed, model.latent_dim);
    const inputs = { latent: row(latent), domain: domainTensor(domain), psi: new ort.Tensor("float32", [psi], [1]) };
    return { code: (await sessions.map_latent.run(inputs)).style.data, latent };
  },

  /** Style code of pixels, read as a picture of a domain. */
  async readStyle({ pixels, domain }) {
    const inputs = { image: imageTensor(pixels), domain: domainTensor(domain) };
    return { code: (await sessions.encode_style.run(inputs)).style.data };
  },

  /** The source in a style, RGBA. */
  async draw({ code }) {
    const { translated_image: image } = await sessions.decode_image.run({ style: row(code), ...encoded });
    const pixels = new Uint8ClampedArray((image.data.length / 3) * 4).fill(255);
    for (let from = 0, to = 0; from < image.data.length; from += 3, to += 4) {
      for (let channel = 0; channel < 3; channel += 1) {
        // Clamped, and rounded to even, which these arrays do.
        pixels[to + channel] = Math.fround(Math.fround(image.data[from + channel] + 1) * 127.5);
      }
    }
    return pixels;
  },
};

async function fetchBytes(path, onBytes) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    throw new Error(`${path} could not be loaded: there is no connection. Load the page again.`);
  }
  if (!answer.ok) throw new Error(`${path} could not be loaded: the server answers ${answer.status}.`);
  const parts = [];
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(value);
    onBytes(value.length);
  }
}

function imageTensor(pixels) {
  const [height, width] = model.image_size;
  const values = new Float32Array(height * width * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4, to += 3) {
    for (let channel = 0; channel < 3; channel += 1) values[to + channel] = pixels[from + channel] / 127.5 - 1;
  }
  return new ort.Tensor("float32", values, [1, height, width, 3]);
}

function row(values) {
  return new ort.Tensor("float32", values, [1, values.length]);
}

function domainTensor(domain) {
  return new ort.Tensor("int32", [domain], [1]);
}

let last = Promise.resolve();
self.onmessage = ({ data: { number, task, input } }) => {
  last = last
    .then(() => tasks[task](input))
    .then(
      (result) => postMessage({ number, result }),
      (error) => postMessage({ number, problem: String(error?.message ?? error) }),
    );
};

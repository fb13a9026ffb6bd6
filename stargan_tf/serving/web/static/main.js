// The page: what the visitor chose, and what is shown of it. worker.js does what takes long.

import { paint, save, toPng } from "./canvases.js";
import { describe, spoken } from "./description.js";
import { ask, load } from "./engine.js";
import { hashOf, marked } from "./provenance.js";

const STYLES_AT_ONCE = 6;

const part = (id) => document.getElementById(id);

let model;
let source = null; // pixels
let reference = null; // pixels and name
let styles = []; // of the strip: key, label, code, pixels; the last two when they are drawn
let chosen = "seed 0"; // the key of one of them
let shown = null; // what the large picture is: label, code and origin
let turn = 0; // counts what was asked for, so that late answers are told
let choices = 0; // counts pictures that were chosen
let domainIsChosen; // whether by the visitor or the link; else examples choose one that is not their own

// ------------------------------------------------------------------------------------------------ start
async function start() {
  const device = new URLSearchParams(location.search).get("device") === "webgpu" ? "webgpu" : "wasm";
  model = await (await fetched("model.json")).json();
  const link = new URLSearchParams(location.hash.slice(1));
  describe(model, device, link);
  domainIsChosen = model.domains.includes(link.get("domain"));
  chosen = `seed ${link.get("style") ?? firstSeed()}`;
  const files = [model.runtime[device].binary, ...model.networks];
  const megabytes = files.reduce((sum, file) => sum + file.bytes, 0) / 1e6;
  const progressed = (share) => {
    part("progress").value = share;
    part("loading-text").textContent =
      share < 1 ? `Loading the model: ${(share * megabytes).toFixed(0)} of ${megabytes.toFixed(0)} MB` : "Nearly there …";
  };
  await Promise.all([showExamples(), load(model, device, progressed)]);
  part("loading").hidden = true;
  part("app").hidden = false;
  part("example-strip").firstChild?.click();
}

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path} could not be loaded: the server answers ${answer.status}.`);
  return answer;
}

/** Offers the examples, whose files are kept, since the net may be gone when one is chosen. */
async function showExamples() {
  const [height, width] = model.image_size;
  part("examples").hidden = model.examples.length === 0;
  const read = async ({ path }) => new File([await (await fetched(path)).blob()], path);
  (await Promise.all(model.examples.map(read))).forEach((file, index) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(Object.assign(new Image(width, height), { src: URL.createObjectURL(file), alt: `Example ${index + 1}` }));
    button.addEventListener("click", ({ isTrusted }) => {
      const other = document.querySelector("input[name=domain]:not(:checked)");
      if (!domainIsChosen && other && model.examples[index].domain === model.domains[domain()]) other.checked = true;
      chooseSource(file, button, isTrusted);
    });
    part("example-strip").append(button);
  });
}

// ------------------------------------------------------------------------------------------------ settings
const isSeed = (seed) => Number.isSafeInteger(seed + STYLES_AT_ONCE) && seed >= 0;
const firstSeed = () => Number(part("seed").value);
const domain = () => Number(document.querySelector("input[name=domain]:checked").value);
const psi = () => Number(part("psi").value);

function remember() {
  const values = { domain: model.domains[domain()], seed: firstSeed(), psi: psi() };
  const { seed } = styles.find(({ key }) => key === chosen); // of a reference none
  if (seed > firstSeed()) values.style = seed;
  history.replaceState(null, "", `#${new URLSearchParams(values)}`);
}

function tell(problem) {
  part("problem").textContent = problem;
  part("problem").hidden = !problem;
}

/** Does what the visitor asked for, and tells what went wrong. */
function doing(action) {
  return async (...given) => {
    tell("");
    try {
      await action(...given);
    } catch (error) {
      tell(error.message);
    }
  };
}

// ------------------------------------------------------------------------------------------------ pictures
/** Reads a file; meanwhile the last result is dimmed. */
async function read(file) {
  part("after").classList.add("waiting");
  try {
    return await ask("read", { file });
  } catch (error) {
    part("after").classList.remove("waiting");
    throw error;
  }
}

const chooseSource = doing(async (file, example, byVisitor = true) => {
  choices += 1;
  const mine = choices;
  const pixels = await read(file);
  if (mine !== choices) return;
  turn += 1; // what is being drawn is of another source
  source = pixels;
  await ask("choose", { pixels });
  if (mine !== choices) return;
  for (const button of part("example-strip").children) button.ariaPressed = String(button === example);
  part("nothing").hidden = true;
  part("results").hidden = false;
  paint(part("before"), pixels, model.image_size);
  const pair = document.querySelector(".pair");
  if (byVisitor && pair.getBoundingClientRect().bottom > innerHeight) pair.scrollIntoView({ block: "end" }); // on a phone
  await redraw();
});

const chooseReference = doing(async (file) => {
  reference = { pixels: await read(file), name: file.name, hash: await hashOf(file) };
  chosen = "reference";
  await redraw();
});

// ------------------------------------------------------------------------------------------------ drawing
/** Draws the styles of the strip, the chosen one first. */
async function redraw() {
  if (!source) return;
  turn += 1;
  const mine = turn;
  const seeds = Array.from({ length: STYLES_AT_ONCE }, (_, index) => firstSeed() + index);
  const keys = [...(reference ? ["reference"] : []), ...seeds.map((seed) => `seed ${seed}`)];
  if (!keys.includes(chosen)) chosen = keys[0];
  const kind = spoken(model.domains[domain()]);
  styles = keys.map((key) => ({ key, label: `${kind}, ${key}`, seed: Number(key.split(" ")[1]) }));
  part("reference-hint").textContent = `Another picture gives its style as if it showed: ${kind}.`;
  fillStrip();
  remember();
  part("after").classList.add("waiting");
  for (;;) {
    const style = styles.find(({ key, pixels }) => key === chosen && !pixels) ?? styles.find(({ pixels }) => !pixels);
    if (!style) return;
    const found = await styleOf(style);
    if (mine !== turn) return;
    const pixels = await ask("draw", found);
    if (mine !== turn) return;
    Object.assign(style, found, { pixels });
    fillTile(style);
    if (style.key === chosen && part("mix").value === "0") show(style, pixels);
  }
}

/** The code of a style and where it comes from. */
async function styleOf({ key, seed }) {
  if (key === "reference") {
    const { code } = await ask("readStyle", { pixels: reference.pixels, domain: domain() });
    return { code, origin: { reference: reference.name, ...(reference.hash && { reference_sha256: reference.hash }) } };
  }
  const { code, latent } = await ask("drawStyle", { seed, domain: domain(), psi: psi() });
  return { code, origin: { seed, psi: psi(), latent: [...latent] } };
}

function fillStrip() {
  part("style-strip").replaceChildren(
    ...styles.map(({ key }) => {
      const label = Object.assign(document.createElement("label"), { className: "waiting" });
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "style", value: key });
      input.checked = key === chosen;
      const canvas = document.createElement("canvas");
      paint(canvas, null, model.image_size);
      label.append(input, canvas, key);
      return label;
    }),
  );
  fillMixture();
}

function fillTile({ key, pixels }) {
  const label = part("style-strip").children[styles.findIndex((style) => style.key === key)];
  label.className = "";
  paint(label.querySelector("canvas"), pixels, model.image_size);
}

function fillMixture() {
  const others = styles.filter(({ key }) => key !== chosen);
  const before = part("mix-with").value;
  part("mix-with").replaceChildren(...others.map(({ key }) => new Option(key, key, false, key === before)));
  part("mix").value = 0;
  part("mix-value").value = "0 %";
}

function show({ label, code, origin }, pixels) {
  shown = { label, code, origin, domain: model.domains[domain()] };
  paint(part("after"), pixels, model.image_size);
  part("after").classList.remove("waiting");
  part("after").ariaLabel = `After: your picture as ${label}`;
  part("caption").textContent = label;
}

function chooseStyle(key) {
  chosen = key;
  remember();
  fillMixture();
  const style = styles.find((each) => each.key === key);
  if (style.pixels) show(style, style.pixels);
  else part("after").classList.add("waiting");
}

let mixing = false;
/** Draws the mixture that the slider says; while it is drawn, the slider may move on. */
const mix = doing(async () => {
  if (mixing) return;
  mixing = true;
  try {
    for (let share = null; share !== part("mix").value; ) {
      share = part("mix").value;
      part("mix-value").value = `${share} %`;
      const one = styles.find(({ key }) => key === chosen);
      const other = styles.find(({ key }) => key === part("mix-with").value);
      if (!one?.code || !other?.code) return; // still being drawn
      const mine = turn;
      const code = one.code.map((value, index) => value + (share / 100) * (other.code[index] - value));
      const pixels = await ask("draw", { code });
      if (mine !== turn || one.key !== chosen) return;
      const label = share === "0" ? one.label : `${one.label}, mixed with ${share} % of ${other.key}`;
      const origin = share === "0" ? one.origin : { mixture: { [one.key]: 100 - share, [other.key]: Number(share) } };
      show({ label, code, origin }, pixels);
    }
  } finally {
    mixing = false;
  }
});

// ------------------------------------------------------------------------------------------------ events
function onFile(id, action) {
  part(id).addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file) action(file).finally(() => (target.value = "")); // the same file may be chosen again
  });
}

onFile("source", chooseSource);
onFile("reference", chooseReference);
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (model && event.dataTransfer.files[0]) chooseSource(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (model && file) chooseSource(file);
});
part("domain-choices").addEventListener(
  "change",
  doing(async () => {
    domainIsChosen = true;
    await redraw();
  }),
);
part("style-strip").addEventListener("change", ({ target }) => chooseStyle(target.value));
part("more").addEventListener(
  "click",
  doing(async () => {
    part("seed").value = firstSeed() + STYLES_AT_ONCE;
    chosen = `seed ${firstSeed()}`;
    await redraw();
  }),
);
part("psi").addEventListener("input", () => (part("psi-value").value = part("psi").value));
part("psi").addEventListener("change", doing(redraw));
part("seed").addEventListener(
  "change",
  doing(async ({ target }) => {
    if (target.value === "" || !isSeed(firstSeed())) {
      const given = target.value;
      target.value = 0;
      throw new Error(`The first seed was “${given}”, and must be a whole number from 0 on. It is 0 again.`);
    }
    chosen = `seed ${firstSeed()}`;
    await redraw();
  }),
);
part("mix").addEventListener("input", mix);
part("mix-with").addEventListener("change", mix);
part("save-picture").addEventListener(
  "click",
  doing(async () => {
    const { label } = shown;
    save(await marked(await toPng(part("after")), model.provenance, shown), `${label}.png`);
  }),
);
part("save-style").addEventListener("click", () => {
  const { domain, origin, code, label } = shown;
  const entry = { domain, ...origin, run: location.href, step: model.step, networks: model.networks_fingerprint };
  save(new Blob([JSON.stringify({ ...entry, style: [...code] }, null, 1)]), `${label}.json`);
});
part("about-open").addEventListener("click", () => part("about").showModal());
part("about-close").addEventListener("click", () => part("about").close());

start().catch((error) => {
  part("loading").hidden = true;
  tell(error.message);
});

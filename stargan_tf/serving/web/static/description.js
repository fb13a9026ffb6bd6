// What stands on the page as soon as the model's facts are known.

const SMALL = 64; // of smaller images single pixels are shown: smoothing would hide what the model drew

const part = (id) => document.getElementById(id);

/**
 * Fills in what the model is, and what the visitor may set.
 * @param model what model.json holds
 * @param device what computes: `wasm` or `webgpu`
 * @param {URLSearchParams} link values that the address may hold: domain, seed and psi
 */
export function describe(model, device, link) {
  document.title = `${model.name}: picture translator`;
  document.body.classList.toggle("small", Math.max(...model.image_size) < SMALL);
  const [height, width] = model.image_size;
  part("intro").textContent =
    `Redraws a picture as ${list(model.domains.map(spoken))}. ` +
    "It runs in this browser: your pictures do not leave this device.";
  part("seen").textContent = `as the model sees it, ${width} × ${height} pixels`;
  part("save-picture").textContent = `Download the picture (${width} × ${height})`;
  part("card").innerHTML = model.card; // made of the model card by the exporter, with all names escaped
  part("device").textContent =
    device === "webgpu" ? "Computed by WebGPU, which was not tested." : "Computed on one core of this device's processor.";
  part("about-open").hidden = false;
  const asked = model.domains.indexOf(link.get("domain"));
  model.domains.forEach((name, index) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "domain", value: index });
    input.checked = index === Math.max(0, asked);
    label.append(input, spoken(name));
    part("domain-choices").append(label);
  });
  const seed = Number(link.get("seed") ?? 0);
  if (Number.isSafeInteger(seed) && seed >= 0) part("seed").value = seed;
  const psi = Number(link.get("psi") ?? 1);
  if (psi >= 0 && psi <= 1) part("psi").value = psi;
  part("psi-value").value = part("psi").value;
  part("more-settings").open = psi !== 1;
}

/** The name of a domain as it is read. */
export const spoken = (name) => name.replaceAll("_", " ");

function list(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

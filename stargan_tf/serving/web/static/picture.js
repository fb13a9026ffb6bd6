// A file becomes what the network sees: decoded by the browser, with its colours converted to sRGB and turned upright,
// put on the background, and fitted as the data were that the network was trained with.

import { conversion, isOfTables } from "./colours.js";
import { readMetadata } from "./metadata.js";
import { resizeColumns, resizeRows } from "./lanczos.js";

const PIXELS_AT_ONCE = 1 << 20; // phones refuse large canvases

// Two pixels beside each other, and EXIF that says to show them one above the other: not all browsers look at it in WebP.
const TURNED_WEBP =
  "UklGRk4AAABXRUJQVlA4WAoAAAAIAAAAAQAAAAAAVlA4TA4AAAAvAQAAAAcQEf0PRET/A0VYSUYaAAAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAA=";

const SIGNATURES = [
  ["TIFF", 0, "II*\0"],
  ["TIFF", 0, "MM\0*"],
  ["HEIC", 4, "ftyphei"],
  ["HEIC", 4, "ftypmif1"],
  ["HEIC", 4, "ftyphev"],
  ["PDF", 0, "%PDF"],
];

/**
 * Finds out whether this browser gives pixels as they are: some change them, so that pages cannot tell visitors apart.
 * @throws {Error} with a sentence for the visitor
 */
export function checkPixels() {
  const context = new OffscreenCanvas(64, 64).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "rgb(40 120 200)";
  context.fillRect(0, 0, 64, 64);
  const { data } = context.getImageData(0, 0, 64, 64);
  if (data.some((value, place) => value !== [40, 120, 200, 255][place % 4])) {
    throw new Error(
      "This browser changes the pixels that a page reads, to protect you from being recognized, and so the pictures " +
        "would come out wrong. Allow this page to read them (canvas), and load it again.",
    );
  }
}

/**
 * Reads a picture.
 * @param {Blob} file an encoded picture, with a name if it has one
 * @param model facts of the model: `image_size` (height, width) and `images` (fit, background, value_range)
 * @returns {Promise<Uint8ClampedArray>} RGBA of that size
 * @throws {Error} with a sentence for the visitor
 */
export async function readPicture(file, model) {
  const name = file.name ? `“${file.name}”` : "This file";
  const bytes = new Uint8Array(await file.arrayBuffer());
  const start = String.fromCharCode(...bytes.subarray(0, 32));
  if (bytes.length === 0) throw new Error(`${name} is empty. Choose another picture.`);
  const deep = start.startsWith("\x89PNG") && bytes[24] === 16;
  if (deep && model.images.value_range !== "full") {
    throw new Error(
      `${name} has 16 bits a channel, and this page cannot read the range of values that the model was made for. ` +
        "Save it with 8 bits and choose it again.",
    );
  }
  const { profile, orientation, opaque, known } = await readMetadata(bytes);
  if (profile && isOfTables(profile)) {
    throw new Error(
      `${name} describes its colours by tables (in its ICC profile), which browsers follow each in its own way, and so the ` +
        "model would see other colours. Save it as sRGB and choose it again.",
    );
  }
  const convert = profile && opaque ? conversion(profile) : null;
  // What cannot be converted here is left to the browser.
  const colorSpaceConversion = known && (convert || !profile) ? "none" : "default";
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion });
    if (orientation > 1 && !(await turnsWebp())) bitmap = await turn(bitmap, orientation);
  } catch {
    const [kind] = SIGNATURES.find(([, place, text]) => start.startsWith(text, place)) ?? [];
    throw new Error(
      kind
        ? `This browser cannot read ${kind} pictures, and ${name} is one. Save it as JPEG or PNG and choose it again.`
        : `${name} is not a picture that this browser can read, or it is damaged. Choose a JPEG, PNG, WebP or AVIF picture.`,
    );
  }
  try {
    return fit({ bitmap, convert, width: bitmap.width, height: bitmap.height }, model);
  } finally {
    bitmap.close();
  }
}

async function turnsWebp() {
  const bytes = Uint8Array.from(atob(TURNED_WEBP), (letter) => letter.charCodeAt(0));
  const { height } = await createImageBitmap(new Blob([bytes]));
  return height === 2;
}

/** Turns a picture upright, by the value of EXIF's orientation. */
function turn(bitmap, orientation) {
  const { width, height } = bitmap;
  const turned = [
    [-1, 0, 0, 1, width, 0],
    [-1, 0, 0, -1, width, height],
    [1, 0, 0, -1, 0, height],
    [0, 1, 1, 0, 0, 0],
    [0, 1, -1, 0, height, 0],
    [0, -1, -1, 0, height, width],
    [0, -1, 1, 0, 0, width],
  ][orientation - 2];
  const canvas = orientation < 5 ? new OffscreenCanvas(width, height) : new OffscreenCanvas(height, width);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.setTransform(...turned);
  context.drawImage(bitmap, 0, 0);
  return createImageBitmap(canvas);
}

function fit(picture, { image_size: [height, width], images }) {
  const background = `rgb(${images.background.join(" ")})`;
  const scales = [picture.width / width, picture.height / height];
  if (images.fit === "stretch") return resizePart(picture, picture.width, picture.height, width, height, background);
  if (images.fit === "crop") {
    const scale = Math.min(...scales);
    return resizePart(picture, scale * width, scale * height, width, height, background);
  }
  const scale = Math.min(width / picture.width, height / picture.height);
  const [innerWidth, innerHeight] = [
    [picture.width, width],
    [picture.height, height],
  ].map(([side, most]) => Math.max(1, Math.min(most, roundToEven(scale * side))));
  const inner = resizePart(picture, picture.width, picture.height, innerWidth, innerHeight, background);
  const padded = new Uint8ClampedArray(height * width * 4);
  for (let place = 0; place < padded.length; place += 4) padded.set([...images.background, 255], place);
  const [left, top] = [(width - innerWidth) >> 1, (height - innerHeight) >> 1];
  for (let row = 0; row < innerHeight; row += 1) {
    const line = inner.subarray(row * innerWidth * 4, (row + 1) * innerWidth * 4);
    padded.set(line, ((top + row) * width + left) * 4);
  }
  return padded;
}

/** As Python's `round`. */
function roundToEven(x) {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** Resizes the middle part of a picture, `partWidth` by `partHeight`, which may have fractions. */
function resizePart(picture, partWidth, partHeight, width, height, background) {
  const [left, top] = [(picture.width - partWidth) / 2, (picture.height - partHeight) / 2];
  const [right, bottom] = [Math.min(left + partWidth, picture.width), Math.min(top + partHeight, picture.height)];
  if (picture.height > 100 * picture.width && height < picture.height) {
    // Pillow takes the columns of very tall pictures first.
    const whole = joined(bands(picture, background));
    return resizeRows(resizeColumns(whole, picture.width, top, bottom, height), picture.width, left, right, width);
  }
  const narrow = [];
  for (const band of bands(picture, background)) narrow.push(resizeRows(band, picture.width, left, right, width));
  return resizeColumns(joined(narrow), width, top, bottom, height);
}

/** The pixels of a picture, some rows after the other. */
function* bands(picture, background) {
  const rows = Math.max(1, Math.min(picture.height, Math.floor(PIXELS_AT_ONCE / picture.width)));
  const canvas = new OffscreenCanvas(picture.width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = background;
  for (let top = 0; top < picture.height; top += rows) {
    const count = Math.min(rows, picture.height - top);
    context.fillRect(0, 0, picture.width, count);
    context.drawImage(picture.bitmap, 0, top, picture.width, count, 0, 0, picture.width, count);
    const { data } = context.getImageData(0, 0, picture.width, count);
    picture.convert?.(data);
    yield data;
  }
}

function joined(parts) {
  const all = [...parts];
  const result = new Uint8ClampedArray(all.reduce((total, part) => total + part.length, 0));
  let place = 0;
  for (const part of all) {
    result.set(part, place);
    place += part.length;
  }
  return result;
}

// Colours by an ICC profile of a matrix and curves, converted to sRGB as Little CMS does it (which Pillow uses), to the
// same bytes: browsers round otherwise. Numbers have 14 bits after the point. Source of the format: ICC.1:2022.

const ONE = 1 << 14;
const PARAMETERS = [1, 3, 4, 5, 7]; // of parametric curves, by their type
// X, Y and Z of sRGB's red, green and blue under D50, adapted from D65 by Bradford's method.
const SRGB = [
  [0.436041252, 0.385112911, 0.143045838],
  [0.22248454, 0.716905079, 0.060610381],
  [0.013920187, 0.097067239, 0.713912574],
];

/**
 * Makes what converts pixels.
 * @param {Uint8Array} profile an ICC profile
 * @returns {?function(Uint8ClampedArray): void} changes RGBA pixels in place; null if this is no profile of a matrix and
 *   curves; one that leaves them alone if the profile is that of sRGB
 */
export function conversion(profile) {
  let curves;
  let matrix;
  try {
    if (textOf(profile, 16) !== "RGB " || textOf(profile, 20) !== "XYZ ") return null;
    const tags = readTags(profile);
    curves = ["rTRC", "gTRC", "bTRC"].map((name) => firstTable(tags[name]));
    matrix = fromRgb(["rXYZ", "gXYZ", "bXYZ"].map((name) => readXyz(tags[name])));
  } catch {
    return null; // damaged
  }
  if (curves.includes(null)) return null;
  const convert = (pixels) => {
    for (let place = 0; place < pixels.length; place += 4) {
      const red = curves[0][pixels[place]];
      const green = curves[1][pixels[place + 1]];
      const blue = curves[2][pixels[place + 2]];
      for (let channel = 0; channel < 3; channel += 1) {
        const row = matrix[channel];
        const light = (row[0] * red + row[1] * green + row[2] * blue + ONE / 2) >> 14;
        pixels[place + channel] = LAST_TABLE[Math.max(0, Math.min(ONE, light))];
      }
    }
  };
  return isSrgb(convert) ? () => {} : convert;
}

/** As data.colour_profiles tells it: no grey and no colour of a cube moves by more than 1. */
function isSrgb(convert) {
  const samples = [];
  for (let grey = 0; grey < 256; grey += 1) samples.push(grey, grey, grey, 255);
  for (let index = 0; index < 4096; index += 1) {
    samples.push((index & 15) * 17, ((index >> 4) & 15) * 17, (index >> 8) * 17, 255);
  }
  const converted = Uint8ClampedArray.from(samples);
  convert(converted);
  return converted.every((value, place) => Math.abs(value - samples[place]) <= 1);
}

const textOf = (profile, start) => String.fromCharCode(...profile.subarray(start, start + 4));

/**
 * Tells whether a profile describes colours by tables, which not all browsers follow. Inks are always described so.
 * @param {Uint8Array} profile an ICC profile; one that is damaged is ignored by all
 */
export function isOfTables(profile) {
  try {
    return Object.keys(readTags(profile)).some((name) => /^(A2B|D2B)/.test(name));
  } catch {
    return false;
  }
}

function readTags(profile) {
  const view = new DataView(profile.buffer, profile.byteOffset, profile.length);
  if (textOf(profile, 36) !== "acsp") throw new RangeError("it is none");
  const tags = {};
  for (let index = 0; index < view.getUint32(128); index += 1) {
    const entry = 132 + 12 * index;
    const [start, length] = [view.getUint32(entry + 4), view.getUint32(entry + 8)];
    if (start + length > profile.length) throw new RangeError("it is cut");
    tags[textOf(profile, entry)] = new DataView(profile.buffer, profile.byteOffset + start, length);
  }
  return tags;
}

const fixed = (view, place) => view.getInt32(place) / 65536;
const readXyz = (view) => [8, 12, 16].map((place) => fixed(view, place));

/** Light of the values 0 to 255, with 14 bits after the point; null if this is no curve. */
function firstTable(view) {
  const curve = readCurve(view);
  return curve && Int32Array.from({ length: 256 }, (_, value) => Math.floor(curve(value / 255) * ONE + 0.5));
}

function readCurve(view) {
  const kind = view.getUint32(0);
  if (kind === 0x63757276) {
    const count = view.getUint32(8); // curv
    if (count === 0) return (x) => x;
    if (count === 1) return (x) => x ** (view.getUint16(12) / 256);
    return (x) => interpolate(view, count, Math.floor(Math.fround(x) * 65535 + 0.5)) / 65535;
  }
  const type = view.getUint16(8);
  if (kind !== 0x70617261 || type >= PARAMETERS.length) return null; // para
  const given = Array.from({ length: PARAMETERS[type] }, (_, index) => fixed(view, 12 + 4 * index));
  let [g, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = given;
  if (type === 1 || type === 2) [c, d, e, f] = [0, -b / a, c, c];
  return (x) => (x >= d ? Math.max(a * x + b, 0) ** g + e : c * x + f);
}

/** Between the entries of a table, in whole numbers as Little CMS does it. */
function interpolate(view, count, value) {
  const entry = (index) => view.getUint16(12 + 2 * index);
  if (value === 0xffff) return entry(count - 1);
  const scaled = value * (count - 1);
  const place = scaled + Math.floor((scaled + 0x7fff) / 0xffff); // 16 bits after the point
  const [index, rest] = [Math.floor(place / 65536), place % 65536];
  return entry(index) + Math.floor(((entry(index + 1) - entry(index)) * rest + 0x8000) / 65536);
}

/** From linear light of the profile to that of sRGB, with 14 bits after the point. */
function fromRgb(columns) {
  const toSrgb = inverse(SRGB);
  return toSrgb.map((row) =>
    columns.map((colour) => Math.floor(row.reduce((sum, value, index) => sum + value * colour[index], 0) * ONE + 0.5)),
  );
}

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / determinant));
}

/** Bytes of sRGB from linear light: rounded to 16 bits, then to 8. */
const LAST_TABLE = Uint8Array.from({ length: ONE + 1 }, (_, index) => {
  const light = index / ONE;
  const value = light <= 0.04045 / 12.92 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;
  return Math.round(Math.floor(value * 65535 + 0.5) / 257);
});

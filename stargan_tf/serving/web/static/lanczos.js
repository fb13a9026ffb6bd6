// Resizing with antialiasing as Pillow does it (Image.resize with LANCZOS), to the same bytes: a canvas scales otherwise.
//
// The kernel is Lanczos of 3 lobes, widened by the scale where the picture shrinks. Weights are integers with 22 bits
// after the point, and each of the two passes is rounded to 8 bits. Pixels are RGBA; the fourth byte becomes 255.

const LOBES = 3;
const BITS = 22;
const HALF = 2 ** (BITS - 1);

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function lanczos(x) {
  return Math.abs(x) < LOBES ? sinc(x) * sinc(x / LOBES) : 0;
}

/** For each of `wanted` places between `start` and `end`: the first of the `size` pixels that count, and the weights. */
function kernels(size, start, end, wanted) {
  const from = Math.fround(start); // Pillow has the box in single precision
  const scale = Math.fround(Math.fround(end) - from) / wanted;
  const widening = Math.max(scale, 1);
  return Array.from({ length: wanted }, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - LOBES * widening + 0.5));
    const last = Math.min(size, Math.trunc(centre + LOBES * widening + 0.5));
    const weights = Float64Array.from({ length: last - first }, (_, index) =>
      lanczos((index + first - centre + 0.5) / widening),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: Int32Array.from(weights, (weight) => roundAway((weight / sum) * 2 ** BITS)) };
  });
}

function roundAway(x) {
  return Math.trunc(x + (x < 0 ? -0.5 : 0.5));
}

/** Resizes `lines` lines; from pixel to pixel it is `step` bytes along a line, and `stride` from line to line. */
function resize(pixels, lines, kernelOfPlace, [step, stride], result, [resultStep, resultStride]) {
  for (let line = 0; line < lines; line += 1) {
    kernelOfPlace.forEach(({ first, weights }, place) => {
      let [red, green, blue] = [HALF, HALF, HALF];
      let from = line * stride + first * step;
      for (let index = 0; index < weights.length; index += 1, from += step) {
        const weight = weights[index];
        red += pixels[from] * weight;
        green += pixels[from + 1] * weight;
        blue += pixels[from + 2] * weight;
      }
      const to = line * resultStride + place * resultStep;
      result[to] = red >> BITS; // these arrays clamp
      result[to + 1] = green >> BITS;
      result[to + 2] = blue >> BITS;
      result[to + 3] = 255;
    });
  }
}

/**
 * Resizes along the rows.
 * @param {Uint8ClampedArray} pixels [rows, width] RGBA
 * @param {number} start where the part that is wanted begins, in pixels, and may have a fraction; `end` likewise
 * @returns {Uint8ClampedArray} [rows, wanted] RGBA
 */
export function resizeRows(pixels, width, start, end, wanted) {
  if (wanted === width && start === 0 && end === width) return pixels;
  const rows = pixels.length / (4 * width);
  const result = new Uint8ClampedArray(rows * wanted * 4);
  resize(pixels, rows, kernels(width, start, end, wanted), [4, 4 * width], result, [4, 4 * wanted]);
  return result;
}

/** Resizes along the columns of [height, width] pixels, as `resizeRows` does along the rows. */
export function resizeColumns(pixels, width, start, end, wanted) {
  const height = pixels.length / (4 * width);
  if (wanted === height && start === 0 && end === height) return pixels;
  const result = new Uint8ClampedArray(wanted * width * 4);
  resize(pixels, width, kernels(height, start, end, wanted), [4 * width, 4], result, [4 * width, 4]);
  return result;
}

// Latent codes from seeds: the same as TensorFlow's tf.random.stateless_normal(seed=[seed, 0], alg="philox") draws.
//
// Philox 4x32 with 10 rounds is of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).

const MULTIPLIERS = [0xd2511f53n, 0xcd9e8d57n];
const KEY_STEPS = [0x9e3779b9n, 0xbb67ae85n];
const SCRAMBLING_KEY = [0x3ec8f720n, 0x02461e29n]; // TensorFlow makes key and counter of a seed with this key
const LOW = 0xffffffffn;

function philox(counter, key) {
  let [a, b, c, d] = counter;
  let [first, second] = key;
  for (let round = 0; round < 10; round += 1) {
    const [left, right] = [a * MULTIPLIERS[0], c * MULTIPLIERS[1]];
    [a, b, c, d] = [(right >> 32n) ^ b ^ first, right & LOW, (left >> 32n) ^ d ^ second, left & LOW];
    [first, second] = [(first + KEY_STEPS[0]) & LOW, (second + KEY_STEPS[1]) & LOW];
  }
  return [a, b, c, d];
}

/** In [0, 1), of the lower 23 bits. */
function uniform(bits) {
  return Number(bits & 0x7fffffn) / 2 ** 23;
}

/** Two numbers of a normal distribution (Box and Muller). */
function normal(one, other) {
  const radius = Math.sqrt(-2 * Math.log(Math.max(uniform(one), 1e-7)));
  const angle = Math.fround(2 * Math.PI * uniform(other));
  return [radius * Math.sin(angle), radius * Math.cos(angle)];
}

/**
 * Draws the latent code of a seed.
 * @param {number} seed a whole number from 0 to 2^53 - 1
 * @param {number} length numbers wanted
 * @returns {Float32Array} the code
 */
export function latentOfSeed(seed, length) {
  const seed64 = BigInt(seed);
  const [first, second, third, fourth] = philox([seed64 & LOW, seed64 >> 32n, 0n, 0n], SCRAMBLING_KEY);
  const latent = [];
  for (let block = 0n; latent.length < length; block += 1n) {
    const [a, b, c, d] = philox([block, 0n, third, fourth], [first, second]);
    latent.push(...normal(a, b), ...normal(c, d));
  }
  return Float32Array.from(latent.slice(0, length));
}

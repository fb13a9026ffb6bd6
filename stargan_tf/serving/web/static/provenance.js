// Pictures say in their metadata that they are synthetic, as those of `sample` do: XMP in a PNG.

const EMPTY = "<rdf:Bag>"; // where styles are listed
const KEPT = ["seed", "psi", "reference_sha256"]; // of a style's origin; never a name, which may tell of a person

/**
 * Puts metadata into a picture.
 * @param {Blob} picture a PNG
 * @param {string} packet XMP that lists no style yet, made by the exporter
 * @param {{domain: string, origin: object}} style what was drawn
 * @returns {Promise<Blob>} the picture with it
 */
export async function marked(picture, packet, { domain, origin }) {
  const told = [["domain", domain], ...KEPT.filter((name) => name in origin).map((name) => [name, origin[name]])];
  const elements = told.map(([name, value]) => `<stargan:${name}>${escaped(value)}</stargan:${name}>`).join("");
  const text = packet.replace(EMPTY, () => `${EMPTY}\n<rdf:li rdf:parseType="Resource">${elements}</rdf:li>`);
  const content = new TextEncoder().encode(`iTXtXML:com.adobe.xmp\0\0\0\0\0${text}`);
  const frame = new DataView(new ArrayBuffer(8));
  frame.setUint32(0, content.length - 4);
  frame.setUint32(4, checksum(content));
  const headEnd = 33; // after the signature and IHDR
  return new Blob(
    [picture.slice(0, headEnd), frame.buffer.slice(0, 4), content, frame.buffer.slice(4), picture.slice(headEnd)],
    { type: "image/png" },
  );
}

function escaped(value) {
  return String(value).replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
}

/** CRC-32, as PNG has it. */
function checksum(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** The SHA-256 of a file in hexadecimal digits; null where the browser does not compute it (without HTTPS). */
export async function hashOf(file) {
  if (!crypto.subtle) return null;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

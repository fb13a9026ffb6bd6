// What a file says about its pixels beside them: the colour profile, and how the picture is turned upright.

/**
 * Reads the metadata of JPEG, PNG and WebP; what browsers do with those of other formats is left to them.
 * @param {Uint8Array} bytes the whole file
 * @returns {Promise<{profile: ?Uint8Array, orientation: number, opaque: boolean, known: boolean}>} the ICC profile; the
 *   orientation by EXIF (1 to 8) where browsers do not look at it; whether no pixel is transparent and colours are not
 *   of inks; and whether it is one of these formats
 */
export async function readMetadata(bytes) {
  const text = (start, length) => String.fromCharCode(...bytes.subarray(start, start + length));
  const found = { profile: null, orientation: 1, opaque: true, known: true };
  try {
    if (text(0, 2) === "\xff\xd8") readJpeg(bytes, text, found);
    else if (text(0, 4) === "\x89PNG") await readPng(bytes, text, found);
    else if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") readWebp(bytes, text, found);
    else found.known = false;
  } catch {
    // Damaged metadata are as good as none.
  }
  return found;
}

function readJpeg(bytes, text, found) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const parts = [];
  for (let place = 2; bytes[place] === 0xff && bytes[place + 1] !== 0xda; place += 2 + view.getUint16(place + 2)) {
    const [marker, length] = [bytes[place + 1], view.getUint16(place + 2)];
    if (marker === 0xe2 && text(place + 4, 12) === "ICC_PROFILE\0") {
      parts[bytes[place + 16]] = bytes.subarray(place + 18, place + 2 + length);
    }
    // Frames; 4 colours are inks.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) found.opaque = bytes[place + 9] < 4;
  }
  if (parts.length) found.profile = new Uint8Array(parts.flatMap((part) => [...part]));
}

async function readPng(bytes, text, found) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  found.opaque = bytes[25] < 4;
  for (let place = 8; text(place + 4, 4) !== "IDAT" && place < bytes.length; place += 12 + view.getUint32(place)) {
    const content = bytes.subarray(place + 8, place + 8 + view.getUint32(place));
    if (text(place + 4, 4) === "tRNS") found.opaque = false;
    if (text(place + 4, 4) === "iCCP") {
      const packed = content.subarray(content.indexOf(0) + 2);
      const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
      found.profile = new Uint8Array(await new Response(stream).arrayBuffer());
    }
  }
}

function readWebp(bytes, text, found) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let place = 12; place + 8 <= bytes.length; ) {
    const [name, length] = [text(place, 4), view.getUint32(place + 4, true)];
    const content = bytes.subarray(place + 8, place + 8 + length);
    if (name === "VP8X") found.opaque = (content[0] & 0x10) === 0;
    if (name === "VP8L") found.opaque &&= (content[4] & 0x10) === 0;
    if (name === "ICCP") found.profile = content;
    if (name === "EXIF") found.orientation = readOrientation(content);
    place += 8 + length + (length % 2);
  }
}

const ORIENTATION = 0x0112;

/** The orientation that EXIF tells, 1 if it tells none. */
function readOrientation(exif) {
  const header = String.fromCharCode(...exif.subarray(0, 6)) === "Exif\0\0" ? 6 : 0;
  const view = new DataView(exif.buffer, exif.byteOffset + header, exif.length - header);
  const little = view.getUint16(0) === 0x4949;
  const directory = view.getUint32(4, little);
  for (let index = 0; index < view.getUint16(directory, little); index += 1) {
    const entry = directory + 2 + 12 * index;
    const value = view.getUint16(entry + 8, little);
    if (view.getUint16(entry, little) === ORIENTATION) return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

// Pixels on the page, and files for the visitor.

/** Shows RGBA pixels on a canvas; null leaves it grey. */
export function paint(canvas, pixels, [height, width]) {
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  if (pixels) context.putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  else {
    context.fillStyle = "#8888";
    context.fillRect(0, 0, width, height);
  }
}

/** Gives the visitor a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\p{L}\p{N}.]+/gu, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** What a canvas shows, as PNG. */
export function toPng(canvas) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

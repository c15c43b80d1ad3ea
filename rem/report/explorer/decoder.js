// The worker of the page: base64 text to bytes, numbers and pixels, so that the page itself never waits for them.

const DECODED = { bytes: bytesOf, inflated, unpacked, sheet };

onmessage = async ({ data: { number, how, text, options } }) => {
  const found = await DECODED[how](text, options);
  postMessage({ number, found }, found.buffer ? [found.buffer] : [found.image, found.pixels.buffer]);
};

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

async function inflated(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// What `blocks.py` packed: all low bytes and then all high ones.
async function unpacked(text) {
  const halves = await inflated(text);
  const numbers = new Uint16Array(halves.length / 2);
  for (let at = 0; at < numbers.length; at++) numbers[at] = halves[at] | (halves[numbers.length + at] << 8);
  return numbers;
}

// The picture of all images, to be drawn from; as a file; and as pixels, four bytes each, or one of a grey picture.
async function sheet(text, { type, grey }) {
  const file = new Blob([bytesOf(text)], { type });
  const image = await createImageBitmap(file);
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, image.width, image.height).data;
  return { file, image, pixels: grey ? reds(pixels) : pixels };
}

function reds(pixels) {
  const found = new Uint8Array(pixels.length / 4);
  for (let at = 0; at < found.length; at++) found[at] = pixels[4 * at];
  return found;
}

// The data of the page: blocks of base64 text, decoded when they are first asked for.

export const content = JSON.parse(document.getElementById("content").textContent);

const decoded = new Map();

const textOf = (number) => document.getElementById(`block${number}`).textContent.trim();

function bytesOf(number) {
  const text = atob(textOf(number));
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

async function inflated(number) {
  const stream = new Blob([bytesOf(number)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// What `blocks.py` packed: all low bytes and then all high ones.
async function unpacked(number) {
  const halves = await inflated(number);
  const numbers = new Uint16Array(halves.length / 2);
  for (let at = 0; at < numbers.length; at++) numbers[at] = halves[at] | (halves[numbers.length + at] << 8);
  return numbers;
}

function once(name, make) {
  if (!decoded.has(name)) decoded.set(name, make());
  return decoded.get(name);
}

// A dataset's images as pixels, its labels and the float32 cuts that `codes.py` made.
export function loadDataset(dataset) {
  return once(`dataset ${dataset.name}`, async () => {
    const image = new Image();
    const loaded = new Promise((done, failed) => Object.assign(image, { onload: done, onerror: failed }));
    image.src = `data:${dataset.sprite.type};base64,${textOf(dataset.sprite.block)}`;
    await loaded;
    const sheet = document.createElement("canvas");
    [sheet.width, sheet.height] = [image.width, image.height];
    const context = sheet.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return {
      sheet,
      pixels: context.getImageData(0, 0, sheet.width, sheet.height).data,
      labels: new Uint16Array(bytesOf(dataset.labels).buffer),
      cuts: new Float32Array(bytesOf(dataset.cuts).buffer),
    };
  });
}

// A network's predicted classes and, a row a K of the slider, every image's tree and how many training images have it.
export function loadNetwork(network) {
  return once(`network ${name(network)}`, async () => ({
    predicted: new Uint16Array(bytesOf(network.predicted).buffer),
    trees: await unpacked(network.trees),
    training: network.training === null ? null : await unpacked(network.training),
  }));
}

// A network's couplings as codes, a capsule after another, and its lengths in hundredths.
export function loadCouplings(network, dataset) {
  return once(`couplings ${name(network)}`, async () => {
    const codes = await unpacked(network.codes);
    return { codes, capsules: codes.length / dataset.images, lengths: await inflated(network.lengths) };
  });
}

// The votes (M, J, I, D) int8 and couplings (M, J, I) of the few images that have them.
export function loadVotes(network) {
  return once(`votes ${name(network)}`, async () => ({
    votes: new Int8Array((await inflated(network.votes.votes)).buffer),
    couplings: new Float32Array((await inflated(network.votes.couplings)).buffer),
  }));
}

export const name = (network) => [network.dataset, network.variant, network.seed, network.checkpoint].join(" ");

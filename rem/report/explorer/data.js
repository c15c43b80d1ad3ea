// The data of the page: blocks of base64 text, which a worker decodes when they are first asked for.

export const content = JSON.parse(document.getElementById("content").textContent);

const textOf = (id) => document.getElementById(id).textContent;
const decoder = new Worker(URL.createObjectURL(new Blob([textOf("decoder")], { type: "text/javascript" })));
const waiting = []; // for the worker's answers, by their number
const loaded = new Map();

decoder.onmessage = ({ data: { number, found } }) => waiting[number](found);

// A block as one of the kinds that `decoder.js` makes of it.
function decoded(how, block, options) {
  return new Promise((done) => {
    const number = waiting.push(done) - 1;
    decoder.postMessage({ number, how, text: textOf(`block${block}`), options });
  });
}

function once(name, make) {
  if (!loaded.has(name)) loaded.set(name, make());
  return loaded.get(name);
}

// A dataset's images as one picture and its address, as pixels, its labels and the float32 cuts that `codes.py` made.
export function loadDataset(dataset) {
  return once(`dataset ${dataset.name}`, async () => {
    const [sheet, labels, cuts] = await Promise.all([
      decoded("sheet", dataset.sprite.block, { type: dataset.sprite.type, grey: dataset.channels !== 3 }),
      decoded("bytes", dataset.labels),
      decoded("bytes", dataset.cuts),
    ]);
    return {
      sheet: sheet.image,
      address: URL.createObjectURL(sheet.file),
      pixels: sheet.pixels,
      labels: new Uint16Array(labels.buffer),
      cuts: new Float32Array(cuts.buffer),
    };
  });
}

// A network's predicted classes and, a row a K of the slider, every image's tree and how many training images have it.
export function loadNetwork(network) {
  return once(`network ${name(network)}`, async () => {
    const [predicted, trees, training] = await Promise.all([
      decoded("bytes", network.predicted),
      decoded("unpacked", network.trees),
      network.training === null ? null : decoded("unpacked", network.training),
    ]);
    return { predicted: new Uint16Array(predicted.buffer), trees, training };
  });
}

// A network's couplings as codes, a capsule after another, and its lengths in hundredths.
export function loadCouplings(network, dataset) {
  return once(`couplings ${name(network)}`, async () => {
    const [codes, lengths] = await Promise.all([
      decoded("unpacked", network.codes),
      decoded("inflated", network.lengths),
    ]);
    return { codes, capsules: codes.length / dataset.images, lengths };
  });
}

// The votes (M, J, I, D) int8 and couplings (M, J, I) of the few images that have them.
export function loadVotes(network) {
  return once(`votes ${name(network)}`, async () => {
    const [votes, couplings] = await Promise.all([
      decoded("inflated", network.votes.votes),
      decoded("inflated", network.votes.couplings),
    ]);
    return { votes: new Int8Array(votes.buffer), couplings: new Float32Array(couplings.buffer) };
  });
}

export const name = (network) => [network.dataset, network.variant, network.seed, network.checkpoint].join(" ");

// Keys, dictionaries and entropies, as `rem.trees` computes them; and class lengths from votes.

// Eq. 7: the number of the nearest centre, half-way to the even one; in float32, as the files were made.
export function nearest(coupling, levels, cells) {
  const place = Math.fround(coupling * (cells ? levels : levels - 1));
  if (cells) return Math.min(Math.floor(place), levels - 1);
  const below = Math.floor(place);
  const over = place - below;
  return over > 0.5 || (over === 0.5 && below % 2) ? below + 1 : below;
}

const grouped = new WeakMap(); // of a network, its dictionaries at the last K

// The number of every image's tree at K among those of its predicted class, as `shared.py` gave it.
export function numbersOf(network, dataset, levels) {
  const from = dataset.shown.indexOf(levels) * dataset.images;
  return network.trees.subarray(from, from + dataset.images);
}

// The dictionary of every class at K: its keys by frequency, each with the images that have it, and Eq. 8 in bits.
export function dictionariesOf(network, dataset, levels) {
  if (grouped.get(network)?.levels !== levels)
    grouped.set(network, { levels, classes: dictionaries(network, dataset, levels) });
  return grouped.get(network).classes;
}

function dictionaries(network, dataset, levels) {
  const numbers = numbersOf(network, dataset, levels);
  const classes = dataset.classes.map((_, label) => ({ label, count: 0, keys: [] }));
  for (let image = 0; image < dataset.images; image++) {
    const own = classes[network.predicted[image]];
    (own.keys[numbers[image]] ??= []).push(image);
    own.count++;
  }
  for (const one of classes)
    one.entropy = one.keys.reduce((sum, { length }) => sum - (length / one.count) * Math.log2(length / one.count), 0);
  return classes;
}

// How many training images have an image's key and class at K.
export const trainingImages = (network, dataset, levels, image) =>
  network.training[dataset.shown.indexOf(levels) * dataset.images + image];

// The share of the images whose key and class training images have too.
export function sharedWithTraining(network, dataset, levels) {
  const from = dataset.shown.indexOf(levels) * dataset.images;
  return network.training.subarray(from, from + dataset.images).filter(Boolean).length / dataset.images;
}

// Eq. 9: the mean over all classes, every one alike.
export const meanEntropy = (classes) => classes.reduce((sum, one) => sum + one.entropy, 0) / classes.length;

// An image's couplings to its predicted class, (I,), to three decimals; or the centres of their levels at K.
export function couplingsOf({ codes, capsules }, dataset, data, image, levels = null) {
  const found = new Float64Array(capsules);
  const [steps, cells] = levels ? [levels, dataset.cells] : [1001, false];
  for (let capsule = 0; capsule < found.length; capsule++) {
    const k = nearest(data.cuts[codes[capsule * dataset.images + image]], steps, cells);
    found[capsule] = cells ? (k + 0.5) / steps : k / (steps - 1);
  }
  return found;
}

// What a coupling of 1/J becomes at K: where an undecided capsule stands.
export function undecided(dataset, levels = null) {
  const uniform = 1 / dataset.classes.length;
  if (!levels) return uniform;
  const k = nearest(Math.fround(uniform), levels, dataset.cells);
  return dataset.cells ? (k + 0.5) / levels : k / (levels - 1);
}

// An image's couplings (J, I) changed: softer or harder by tau, quantized at K, without the deleted capsules.
export function changed(couplings, classes, capsules, { tau, levels, cells, deleted }) {
  const found = Float64Array.from(couplings);
  for (let i = 0; i < capsules; i++) {
    let sum = 0;
    for (let j = 0; j < classes; j++) sum += found[j * capsules + i] ** (1 / tau);
    for (let j = 0; j < classes; j++) {
      let c = tau === 1 ? found[j * capsules + i] : sum ? found[j * capsules + i] ** (1 / tau) / sum : 0;
      if (levels) c = cells ? (nearest(c, levels, cells) + 0.5) / levels : nearest(c, levels) / (levels - 1);
      found[j * capsules + i] = deleted.has(i) ? 0 : c;
    }
  }
  return found;
}

// Eq. 2 and 3: |v_j| of votes (J, I, D) int8 in steps of `scale`, weighed by couplings (J, I).
export function lengthsOf(votes, scale, couplings, bias, capsules) {
  const dimensions = bias[0].length;
  return bias.map((own, j) => {
    const s = Float64Array.from(own);
    for (let i = 0; i < capsules; i++) {
      const weight = couplings[j * capsules + i] * scale;
      if (!weight) continue;
      const from = (j * capsules + i) * dimensions;
      for (let d = 0; d < dimensions; d++) s[d] += weight * votes[from + d];
    }
    const square = s.reduce((sum, value) => sum + value * value, 0);
    return (square / (1 + square)) * Math.sqrt(square / (square + 1e-6));
  });
}

// Keys, dictionaries and entropies, as `rem.trees` computes them; and class lengths from votes.

// Eq. 7: the number of the nearest centre, half-way to the even one; in float32, as the files were made.
export function nearest(coupling, levels, cells) {
  const place = Math.fround(coupling * (cells ? levels : levels - 1));
  if (cells) return Math.min(Math.floor(place), levels - 1);
  const below = Math.floor(place);
  const over = place - below;
  return over > 0.5 || (over === 0.5 && below % 2) ? below + 1 : below;
}

// The level of every code at K.
export function levelsOfCodes(cuts, levels, cells) {
  const found = new Uint16Array(cuts.length);
  for (let code = 0; code < cuts.length; code++) found[code] = nearest(cuts[code], levels, cells);
  return found;
}

const reckoned = new WeakMap(); // of a network, its dictionaries at the last K

// `dictionaries`, computed anew where network or K are others than before.
export function dictionariesOf(network, dataset, data, levels) {
  if (reckoned.get(network)?.levels !== levels) {
    reckoned.set(network, { levels, classes: dictionaries(network, dataset, data, levels) });
  }
  return reckoned.get(network).classes;
}

// The dictionary of every class: its keys by frequency, each with the images that have it, and Eq. 8 in bits.
function dictionaries(network, dataset, data, levels) {
  const { codes, capsules, predicted } = network;
  const images = dataset.images;
  const level = levelsOfCodes(data.cuts, levels, dataset.cells);
  const one = new Uint32Array(images).fill(0x811c9dc5);
  const other = new Uint32Array(images).fill(0x9747b28c);
  for (let capsule = 0; capsule < capsules; capsule++) {
    const from = capsule * images;
    for (let image = 0; image < images; image++) {
      const digit = level[codes[from + image]] + 1;
      one[image] = Math.imul(one[image] ^ digit, 0x01000193);
      other[image] = Math.imul(other[image] + digit, 0x85ebca6b) ^ (other[image] >>> 15);
    }
  }
  const classes = dataset.classes.map(() => new Map());
  for (let image = 0; image < images; image++) {
    const word = one[image] * 2097152 + (other[image] >>> 11);
    const keys = classes[predicted[image]];
    if (keys.has(word)) keys.get(word).push(image);
    else keys.set(word, [image]);
  }
  return classes.map((keys, label) => {
    const sorted = [...keys.values()].sort((a, b) => b.length - a.length || a[0] - b[0]);
    const count = sorted.reduce((sum, members) => sum + members.length, 0);
    const bits = sorted.reduce((sum, { length }) => sum - (length / count) * Math.log2(length / count), 0);
    return { label, count, entropy: bits, keys: sorted };
  });
}

// Eq. 9: the mean over all classes, every one alike.
export const meanEntropy = (classes) => classes.reduce((sum, one) => sum + one.entropy, 0) / classes.length;

// An image's couplings to its predicted class, (I,), to three decimals; or the centres of their levels at K.
export function couplingsOf(network, dataset, data, image, levels = null) {
  const found = new Float64Array(network.capsules);
  const [steps, cells] = levels ? [levels, dataset.cells] : [1001, false];
  for (let capsule = 0; capsule < found.length; capsule++) {
    const k = nearest(data.cuts[network.codes[capsule * dataset.images + image]], steps, cells);
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

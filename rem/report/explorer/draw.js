// Elements, pictures and colours that the views share.

export const element = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function filled(made, attributes = {}, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// Fill a list with what is made of items: so many at once, and so many more in every frame that it is shown.
export function fillGradually(list, items, make, many) {
  list.append(...items.slice(0, many).map(make));
  const next = () => list.isConnected && fillGradually(list, items.slice(many), make, many);
  if (items.length > many) requestAnimationFrame(next);
}

// The shares of a whole, of images and of seconds, for people.
export const percent = (share) => `${(100 * share).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;
export const part = (share) => `${(100 * share).toFixed(3)}%`; // for the style
export const bits = (value) => `${value.toFixed(2)} bits`;
export const counted = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// Where an image lies on the sheet of all.
export function placeOf(dataset, image) {
  return [(image % dataset.columns) * dataset.size, Math.floor(image / dataset.columns) * dataset.size];
}

// An image.
export function picture(dataset, data, image, label) {
  const made = element("canvas", { width: dataset.size, height: dataset.size, role: "img", "aria-label": label });
  made
    .getContext("2d")
    .drawImage(data.sheet, ...placeOf(dataset, image), dataset.size, dataset.size, 0, 0, dataset.size, dataset.size);
  return made;
}

// The mean of images, a picture of what a key stands for.
export function meanPicture(dataset, data, images, label) {
  const { size } = dataset;
  const sums = new Float32Array(size * size * 4);
  const line = size * 4;
  const step = dataset.channels === 3 ? 1 : 4; // of grey ones the red is enough
  for (const image of images) {
    const [left, top] = placeOf(dataset, image);
    for (let row = 0; row < size; row++) {
      const from = ((top + row) * data.sheet.width + left) * 4;
      for (let at = 0; at < line; at += step) sums[row * line + at] += data.pixels[from + at];
    }
  }
  const mean = new ImageData(size, size);
  for (let at = 0; at < sums.length; at++)
    mean.data[at] = at % 4 === 3 ? 255 : sums[at - (step === 4 ? at % 4 : 0)] / images.length;
  const made = element("canvas", { width: size, height: size, role: "img", "aria-label": label });
  made.getContext("2d").putImageData(mean, 0, 0);
  return made;
}

// The same picture once more.
export function copied(canvas) {
  const made = canvas.cloneNode();
  made.getContext("2d").drawImage(canvas, 0, 0);
  return made;
}

const WEAK = [230, 97, 1]; // below 1/J
const STRONG = [94, 60, 153]; // above

// The colour of a coupling: none at 1/J, orange below and violet above; [r, g, b, opacity].
export function colour(value, uniform, strongest) {
  const over = value >= uniform;
  const share = over
    ? (value - uniform) / Math.max(strongest - uniform, 1e-9)
    : (uniform - value) / Math.max(uniform, 1e-9);
  return [...(over ? STRONG : WEAK), Math.min(1, share) ** 0.7];
}

export const css = ([red, green, blue, opacity]) => `rgba(${red}, ${green}, ${blue}, ${opacity.toFixed(3)})`;

// Couplings as pixels, one a capsule, at the places (pixels of the picture) where they stand.
export function painted(made, values, places, shade) {
  const pixels = new ImageData(made.width, made.height);
  const known = new Map(); // there are few different values
  for (let capsule = 0; capsule < values.length; capsule++) {
    const value = values[capsule];
    if (!known.has(value)) known.set(value, shade(value));
    pixels.data.set(known.get(value), 4 * places[capsule]);
  }
  made.getContext("2d").putImageData(pixels, 0, 0);
  return made;
}

// A tree as a small picture: a map of capsules beside another, one a type.
export function smallTree(couplings, [types, rows, columns], uniform, label) {
  const across = Math.ceil(Math.sqrt(types));
  const width = across * (columns + 1) - 1;
  const height = Math.ceil(types / across) * (rows + 1) - 1;
  const made = element("canvas", { width, height, role: "img", class: "small-tree", "aria-label": label });
  const strongest = couplings.reduce((most, value) => Math.max(most, value), 2 * uniform);
  const places = Int32Array.from(couplings, (_, capsule) => {
    const [type, rest] = [Math.floor(capsule / (rows * columns)), capsule % (rows * columns)];
    const x = (type % across) * (columns + 1) + (rest % columns);
    return (Math.floor(type / across) * (rows + 1) + Math.floor(rest / columns)) * width + x;
  });
  return painted(made, couplings, places, (value) => {
    const [red, green, blue, opacity] = colour(value, uniform, strongest);
    return [...[red, green, blue].map((one) => 255 + opacity * (one - 255)), 255];
  });
}

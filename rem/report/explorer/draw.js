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
export const part = (share) => `${(100 * share).toFixed(4)}%`; // for the style
export const bits = (value) => `${value.toFixed(2)} bits`;
export const counted = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

// Where an image lies on the sheet of all.
export function placeOf(dataset, image) {
  return [(image % dataset.columns) * dataset.size, Math.floor(image / dataset.columns) * dataset.size];
}

export const rowsOf = (dataset) => Math.ceil(dataset.images / dataset.columns);

// An image, cut from the sheet by the style: hundreds are shown at once, and a canvas each takes too long.
export function picture(dataset, image, label) {
  const across = (image % dataset.columns) / Math.max(dataset.columns - 1, 1);
  const down = Math.floor(image / dataset.columns) / Math.max(rowsOf(dataset) - 1, 1);
  return element("span", {
    class: "picture",
    style: `background-position: ${part(across)} ${part(down)}`,
    ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }),
  });
}

// The mean of images, a picture of what a key stands for.
export function meanPicture(dataset, data, images, label) {
  if (images.length === 1) return picture(dataset, images[0], label);
  const { size } = dataset;
  const bytes = dataset.channels === 3 ? 4 : 1; // of a pixel
  const sums = new Float32Array(size * size * bytes);
  const line = size * bytes;
  for (const image of images) {
    const [left, top] = placeOf(dataset, image);
    for (let row = 0; row < size; row++) {
      const from = ((top + row) * data.sheet.width + left) * bytes;
      for (let at = 0; at < line; at++) sums[row * line + at] += data.pixels[from + at];
    }
  }
  const mean = new ImageData(size, size);
  for (let pixel = 0; pixel < size * size; pixel++) {
    for (let channel = 0; channel < 3; channel++)
      mean.data[4 * pixel + channel] = sums[bytes * pixel + Math.min(channel, bytes - 1)] / images.length;
    mean.data[4 * pixel + 3] = 255;
  }
  const made = element("canvas", { width: size, height: size, role: "img", "aria-label": label });
  made.getContext("2d").putImageData(mean, 0, 0);
  return made;
}

// A canvas as an image, which can be shown many times.
export function still(canvas) {
  const [{ width, height }, alt] = [canvas, canvas.getAttribute("aria-label")];
  return element("img", { src: canvas.toDataURL(), alt, width, height, class: canvas.className });
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
  const whole = new Uint32Array(pixels.data.buffer); // a pixel each
  const known = new Map(); // there are few different values
  for (let capsule = 0; capsule < values.length; capsule++) {
    const value = values[capsule];
    if (!known.has(value)) known.set(value, new Uint32Array(Uint8ClampedArray.from(shade(value)).buffer)[0]);
    whole[places[capsule]] = known.get(value);
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

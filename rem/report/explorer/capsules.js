// A tree as a plot: every type of primary capsule as a map over the image, the strongest couplings, the classes.
//
// The maps are one canvas, for a thousand capsules are drawn anew at every change. A button lies over the capsule that
// was pointed at: by the keyboard it goes from capsule to capsule, and says where it is.

import { colour, element, painted, part, placeOf, svg } from "./draw.js";
import { datasetOf, state } from "./state.js";

const BRANCHES = 24; // curves at the most, as in the figure of one tree
const [HEIGHT, TOP] = [340, 4];
// How wide a plot is, where its maps end, where the class capsules stand, and how long a bar of length 1 is.
const WIDE = { WIDTH: 900, MAPS: 560, CLASSES: 690, BAR: 70 };
const NARROW = { WIDTH: 560, MAPS: 320, CLASSES: 372, BAR: 40 };
const FINE = 2; // pixels of the canvas a unit of the plot
const GAP = 12; // between maps
const MOVES = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

export const narrow = matchMedia("(max-width: 640px)"); // as the styles have it

let pointed = { variant: null, capsule: 0 }; // the capsule that was pointed at last

// Where the capsules stand on maps that take so much width.
function layout([types, rows, columns], MAPS) {
  const across = types > 3 ? Math.ceil(types / 2) : types;
  const down = Math.ceil(types / across);
  const step = Math.min(MAPS / across, HEIGHT / down);
  const side = step - GAP;
  const [width, height] = [side / columns, side / rows];
  const corner = (type) => [(type % across) * step, Math.floor(type / across) * step + TOP];
  const partsOf = (capsule) => {
    const [type, place] = [Math.floor(capsule / (rows * columns)), capsule % (rows * columns)];
    return { type, row: Math.floor(place / columns), column: place % columns };
  };
  const numberOf = (type, row, column) => (type < types ? (type * rows + row) * columns + column : null);
  return {
    types,
    side,
    width,
    height,
    corner,
    partsOf,
    place(capsule) {
      const { type, row, column } = partsOf(capsule);
      const [left, top] = corner(type);
      return [left + column * width, top + row * height];
    },
    // The capsule at a point of the plot, or null.
    at(x, y) {
      const [column, row] = [Math.floor(x / step), Math.floor((y - TOP) / step)];
      const [right, below] = [x - column * step, y - TOP - row * step];
      if (column < 0 || column >= across || row < 0 || right >= side || below < 0 || below >= side) return null;
      return numberOf(row * across + column, Math.floor(below / height), Math.floor(right / width));
    },
    // The capsule beside another, over the edges of the maps; itself where there is none.
    beside(capsule, [right, below]) {
      const { type, row, column } = partsOf(capsule);
      const x = (type % across) * columns + column + right;
      const y = Math.floor(type / across) * rows + row + below;
      if (x < 0 || y < 0 || x >= across * columns || y >= down * rows) return capsule;
      const other = Math.floor(y / rows) * across + Math.floor(x / columns);
      return numberOf(other, y % rows, x % columns) ?? capsule;
    },
  };
}

// The plot of a tree. `tell` is given what is pointed at and where it is; `toggle` deletes a capsule or puts it back.
export function plot(tree, data, image, { uniform, strongest, tell, toggle }) {
  const dataset = datasetOf();
  const { WIDTH, MAPS, CLASSES, BAR } = narrow.matches ? NARROW : WIDE;
  const { network, shown, modal, couplings, lengths, before, deleted, predicted } = tree;
  const places = layout(network.grid, MAPS);
  const difference = state.as === "difference";
  const values = difference ? couplings.map((value, i) => value - modal[i]) : shown;
  const from = difference ? 0 : uniform; // the value of no colour
  const cursor = element("button", {
    type: "button",
    class: "cursor",
    id: `cursor-${network.variant}`,
    onkeydown: pressed,
    onfocus: () => point(pointed.capsule),
    onclick: () => toggle?.(pointed.capsule),
  });
  const [types, rows, columns] = network.grid;
  const maps = element(
    "div",
    {
      class: "maps",
      role: "group",
      "aria-label": `${types} types of ${rows} by ${columns} primary capsules, coupled to ${dataset.classes[predicted]}. Arrow keys go from one to the next${toggle ? ", Enter deletes it or puts it back" : ""}.`,
      style: `width: ${part(MAPS / WIDTH)}`,
      onpointermove: (event) => pointAt(event),
      onclick: clicked,
    },
    drawnMaps(),
    cursor,
  );
  place(Math.min(pointed.capsule, shown.length - 1));
  if (pointed.variant === network.variant) point(pointed.capsule);
  return element("div", { class: "plot", style: `aspect-ratio: ${WIDTH} / ${HEIGHT + 2 * TOP}` }, maps, lines());

  function told(capsule) {
    const { type, row, column } = places.partsOf(capsule);
    const sign = difference ? (values[capsule] < 0 ? "−" : "+") : "";
    const gone = deleted.has(capsule) ? ", deleted" : "";
    return `Type ${type + 1}, row ${row + 1}, column ${column + 1}: ${sign}${Math.abs(values[capsule]).toFixed(3)}${gone}`;
  }

  function place(capsule) {
    const [x, y] = places.place(capsule);
    cursor.style.left = part(x / MAPS);
    cursor.style.top = part(y / (HEIGHT + 2 * TOP));
    cursor.style.width = part(places.width / MAPS);
    cursor.style.height = part(places.height / (HEIGHT + 2 * TOP));
    cursor.setAttribute("aria-label", told(capsule));
    if (toggle) cursor.setAttribute("aria-pressed", String(deleted.has(capsule)));
  }

  function point(capsule) {
    pointed = { variant: network.variant, capsule: Math.min(capsule, shown.length - 1) };
    place(pointed.capsule);
    tell(told(pointed.capsule), places.partsOf(pointed.capsule));
  }

  // Whether the pointer is at a capsule; it is pointed at then.
  function pointAt(event) {
    const box = maps.getBoundingClientRect();
    const scale = MAPS / box.width;
    const capsule = places.at((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
    if (capsule === null) return false;
    if (capsule !== pointed.capsule || pointed.variant !== network.variant) point(capsule);
    return true;
  }

  function clicked(event) {
    if (event.target === cursor) return; // by the keyboard
    const known = pointed;
    if (!pointAt(event)) return;
    const first = event.pointerType === "touch" && known !== pointed; // a finger points before it deletes
    if (!first) toggle?.(pointed.capsule);
  }

  function pressed(event) {
    if (event.key === "Delete" || event.key === "Backspace") toggle?.(pointed.capsule);
    else if (MOVES[event.key]) point(places.beside(pointed.capsule, MOVES[event.key]));
    else return;
    event.preventDefault();
  }

  function drawnMaps() {
    const canvas = element("canvas", {
      width: MAPS * FINE,
      height: (HEIGHT + 2 * TOP) * FINE,
      "aria-hidden": "true",
    });
    const context = canvas.getContext("2d");
    context.scale(FINE, FINE);
    context.imageSmoothingEnabled = false;
    const below = imageBelow();
    const colours = coloured();
    for (let type = 0; type < types; type++) {
      const area = [...places.corner(type), places.side, places.side];
      context.drawImage(below, ...area);
      context.drawImage(colours, 0, type * rows, columns, rows, ...area);
    }
    for (const capsule of deleted) cross(context, ...places.place(capsule));
    return canvas;
  }

  // The image, pale, as it lies below every map.
  function imageBelow() {
    const side = Math.ceil(places.side * FINE);
    const made = element("canvas", { width: side, height: side });
    const context = made.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    context.globalAlpha = 0.25;
    context.drawImage(data.sheet, ...placeOf(dataset, image), dataset.size, dataset.size, 0, 0, side, side);
    context.globalAlpha = 1;
    context.strokeStyle = "#a0a6ad";
    context.strokeRect(0.5, 0.5, side - 1, side - 1);
    return made;
  }

  // All capsules, a pixel each, the maps below each other.
  function coloured() {
    const made = element("canvas", { width: columns, height: types * rows });
    return painted(made, values, [...values.keys()], (value) => {
      const [red, green, blue, opacity] = colour(uniform + value - from, uniform, strongest);
      return [red, green, blue, 255 * opacity];
    });
  }

  function cross(context, x, y) {
    const [right, below] = [x + places.width, y + places.height];
    context.strokeStyle = "#a83200";
    context.beginPath();
    context.moveTo(x + 1, y + 1);
    context.lineTo(right - 1, below - 1);
    context.moveTo(right - 1, y + 1);
    context.lineTo(x + 1, below - 1);
    context.stroke();
  }

  function lines() {
    return svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT + 2 * TOP}`, role: "img", "aria-label": lengthsTold() },
      branches(),
      ...parents(),
    );
  }

  function lengthsTold() {
    return `Lengths of the class capsules: ${dataset.classes.map((label, j) => `${label} ${lengths[j].toFixed(2)}`).join(", ")}`;
  }

  function branches() {
    const over = values.map((value) => value - from);
    const strongestFirst = [...over.keys()]
      .filter((i) => over[i] > 1e-9 && !deleted.has(i))
      .sort((a, b) => over[b] - over[a])
      .slice(0, BRANCHES);
    const most = Math.max(strongest - uniform, 1e-9);
    const end = [CLASSES - 8, heightOf(predicted)];
    const path = (i) => {
      const [x, y] = places.place(i).map((one, axis) => one + [places.width, places.height][axis] / 2);
      const bend = (x + end[0]) / 2;
      return svg("path", {
        d: `M${x} ${y}C${bend} ${y} ${bend} ${end[1]} ${end[0]} ${end[1]}`,
        "stroke-width": (0.4 + (4 * over[i]) / most).toFixed(2),
      });
    };
    return svg("g", { class: "branches" }, ...strongestFirst.reverse().map(path));
  }

  function heightOf(label) {
    return ((label + 0.5) * HEIGHT) / dataset.classes.length + TOP;
  }

  function parents() {
    return dataset.classes.map((label, j) => {
      const y = heightOf(j);
      const thick = Math.min(12, HEIGHT / dataset.classes.length - 3);
      const ends = { y1: y - thick / 2 - 1, y2: y + thick / 2 + 1 };
      const bar = { x: CLASSES + 12, y: y - thick / 2, height: thick };
      const was = CLASSES + 12 + BAR * before[j];
      return svg(
        "g",
        { class: j === predicted ? "parent predicted" : "parent" },
        svg("circle", { cx: CLASSES, cy: y, r: thick / 2 }),
        svg("rect", { class: "back", ...bar, width: BAR }),
        svg("rect", { ...bar, width: BAR * lengths[j] }),
        svg("line", { x1: was, x2: was, ...ends }),
        svg("text", { x: CLASSES + BAR + 18, y: y + 4, "data-length": j }, `${lengths[j].toFixed(2)} ${label}`),
      );
    });
  }
}

// One image and the trees that networks carve out of it.

import { content, loadNetwork, loadVotes } from "./data.js";
import { bits, colour, counted, css, element, percent, picture, svg } from "./draw.js";
import { choices, datasetOf, find, networkOf, state } from "./state.js";
import { changed, couplingsOf, dictionariesOf, lengthsOf, undecided } from "./trees.js";

const BRANCHES = 24; // curves at the most, as in the figure of one tree
const [WIDTH, HEIGHT] = [900, 340];
const [MAPS, CLASSES] = [560, 690]; // where the maps end and the class capsules stand

let pointed = null; // the capsule that was pointed at last

export async function treeView({ data, go }) {
  const dataset = datasetOf();
  const image = state.image ?? 0;
  const variants = [state.variant, ...state.beside.filter((one) => one !== state.variant)];
  const networks = variants.map((one) => find(one, state.seed, state.checkpoint)).filter(Boolean);
  const trees = await Promise.all(networks.map(treeOf));
  const routed = trees.every((one) => one.votes);
  const uniform = undecided(dataset, state.quantized || state.as === "modal" ? state.k : null);
  const strongest = Math.max(2 / dataset.classes.length, ...trees.flatMap((one) => [...one.shown]));
  const field = element(
    "p",
    { id: "field", class: "soft", role: "status" },
    "Point at a capsule to see what part of the image lies below it. A click deletes it, or puts it back.",
  );
  const mark = element("i", { id: "frame", hidden: true });
  const large = enlarged();
  return [
    element("div", { class: "tree-head" }, large, element("div", {}, told(), controls(), field)),
    legend(),
    ...trees.map(drawn),
  ];

  async function treeOf(network) {
    const loaded = await loadNetwork(network, dataset);
    const predicted = loaded.predicted[image];
    const at = dataset.voted.indexOf(image);
    const votes = network.votes && at >= 0 ? await loadVotes(network) : null;
    const size = dataset.classes.length * loaded.capsules;
    const levels = state.quantized || state.as === "difference" ? state.k : null;
    const own = dictionariesOf(loaded, dataset, data, state.k)[predicted];
    const modal = couplingsOf(loaded, dataset, data, own.keys[0][0], state.k);
    const deleted = new Set(network === networkOf() || state.deleted.length ? state.deleted : []);
    let couplings = couplingsOf(loaded, dataset, data, image, levels);
    let lengths = [...loaded.lengths.slice(image * dataset.classes.length, (image + 1) * dataset.classes.length)].map(
      (one) => one / 100,
    );
    const before = lengths;
    let routed = predicted; // where the couplings lead that are shown
    if (votes && (deleted.size || state.tau !== 1 || levels)) {
      const full = votes.couplings.subarray(at * size, (at + 1) * size);
      const change = { tau: state.tau, levels, cells: dataset.cells };
      const used = changed(full, dataset.classes.length, loaded.capsules, { ...change, deleted });
      const dimensions = network.votes.bias[0].length;
      const seen = votes.votes.subarray(at * size * dimensions, (at + 1) * size * dimensions);
      lengths = lengthsOf(seen, network.votes.scale[at], used, network.votes.bias, loaded.capsules);
      routed = lengths.indexOf(Math.max(...lengths));
      const kept = changed(full, dataset.classes.length, loaded.capsules, { ...change, deleted: new Set() });
      if (state.tau !== 1) couplings = kept.subarray(predicted * loaded.capsules, (predicted + 1) * loaded.capsules);
    }
    const shown = state.as === "modal" ? modal : couplings;
    const members = own.keys.findIndex((key) => key.includes(image));
    return {
      network,
      loaded,
      predicted,
      couplings,
      modal,
      shown,
      lengths,
      before,
      routed,
      deleted,
      votes,
      own,
      members,
    };
  }

  function enlarged() {
    const canvas = picture(dataset, data, image, `Test image ${image}: ${dataset.classes[data.labels[image]]}`);
    return element("div", { class: "large" }, canvas, mark);
  }

  function told() {
    const label = dataset.classes[data.labels[image]];
    return element("div", {}, element("h2", {}, `Image ${image}: ${label}`), routed ? "" : votedHint());
  }

  function votedHint() {
    const buttons = dataset.voted.map((one) =>
      element("button", { class: "link", onclick: () => go({ image: one }) }, String(one)),
    );
    const links = buttons.flatMap((one, at) => (at ? [", ", one] : [one]));
    return element(
      "p",
      { class: "soft" },
      "Deleting capsules and tau need votes, which the page holds for the images ",
      ...links,
      " of the first seed.",
    );
  }

  function controls() {
    const other = choices.variant().filter((one) => one !== state.variant && find(one, state.seed, state.checkpoint));
    const model = (variant) => content.networks.find((one) => one.variant === variant).model;
    return element(
      "div",
      { class: "controls" },
      element(
        "fieldset",
        {},
        element("legend", {}, "Beside it"),
        ...other.map((one) =>
          check(`beside-${one}`, model(one), state.beside.includes(one), (on) =>
            go({ beside: on ? [...state.beside, one] : state.beside.filter((name) => name !== one) }),
          ),
        ),
      ),
      element(
        "fieldset",
        {},
        element("legend", {}, "Couplings"),
        check("quantized", `quantized at K = ${state.k}`, state.quantized, (on) => go({ quantized: on })),
        element(
          "label",
          {},
          "tree ",
          select("as", {
            own: "of the image",
            modal: "most frequent of its class",
            difference: "difference of the two",
          }),
        ),
        element(
          "label",
          {},
          `tau ${state.tau} `,
          slider("tau", -1, 1, 0.1, Math.log10(state.tau), (value) => go({ tau: Number((10 ** value).toFixed(2)) })),
        ),
      ),
      element(
        "fieldset",
        {},
        element("legend", {}, `Deleted: ${counted(state.deleted.length, "capsule")}`),
        element(
          "label",
          {},
          "strongest first ",
          slider("delete-strongest", 0, 1, 0.05, share(), (value) => remove(value, strongestFirst)),
        ),
        element(
          "label",
          {},
          "at random ",
          slider("delete-random", 0, 1, 0.05, share(), (value) => remove(value, atRandom)),
        ),
        element(
          "button",
          { type: "button", id: "undelete", disabled: !state.deleted.length, onclick: () => go({ deleted: [] }) },
          "Put back",
        ),
      ),
    );
  }

  function share() {
    return state.deleted.length / trees[0].loaded.capsules;
  }

  function remove(value, order) {
    const capsules = trees[0].loaded.capsules;
    go({ deleted: order(capsules).slice(0, Math.round(value * capsules)) });
  }

  function strongestFirst(capsules) {
    const { couplings } = trees[0];
    return [...Array(capsules).keys()].sort((a, b) => couplings[b] - couplings[a] || a - b);
  }

  // The same order every time, so that a link shows what its sender saw.
  function atRandom(capsules) {
    const drawn = (capsule) => Math.imul(capsule + 1, 0x9e3779b1) >>> 0;
    return [...Array(capsules).keys()].sort((a, b) => drawn(a) - drawn(b));
  }

  function check(id, text, on, change) {
    return element(
      "label",
      {},
      element("input", { type: "checkbox", id, checked: on, onchange: (event) => change(event.target.checked) }),
      ` ${text}`,
    );
  }

  function slider(id, min, max, step, value, change) {
    return element("input", {
      type: "range",
      id,
      min,
      max,
      step,
      value,
      disabled: !routed,
      onchange: (event) => change(Number(event.target.value)),
    });
  }

  function select(id, options) {
    return element(
      "select",
      { id, onchange: (event) => go({ [id]: event.target.value }) },
      ...Object.entries(options).map(([value, text]) =>
        element("option", { value, selected: state[id] === value }, text),
      ),
    );
  }

  function legend() {
    const stops = [0, 0.5 * uniform, uniform, (uniform + strongest) / 2, strongest];
    const swatch = (value) =>
      element(
        "span",
        { class: "swatch" },
        element("i", {
          style: `background: linear-gradient(${[0, 1].map(() => css(colour(value, uniform, strongest))).join()}), #fff`,
        }),
        value.toFixed(3),
      );
    return element(
      "p",
      { class: "legend" },
      state.as === "difference"
        ? "Stronger than in the most frequent tree: violet; weaker: orange."
        : "Coupling to the predicted class: ",
      ...(state.as === "difference" ? [] : stops.map(swatch)),
      state.as === "difference"
        ? ""
        : `, where ${uniform.toFixed(3)} is ${uniform === 1 / dataset.classes.length ? "" : "the level of "}1/J`,
    );
  }

  function drawn(tree) {
    const { network, predicted, routed, own, members } = tree;
    const right = predicted === data.labels[image];
    const same = members === 0 ? "the most frequent tree" : `tree ${members + 1} of ${own.keys.length}`;
    const changes = routed === predicted ? "" : ` With these couplings it would be ${dataset.classes[routed]}.`;
    return element(
      "figure",
      { class: "tree", "data-variant": network.variant },
      element(
        "figcaption",
        {},
        element("b", {}, network.model),
        ` predicts ${dataset.classes[predicted]}, `,
        element("span", { class: right ? "right" : "wrong-word" }, right ? "right" : "wrong"),
        `: ${same} of its class at K = ${state.k}, which ${counted(own.keys[members].length, "image")} of ${own.count} ${own.keys[members].length === 1 ? "has" : "have"} (${bits(own.entropy)} in all).${changes}`,
      ),
      element(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": `Tree of ${network.model}` },
        plot(tree),
      ),
    );
  }

  function plot(tree) {
    const { network, shown, modal, couplings, lengths, before, deleted, predicted } = tree;
    const [types, rows, columns] = network.grid;
    const across = types > 3 ? Math.ceil(types / 2) : types;
    const step = Math.min(MAPS / across, HEIGHT / Math.ceil(types / across));
    const side = step - 12;
    const made = svg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT + 8}`,
      role: "group",
      "aria-label": `${types} types of ${rows} by ${columns} primary capsules, coupled to ${dataset.classes[predicted]}`,
    });
    const source = picture(dataset, data, image, "").toDataURL();
    const cells = svg("g");
    const centres = [];
    for (let type = 0; type < types; type++) {
      const [left, top] = [(type % across) * step, Math.floor(type / across) * step + 4];
      made.append(svg("rect", { x: left, y: top, width: side, height: side, class: "paper" }));
      made.append(
        svg("image", {
          href: source,
          x: left,
          y: top,
          width: side,
          height: side,
          class: "under",
          preserveAspectRatio: "none",
        }),
      );
      for (let place = 0; place < rows * columns; place++) {
        const capsule = type * rows * columns + place;
        const [row, column] = [Math.floor(place / columns), place % columns];
        const [x, y] = [left + (column * side) / columns, top + (row * side) / rows];
        centres.push([x + side / columns / 2, y + side / rows / 2]);
        cells.append(cell(tree, capsule, { x, y, width: side / columns, height: side / rows }, { type, row, column }));
      }
      made.append(svg("rect", { x: left, y: top, width: side, height: side, class: "map" }));
    }
    made.append(cells, branches(), ...parents());
    return made;

    function branches() {
      const values =
        state.as === "difference"
          ? couplings.map((value, i) => value - modal[i])
          : shown.map((value) => value - uniform);
      const strongestFirst = [...values.keys()]
        .filter((i) => values[i] > 1e-9 && !deleted.has(i))
        .sort((a, b) => values[b] - values[a])
        .slice(0, BRANCHES);
      const most = Math.max(strongest - uniform, 1e-9);
      const end = [CLASSES - 8, heightOf(predicted)];
      return svg(
        "g",
        { class: "branches" },
        ...strongestFirst.reverse().map((i) => {
          const [x, y] = centres[i];
          const bend = (x + end[0]) / 2;
          return svg("path", {
            d: `M${x} ${y}C${bend} ${y} ${bend} ${end[1]} ${end[0]} ${end[1]}`,
            "stroke-width": (0.4 + (4 * values[i]) / most).toFixed(2),
          });
        }),
      );
    }

    function heightOf(label) {
      return ((label + 0.5) * HEIGHT) / dataset.classes.length + 4;
    }

    function parents() {
      return dataset.classes.map((label, j) => {
        const y = heightOf(j);
        const thick = Math.min(12, HEIGHT / dataset.classes.length - 3);
        return svg(
          "g",
          { class: j === predicted ? "parent predicted" : "parent" },
          svg("circle", { cx: CLASSES, cy: y, r: thick / 2 }),
          svg("rect", { class: "back", x: CLASSES + 12, y: y - thick / 2, width: 70, height: thick }),
          svg("rect", { x: CLASSES + 12, y: y - thick / 2, width: 70 * lengths[j], height: thick }),
          svg("line", {
            x1: CLASSES + 12 + 70 * before[j],
            x2: CLASSES + 12 + 70 * before[j],
            y1: y - thick / 2 - 1,
            y2: y + thick / 2 + 1,
          }),
          svg("text", { x: CLASSES + 88, y: y + 4, "data-length": j }, `${lengths[j].toFixed(2)} ${label}`),
        );
      });
    }
  }

  function cell(tree, capsule, place, { type, row, column }) {
    const { shown, modal, couplings, deleted } = tree;
    const value = shown[capsule];
    const difference = couplings[capsule] - modal[capsule];
    const fill =
      state.as === "difference" ? colour(uniform + difference, uniform, strongest) : colour(value, uniform, strongest);
    const gone = deleted.has(capsule);
    const told = `Type ${type + 1}, row ${row + 1}, column ${column + 1}: ${state.as === "difference" ? `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(3)}` : value.toFixed(3)}${gone ? ", deleted" : ""}`;
    const show = () => {
      field.textContent = `${told}. ${dataset.field ? "Framed: the part of the image below it." : "All of the image lies below it."}`;
      frame(row, column);
      pointed = pointer;
    };
    const pointer = `${dataset.name} ${image} ${tree.network.variant} ${capsule}`;
    if (pointed === pointer) show();
    const toggle = () =>
      tree.votes &&
      go({ deleted: gone ? state.deleted.filter((one) => one !== capsule) : [...state.deleted, capsule] });
    return svg(
      "rect",
      {
        ...place,
        class: gone ? "cell gone" : "cell",
        style: `fill: ${gone ? "none" : css(fill)}`,
        "data-capsule": capsule,
        "data-value": value.toFixed(3),
        onpointerenter: show,
        onclick: () => (show(), toggle()),
      },
      svg("title", {}, told),
    );
  }

  function frame(row, column) {
    if (!dataset.field) return;
    const { side, stride } = dataset.field;
    mark.hidden = false;
    mark.style.left = percent((column * stride) / dataset.size);
    mark.style.top = percent((row * stride) / dataset.size);
    mark.style.width = mark.style.height = percent(side / dataset.size);
  }
}

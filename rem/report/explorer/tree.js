// One image and the trees that networks carve out of it.

import { besideChoice, check, chosenNetworks, select, slider } from "./controls.js";
import { loadCouplings, loadNetwork, loadVotes } from "./data.js";
import { bits, colour, counted, css, element, part, picture } from "./draw.js";
import { plot } from "./capsules.js";
import { datasetOf, state } from "./state.js";
import { changed, couplingsOf, dictionariesOf, lengthsOf, numbersOf, undecided } from "./trees.js";

const POWERS = [-1, 1, 0.1]; // of ten, that tau is

export async function treeView({ data, go }) {
  const dataset = datasetOf();
  const image = state.image ?? 0;
  const classes = dataset.classes.length;
  let trees = await drawnTrees();
  const routed = trees.every((one) => one.votes);
  const field = element(
    "p",
    { id: "field", class: "soft", role: "status" },
    `Point at a capsule to see what part of the image lies below it.${routed ? " A click deletes it, or puts it back." : ""}`,
  );
  const mark = element("i", { id: "frame", hidden: true });
  const deletedTold = element("legend", {}, deletedCount());
  const tauTold = element("span", {}, tauText());
  const holder = element("div", { id: "trees" }, ...plots());
  return [element("div", { class: "tree-head" }, enlarged(), element("div", {}, told(), controls(), field)), holder];

  function drawnTrees() {
    return Promise.all(chosenNetworks().map(treeOf));
  }

  // What changes while a slider moves; the address changes when it is let go.
  async function preview(change) {
    Object.assign(state, change);
    trees = await drawnTrees();
    holder.replaceChildren(...plots());
    deletedTold.textContent = deletedCount();
    tauTold.textContent = tauText();
  }

  async function treeOf(network) {
    const [known, loaded] = await Promise.all([loadNetwork(network), loadCouplings(network, dataset)]);
    const { capsules } = loaded;
    const predicted = known.predicted[image];
    const at = dataset.voted.indexOf(image);
    const votes = network.votes && at >= 0 ? await loadVotes(network) : null;
    const levels = state.quantized || state.as === "difference" ? state.k : null;
    const own = dictionariesOf(known, dataset, state.k)[predicted];
    const modal = couplingsOf(loaded, dataset, data, own.keys[0][0], state.k);
    const deleted = new Set(votes ? state.deleted.filter((capsule) => capsule < capsules) : []);
    const before = Array.from(loaded.lengths.subarray(image * classes, (image + 1) * classes), (one) => one / 100);
    let [couplings, lengths, leads] = [couplingsOf(loaded, dataset, data, image, levels), before, predicted];
    if (votes && (deleted.size || state.tau !== 1 || levels)) {
      const size = classes * capsules;
      const full = votes.couplings.subarray(at * size, (at + 1) * size);
      const change = { tau: state.tau, levels, cells: dataset.cells };
      const dimensions = network.votes.bias[0].length;
      const seen = votes.votes.subarray(at * size * dimensions, (at + 1) * size * dimensions);
      const used = changed(full, classes, capsules, { ...change, deleted });
      lengths = lengthsOf(seen, network.votes.scale[at], used, network.votes.bias, capsules);
      leads = lengths.indexOf(Math.max(...lengths));
      const kept = changed(full, classes, capsules, { ...change, deleted: new Set() });
      if (state.tau !== 1) couplings = kept.subarray(predicted * capsules, (predicted + 1) * capsules);
    }
    const number = numbersOf(known, dataset, state.k)[image];
    const shown = state.as === "modal" ? modal : couplings;
    return { network, predicted, couplings, modal, shown, lengths, before, leads, deleted, votes, own, number };
  }

  function enlarged() {
    const shown = picture(dataset, image, `Test image ${image}: ${dataset.classes[data.labels[image]]}`);
    return element("div", { class: "large" }, shown, mark);
  }

  function told() {
    const label = dataset.classes[data.labels[image]];
    return element("div", {}, element("h2", {}, `Image ${image}: ${label}`), routed ? "" : votedHint());
  }

  function votedHint() {
    const buttons = dataset.voted.map((one) =>
      element("button", { class: "link", onclick: () => go({ image: one }) }, String(one)),
    );
    return element(
      "p",
      { class: "soft" },
      "Deleting capsules and tau need votes, which the page holds for the images ",
      ...buttons.flatMap((one, at) => (at ? [", ", one] : [one])),
      " of the first seed.",
    );
  }

  function controls() {
    const trees = { own: "of the image", modal: "most frequent of its class", difference: "difference of the two" };
    return element(
      "div",
      { class: "controls" },
      besideChoice(go),
      element(
        "fieldset",
        {},
        element("legend", {}, "Couplings"),
        check("quantized", `quantized at K = ${state.k}`, state.quantized, (on) => go({ quantized: on })),
        element(
          "label",
          {},
          "tree ",
          select("as", trees, state.as, (as) => go({ as })),
        ),
        element("label", {}, tauTold, moving("tau", POWERS, Math.log10(state.tau), tempered)),
      ),
      element(
        "fieldset",
        {},
        deletedTold,
        element("label", {}, "strongest first ", deleting("delete-strongest", strongestFirst)),
        element("label", {}, "at random ", deleting("delete-random", atRandom)),
        element(
          "button",
          { type: "button", id: "undelete", disabled: !state.deleted.length, onclick: () => go({ deleted: [] }) },
          "Put back",
        ),
      ),
    );
  }

  // A slider whose value gives a change of the state.
  function moving(id, range, value, change) {
    return slider(
      id,
      range,
      value,
      !routed,
      (moved) => preview(change(moved)),
      (moved) => go(change(moved)),
    );
  }

  function tempered(power) {
    return { tau: Number((10 ** power).toFixed(2)) };
  }

  function tauText() {
    return `tau ${state.tau} `;
  }

  function deletedCount() {
    return `Deleted: ${counted(state.deleted.length, "capsule")}`;
  }

  // A slider over how many capsules are deleted, in an order.
  function deleting(id, order) {
    const capsules = order([...trees[0].couplings.keys()]);
    const without = (count) => ({ deleted: capsules.slice(0, count) });
    return moving(id, [0, capsules.length, 1], state.deleted.length, without);
  }

  function strongestFirst(capsules) {
    const { couplings } = trees[0];
    return capsules.sort((a, b) => couplings[b] - couplings[a] || a - b);
  }

  // The same order every time, so that a link shows what its sender saw.
  function atRandom(capsules) {
    const drawn = (capsule) => Math.imul(capsule + 1, 0x9e3779b1) >>> 0;
    return capsules.sort((a, b) => drawn(a) - drawn(b));
  }

  function toggle(capsule) {
    const rest = state.deleted.filter((one) => one !== capsule);
    go({ deleted: rest.length < state.deleted.length ? rest : [...state.deleted, capsule] });
  }

  function plots() {
    const uniform = undecided(dataset, state.quantized || state.as === "modal" ? state.k : null);
    const strongest = trees.reduce(
      (most, { shown }) => shown.reduce((one, value) => Math.max(one, value), most),
      2 / classes,
    );
    const options = { uniform, strongest };
    return [legend(uniform, strongest), ...trees.map((tree) => drawn(tree, options))];
  }

  function legend(uniform, strongest) {
    if (state.as === "difference")
      return element("p", { class: "legend" }, "Stronger than in the most frequent tree: violet; weaker: orange.");
    const stops = [0, 0.5 * uniform, uniform, (uniform + strongest) / 2, strongest];
    const swatch = (value) => {
      const shade = css(colour(value, uniform, strongest));
      const square = element("i", { style: `background: linear-gradient(${shade}, ${shade}), #fff` });
      return element("span", { class: "swatch" }, square, value.toFixed(3));
    };
    const level = uniform === 1 / classes ? "1/J" : "the level of 1/J";
    return element(
      "p",
      { class: "legend" },
      "Coupling to the predicted class: ",
      ...stops.map(swatch),
      `, where ${uniform.toFixed(3)} is ${level}`,
    );
  }

  function drawn(tree, options) {
    const { network, predicted, leads, own, number, votes } = tree;
    const right = predicted === data.labels[image];
    const same = number === 0 ? "the most frequent tree" : `tree ${number + 1} of ${own.keys.length}`;
    const changes = leads === predicted ? "" : ` With these couplings it would be ${dataset.classes[leads]}.`;
    const members = own.keys[number].length;
    return element(
      "figure",
      { class: "tree", "data-variant": network.variant },
      element(
        "figcaption",
        {},
        element("b", {}, network.model),
        ` predicts ${dataset.classes[predicted]}, `,
        element("span", { class: right ? "right" : "wrong-word" }, right ? "right" : "wrong"),
        `: ${same} of its class at K = ${state.k}, which ${counted(members, "image")} of ${own.count} ${members === 1 ? "has" : "have"} (${bits(own.entropy)} in all).${changes}`,
      ),
      element(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": `Tree of ${network.model}` },
        plot(tree, data, image, {
          ...options,
          tell: (text, place) => tell(text, place, network.field),
          toggle: votes ? toggle : null,
        }),
      ),
    );
  }

  // Say what is pointed at, and frame the part of the image below it, where that is known.
  function tell(text, { row, column }, below) {
    field.textContent = below ? `${text}. Framed: the part of the image below it.` : `${text}.`;
    mark.hidden = !below;
    if (!below) return;
    const { side, stride } = below;
    mark.style.left = part((column * stride) / dataset.size);
    mark.style.top = part((row * stride) / dataset.size);
    mark.style.width = mark.style.height = part(side / dataset.size);
  }
}

// The images that a network gets wrong: their trees beside the most frequent tree of the class they were taken for.

import { loadCouplings } from "./data.js";
import { counted, element, meanPicture, picture, smallTree } from "./draw.js";
import { datasetOf, networkOf, state } from "./state.js";
import { couplingsOf, undecided } from "./trees.js";

const SHOWN = 60;

export async function wrongView({ data, network, classes, go }) {
  const dataset = datasetOf();
  const couplings = await loadCouplings(networkOf(), dataset);
  const middle = undecided(dataset, state.k);
  const wrong = [...network.predicted.keys()].filter((image) => network.predicted[image] !== data.labels[image]);
  const modals = []; // of the classes, their most frequent trees
  const list = element("ol", { class: "wrongs" });
  const add = (from, to) => list.append(...wrong.slice(from, to).map(card));
  add(0, SHOWN);
  const parts = [
    element(
      "p",
      { class: "headline" },
      element("b", { id: "wrong-count" }, counted(wrong.length, "image")),
      ` of ${counted(dataset.images, "image")} taken for another class. Each: the image, its tree, the most frequent tree of the class it was taken for, and the mean of the images that have that one. White: the level of 1/J, where a capsule is undecided.`,
    ),
    list,
  ];
  if (wrong.length > SHOWN) {
    const more = element(
      "button",
      {
        class: "more",
        onclick: () => {
          add(SHOWN, wrong.length);
          more.remove();
        },
      },
      `All ${wrong.length}`,
    );
    parts.push(more);
  }
  return parts;

  function card(image) {
    const taken = network.predicted[image];
    const modal = classes[taken].keys[0];
    const own = couplingsOf(couplings, dataset, data, image, state.k);
    const frequent = (modals[taken] ??= couplingsOf(couplings, dataset, data, modal[0], state.k));
    const tree = (values, label) => smallTree(values, networkOf().grid, middle, label);
    const other = own.filter((value, capsule) => value !== frequent[capsule]).length;
    const shares = other ? `${counted(other, "capsule")} of ${own.length} differ` : "the very same tree";
    return element(
      "li",
      {},
      element(
        "button",
        { class: "wrong", "data-image": image, onclick: () => go({ view: "tree", image }) },
        element(
          "span",
          { class: "told" },
          element("b", {}, `${dataset.classes[data.labels[image]]} → ${dataset.classes[taken]}`),
          element("span", { class: "soft" }, `image ${image}, ${shares}`),
        ),
        picture(dataset, data, image, `Image ${image}`),
        tree(own, "Its tree"),
        tree(frequent, `Most frequent tree of ${dataset.classes[taken]}`),
        meanPicture(dataset, data, modal, "Mean of the images with that tree"),
      ),
    );
  }
}

// The images that a network gets wrong: their trees beside the most frequent tree of the class they were taken for.

import { loadCouplings } from "./data.js";
import { counted, element, fillGradually, meanPicture, picture, smallTree, still } from "./draw.js";
import { datasetOf, networkOf, state } from "./state.js";
import { couplingsOf, undecided } from "./trees.js";

const [SHOWN, CARDS] = [60, 4]; // in all, and in a frame

export async function wrongView({ data, network, classes, go }) {
  const dataset = datasetOf();
  const couplings = await loadCouplings(networkOf(), dataset);
  const middle = undecided(dataset, state.k);
  const wrong = [...network.predicted.keys()].filter((image) => network.predicted[image] !== data.labels[image]);
  const frequent = []; // trees, of the classes
  const list = element("ol", { class: "wrongs" });
  const add = (from, to) => fillGradually(list, wrong.slice(from, to), card, CARDS);
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

  // The most frequent tree of a class, and what it and the images that have it look like.
  function frequentOf(label) {
    if (!frequent[label]) {
      const members = classes[label].keys[0];
      const tree = couplingsOf(couplings, dataset, data, members[0], state.k);
      const told = `Most frequent tree of ${dataset.classes[label]}`;
      const mean = meanPicture(dataset, data, members, "Mean of the images with that tree");
      const small = still(smallTree(tree, networkOf().grid, middle, told));
      frequent[label] = { tree, pictures: [small, members.length > 1 ? still(mean) : mean] };
    }
    return frequent[label];
  }

  function card(image) {
    const taken = network.predicted[image];
    const { tree, pictures } = frequentOf(taken);
    const own = couplingsOf(couplings, dataset, data, image, state.k);
    const other = own.filter((value, capsule) => value !== tree[capsule]).length;
    const shares = other
      ? `${counted(other, "capsule")} of ${own.length} ${other === 1 ? "differs" : "differ"}`
      : "the very same tree";
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
        picture(dataset, image, `Image ${image}`),
        smallTree(own, networkOf().grid, middle, "Its tree"),
        ...pictures.map((one) => one.cloneNode()),
      ),
    );
  }
}

// The dictionary of a network: classes, their keys by frequency, and the images of a key.

import { bits, counted, element, fillGradually, meanPicture, percent, picture } from "./draw.js";
import { datasetOf, networkOf, state } from "./state.js";
import { meanEntropy, sharedWithTraining, trainingImages } from "./trees.js";

const KEYS = 48; // shown at first, and more on demand
const [IMAGES, AT_ONCE] = [240, 80]; // in all, and in a frame
const MOST = 65535; // training images that are counted

export function dictionaryView({ data, network, classes, go }) {
  const dataset = datasetOf();
  const keys = classes.reduce((sum, one) => sum + one.keys.length, 0);
  const told = networkOf().measured;
  const ceiling = told.entropy_ceiling?.[told.levels.indexOf(state.k)];
  const head = element(
    "p",
    { class: "headline" },
    element("b", { id: "entropy" }, bits(meanEntropy(classes))),
    ` over the classes${ceiling ? ` (at the most ${bits(ceiling)})` : ""}: `,
    element("b", { id: "keys" }, counted(keys, "different tree")),
    ` of ${counted(dataset.images, "image")} at K = ${state.k}.`,
    network.training
      ? element(
          "span",
          {},
          " ",
          element("b", { id: "shared" }, percent(sharedWithTraining(network, dataset, state.k))),
          " of the images have a tree that training images of their class have too.",
        )
      : "",
  );
  const shown = classes[state.class];
  return [
    head,
    element("div", { class: "classes", role: "group", "aria-label": "Predicted class" }, ...classes.map(classButton)),
    element("h2", {}, `Predicted as ${dataset.classes[state.class]}`),
    shown.keys.length ? keyList() : element("p", {}, "No image was predicted as this class."),
    imagesOfKey(),
  ];

  function classButton(one) {
    return element(
      "button",
      {
        class: "class",
        "aria-pressed": String(one.label === state.class),
        onclick: () => go({ class: one.label, key: null }),
      },
      element("b", {}, dataset.classes[one.label]),
      element("span", {}, `${counted(one.count, "image")}, ${counted(one.keys.length, "tree")}`),
      element("span", {}, bits(one.entropy)),
    );
  }

  function keyList() {
    const list = element("ol", { class: "keys", "aria-label": "Trees by frequency" });
    const add = (from, to) =>
      list.append(...shown.keys.slice(from, to).map((members, at) => keyCard(members, from + at)));
    add(0, Math.max(KEYS, (state.key ?? 0) + 1));
    const wrap = element("div", {}, list);
    if (list.children.length < shown.keys.length) {
      const more = element(
        "button",
        {
          class: "more",
          onclick: () => {
            const from = list.children.length;
            add(from, from + 4 * KEYS);
            list.children[from].querySelector("button").focus();
            if (list.children.length === shown.keys.length) more.remove();
          },
        },
        `More of ${counted(shown.keys.length, "tree")}`,
      );
      wrap.append(more);
    }
    return wrap;
  }

  function keyCard(members, number) {
    const right = members.filter((image) => data.labels[image] === state.class).length;
    const trained = network.training && trainingImages(network, dataset, state.k, members[0]);
    const inTraining = network.training ? `, ${counted(trained, "training image")}` : "";
    const told = `${counted(members.length, "image")}, ${percent(right / members.length)} right${inTraining}`;
    return element(
      "li",
      {},
      element(
        "button",
        {
          class: "key",
          "data-key": number,
          "aria-pressed": String(number === state.key),
          "aria-label": `Tree ${number + 1}: ${told}`,
          onclick: () => go({ key: number, image: members.includes(state.image) ? state.image : null }),
        },
        meanPicture(dataset, data, members, `Mean of ${counted(members.length, "image")}`),
        element("b", {}, `× ${members.length.toLocaleString("en")}`),
        element(
          "span",
          { class: right === members.length ? "right" : right ? "soft" : "wrong-word" },
          percent(right / members.length),
        ),
        network.training
          ? element(
              "span",
              { class: "soft trained" },
              `${trained.toLocaleString("en")}${trained === MOST ? "+" : ""} train`,
            )
          : "",
      ),
    );
  }

  function imagesOfKey() {
    const members = state.key === null ? null : shown.keys[state.key];
    if (!members)
      return element(
        "p",
        { class: "soft" },
        `Choose a tree to see all images that have it. Under it stand how many these are, the share of them that is right${network.training ? ", and how many training images have it" : ""}.`,
      );
    const list = element("div", { class: "members" });
    fillGradually(list, members.slice(0, IMAGES), member, AT_ONCE);
    return element(
      "section",
      { id: "members", "aria-label": "Images with this tree" },
      element(
        "h3",
        {},
        `${counted(members.length, "image")} with tree ${state.key + 1} of class ${dataset.classes[state.class]}`,
      ),
      list,
      members.length > IMAGES ? element("p", { class: "soft" }, `The first ${IMAGES} are shown.`) : "",
    );
  }

  function member(image) {
    const label = data.labels[image];
    const right = label === state.class;
    const told = `Image ${image}: ${right ? "right" : `wrong, is ${dataset.classes[label]}`}. Show its tree`;
    return element(
      "button",
      {
        class: `member ${right ? "" : "is-wrong"}`,
        title: told,
        "aria-label": told,
        "aria-current": image === state.image ? "true" : false,
        onclick: () => go({ view: "tree", image }),
      },
      picture(dataset, image, ""),
      element("span", { class: "mark", "aria-hidden": "true" }, right ? "" : "✗"),
    );
  }
}

// Ties the controls, the address and the views together.

import { content, loadDataset, loadNetwork } from "./data.js";
import { narrow } from "./capsules.js";
import { compareView } from "./compare.js";
import { dictionaryView } from "./dictionary.js";
import { rowsOf } from "./draw.js";
import { choices, datasetOf, networkOf, read, state, told, write } from "./state.js";
import { dictionariesOf, numbersOf } from "./trees.js";
import { treeView } from "./tree.js";
import { wrongView } from "./wrong.js";

const VIEW = { dictionary: dictionaryView, tree: treeView, wrong: wrongView, compare: compareView };
const byId = (id) => document.getElementById(id);
let turn = 0;

// Change what is shown. What a change leaves without meaning begins anew.
async function go(change) {
  if ("dataset" in change) change = { class: 0, key: null, image: null, k: 0, beside: [], deleted: [], ...change };
  if ("variant" in change || "seed" in change || "checkpoint" in change || "k" in change)
    change = { key: null, ...change };
  if ("image" in change && change.image !== state.image) change = { deleted: [], ...change };
  Object.assign(state, change);
  read(told());
  await show();
}

async function show() {
  const mine = ++turn;
  fill();
  const began = performance.now();
  const dataset = datasetOf();
  const [data, network] = await Promise.all([loadDataset(dataset), loadNetwork(networkOf())]);
  const classes = dictionariesOf(network, dataset, state.k);
  const parts = await VIEW[state.view]({ data, network, classes, go });
  if (mine !== turn) return;
  spread(dataset, data);
  const focused = document.activeElement?.id;
  byId("view").replaceChildren(...parts);
  if (focused) byId(focused)?.focus({ preventScroll: true });
  document.title = `${datasetOf().title}, ${networkOf().model}: ${state.view}`;
  document.body.dataset.ready = String(mine);
  document.body.dataset.milliseconds = (performance.now() - began).toFixed(0);
  write();
}

// Let pictures be cut from the sheet of a dataset.
function spread(dataset, data) {
  const style = byId("view").style;
  const sheet = `url("${data.address}")`;
  if (style.getPropertyValue("--sheet") === sheet) return;
  style.setProperty("--sheet", sheet);
  style.setProperty("--sheet-size", `${100 * dataset.columns}% ${100 * rowsOf(dataset)}%`);
}

// Bring the controls to what is shown.
function fill() {
  for (const id of ["dataset", "variant", "seed", "checkpoint"]) {
    const name = (value) => (id === "variant" ? content.networks.find((one) => one.variant === value).model : value);
    const options = choices[id]().map((value) => new Option(name(value), value, false, value === state[id]));
    byId(id).replaceChildren(...options);
  }
  const dataset = datasetOf();
  const slider = byId("levels");
  slider.max = dataset.shown.length - 1;
  slider.value = dataset.shown.indexOf(state.k);
  const kind =
    state.k === dataset.shared
      ? "the one its networks share"
      : dataset.band.includes(state.k)
        ? "in the band"
        : "the authors'";
  byId("levels-told").textContent = `K = ${state.k}, ${kind}`;
  slider.setAttribute("aria-valuetext", byId("levels-told").textContent);
  byId("image").max = dataset.images - 1;
  byId("image").value = state.image ?? "";
  for (const tab of document.querySelectorAll("[role=tab]")) {
    tab.setAttribute("aria-selected", String(tab.dataset.view === state.view));
    tab.tabIndex = tab.dataset.view === state.view ? 0 : -1;
  }
  byId("view").setAttribute("aria-labelledby", `tab-${state.view}`);
  const left = content.networks.filter((one) => one.dataset === state.dataset && one.codes === null);
  byId("status").textContent = left.length
    ? `${left.length} more networks of this dataset had no room here; Compare has their numbers.`
    : "";
}

// Of a test image in the dictionary: its class and the place of its tree.
async function search(image) {
  if (state.view !== "dictionary") return go({ image });
  const network = await loadNetwork(networkOf());
  const key = numbersOf(network, datasetOf(), state.k)[image];
  await go({ image, class: network.predicted[image], key });
  document.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
}

for (const id of ["dataset", "variant", "checkpoint"])
  byId(id).addEventListener("change", (event) => go({ [id]: event.target.value }));
byId("seed").addEventListener("change", (event) => go({ seed: Number(event.target.value) }));
byId("levels").addEventListener("input", (event) => go({ k: datasetOf().shown[event.target.value] }));
byId("image").addEventListener("change", (event) => {
  const image = Number.parseInt(event.target.value, 10);
  if (image >= 0 && image < datasetOf().images) search(image);
});
byId("choice").addEventListener("submit", (event) => event.preventDefault());

const tabs = [...document.querySelectorAll("[role=tab]")];
for (const tab of tabs) {
  tab.addEventListener("click", () => go({ view: tab.dataset.view }));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: tabs.length - 1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step) % tabs.length];
    next.focus();
    next.click();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=number], select")) return;
  const { shown, images } = datasetOf();
  const at = shown.indexOf(state.k);
  if (tabs[event.key - 1]) go({ view: tabs[event.key - 1].dataset.view });
  else if (event.key === "[" && at > 0) go({ k: shown[at - 1] });
  else if (event.key === "]" && at < shown.length - 1) go({ k: shown[at + 1] });
  else if (event.key === ",") search(((state.image ?? 0) + images - 1) % images);
  else if (event.key === ".") search(((state.image ?? -1) + 1) % images);
});

addEventListener("hashchange", () => (read(), show()));
narrow.addEventListener("change", show);
read();
show();

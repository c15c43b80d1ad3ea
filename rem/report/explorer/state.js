// What is shown. It lives in the address, so that a link shows what its sender saw.

import { content } from "./data.js";

const VIEWS = ["dictionary", "tree", "wrong", "compare"];

export const state = {};

export const datasetOf = () => content.datasets.find((one) => one.name === state.dataset);

// The networks whose couplings the page carries.
export const carried = (dataset = state.dataset) =>
  content.networks.filter((one) => one.dataset === dataset && one.codes !== null);

export const networkOf = () => find(state.variant, state.seed, state.checkpoint);

export const find = (variant, seed, checkpoint) =>
  carried().find((one) => one.variant === variant && one.seed === seed && one.checkpoint === checkpoint);

const unique = (values) => [...new Set(values)];
const among = (wanted, values) => (values.includes(wanted) ? wanted : values[0]);

export const choices = {
  dataset: () => content.datasets.map((one) => one.name).filter((dataset) => carried(dataset).length),
  variant: () => unique(carried().map((one) => one.variant)),
  seed: () =>
    unique(
      carried()
        .filter((one) => one.variant === state.variant)
        .map((one) => one.seed),
    ),
  checkpoint: () =>
    carried()
      .filter((one) => one.variant === state.variant && one.seed === state.seed)
      .map((one) => one.checkpoint),
};

const whole = (text, most) => {
  const number = Number.parseInt(text, 10);
  return Number.isNaN(number) ? null : Math.min(Math.max(number, 0), most);
};

// Take what an address says and put right what does not exist.
export function read(address = location.hash.slice(1)) {
  const given = new URLSearchParams(address);
  const get = (name) => given.get(name);
  state.view = among(get("view"), VIEWS);
  state.dataset = among(get("dataset"), choices.dataset());
  const dataset = datasetOf();
  state.variant = among(get("variant") ?? dataset.first, choices.variant());
  state.seed = among(Number(get("seed")), choices.seed());
  state.checkpoint = among(get("checkpoint"), choices.checkpoint());
  const levels = Number(get("k"));
  state.k = dataset.shown.includes(levels) ? levels : dataset.shared;
  state.image = whole(get("image"), dataset.images - 1);
  state.class = whole(get("class"), dataset.classes.length - 1) ?? 0;
  state.key = whole(get("key"), dataset.images - 1);
  state.beside = (get("beside") ?? "").split("~").filter((one) => choices.variant().includes(one));
  state.quantized = get("quantized") === "1";
  state.tau = Math.min(Math.max(Number(get("tau")) || 1, 0.1), 10);
  state.as = among(get("as"), ["own", "modal", "difference"]);
  state.deleted = (get("deleted") ?? "").split(".").filter(Boolean).map(Number);
}

// What the address says of the state, leaving out what is as it begins.
export function told() {
  const { view, dataset, variant, seed, checkpoint, k } = state;
  const said = { view, dataset, variant, seed, checkpoint, k };
  if (state.image !== null) said.image = state.image;
  if (view === "dictionary") {
    said.class = state.class;
    if (state.key !== null) said.key = state.key;
  }
  if (state.beside.length) said.beside = state.beside.join("~");
  if (view === "tree") {
    if (state.quantized) said.quantized = 1;
    if (state.tau !== 1) said.tau = state.tau;
    if (state.as !== "own") said.as = state.as;
    if (state.deleted.length) said.deleted = state.deleted.join(".");
  }
  return String(new URLSearchParams(said));
}

export const write = () => history.replaceState(null, "", `#${told()}`);

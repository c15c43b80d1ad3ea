// Controls that the views share.

import { content } from "./data.js";
import { element } from "./draw.js";
import { choices, find, state } from "./state.js";

export function check(id, text, on, change) {
  return element(
    "label",
    {},
    element("input", { type: "checkbox", id, checked: on, onchange: (event) => change(event.target.checked) }),
    ` ${text}`,
  );
}

export function select(id, options, chosen, change) {
  return element(
    "select",
    { id, onchange: (event) => change(event.target.value) },
    ...Object.entries(options).map(([value, text]) => element("option", { value, selected: value === chosen }, text)),
  );
}

// `preview` is called while the slider moves, `change` when it is let go.
export function slider(id, [min, max, step], value, disabled, preview, change) {
  const told = (event) => Number(event.target.value);
  return element("input", {
    type: "range",
    id,
    min,
    max,
    step,
    value,
    disabled,
    oninput: (event) => preview(told(event)),
    onchange: (event) => change(told(event)),
  });
}

export const modelOf = (variant) => content.networks.find((one) => one.variant === variant).model;

// The other networks of the same seed and checkpoint, to be shown beside the chosen one.
export function besideChoice(go) {
  const other = choices.variant().filter((one) => one !== state.variant && find(one, state.seed, state.checkpoint));
  const change = (one) => (on) =>
    go({ beside: on ? [...state.beside, one] : state.beside.filter((name) => name !== one) });
  return element(
    "fieldset",
    { class: "beside" },
    element("legend", {}, "Beside it"),
    ...other.map((one) => check(`beside-${one}`, modelOf(one), state.beside.includes(one), change(one))),
  );
}

// The chosen network and those beside it.
export function chosenNetworks() {
  const variants = [state.variant, ...state.beside.filter((one) => one !== state.variant)];
  return variants.map((one) => find(one, state.seed, state.checkpoint)).filter(Boolean);
}

// The networks of a dataset beside each other: entropy against K, accuracy against entropy, entropies class by class.

import { ACROSS, chart, ticks } from "./chart.js";
import { besideChoice, chosenNetworks } from "./controls.js";
import { content, loadNetwork } from "./data.js";
import { bits, element, part, svg } from "./draw.js";
import { datasetOf, state } from "./state.js";
import { dictionariesOf } from "./trees.js";

const COLOURS = 8; // --series0 ... of the style
const AIR = 0.3; // points of accuracy above and below what is drawn

export async function compareView({ go }) {
  const dataset = datasetOf();
  const all = content.networks.filter(
    (one) => one.dataset === dataset.name && one.checkpoint === state.checkpoint && one.measured.entropy,
  );
  const variants = [...new Set(all.map((one) => one.variant))];
  const wanted = state.beside.length ? [state.variant, ...state.beside] : variants;
  const own = all.filter((one) => wanted.includes(one.variant)).sort((a, b) => isChosen(a) - isChosen(b));
  const chosen = await Promise.all(
    chosenNetworks().map(async (one) => [one, dictionariesOf(await loadNetwork(one), dataset, state.k)]),
  );
  const at = (network, metric, k = state.k) => network.measured[metric]?.[network.measured.levels.indexOf(k)] ?? null;
  const series = (variant) => `--series: var(--series${variants.indexOf(variant) % COLOURS})`;
  const told = (one) => `${one.model}, seed ${one.seed}`;
  return [
    element(
      "p",
      { class: "headline" },
      `${state.beside.length ? "Chosen" : "All"} networks of ${dataset.title}, checkpoint ${state.checkpoint}. A thick line is the chosen network, thin ones are others and other seeds.${state.beside.length ? "" : " Choose some to see these alone."}`,
    ),
    element(
      "ul",
      { class: "series-list" },
      ...variants
        .filter((one) => wanted.includes(one))
        .map((one) => element("li", { style: series(one) }, all.find((two) => two.variant === one).model)),
    ),
    besideChoice(go),
    element(
      "div",
      { class: "panels" },
      panel("Entropy against K", against()),
      panel(
        "Accuracy against entropy",
        frontier(),
        own.some(temperedOf)
          ? "A large mark is a network as it is, a line what a temperature on the couplings of its last iteration makes of it (at the checkpoint that the tables show). A method shows something where its mark lies above the line of the unpruned network."
          : "",
      ),
      panel(`Entropy of each class at K = ${state.k}`, perClass()),
      panel("In numbers", table()),
    ),
  ];

  function panel(title, plot, note = "") {
    return element(
      "figure",
      { class: "panel" },
      element("figcaption", {}, element("h2", {}, title)),
      plot,
      note ? element("p", { class: "soft" }, note) : "",
    );
  }

  function isChosen(network) {
    return network.variant === state.variant && network.seed === state.seed;
  }

  // A network's line through points, those that are not known left out.
  function line(one, points, name = "") {
    const known = points.filter((point) => point.every(Number.isFinite));
    return svg(
      "polyline",
      {
        class: `${isChosen(one) ? "chosen" : ""} ${name}`,
        style: series(one.variant),
        points: known.map((point) => point.map((value) => value.toFixed(1)).join()).join(" "),
      },
      svg("title", {}, told(one)),
    );
  }

  function against() {
    const levels = own[0].measured.levels;
    const most = Math.ceil(
      Math.max(...own.flatMap(({ measured }) => [...measured.entropy, ...(measured.entropy_ceiling ?? [])])),
    );
    const { made, x, y, column } = chart(
      `Entropy of ${own.length} networks against K from ${levels[0]} to ${levels.at(-1)}; the numbers at K = ${state.k} stand in the table below`,
      [levels[0], levels.at(-1)],
      [0, most],
      [2, 8, 16, 24, 32, 40, 48, 56, 64].filter((k) => k <= levels.at(-1)),
      "K (shaded: the band)",
      "bits",
    );
    made.prepend(...dataset.band.map((k) => column(k - 0.5, k + 0.5, "band")));
    const thin = (levels.at(-1) - levels[0]) / 600;
    made.append(column(state.k - thin, state.k + thin, "here"));
    for (const one of own)
      made.append(
        line(
          one,
          one.measured.levels.map((k) => [x(k), y(at(one, "entropy", k) ?? NaN)]),
        ),
      );
    made.addEventListener("click", (event) => {
      const box = made.getBoundingClientRect();
      const place = ((event.clientX - box.left) / box.width) * ACROSS;
      go({ k: dataset.shown.reduce((best, k) => (Math.abs(x(k) - place) < Math.abs(x(best) - place) ? k : best)) });
    });
    return made;
  }

  // Of a network at the checkpoint at which it was probed, which tables show too.
  function temperedOf({ dataset, variant, seed }) {
    const same = (one) => one.dataset === dataset && one.variant === variant && one.seed === seed;
    return content.networks.find((one) => same(one) && one.tempered)?.tempered;
  }

  function frontier() {
    const marks = own
      .filter((one) => at(one, "entropy") !== null)
      .map((one) => ({ one, entropy: at(one, "entropy"), accuracy: one.measured.unquantized }));
    const points = own.flatMap((one) => {
      const { tau, accuracy, entropy } = temperedOf(one) ?? { tau: [] };
      return tau.map((_, i) => ({ one, tau: tau[i], accuracy: accuracy[i], entropy: entropy[state.k]?.[i] ?? NaN }));
    });
    const known = [...marks, ...points.filter((point) => Number.isFinite(point.entropy))];
    const accuracies = known.map((point) => point.accuracy);
    const most = Math.max(0.5, ...known.map((point) => point.entropy)) * 1.05;
    const { made, x, y } = chart(
      `Accuracy without quantization against entropy at K = ${state.k}; the numbers stand in the table`,
      [0, most],
      [Math.min(...accuracies) - AIR, Math.max(...accuracies) + AIR],
      ticks(0, most),
      `entropy at K = ${state.k}, bits`,
      "accuracy, %",
    );
    const add = ({ one, accuracy, entropy }, r, name, text) =>
      made.append(dot(one, x(entropy), y(accuracy), r, `${text}${accuracy.toFixed(2)} %, ${bits(entropy)}`, name));
    for (const one of own) {
      const ownPoints = known.filter((point) => point.one === one && point.tau);
      if (ownPoints.length)
        made.append(
          line(
            one,
            ownPoints.map((point) => [x(point.entropy), y(point.accuracy)]),
            "tempered",
          ),
        );
      for (const point of ownPoints) add(point, 2, "at-tau", `tau ${point.tau}: `);
    }
    for (const mark of marks) add(mark, isChosen(mark.one) ? 8 : 5, isChosen(mark.one) ? "chosen" : "as-is", "");
    return made;
  }

  function dot(one, cx, cy, r, text, name = "") {
    return svg(
      "circle",
      { class: name, style: series(one.variant), cx, cy, r },
      svg("title", {}, `${told(one)}, ${text}`),
    );
  }

  function perClass() {
    const most = Math.max(0.5, ...chosen.flatMap(([, classes]) => classes.map((one) => one.entropy)));
    return element("div", { class: "bars" }, ...dataset.classes.map(barRow));

    function barRow(name, label) {
      const values = chosen.map(([network, classes]) => [network, classes[label].entropy]);
      return element(
        "button",
        { class: "bar-row", onclick: () => go({ view: "dictionary", class: label, key: null }) },
        element("span", {}, name),
        element(
          "span",
          { class: "bar" },
          ...values.map(([{ variant }, value]) =>
            element("i", { style: `width: ${part(value / most)}; ${series(variant)}` }),
          ),
        ),
        element(
          "span",
          {},
          ...values.map(([{ model }, value]) =>
            element(
              "span",
              { class: "value" },
              values.length > 1 ? element("span", { class: "unseen" }, model) : "",
              bits(value),
            ),
          ),
        ),
      );
    }
  }

  function table() {
    const cells = (one) => [
      one.model,
      one.seed,
      one.measured.unquantized.toFixed(2),
      at(one, "accuracy")?.toFixed(2) ?? "",
      at(one, "entropy")?.toFixed(2) ?? "",
      at(one, "keys") ?? "",
    ];
    const row = (one) =>
      element(
        "tr",
        { class: isChosen(one) ? "chosen" : "" },
        ...cells(one).map((text) => element("td", {}, String(text))),
      );
    const heads = ["Network", "Seed", "Accuracy, %", `at K = ${state.k}, %`, "Entropy, bits", "Trees"];
    return element(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "The numbers" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...all.filter((one) => own.includes(one)).map(row)),
      ),
    );
  }
}

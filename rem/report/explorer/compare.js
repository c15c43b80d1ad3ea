// The networks of a dataset beside each other: entropy against K, accuracy against entropy, entropies class by class.

import { content } from "./data.js";
import { bits, element, svg } from "./draw.js";
import { datasetOf, state } from "./state.js";

const [ACROSS, DOWN, LEFT, BOTTOM] = [640, 320, 46, 40];
const COLOURS = 8; // --series0 ... of the style

export function compareView({ classes, go }) {
  const dataset = datasetOf();
  const own = content.networks.filter(
    (one) => one.dataset === dataset.name && one.checkpoint === state.checkpoint && one.measured.entropy,
  );
  const variants = [...new Set(own.map((one) => one.variant))];
  const at = (network, metric, k = state.k) => network.measured[metric]?.[network.measured.levels.indexOf(k)] ?? null;
  const series = (variant) => `--series: var(--series${variants.indexOf(variant) % COLOURS})`;
  return [
    element(
      "p",
      { class: "headline" },
      `All networks of ${dataset.title}, checkpoint ${state.checkpoint}. A thick line is the chosen network, thin ones the others and the other seeds.`,
    ),
    element(
      "ul",
      { class: "series-list" },
      ...variants.map((one) => element("li", { style: series(one) }, own.find((two) => two.variant === one).model)),
    ),
    element(
      "div",
      { class: "panels" },
      panel("Entropy against K", against()),
      panel("Accuracy against entropy", frontier()),
      panel(`Entropy of each class at K = ${state.k}`, perClass()),
      panel("In numbers", table()),
    ),
  ];

  function panel(title, plot) {
    return element("figure", { class: "panel" }, element("figcaption", {}, element("h2", {}, title)), plot);
  }

  function isChosen(network) {
    return network.variant === state.variant && network.seed === state.seed;
  }

  function scale(from, to, low, high) {
    return (value) => low + ((value - from) / (to - from || 1)) * (high - low);
  }

  function axes(plot, x, y, ticksX, ticksY, labelX, labelY) {
    for (const value of ticksY)
      plot.append(
        svg("line", { class: "grid", x1: LEFT, x2: ACROSS - 8, y1: y(value), y2: y(value) }),
        svg("text", { class: "tick", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(value)),
      );
    for (const value of ticksX)
      plot.append(
        svg("text", { class: "tick", x: x(value), y: DOWN - BOTTOM + 16, "text-anchor": "middle" }, String(value)),
      );
    plot.append(
      svg("text", { class: "tick", x: ACROSS / 2, y: DOWN - 6, "text-anchor": "middle" }, labelX),
      svg("text", { class: "tick", x: 8, y: 12 }, labelY),
    );
  }

  function against() {
    const levels = own[0].measured.levels;
    const most = Math.ceil(
      Math.max(
        ...own.flatMap((one) => one.measured.entropy),
        ...own.flatMap((one) => one.measured.entropy_ceiling ?? []),
      ),
    );
    const [x, y] = [scale(levels[0], levels.at(-1), LEFT + 4, ACROSS - 10), scale(0, most, DOWN - BOTTOM, 20)];
    const plot = svg("svg", {
      viewBox: `0 0 ${ACROSS} ${DOWN}`,
      role: "img",
      "aria-label": `Entropy of ${own.length} networks against K from ${levels[0]} to ${levels.at(-1)}; the numbers at K = ${state.k} stand in the table below`,
    });
    for (const k of dataset.band)
      plot.append(svg("rect", { class: "band", x: x(k - 0.5), y: 20, width: x(1) - x(0), height: DOWN - BOTTOM - 20 }));
    axes(
      plot,
      x,
      y,
      [2, 8, 16, 24, 32, 40, 48, 56, 64].filter((k) => k <= levels.at(-1)),
      ticks(0, most),
      "K (shaded: the band)",
      "bits",
    );
    plot.append(svg("line", { class: "here", x1: x(state.k), x2: x(state.k), y1: 20, y2: DOWN - BOTTOM }));
    for (const one of [...own].sort((a, b) => isChosen(a) - isChosen(b))) {
      const known = one.measured.levels.filter((k, i) => one.measured.entropy[i] !== null);
      const points = known.map((k) => `${x(k).toFixed(1)},${y(at(one, "entropy", k)).toFixed(1)}`);
      plot.append(
        svg(
          "polyline",
          { class: isChosen(one) ? "chosen" : "", style: series(one.variant), points: points.join(" ") },
          svg("title", {}, `${one.model}, seed ${one.seed}`),
        ),
      );
    }
    plot.addEventListener("click", (event) => {
      const box = plot.getBoundingClientRect();
      const k = levels[0] + (((event.clientX - box.left) / box.width) * ACROSS - LEFT - 4) / (x(1) - x(0));
      go({ k: dataset.shown.reduce((best, one) => (Math.abs(one - k) < Math.abs(best - k) ? one : best)) });
    });
    return plot;
  }

  function ticks(low, high) {
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20].find((one) => (high - low) / one <= 8);
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) =>
      Number(((first + i) * step).toFixed(2)),
    );
  }

  function frontier() {
    const known = own.filter((one) => at(one, "entropy") !== null);
    const points = known.map((one) => ({
      one,
      entropy: at(one, "entropy"),
      accuracy: at(one, "accuracy") ?? one.measured.unquantized,
    }));
    const [low, high] = [
      Math.min(...points.map((p) => p.accuracy)) - 0.3,
      Math.max(...points.map((p) => p.accuracy)) + 0.3,
    ];
    const most = Math.max(0.5, ...points.map((p) => p.entropy)) * 1.05;
    const [x, y] = [scale(0, most, LEFT + 4, ACROSS - 12), scale(low, high, DOWN - BOTTOM, 20)];
    const plot = svg("svg", {
      viewBox: `0 0 ${ACROSS} ${DOWN}`,
      role: "img",
      "aria-label": `Accuracy against entropy at K = ${state.k}; the numbers stand in the table below`,
    });
    axes(plot, x, y, ticks(0, most), ticks(low, high), `entropy at K = ${state.k}, bits`, "accuracy, %");
    for (const { one, entropy, accuracy } of points)
      plot.append(
        svg(
          "circle",
          {
            class: isChosen(one) ? "chosen" : "",
            style: series(one.variant),
            cx: x(entropy),
            cy: y(accuracy),
            r: isChosen(one) ? 8 : 5,
          },
          svg("title", {}, `${one.model}, seed ${one.seed}: ${accuracy.toFixed(2)} %, ${bits(entropy)}`),
        ),
      );
    return plot;
  }

  function perClass() {
    const most = Math.max(0.5, ...classes.map((one) => one.entropy));
    return element(
      "div",
      { class: "bars" },
      ...classes.map((one) =>
        element(
          "button",
          { class: "bar-row", onclick: () => go({ view: "dictionary", class: one.label, key: null }) },
          element("span", {}, dataset.classes[one.label]),
          element("span", { class: "bar" }, element("i", { style: `width: ${(100 * one.entropy) / most}%` })),
          element("span", {}, bits(one.entropy)),
        ),
      ),
    );
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
      { class: "scroll" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...own.map(row)),
      ),
    );
  }
}

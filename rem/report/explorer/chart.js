// Axes of the plots in Compare.

import { svg } from "./draw.js";

export const [ACROSS, DOWN] = [640, 320];
const EDGE = { left: 46, bottom: 40, top: 26, right: 10 };

const scale = (from, to, low, high) => (value) => low + ((value - from) / (to - from || 1)) * (high - low);

// Round numbers between two.
export function ticks(low, high) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((one) => (high - low) / one <= 8) ?? 100;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toFixed(2)));
}

// An empty plot: its element, and where numbers stand in it.
export function chart(told, [fromX, toX], [fromY, toY], ticksX, labelX, labelY) {
  const x = scale(fromX, toX, EDGE.left + 4, ACROSS - EDGE.right);
  const y = scale(fromY, toY, DOWN - EDGE.bottom, EDGE.top);
  const made = svg("svg", { viewBox: `0 0 ${ACROSS} ${DOWN}`, role: "img", "aria-label": told });
  for (const value of ticks(fromY, toY))
    made.append(
      svg("line", { class: "grid", x1: EDGE.left, x2: ACROSS - EDGE.right, y1: y(value), y2: y(value) }),
      svg("text", { class: "tick", x: EDGE.left - 6, y: y(value) + 4, "text-anchor": "end" }, String(value)),
    );
  for (const value of ticksX)
    made.append(
      svg("text", { class: "tick", x: x(value), y: DOWN - EDGE.bottom + 16, "text-anchor": "middle" }, String(value)),
    );
  made.append(
    svg("text", { class: "tick", x: ACROSS / 2, y: DOWN - 6, "text-anchor": "middle" }, labelX),
    svg("text", { class: "tick", x: 8, y: 12 }, labelY),
  );
  const column = (from, to, name) =>
    svg("rect", {
      class: name,
      x: x(from),
      y: EDGE.top,
      width: x(to) - x(from),
      height: DOWN - EDGE.bottom - EDGE.top,
    });
  return { made, x, y, column };
}

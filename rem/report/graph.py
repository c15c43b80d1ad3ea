"""The steps behind some files as a picture: which command's files another one reads."""

from graphlib import TopologicalSorter
from typing import NamedTuple
from xml.sax.saxutils import escape

from rem.files.trace import Trace, name_of, paths_in

WIDTH, HEIGHT = 132, 46  # of a step, in pixels
ACROSS, DOWN = 20, 40  # between steps


class Box(NamedTuple):
    """A step: its name, how often it ran, and where its middle is."""

    name: str
    runs: int
    x: float
    y: float


def arrows(found: Trace) -> set[tuple[str, str]]:
    """(a, b) for each command b that read files of command a, unless another command between them tells it too."""
    pairs = set()
    for path, record in found.records.items():
        for one, _ in paths_in(path, record["inputs"]):
            if one in found.records:
                pairs.add((name_of(found.records[one]), name_of(record)))
    pairs = {(a, b) for a, b in pairs if a != b}
    after = {a: {b for start, b in pairs if start == a} for a, _ in pairs}
    return {(a, b) for a, b in pairs if not any(_reaches(after, between, b) for between in after[a] - {b})}


def _reaches(after: dict[str, set[str]], start: str, end: str) -> bool:
    return start == end or any(_reaches(after, step, end) for step in after.get(start, ()))


def arrange(found: Trace) -> tuple[list[Box], list[list[tuple[float, float]]]]:
    """Where the steps stand, from top to bottom, each below all whose files it reads; and the points of each arrow.

    An arrow takes a place of its own in the rows that it passes, so that it crosses no step.
    """
    commands: dict[str, set[str]] = {}
    for record in found.records.values():
        commands.setdefault(name_of(record), set()).add(record["command"])
    pairs = sorted(arrows(found))
    sorter = TopologicalSorter({name: sorted(a for a, b in pairs if b == name) for name in sorted(commands)})
    sorter.prepare()
    rows: list[list[tuple[str, ...]]] = []  # of steps (name,) and of arrows on their way (from, to)
    row_of: dict[str, int] = {}
    while sorter.is_active():
        ready = sorter.get_ready()
        row_of |= dict.fromkeys(ready, len(rows))
        rows.append([(name,) for name in ready])
        sorter.done(*ready)
    for a, b in pairs:
        for row in range(row_of[a] + 1, row_of[b]):
            rows[row].append((a, b))

    middle: dict[tuple[str, ...], float] = {}  # of an item's latest row
    passed: dict[tuple[str, ...], list[float]] = {pair: [] for pair in pairs}
    for row in rows:
        above = {
            item: [middle.get(pair, middle[pair[:1]]) for pair in pairs if item in (pair, pair[1:])] for item in row
        }
        row.sort(key=lambda item: (sum(above[item]) / max(1, len(above[item])), item))
        widths = [WIDTH if len(item) == 1 else 0 for item in row]
        left = -(sum(widths) + ACROSS * (len(row) - 1)) / 2
        for item, width in zip(row, widths, strict=True):
            middle[item] = left + width / 2
            left += width + ACROSS
            if len(item) == 2:
                passed[item].append(middle[item])
    placed = [Box(name, len(commands[name]), middle[name,], row * (HEIGHT + DOWN)) for name, row in row_of.items()]
    at = {box.name: box for box in placed}
    ways = []
    for a, b in pairs:
        way = [(at[a].x, at[a].y + HEIGHT)]
        for row, x in enumerate(passed[a, b], row_of[a] + 1):
            way += [(x, row * (HEIGHT + DOWN)), (x, row * (HEIGHT + DOWN) + HEIGHT)]
        ways.append([*way, (at[b].x, at[b].y)])
    return placed, ways


def svg(found: Trace) -> str:
    """The picture, as an SVG element: a box a step, with how often it ran."""
    placed, ways = arrange(found)
    xs = [box.x for box in placed] + [x for way in ways for x, _ in way]
    left, right = min(xs) - WIDTH / 2 - 2, max(xs) + WIDTH / 2 + 2
    height = max(box.y for box in placed) + HEIGHT + 4
    parts = [
        f'<svg viewBox="{left:g} -2 {right - left:g} {height:g}" width="{right - left:g}" height="{height:g}" '
        'role="img" aria-label="Which step reads the files of which">'
    ]
    for (x, y), *rest in ways:
        path = f"M{x:g} {y:g}"
        for to_x, to_y in rest:
            half = (y + to_y) / 2
            path += f" C{x:g} {half:g} {to_x:g} {half:g} {to_x:g} {to_y:g}"
            x, y = to_x, to_y
        parts.append(f'<path d="{path}"/>')
    for name, runs, x, y in placed:
        parts.append(f'<rect x="{x - WIDTH / 2:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>')
        parts.append(f'<text x="{x:g}" y="{y + 20:g}">{escape(name.removeprefix("rem "))}</text>')
        parts.append(f'<text class="runs" x="{x:g}" y="{y + 37:g}">{runs} {"run" if runs == 1 else "runs"}</text>')
    return "\n".join([*parts, "</svg>"])

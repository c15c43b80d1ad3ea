"""The parse tree of one image as a picture: primary capsules on their grid, coupled to the predicted class."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch, Rectangle
from matplotlib.path import Path as Curve

from rem.errors import RemError
from rem.figures.style import PAGE, PANELS, SMALL, class_names, draw_image, run_title, save_figure
from rem.files.hdf5 import open_hdf5
from rem.settings.run import Run
from rem.settings.stamp import run_of
from rem.tables.names import Names

CAPTION = "The parse tree that an unpruned and a pruned network carve out of the same test image."

BRANCHES = 24  # couplings drawn as curves at the most
WIDTH, HEIGHT = 30.0, 10.0  # of a tree, in units of its axes
MAPS = (6.5, 13.5)  # where the maps begin, and their width
CLASSES = 23.0  # where the class capsules stand
LETTERS = 18  # of a class's name that fit beside them
COLOURS = "PuOr"  # weaker than 1/J, as strong, stronger


class Tree(NamedTuple):
    """What one network made of one image."""

    model: str
    couplings: np.ndarray  # (T, rows, columns) c_ij of the predicted class j
    lengths: np.ndarray  # (J,) |v_j|
    predicted: int


def draw(couplings_q: Path, couplings_rem: Path, prepared: Path, target_stem: Path, image: int | None = None) -> None:
    """Draw the parse trees that two networks carve out of one image, not quantized, one above the other.

    Args:
        couplings_q: HDF5 file of `rem couplings`.
        couplings_rem: the same of the other network, on the same images.
        prepared: the dataset's HDF5 file of `rem prepare`.
        target_stem: `.png` and `.svg` are added to it.
        image: its position in the split; None takes the first one that both classify correctly.

    Raises:
        RemError: a file is unreadable, the two are not of the same images, there is no such image, or the
            primary capsules do not lie on a square grid.
    """
    with open_hdf5(couplings_q) as one, open_hdf5(couplings_rem) as other, open_hdf5(prepared) as data:
        runs = [run_of(file) for file in (one, other)]
        split, label = one.attrs["split"], one["label"][:]
        same = runs[0].dataset == runs[1].dataset and split == other.attrs["split"]
        if not same or split not in data or not len(data[split]["labels"]) == len(label) == len(other["label"]):
            raise RemError(f"{couplings_q}, {couplings_rem} and {prepared} are not of the same images; give such.")
        if image is None:
            both = np.flatnonzero((one["predicted"][:] == label) & (other["predicted"][:] == label))
            if not both.size:
                raise RemError(
                    f"{couplings_q} and {couplings_rem} have no image that both classify correctly; name one."
                )
            image = int(both[0])
        if not 0 <= image < len(label):
            raise RemError(f"{couplings_q} has no image {image}, only 0 to {len(label) - 1}; name one of those.")
        trees = [_tree(file, run, image) for file, run in zip((one, other), runs, strict=True)]
        names, pixels = class_names(one), data[split]["images"][image]
    title = f"{run_title(runs[0])}, {split} image {image}: {names[label[image]]}"
    save_figure(tree_pictures(trees, pixels, names, title), target_stem)


def _tree(file: h5py.File, run: Run, image: int) -> Tree:
    own = file["couplings"][image]
    types = run.network.maps(len(own))
    side = round((len(own) / types) ** 0.5)
    if types * side**2 != len(own):
        raise RemError(f"{file.filename} has {len(own)} primary capsules, not {types} square maps of them.")
    couplings = own.reshape(types, side, side)
    model = Names([run]).model(run.variant, quantized=False)
    return Tree(model, couplings, file["lengths"][image], int(file["predicted"][image]))


def tree_pictures(trees: Sequence[Tree], image: np.ndarray, class_names: Sequence[str], title: str) -> Figure:
    """Trees of one image, one above the other, in one scale of colours and widths.

    Args:
        trees: of different networks.
        image: (C, H, W) uint8.
        class_names: J names.
        title: what is shown.
    """
    uniform = 1 / len(class_names)
    strongest = max(2 * uniform, *(float(tree.couplings.max()) for tree in trees))
    norm = TwoSlopeNorm(uniform, 0, strongest)
    figure = Figure(figsize=(PAGE, 0.75 + 2.45 * len(trees)), layout="constrained")
    rows = figure.subplots(len(trees), 1, squeeze=False)[:, 0]
    for axes, tree in zip(rows, trees, strict=True):
        _draw(axes, tree, image, class_names, norm)
    where = {"location": "bottom", "aspect": 45, "shrink": 0.5, "pad": 0.02}
    bar = figure.colorbar(ScalarMappable(norm, COLOURS), ax=list(rows), **where)
    bar.set_label(f"coupling to the predicted class; curves: the strongest above 1/J, at most {BRANCHES}")
    bar.set_ticks([0, uniform, strongest], labels=["0", f"1/J = {uniform:.2g}", f"{strongest:.2f}"])
    bar.outline.set_linewidth(0.5)
    figure.suptitle(title, fontsize=8)
    return figure


def _draw(axes: Axes, tree: Tree, image: np.ndarray, class_names: Sequence[str], norm: TwoSlopeNorm) -> None:
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT + 1), aspect="equal")
    axes.set_axis_off()
    heading = {"ha": "center", "va": "bottom", "fontsize": SMALL}
    draw_image(axes, image / 255, extent=(0.2, 5.2, 2.5, 7.5))
    axes.text(2.7, 7.8, tree.model, **heading | {"fontsize": 8})
    places = _places(len(tree.couplings))
    for of_type, (left, bottom, size) in zip(tree.couplings, places, strict=True):
        axes.imshow(of_type, cmap=COLOURS, norm=norm, extent=(left, left + size, bottom, bottom + size))
        axes.add_patch(Rectangle((left, bottom), size, size, fill=False, edgecolor="0.6", linewidth=0.5))
    types, side, _ = tree.couplings.shape
    what = f"primary capsules: {types} types, {side} \N{MULTIPLICATION SIGN} {side} each"
    what += f"; strongest coupling {tree.couplings.max():.2f}"
    axes.text(MAPS[0] + MAPS[1] / 2, HEIGHT + 0.15, what, **heading)
    axes.text(CLASSES + 1.7, HEIGHT + 0.15, "class capsules, $|v_j|$", **heading)
    shown = np.sort(np.argsort(-tree.lengths, kind="stable")[:PANELS])
    heights = HEIGHT - (np.arange(len(shown)) + 0.5) * HEIGHT / len(shown)
    radius = min(0.33, 0.4 * HEIGHT / len(shown))
    for j, height in zip(shown, heights, strict=True):
        colour = "0.1" if j == tree.predicted else "0.5"
        face = colour if j == tree.predicted else "white"
        axes.add_patch(Circle((CLASSES, height), radius, facecolor=face, edgecolor=colour, linewidth=0.8, zorder=4))
        bar = (CLASSES + 0.6, height - radius / 2)
        axes.add_patch(Rectangle(bar, 2.4, radius, facecolor="0.94"))
        axes.add_patch(Rectangle(bar, 2.4 * float(tree.lengths[j]), radius, facecolor=colour))
        name = class_names[j] if len(class_names[j]) <= LETTERS else f"{class_names[j][: LETTERS - 1].rstrip(' ,')}…"
        axes.text(CLASSES + 3.2, height, name, va="center", fontsize=SMALL, color=colour)
        if j == tree.predicted:
            _branches(axes, tree.couplings, places, (CLASSES - radius, height), norm)


def _places(types: int) -> list[tuple[float, float, float]]:
    """Left, bottom and side of every map, as large as they fit, in rows from the top left."""
    left, width = MAPS
    fits = {columns: min(width / columns, HEIGHT / -(-types // columns)) for columns in range(1, types + 1)}
    columns = max(fits, key=fits.__getitem__)
    step = fits[columns]
    indent = left + (width - columns * step) / 2
    top = HEIGHT - (HEIGHT - -(-types // columns) * step) / 2
    row_and_column = (divmod(number, columns) for number in range(types))
    return [(indent + (c + 0.05) * step, top - (r + 0.95) * step, 0.9 * step) for r, c in row_and_column]


def _branches(
    axes: Axes,
    couplings: np.ndarray,
    places: Sequence[tuple[float, float, float]],
    end: tuple[float, float],
    norm: TwoSlopeNorm,
) -> None:
    """Curves from the most strongly coupled capsules, as wide as they are coupled more than evenly."""
    side = couplings.shape[1]
    strongest = np.argsort(-couplings, axis=None, kind="stable")[:BRANCHES]
    for capsule in strongest[couplings.flat[strongest] > norm.vcenter][::-1]:
        kind, row, column = np.unravel_index(capsule, couplings.shape)
        left, bottom, size = places[kind]
        start = (left + (column + 0.5) * size / side, bottom + size - (row + 0.5) * size / side)
        bend = (start[0] + end[0]) / 2
        curve = Curve([start, (bend, start[1]), (bend, end[1]), end], [Curve.MOVETO, *[Curve.CURVE4] * 3])
        value = float(couplings.flat[capsule])
        width = 2.5 * (value - norm.vcenter) / (norm.vmax - norm.vcenter)
        colour = colormaps[COLOURS](max(norm(value), 0.7))  # paler ones would not show as curves
        look = {"edgecolor": colour, "linewidth": width, "alpha": 0.8, "gid": f"{value:.4f}"}
        axes.add_patch(PathPatch(curve, fill=False, zorder=3, **look))

"""Figure 8 of the paper: reconstructions of perturbed class capsules."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rem.errors import RemError
from rem.figures.style import (
    GAP,
    PAGE,
    SMALL,
    VERMILION,
    class_names,
    draw_image,
    run_title,
    save_figure,
    short,
    shown_classes,
)
from rem.files.csv import read_csv
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import run_of
from rem.tables.names import Names

CAPTION = (
    "The paper's Figure 8: what a decoder stacked on the frozen network draws when one dimension of the class capsule "
    "is moved."
)

DIGITS = 3  # images that are perturbed
LETTERS = 30  # that fit above one
FEW = 10  # dimensions, below which there is no room for a long label beside them
SHORT = {"centroid_x": "x", "centroid_y": "y"}  # names of properties that would be too long beside a row


def draw(perturbations: Path, target_stem: Path, equivariance: Path | None = None) -> None:
    """Draw Figure 8: reconstructions while one dimension of the class capsule is moved, for some images.

    Args:
        perturbations: HDF5 file of `rem perturb`.
        target_stem: `.png` and `.svg` are added to it.
        equivariance: CSV of `rem perturb`, to name what each dimension moves where that is beyond chance.

    Raises:
        RemError: a file is unreadable or lacks a part.
    """
    parts = ("reconstructions", "images", "label", "offsets")
    with open_hdf5(perturbations) as file:
        for part in parts:
            if part not in file:
                raise RemError(f"{perturbations} has no dataset {part}; make it again.")
        shown = shown_classes(len(file["label"]), DIGITS)
        reconstructions, images, label = (file[part][shown] for part in parts[:3])
        names = [class_names(file)[own] for own in label]
        offsets, run = file["offsets"][:], run_of(file)
    moves = _moves(equivariance, label.tolist()) if equivariance else [{} for _ in label]
    title = f"{Names([run]).model(run.variant)}, {run_title(run)}"
    save_figure(perturbation_grids(reconstructions, images, names, offsets, title, moves), target_stem)


def _moves(equivariance: Path, labels: Sequence[int]) -> list[dict[int, str]]:
    """Of each class the dimensions that move a property more consistently than by chance, and that property."""
    frame = read_csv(equivariance, ("class", "dimension", "property", "consistency", "chance"))
    beyond = frame[frame["consistency"] > frame["chance"]].replace({"property": SHORT})
    by_class = {label: own.set_index("dimension")["property"].to_dict() for label, own in beyond.groupby("class")}
    return [by_class.get(label, {}) for label in labels]


def perturbation_grids(
    reconstructions: np.ndarray,
    images: np.ndarray,
    names: Sequence[str],
    offsets: np.ndarray,
    title: str,
    moves: Sequence[Mapping[int, str]],
) -> Figure:
    """A grid of tiles an image: dimensions downwards, offsets to the right; unmoved ones are framed.

    Args:
        reconstructions: (N, D, O, C, S, S) in [0, 1].
        images: (N, C, S, S) in [0, 1], what was put in.
        names: N names of classes.
        offsets: (O,), what was added to the dimension.
        title: what is shown.
        moves: of each image, dimension -> what it moves.
    """
    count, dimensions, moved = reconstructions.shape[:3]
    beside = 0.45 if any(moves) else 0.1  # inches
    tile = (PAGE - 0.5 - DIGITS * beside) / (DIGITS * moved)
    figure = Figure(figsize=(PAGE, (dimensions + 3) * tile + 0.65), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.02, hspace=0.02)
    grids = figure.subplots(2, count, squeeze=False, height_ratios=(2.4, dimensions))
    unmoved = np.flatnonzero(np.isclose(offsets, 0))
    for (top, panel), image, own, name, moving in zip(grids.T, images, reconstructions, names, moves, strict=True):
        draw_image(top, image)
        top.set_axis_off()
        top.set_title(short(f"input: {name}", LETTERS), pad=2)
        draw_image(panel, mosaic(own), extent=(0, moved, dimensions, 0))
        for column in unmoved:
            frame = {"fill": False, "edgecolor": VERMILION, "linewidth": 1.0, "clip_on": False}
            panel.add_patch(Rectangle((column, 0), 1, dimensions, **frame))
        ticks = np.unique([0, *unmoved, moved - 1])
        panel.set_xticks(ticks + 0.5, [_signed(offsets[tick]) for tick in ticks])
        panel.set_yticks(np.arange(dimensions) + 0.5, range(1, dimensions + 1) if panel is grids[1, 0] else [])
        for dimension, what in moving.items():
            panel.text(moved + 0.3, dimension + 0.5, what, va="center", fontsize=SMALL - 0.5)
        panel.tick_params(length=0, pad=2)
        for spine in panel.spines.values():
            spine.set_visible(False)
    grids[1, 0].set_ylabel("dimension of the class capsule" if dimensions >= FEW else "dimension")
    note = "\nbeside a row: what it moves, where more consistently than by chance (mass: all light; x, y: its centre)"
    note = note if any(moves) else ""
    figure.supxlabel(f"added to the dimension{note}", fontsize=8)
    figure.suptitle(title, fontsize=8)
    return figure


def _signed(offset: float) -> str:
    return f"{offset:+.2f}".replace("-", "\N{MINUS SIGN}") if offset else "0"


def mosaic(tiles: np.ndarray) -> np.ndarray:
    """Tiles (R, L, C, H, W) in [0, 1] as one image (C, R (H + g), L (W + g)) with white gaps of g pixels."""
    gap = max(1, round(GAP * tiles.shape[-1]))
    around = (gap // 2, gap - gap // 2)
    padded = np.pad(tiles, ((0, 0), (0, 0), (0, 0), around, around), constant_values=1)
    rows = [np.concatenate(list(row), axis=-1) for row in padded]  # each (C, H + g, L (W + g))
    return np.concatenate(rows, axis=-2)

"""Figures 7 and 8 of the paper, made of images: overlaid clusters, and reconstructions of perturbed capsules."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rem.files import RemError, open_hdf5
from rem.results import model_name
from rem.settings import Run
from rem.style import PAGE, SMALL, VERMILION, run_title, save, shown_classes

RANKS = 10  # clusters a class that Figure 7 shows
DIGITS = 3  # images that Figure 8 perturbs
AT_ONCE = 4096  # images read at once
GAP = 0.08  # between tiles, of a tile's side


class Clusters(NamedTuple):
    """The largest clusters of one class."""

    name: str
    keys: int  # all that the class has
    counts: np.ndarray  # (R,) images in each of the largest, R <= RANKS
    overlays: np.ndarray  # (R, C, H, W) their mean images, 0 to 255


def figure7(dictionary: Path, prepared: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 7: the images that share a key, overlaid; a row a class, its largest clusters first.

    Args:
        dictionary: HDF5 file of `rem entropy`.
        prepared: the dataset's HDF5 file of `rem prepare`.
        levels: K.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file is unreadable, or the dictionary is not of this K or not of these images.
    """
    with open_hdf5(dictionary) as file, open_hdf5(prepared) as data:
        run, split = Run.model_validate_json(file.attrs["run"]), file.attrs["split"]
        if f"levels{levels}" not in file or split not in data:
            raise RemError(f"{dictionary} has no levels{levels}, or {prepared} no split {split}; make them again.")
        shown = largest_clusters(file[f"levels{levels}"], data[split]["images"], list(data.attrs["class_names"]))
    title = f"{model_name(run.variant, quantized=True)}, {run_title(run)}, {levels} levels, {split} images"
    save(cluster_rows(shown, title), target_stem)


def largest_clusters(
    classes: h5py.Group, images: h5py.Dataset | np.ndarray, class_names: Sequence[str]
) -> list[Clusters]:
    """Overlay the images of each shown class's largest clusters ("overlap", section 4.1): their means.

    The images are read once, some at a time.

    Args:
        classes: `class<j>` -> `counts` (M,), `images` (n,), `members` (n,).
        images: (N, C, H, W) uint8.
        class_names: J names.

    Raises:
        RemError: the dictionary names an image that is not there.
    """
    counts, keys, cluster_of = [], [], np.full(len(images), -1)
    for label in shown_classes(len(class_names)):
        group, before = classes[f"class{label}"], sum(map(len, counts))
        rank, where = group["members"][:], group["images"][:]
        if where.max(initial=-1) >= len(images):
            raise RemError(f"a dictionary has image {where.max()} of {len(images)} images; give the files of one run.")
        cluster_of[where[rank < RANKS]] = before + rank[rank < RANKS]
        counts.append(group["counts"][:RANKS])
        keys.append(len(group["counts"]))
    sums = np.zeros((sum(map(len, counts)), *images.shape[1:]))
    for start in range(0, len(images), AT_ONCE):
        own = cluster_of[start : start + AT_ONCE]
        np.add.at(sums, own[own >= 0], images[start : start + AT_ONCE][own >= 0])
    of_class = np.split(sums, np.cumsum([len(own) for own in counts])[:-1])
    names = [class_names[label] for label in shown_classes(len(class_names))]
    return [
        Clusters(name, number, own, total / own[:, None, None, None])
        for name, number, own, total in zip(names, keys, counts, of_class, strict=True)
    ]


def cluster_rows(shown: Sequence[Clusters], title: str) -> Figure:
    """A row of overlays a class, the number of overlaid images below each."""
    tile = (PAGE - 1.0) / RANKS
    figure = Figure(figsize=(PAGE, 0.5 + len(shown) * (tile + 0.14)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    axes = figure.subplots(len(shown), RANKS, squeeze=False)
    for row, clusters in zip(axes, shown, strict=True):
        for panel in row:
            panel.set_axis_off()
        for panel, count, overlay in zip(row, clusters.counts, clusters.overlays, strict=False):
            _image(panel, overlay / 255)
            panel.set_title(f"{count}", fontsize=SMALL - 0.5, pad=1.5, y=-0.2, va="baseline")
        keys = f"{clusters.name}\n{clusters.keys} key{'s' * (clusters.keys != 1)}"
        row[0].text(-0.15, 0.5, keys, transform=row[0].transAxes, ha="right", va="center", fontsize=SMALL)
    figure.suptitle(title, fontsize=8)
    return figure


def figure8(perturbations: Path, target_stem: Path) -> None:
    """Draw Figure 8: reconstructions while one dimension of the class capsule is moved, for some images.

    Args:
        perturbations: HDF5 file with `reconstructions` (N, D, O, C, S, S) and `images` (N, C, S, S) in [0, 1],
            `label` (N,) and `offsets` (O,), and the attributes `class_names` and `run`.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: the file is unreadable or lacks a part.
    """
    parts = ("reconstructions", "images", "label", "offsets")
    with open_hdf5(perturbations) as file:
        for part in parts:
            if part not in file:
                raise RemError(f"{perturbations} has no dataset {part}; make it again.")
        shown = shown_classes(len(file["label"]), DIGITS)
        reconstructions, images, label = (file[part][shown] for part in parts[:3])
        names = [file.attrs["class_names"][own] for own in label]
        offsets, run = file["offsets"][:], Run.model_validate_json(file.attrs["run"])
    title = f"{model_name(run.variant, quantized=True)}, {run_title(run)}"
    save(perturbation_grids(reconstructions, images, names, offsets, title), target_stem)


def perturbation_grids(
    reconstructions: np.ndarray, images: np.ndarray, names: Sequence[str], offsets: np.ndarray, title: str
) -> Figure:
    """A grid of tiles an image: dimensions downwards, offsets to the right; unmoved ones are framed.

    Args:
        reconstructions: (N, D, O, C, S, S) in [0, 1].
        images: (N, C, S, S) in [0, 1], what was put in.
        names: N names of classes.
        offsets: (O,), what was added to the dimension.
        title: what is shown.
    """
    count, dimensions, moved = reconstructions.shape[:3]
    tile = (PAGE - 0.7) / (DIGITS * (moved + 0.6))
    figure = Figure(figsize=(PAGE, (dimensions + 3) * tile + 0.65), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.02, hspace=0.02)
    grids = figure.subplots(2, count, squeeze=False, height_ratios=(2.4, dimensions))
    unmoved = np.flatnonzero(np.isclose(offsets, 0))
    for (top, panel), image, own, name in zip(grids.T, images, reconstructions, names, strict=True):
        _image(top, image)
        top.set_axis_off()
        top.set_title(f"input: {name}", pad=2)
        _image(panel, mosaic(own), extent=(0, moved, dimensions, 0))
        for column in unmoved:
            frame = {"fill": False, "edgecolor": VERMILION, "linewidth": 1.0, "clip_on": False}
            panel.add_patch(Rectangle((column, 0), 1, dimensions, **frame))
        ticks = np.unique([0, *unmoved, moved - 1])
        panel.set_xticks(ticks + 0.5, [f"{offsets[tick]:+.2f}" if offsets[tick] else "0" for tick in ticks])
        panel.set_yticks(np.arange(dimensions) + 0.5, range(1, dimensions + 1) if panel is grids[1, 0] else [])
        panel.tick_params(length=0, pad=2)
        for spine in panel.spines.values():
            spine.set_visible(False)
    grids[1, 0].set_ylabel("dimension of the class capsule")
    figure.supxlabel("added to the dimension", fontsize=8)
    figure.suptitle(title, fontsize=8)
    return figure


def mosaic(tiles: np.ndarray) -> np.ndarray:
    """Tiles (R, L, C, H, W) in [0, 1] as one image (C, R (H + g), L (W + g)) with white gaps of g pixels."""
    gap = max(1, round(GAP * tiles.shape[-1]))
    around = (gap // 2, gap - gap // 2)
    padded = np.pad(tiles, ((0, 0), (0, 0), (0, 0), around, around), constant_values=1)
    rows = [np.concatenate(list(row), axis=-1) for row in padded]  # each (C, H + g, L (W + g))
    return np.concatenate(rows, axis=-2)


def _image(panel: Axes, image: np.ndarray, **options: object) -> None:
    """Draw (C, H, W) in [0, 1] as it is: one channel in greys, black to white, three in colour."""
    grey = image.shape[0] == 1
    panel.imshow(image[0] if grey else np.moveaxis(image, 0, -1), cmap="gray", vmin=0, vmax=1, **options)

"""Figures 7 and 8 of the paper, made of images: overlaid clusters, and reconstructions of perturbed capsules."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rem.files import RemError, open_hdf5
from rem.results import model_name, read_table
from rem.settings import Run
from rem.style import PAGE, SMALL, VERMILION, class_names, draw_image, run_title, save, shown_classes

RANKS = {1: (10,), 2: (8, 4)}  # clusters a class that Figure 7 shows of one network, and of two
DIGITS = 3  # images that Figure 8 perturbs
ABOVE, BELOW, BESIDE = 0.4, 0.14, 0.65  # inches of Figure 7 for titles, counts and names of classes
AT_ONCE = 4096  # images read at once
SHORT = {"centroid_x": "x", "centroid_y": "y"}  # names of properties that would be too long beside a row
GAP = 0.08  # between tiles, of a tile's side


class Clusters(NamedTuple):
    """The largest clusters of one class."""

    name: str
    keys: int  # all that the class has
    counts: np.ndarray  # (R,) images in each of the largest, at the most as many as asked for
    overlays: np.ndarray  # (R, C, H, W) their mean images, 0 to 255


def figure7(dictionaries: Sequence[Path], prepared: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 7: the images that share a key, overlaid; a row a class, its largest clusters first.

    Args:
        dictionaries: HDF5 files of `rem entropy`, of one network or of two on the same images; the second
            is shown in brief.
        prepared: the dataset's HDF5 file of `rem prepare`.
        levels: K.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file is unreadable, or a dictionary is not of this K or not of these images.
    """
    if len(dictionaries) not in RANKS:
        raise RemError(f"Figure 7 shows one network or two, not {len(dictionaries)}; give as many dictionaries.")
    blocks, titles = {}, []
    with open_hdf5(prepared) as data:
        for dictionary, ranks in zip(dictionaries, RANKS[len(dictionaries)], strict=True):
            with open_hdf5(dictionary) as file:
                run, split = Run.model_validate_json(file.attrs["run"]), file.attrs["split"]
                if f"levels{levels}" not in file or split not in data:
                    raise RemError(
                        f"{dictionary} has no levels{levels}, or {prepared} no split {split}; make it again."
                    )
                images, names = data[split]["images"], class_names(data)
                clusters = largest_clusters(file[f"levels{levels}"], images, names, ranks)
            blocks[model_name(run.variant, quantized=True)] = clusters
            titles.append(f"{run_title(run)}, {split} images, {levels} levels: means of the images that share a key")
    if len(set(titles)) > 1:
        raise RemError(f"{' and '.join(map(str, dictionaries))} are not of the same images; give two that are.")
    save(cluster_rows(blocks, titles[0]), target_stem)


def largest_clusters(
    classes: h5py.Group, images: h5py.Dataset | np.ndarray, class_names: Sequence[str], ranks: int
) -> list[Clusters]:
    """Overlay the images of each shown class's largest clusters ("overlap", section 4.1): their means.

    The images are read once, some at a time.

    Args:
        classes: `class<j>` -> `counts` (M,), `images` (n,), `members` (n,).
        images: (N, C, H, W) uint8.
        class_names: J names.
        ranks: R, clusters of a class at the most.

    Raises:
        RemError: the dictionary names an image that is not there.
    """
    counts, keys, cluster_of = [], [], np.full(len(images), -1)
    for label in shown_classes(len(class_names)):
        group, before = classes[f"class{label}"], sum(map(len, counts))
        rank, where = group["members"][:], group["images"][:]
        if where.max(initial=-1) >= len(images):
            raise RemError(f"a dictionary has image {where.max()} of {len(images)} images; give the files of one run.")
        cluster_of[where[rank < ranks]] = before + rank[rank < ranks]
        counts.append(group["counts"][:ranks])
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


def cluster_rows(blocks: Mapping[str, Sequence[Clusters]], title: str) -> Figure:
    """Overlays, a row a class and a block a network, with the number of overlaid images below each.

    Args:
        blocks: one network's name or two networks' names -> its clusters, class by class.
        title: what is shown.
    """
    ranks = RANKS[len(blocks)]
    rows = max(map(len, blocks.values()))
    tile = (PAGE - len(blocks) * BESIDE) / sum(ranks)
    height = ABOVE + rows * (tile + BELOW)
    figure = Figure(figsize=(PAGE, height))
    left = 0.0
    for number, (model, of_model) in zip(ranks, blocks.items(), strict=True):
        left += BESIDE
        figure.text((left + number * tile / 2) / PAGE, 1 - 0.27 / height, model, ha="center", va="center")
        for row, clusters in enumerate(of_model):
            bottom = height - ABOVE - row * (tile + BELOW) - tile
            keys = f"{clusters.name}\n{clusters.keys} key{'' if clusters.keys == 1 else 's'}"
            beside = ((left - 0.06) / PAGE, (bottom + tile / 2) / height)
            figure.text(*beside, keys, ha="right", va="center", fontsize=SMALL)
            for rank, (count, overlay) in enumerate(zip(clusters.counts, clusters.overlays, strict=True)):
                inches = (left + rank * tile, bottom, tile * (1 - GAP / 2), tile * (1 - GAP / 2))
                panel = figure.add_axes(np.divide(inches, (PAGE, height, PAGE, height)))
                panel.set_axis_off()
                draw_image(panel, overlay / 255)
                panel.text(0.5, -0.04, count, transform=panel.transAxes, ha="center", va="top", fontsize=SMALL - 0.5)
        left += number * tile
    figure.text(0.5, 1 - 0.1 / height, title, ha="center", va="center")
    return figure


def figure8(perturbations: Path, target_stem: Path, equivariance: Path | None = None) -> None:
    """Draw Figure 8: reconstructions while one dimension of the class capsule is moved, for some images.

    Args:
        perturbations: HDF5 file of `rem perturb`.
        target_stem: `.png` and `.svg` are added to it.
        equivariance: CSV of `rem equivariance`, to name what each dimension moves where that is beyond chance.

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
        offsets, run = file["offsets"][:], Run.model_validate_json(file.attrs["run"])
    moves = _moves(equivariance, label.tolist()) if equivariance else [{} for _ in label]
    title = f"{model_name(run.variant, quantized=True)}, {run_title(run)}"
    save(perturbation_grids(reconstructions, images, names, offsets, title, moves), target_stem)


def _moves(equivariance: Path, labels: Sequence[int]) -> list[dict[int, str]]:
    """Of each class the dimensions that move a property more consistently than by chance, and that property."""
    frame = read_table(equivariance, ("class", "dimension", "property", "consistency", "chance"))
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
        top.set_title(f"input: {name}", pad=2)
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
    grids[1, 0].set_ylabel("dimension of the class capsule")
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

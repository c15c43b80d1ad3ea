"""Figure 7 of the paper: the images that share a key, overlaid."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from matplotlib.figure import Figure

from rem.errors import RemError
from rem.figures.style import (
    GAP,
    PAGE,
    SMALL,
    class_names,
    draw_image,
    run_title,
    save_figure,
    short,
    shown_classes,
)
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import run_of
from rem.tables.names import Names

CAPTION = (
    "The paper's Figure 7: the mean of the test images that share a key, a row a class, the most frequent keys first. "
    "Below each picture: how many images."
)

RANKS = {1: (10,), 2: (8, 4)}  # clusters a class that Figure 7 shows of one network, and of two

ABOVE, BELOW, BESIDE = 0.4, 0.14, 0.65  # inches of Figure 7 for titles, counts and names of classes
LETTERS = 11  # of a class's name that fit there
AT_ONCE = 4096  # images read at once


class Clusters(NamedTuple):
    """The largest clusters of one class."""

    name: str
    keys: int  # all that the class has
    counts: np.ndarray  # (R,) images in each of the largest, at the most as many as asked for
    overlays: np.ndarray  # (R, C, H, W) their mean images, 0 to 255


def draw(dictionaries: Sequence[Path], prepared: Path, levels: int, target_stem: Path) -> None:
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
                run, split = run_of(file), file.attrs["split"]
                if f"levels{levels}" not in file or split not in data:
                    raise RemError(
                        f"{dictionary} has no levels{levels}, or {prepared} no split {split}; make it again."
                    )
                images, names = data[split]["images"], class_names(data)
                clusters = largest_clusters(file[f"levels{levels}"], images, names, ranks)
            blocks[Names([run]).model(run.variant)] = clusters
            titles.append(f"{run_title(run)}, {split} images, {levels} levels: means of the images that share a key")
    if len(set(titles)) > 1:
        raise RemError(f"{' and '.join(map(str, dictionaries))} are not of the same images; give two that are.")
    save_figure(cluster_rows(blocks, titles[0]), target_stem)


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
            keys = f"{short(clusters.name, LETTERS)}\n{clusters.keys} key{'' if clusters.keys == 1 else 's'}"
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

"""What the page shows of a dataset: its test images as one picture, its labels, the K of its slider."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from rem.data.augment import centre
from rem.data.batches import Split, read_split
from rem.files.hdf5 import open_hdf5
from rem.report.explorer import codes
from rem.report.explorer.blocks import Collected
from rem.settings.run import Run, read_run
from rem.settings.stamp import run_of
from rem.tables.names import images_of
from rem.trees.levels import band, has_cells, reported_levels, shared_levels

SPLIT = "test"
VOTED = 4  # images whose votes are kept
QUALITY = 80  # of images in colour, as WebP


class Dataset(NamedTuple):
    """A dataset of the page.

    Attributes:
        content: what the page is told of it.
        cuts: of `codes.thresholds`.
        voted: the images whose votes are kept, of every prepared file from which networks read.
    """

    content: dict[str, object]
    cuts: np.ndarray
    voted: Mapping[Path, Split]


def prepared_file(folder: Path, run: Run) -> Path:
    """What a run's network reads: its dataset's images, or their feature maps where it keeps those."""
    return folder / f"{run.dataset}{'.features.h5' if run.features else '.h5'}"


def dataset_of(found: Collected, results: Path, prepared: Path, files: Sequence[Path]) -> Dataset:
    """Gather a dataset's images and names.

    Args:
        found: takes the blocks.
        results: the folder of the run.
        prepared: the folder of the datasets' HDF5 files.
        files: the couplings of its networks.

    Raises:
        RemError: a file is missing or unreadable.
    """
    runs = [read_run(results / "models" / Path(*one.parts[-4:-1]) / "run.yaml") for one in files]
    pruned = [one.variant for one in runs if one.pruning and not one.decoder]
    with open_hdf5(files[0]) as file:
        run, classes, labels = run_of(file), list(file.attrs["class_names"]), file["label"][:]
    plain = prepared / f"{run.dataset}.h5"
    files_read = {plain, *(prepared_file(prepared, one) for one in runs)}
    splits = {path: read_split(path, SPLIT, run.data) for path in files_read}
    images = centre(splits[plain].images, run.data.size).numpy()
    table = results / f"entropies/{run.dataset}/levels.csv"
    shown, cells = sorted({*band(table), *reported_levels(table)}), has_cells(table)
    cuts, chosen = codes.thresholds(shown, cells), _first_of_classes(labels)
    columns = math.ceil(math.sqrt(len(images)))
    kind, sprite = picture(images, columns)
    content = {
        "name": run.dataset,
        "title": images_of(run).title,
        "first": (pruned or [run.variant])[0],
        "classes": [str(one) for one in classes],
        "images": len(images),
        "size": run.data.size,
        "channels": run.data.channels,
        "columns": columns,
        "sprite": {"type": kind, "block": found.add(sprite)},
        "labels": found.add(labels.astype("<u2").tobytes()),
        "cuts": found.add(cuts.astype("<f4").tobytes()),
        "shown": shown,
        "band": band(table),
        "shared": shared_levels(table),
        "cells": cells,
        "voted": chosen,
    }
    voted = {path: Split(split.images[chosen], split.labels[chosen]) for path, split in splits.items()}
    return Dataset(content, cuts, voted)


def _first_of_classes(labels: np.ndarray) -> list[int]:
    """The first images of `VOTED` different classes."""
    _, first = np.unique(labels, return_index=True)
    return sorted(first.tolist())[:VOTED]


def picture(images: np.ndarray, columns: int) -> tuple[str, bytes]:
    """Images (N, C, S, S) uint8 in rows of so many as one picture: its type and its bytes; grey ones are exact.

    Of a stereo pair the left image is shown.
    """
    count, channels, size, _ = images.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, channels, size, size), np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, columns, channels, size, size).transpose(0, 3, 1, 4, 2)
    sheet = sheet.reshape(rows * size, columns * size, channels)
    written = io.BytesIO()
    if channels != 3:
        Image.fromarray(sheet[..., 0]).save(written, "PNG", optimize=True)
        return "image/png", written.getvalue()
    Image.fromarray(sheet).save(written, "WEBP", quality=QUALITY)
    return "image/webp", written.getvalue()

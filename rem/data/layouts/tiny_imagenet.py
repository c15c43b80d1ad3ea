"""Tiny ImageNet's official layout."""

from collections.abc import Sequence

import numpy as np

from rem.data.archives import Files
from rem.data.contents import Contents, Labelled
from rem.data.layouts.image_files import decoded
from rem.errors import RemError
from rem.settings.images import Data


def read_tiny_imagenet(files: Files, data: Data) -> Contents:
    """Tiny ImageNet's layout: train/<wnid>/images/*, and val/images/* as test set, in their annotations' order.

    The classes stand in the order of `wnids.txt`, under their first name in `words.txt`.
    """
    files = files.holding("wnids.txt")
    wnids = _lines(files, "wnids.txt")
    words = dict(line.split("\t", 1) for line in _lines(files, "words.txt") if "\t" in line)
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    paths = [path for path in files.names if path.startswith("train/") and path.endswith(".JPEG")]
    labels = _labels(files, "train/", [(path, path.split("/")[1]) for path in paths], label_of)
    train = Labelled(decoded(files, paths, data), labels)

    rows = [tuple(line.split("\t")[:2]) for line in _lines(files, "val/val_annotations.txt")]
    annotated = [f"val/images/{row[0]}" for row in rows]
    present = [path for path in files.names if path.startswith("val/images/")]
    if odd := sorted(set(annotated) ^ set(present)):
        lacking = "has no annotation" if odd[0] in present else "is annotated but missing"
        raise RemError(f"{files.where}: {odd[0]} {lacking}; val_annotations.txt must be that of these images.")
    if len(annotated) != len(present):
        raise RemError(f"{files.where}: val_annotations.txt has {len(annotated)} rows for {len(present)} images.")
    test = Labelled(decoded(files, annotated, data), _labels(files, "val/val_annotations.txt", rows, label_of))
    return Contents(train, test, [words.get(wnid, wnid).split(",")[0] for wnid in wnids])


def _labels(files: Files, where: str, rows: Sequence[tuple[str, ...]], label_of: dict[str, int]) -> np.ndarray:
    """The labels of (image, wnid) rows, which must be of known classes and of all of them."""
    for row in rows:
        if len(row) != 2 or row[1] not in label_of:
            raise RemError(f"{files.where}: {where} gives {row[0]} a class that is not in wnids.txt.")
    labels = np.array([label_of[wnid] for _, wnid in rows], np.int64)
    if lacking := sorted(set(label_of.values()) - set(labels.tolist())):
        raise RemError(f"{files.where}: {where} has no image of class {list(label_of)[lacking[0]]} of wnids.txt.")
    return labels


def _lines(files: Files, name: str) -> list[str]:
    if name not in files.names:
        raise RemError(f"{files.where} lacks {name}; it must have Tiny ImageNet's layout.")
    try:
        return files.read(name).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RemError(f"{files.where}: {name} cannot be read; get it again.") from error

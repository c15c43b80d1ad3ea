"""Image files of known classes, as every layout of one's own images gives them: decoded, and split where none is."""

import unicodedata
from collections.abc import Sequence

import numpy as np

from rem.data.archives import Files
from rem.data.contents import Contents, Labelled
from rem.data.images import Decoded
from rem.data.listing import SPLITS, Row
from rem.data.streams import Stream
from rem.errors import RemError
from rem.settings.images import Data


def labelled(files: Files, rows: Sequence[Row], data: Data, place: str) -> Contents:
    """The images of some rows, classes in the order of their names.

    Args:
        files: where they are.
        rows: the images; with `data.test` all of them are "train", and those for the test are drawn.
        data: the settings.
        place: where an image of a part is put, for errors: "in {}/<class>/".

    Raises:
        RemError: a part is empty or lacks a class; or there are test images and `data.test` is to draw others.
    """
    # A name with an accent has two forms, of which disks of some systems keep one and others the other.
    rows = [row._replace(label=unicodedata.normalize("NFC", row.label)) for row in rows]
    tested = any(row.split == "test" for row in rows)
    if tested and data.test is not None:
        raise RemError(
            f"data.test is {data.test}, but {files.where} has test images ({place.format('test')}); "
            "set data.test to null, or make them training images."
        )
    if not any(row.split == "train" for row in rows):
        raise RemError(f"{files.where} has no training images; put them {place.format('train')}.")
    if not tested and data.test is None:
        raise RemError(
            f"{files.where} has no test images; put them {place.format('test')}, or set data.test to the share of the "
            "training images that is to be drawn for the test, 0.2 for one."
        )
    if data.test is not None:
        rows = draw_test(rows, data.test, data.split_seed)
    classes, parts = {}, {}
    for split in SPLITS:
        part = [row for row in rows if row.split == split]
        classes[split], labels = np.unique([row.label for row in part], return_inverse=True)
        parts[split] = Labelled(decoded(files, [row.path for row in part], data), labels)
    if odd := sorted(set(classes["train"]) ^ set(classes["test"])):
        raise RemError(
            f"{files.where}: class {odd[0]} is in only one of train and test; both must have the same classes."
        )
    return Contents(parts["train"], parts["test"], classes["train"].tolist())


def draw_test(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """The rows, in their order, with a share of each class (one image at least, all but one at most) made "test".

    Raises:
        RemError: a class has one image only.
    """
    generator = np.random.default_rng((seed, Stream.TEST_DRAW))
    labels = np.array([row.label for row in rows])
    drawn: set[int] = set()
    for name in np.unique(labels):
        own = np.flatnonzero(labels == name)
        if len(own) < 2:
            raise RemError(f"class {name} has one image, which cannot be trained on and tested on; add a second.")
        count = min(max(1, round(share * len(own))), len(own) - 1)
        drawn |= set(generator.permutation(own)[:count].tolist())
    return [row._replace(split="test" if position in drawn else "train") for position, row in enumerate(rows)]


def decoded(files: Files, paths: Sequence[str], data: Data) -> Decoded:
    """Image files as the settings want them: decoded, and for `view: resize` scaled at once."""
    return Decoded(files, paths, data.channels, data.size if data.view == "resize" else None)

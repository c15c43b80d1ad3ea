"""Folders and archives of images: train/<class>/ and test/<class>/, with images at any depth below."""

import sys
from collections.abc import Sequence
from pathlib import PurePosixPath

from rem.data.archives import Files
from rem.data.contents import Contents
from rem.data.decode import suffixes
from rem.data.layouts.image_files import labelled
from rem.data.listing import SPLITS, Row
from rem.settings.images import Data


def read_folder(files: Files, data: Data) -> Contents:
    """The images below train/<class>/ and test/<class>/, wherever these two lie; a line on stderr tells of the rest.

    Raises:
        RemError: there are none, or not of the same classes in both; or there are two folders with a train/.
    """
    inside = files.holding("train/")
    images = [path for path in inside.names if _suffix(path) in suffixes()]
    rows = [
        Row(path, parts[1], parts[0]) for path in images if len(parts := path.split("/")) > 2 and parts[0] in SPLITS
    ]
    _tell_passed_over(files, rows)
    return labelled(inside, rows, data, "in {}/<class>/")


def _tell_passed_over(files: Files, rows: Sequence[Row]) -> None:
    """Say on stderr how many files are no image of a class, and why, if there are any."""
    others = sorted({_suffix(path) or "no suffix" for path in files.names} - suffixes())
    foreign = sum(_suffix(path) not in suffixes() for path in files.names)
    outside = len(files.names) - foreign - len(rows)
    kinds = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
    reasons = {
        f"of no image format ({kinds})": foreign,
        "outside train/<class>/ and test/<class>/": outside,
        f"dead {'link' if len(files.dead) == 1 else 'links'}": len(files.dead),
    }
    if total := sum(reasons.values()):
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
        print(f"{files.where}: {total} {'file' if total == 1 else 'files'} passed over: {told}", file=sys.stderr)


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()

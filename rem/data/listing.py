"""A CSV that lists images: their paths, labels and, if it says so, which are for training and which for the test.

Imported by the workflow, so it loads nothing heavy.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from rem.errors import RemError

COLUMNS = ("path", "label", "split")
SPLITS = ("train", "test")


class Row(NamedTuple):
    """An image file, its class, and its part: "train" or "test"."""

    path: str
    label: str
    split: str = "train"


def read_listing(file: Path) -> list[Row]:
    """The rows of a CSV with a header: `path` (from the CSV's folder), `label` and maybe `split`; others are ignored.

    The file is UTF-8, with or without a byte-order mark.

    Raises:
        RemError: it cannot be read, a column or a value is missing, a path stands twice or names no file.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, restval="", strict=True)
            header = reader.fieldnames or []
            rows = [tuple((row.get(column, "train") or "").strip() for column in COLUMNS) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RemError(f"{file} cannot be read as CSV in UTF-8 ({error}); save it as such.") from error
    if lacking := [column for column in COLUMNS[:2] if column not in header]:
        raise RemError(f"{file} lacks the column {lacking[0]}; its first line must be path,label or path,label,split.")
    listed = [Row(*row) for row in rows]
    seen: set[str] = set()
    for number, row in enumerate(listed, start=1):
        if not row.path or not row.label:
            raise RemError(f"{file}: image {number} has no {'label' if row.path else 'path'}; give it one.")
        if row.split not in SPLITS:
            raise RemError(f"{file}: the split of {row.path} is {row.split!r}; make it train or test.")
        if row.path in seen:
            raise RemError(f"{file} lists {row.path} twice; leave one of the two.")
        seen.add(row.path)
    if missing := [row.path for row in listed if not (file.parent / row.path).is_file()]:
        raise RemError(
            f"{file} lists {len(missing)} image(s) that are not there, the first {missing[0]}; "
            "paths start at the folder of the CSV."
        )
    return listed

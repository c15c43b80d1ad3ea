"""Images that a CSV lists: path,label or path,label,split."""

from pathlib import Path

from rem.data.archives import Files
from rem.data.contents import Contents
from rem.data.layouts.image_files import labelled
from rem.data.listing import read_listing
from rem.files.notes import note_read
from rem.settings.images import Data


def read_listed(file: Path, data: Data) -> Contents:
    """The images that a CSV lists, by `rem.data.listing.read_listing`.

    Raises:
        RemError: as that does, or as `rem.data.layouts.image_files.labelled`.
    """
    rows = read_listing(file)
    for path in (file, *(file.parent / row.path for row in rows)):
        note_read(path)
    files = Files(file, [row.path for row in rows], lambda path: (file.parent / path).read_bytes())
    return labelled(files, rows, data, "in rows whose split is {}")

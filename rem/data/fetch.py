"""The files of a source, brought from their official address or a mirror."""

from pathlib import Path

from rem.data.sources import find_source
from rem.errors import RemError
from rem.files.download import address, download


def fetch(source: str, file: str, target: Path, mirror: str | None = None) -> None:
    """Download one file of a source to `target`, as `download` does.

    Args:
        source: a name in `SOURCES`.
        file: one of that source's files.
        target: where to put it.
        mirror: folder or URL prefix, searched as `<mirror>/<source>/<file>`; None: the official address.

    Raises:
        RemError: unknown source or file, or as `download`.
    """
    known = find_source(source)
    if known.url is None:
        raise RemError(f"source {source!r} has nothing to download: {known.what}.")
    if not known.files or file not in known.files:
        raise RemError(f"source {source!r} has no file {file!r}; its files are {', '.join(known.files or {})}.")
    download(address(known.url, source, file, mirror), target, known.files[file], known.unpacked)

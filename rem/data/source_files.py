"""The files of a source: which a dataset needs, what changes with them, and whether they are the source's own.

Imported by the workflow, so it loads nothing heavy.
"""

from collections.abc import Sequence
from pathlib import Path

from rem.data.listing import read_listing
from rem.data.sources import SOURCES, find_source
from rem.errors import RemError
from rem.files.digests import checksum, digest_all, files_digest, files_state, folder_state
from rem.files.folders import find_files


def source_files(source: str) -> list[str]:
    """The files of a source, relative to the project: downloaded, in git, or none.

    Raises:
        RemError: unknown source.
    """
    known = find_source(source)
    home = known.of or source
    folder = SOURCES[home].sample or f"data/raw/{home}"
    return [f"{folder}/{file}" for file in known.files or {}]


def data_files(source: str, folder: str | None, transfer: str | None) -> list[str]:
    """What `rem prepare` reads of a dataset (the keys of its `data`): its source's files or folder, then `transfer`'s.

    Raises:
        RemError: unknown source; a folder that is not there, is not named or is not the source's to have; a CSV that
            cannot be read; or a transfer source without files of its own.
    """
    own, listed = find_source(source).own, find_source(source).layout == "csv"
    if own and folder is None:
        raise RemError(f"source {source} needs data.folder, which is null; name your folder or archive there.")
    if not own and folder is not None:
        raise RemError(f"data.folder is for your own images, but the source is {source}; set it to null.")
    if folder is not None and not Path(folder).exists():
        raise RemError(f"data.folder is {folder}, which is not there; name the folder or archive of your images.")
    if folder is not None and listed != (Path(folder).suffix.lower() == ".csv"):
        other = "name a .csv there" if listed else "set data.source to csv"
        raise RemError(f"data.folder is {folder}, but the source is {source}; {other}.")
    if folder is not None and listed:
        read_listing(Path(folder))
    if transfer is not None and not find_source(transfer).files:
        raise RemError(f"data.transfer is {transfer}, which has no test files of its own; name another source or null.")
    return [*([folder] if folder else source_files(source)), *(source_files(transfer) if transfer else [])]


def images_state(source: str, folder: str | None) -> str | None:
    """What changes with the images of a folder or a CSV of one's own; None of all other sources, which are files.

    Raises:
        RemError: they cannot be read.
    """
    path = Path(folder or "")
    if folder is None or (path.is_file() and find_source(source).layout != "csv"):
        return None
    return folder_state(path) if path.is_dir() else files_state(path.parent, _listed(path))


def image_folders(source: str, folder: str) -> set[Path]:
    """The real folders, links followed, in which the images of a folder, an archive or a CSV of one's own lie.

    Raises:
        RemError: they cannot be listed.
    """
    path = Path(folder)
    if path.is_dir():
        files = [path / name for name in find_files(path).files]
    else:
        files = [path.parent / name for name in _listed(path)] if find_source(source).layout == "csv" else [path]
    return {file.parent.resolve() for file in files}


def _listed(file: Path) -> list[str]:
    """The names of a CSV and of the images that it lists, from its folder."""
    return [file.name, *(row.path for row in read_listing(file))]


def check_files(source: str, files: Sequence[Path]) -> dict[str, str]:
    """The digest of each file of a source, by name, as "<algorithm>:<hex>"; of a folder or a CSV, of all its files.

    Raises:
        RemError: a file is missing, or is not the one that the source's digest is of.
    """
    known = find_source(source)
    if known.own and not files:
        raise RemError(f"source {source}: give its folder or list as --files.")
    if known.layout == "csv":
        return {files[0].name: files_digest(files[0].parent, _listed(files[0]))}
    if known.own:
        return {files[0].name: digest_all(files[0])}
    expected = list((known.files or {}).values())
    missing = [file for file in files if not file.is_file()]
    if missing or len(files) != len(expected):
        raise RemError(f"source {source}: {missing[0] if missing else 'a file'} is missing; fetch it first.")
    sums = {}
    for file, digest in zip(files, expected, strict=True):
        sums[file.name] = checksum(file, (digest or "sha256").split(":")[0], known.unpacked)
        if digest not in (None, sums[file.name]):
            shipped = SOURCES[known.of or source].sample
            remedy = f"restore it with `git checkout {shipped}`" if shipped else "delete it and fetch it again"
            raise RemError(f"{file} is not {source}'s file (expected {digest}, found {sums[file.name]}); {remedy}.")
    return sums

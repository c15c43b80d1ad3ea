"""Digests of files and folders: by them a file is known to be the same."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

from rem.errors import unreadable
from rem.files.folders import find_files


def folder_state(folder: Path) -> str:
    """A digest that is another one when a file below a folder has changed: `files_state` of all of them."""
    return files_state(folder, find_files(folder).files)


def files_state(folder: Path, names: Sequence[str]) -> str:
    """A digest of the names (from a folder), sizes and times of files: another one says that they have changed."""
    digest = hashlib.sha256()
    for name in names:
        state = (folder / name).stat()
        digest.update(os.fsencode(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0"))
    return digest.hexdigest()


def digest_all(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of the files below a folder, as "sha256:<hex>".

    Raises:
        RemError: the file cannot be read.
    """
    if path.is_file():
        return checksum(path, "sha256", unpacked=False)
    return files_digest(path, find_files(path).files if path.is_dir() else [])  # who reads what is missing says so


def files_digest(folder: Path, names: Sequence[str]) -> str:
    """SHA-256 of the names (from a folder) and contents of files, as "sha256:<hex>".

    Raises:
        RemError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in names:
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise unreadable(folder / name, error, "cannot be read", "make it readable") from error
        digest.update(os.fsencode(f"{name}\0{len(content)}\0"))
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def checksum(path: Path, algorithm: str, unpacked: bool) -> str:
    """Digest, as "<algorithm>:<hex>", of a file's bytes, or of its content once gunzipped.

    Raises:
        RemError: the file is missing or, where it is to be unpacked, not a whole gzip file.
    """
    try:
        with gzip.open(path) if unpacked else open(path, "rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error, "cannot be read for its checksum", "delete it and fetch it again") from error

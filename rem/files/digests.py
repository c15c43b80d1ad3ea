"""Digests of files and folders: by them a file is known to be the same."""

import gzip
import hashlib
import os
import zlib
from pathlib import Path

from rem.errors import RemError, first_line


def folder_state(path: Path) -> str:
    """A digest of the names, sizes and times of the files under a folder: another one says that they have changed."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        state = file.stat()
        digest.update(os.fsencode(f"{file.relative_to(path)}\0{state.st_size}\0{state.st_mtime_ns}\0"))
    return digest.hexdigest()


def digest_all(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of the files below a folder, as "sha256:<hex>".

    Raises:
        RemError: the file cannot be read.
    """
    if path.is_file():
        return checksum(path, "sha256", unpacked=False)
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(os.fsencode(f"{file.relative_to(path)}\0{file.stat().st_size}\0"))
        digest.update(file.read_bytes())
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
        raise RemError(
            f"{path} cannot be read for its checksum ({first_line(error)}); delete it and fetch it again."
        ) from error

"""HDF5 files that are whole and as they were written, or refused by name."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rem.errors import RemError, unreadable
from rem.files.atomic import whole
from rem.files.notes import note_read

if TYPE_CHECKING:
    import h5py

USER_BLOCK = 512  # bytes before the HDF5 content, the least that HDF5 allows


@contextmanager
def whole_hdf5(path: Path) -> Iterator["h5py.File"]:
    """Yield a new HDF5 file that becomes `path`, as in `whole`; its user block then holds its digest."""
    import h5py

    with whole(path) as partial:
        with _Unfailing(partial, "w+") as raw:
            try:
                with h5py.File(raw, "w", userblock_size=USER_BLOCK) as file:
                    yield file
            finally:
                if raw.error:
                    raise raw.error
        seal(partial)


class _Unfailing(io.FileIO):
    """A file that keeps to itself that it could not be written: HDF5 does not get over it, and may crash."""

    error: OSError | None = None

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        try:
            while left and not self.error:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return len(data)


def seal(path: Path) -> None:
    """Write the digest of an HDF5 file's content into its user block, before which nothing may change it."""
    with path.open("r+b") as file:
        _, digest = _digests(file)
        file.seek(0)
        file.write(digest)


def _digests(file: BinaryIO) -> tuple[bytes, bytes]:
    """The user block as it is, and as it is to be."""
    written = file.read(USER_BLOCK)
    digest = f"blake2b:{hashlib.file_digest(file, 'blake2b').hexdigest()}"
    return written, digest.encode().ljust(USER_BLOCK, b"\0")


def _check_seal(path: Path) -> None:
    with path.open("rb") as file:
        written, digest = _digests(file)
    if written != digest:
        raise OSError("it is not what was written")


@contextmanager
def open_hdf5(path: Path) -> Iterator["h5py.File"]:
    """Open an HDF5 file for reading.

    A file of `whole_hdf5` is read through first and must have the digest that it was given. One without user block
    comes from elsewhere and is taken as it is.

    Where the disk has locks, a file that another program has open for writing is refused; where it has none, the digest
    has to do.

    Raises:
        RemError: the file is missing, damaged, not HDF5 or cannot be read now.
    """
    import h5py

    if not path.is_file():
        raise RemError(f"{path} is missing; run the command that makes it.")
    try:
        note_read(path)
        file = h5py.File(path, "r", locking="best-effort")
        if file.userblock_size:
            _check_seal(path)
    except (OSError, MemoryError) as error:
        remedy = "delete it and run the command that makes it again"
        raise unreadable(path, error, "is not a readable HDF5 file", remedy) from error
    with file:
        yield file

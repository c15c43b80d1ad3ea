"""Files that are whole or absent, and the one kind of error a user is shown."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py


class RemError(Exception):
    """A mistake the user can mend: one sentence that says what is wrong, where, and what to do."""


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that becomes `path` only if the block succeeds.

    A block that raises leaves neither the temporary file nor a half-written `path`;
    a killed process leaves at most a hidden `*.partial` file that nothing reads.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises:
        RemError: the file is missing, cut short or not HDF5.
    """
    if not Path(path).is_file():
        raise RemError(f"{path} is missing; run the command that makes it.")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = str(error).strip().split("\n")[0]
        raise RemError(
            f"{path} is not a readable HDF5 file ({reason}); delete it and run the command that makes it again."
        ) from error
    with file:
        yield file

"""Files that are whole or absent, and the one kind of error a user is shown."""

import errno
import fcntl
import hashlib
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import h5py

UNWRITABLE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "make its folder writable",
    errno.EACCES: "make its folder writable",
}
USER_BLOCK = 512  # bytes before the HDF5 content, the least that HDF5 allows


class RemError(Exception):
    """A mistake the user can mend: one sentence that says what is wrong, where, and what to do."""


made: list[Path] = []  # the files that this process has made whole, in their order


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that becomes `path` only if the block succeeds.

    A block that raises leaves neither the temporary file nor a half-written `path`; a killed process leaves at most
    a hidden `*.partial` file that nothing reads, and that the next writer of `path` removes.

    Raises:
        RemError: the disk is full, or the folder may not be written to.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        yield partial
        os.replace(partial, path)
        made.append(path)
    except OSError as error:
        foreign = error.filename is not None and Path(error.filename) not in (partial, *path.parents)
        if not foreign and (reason := unwritable(error)):
            raise RemError(f"{path} cannot be written: {reason}.") from error
        raise
    finally:
        with suppress(OSError):
            partial.unlink()


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of `path` whose process is no more."""
    for file in path.parent.iterdir():
        if match := re.fullmatch(rf"\.{re.escape(path.name)}\.(\d+)\.partial", file.name):
            try:
                os.kill(int(match[1]), 0)
            except ProcessLookupError:
                with suppress(OSError):
                    file.unlink()
            except PermissionError:  # somebody else's, and at work
                pass


def unwritable(error: OSError) -> str | None:
    """What is to be said of an error by which a file could not be written, if it is one."""
    found = re.search(r"errno (?:= )?(\d+)", str(error), re.IGNORECASE)  # HDF5 and shutil set no number
    number = int(found[1]) if found else None
    if number not in UNWRITABLE:
        return None
    return f"{os.strerror(number).lower()}; {UNWRITABLE[number]}, then give the same command again"


def copy_folder_whole(source: Path, target: Path) -> None:
    """Copy a folder to `target`, in the place of what is there, with all of its files or not at all."""
    copied = target.with_name(f"{target.name}.copied")
    for old in (copied, target):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(source, copied).rename(target)
    made.extend(path for path in sorted(target.rglob("*")) if path.is_file())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder, until the block ends or the process dies, against all others that ask to hold it.

    Raises:
        RemError: another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise RemError(f"another process is at work in {folder}; wait until it ends, or end it.") from error
    except OSError:
        pass  # a network file system without such locks, where Snakemake's alone guards
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def whole_hdf5(path: str | Path) -> Iterator["h5py.File"]:
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
def open_hdf5(path: str | Path) -> Iterator["h5py.File"]:
    """Open an HDF5 file for reading.

    A file of `whole_hdf5` is read through first and must have the digest that it was given. One without user block
    comes from elsewhere and is taken as it is.

    Raises:
        RemError: the file is missing, damaged or not HDF5.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise RemError(f"{path} is missing; run the command that makes it.")
    try:
        file = h5py.File(path, "r")
        if file.userblock_size:
            _check_seal(path)
    except OSError as error:
        reason = str(error).strip().split("\n")[0]
        raise RemError(
            f"{path} is not a readable HDF5 file ({reason}); delete it and run the command that makes it again."
        ) from error
    with file:
        yield file

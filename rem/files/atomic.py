"""Files and folders that are whole or absent, and folders that one process holds."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rem.errors import RemError, unwritable
from rem.files.notes import note_made


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` that becomes `path` only if the block succeeds.

    A block that raises leaves neither the temporary file nor a half-written `path`; a killed process leaves at most
    a hidden `*.partial` file that nothing reads, and that the next writer of `path` removes.

    Raises:
        RemError: the disk is full, or the folder may not be written to.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        yield partial
        os.replace(partial, path)
        note_made(path)
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


def copy_folder_whole(source: Path, target: Path) -> None:
    """Copy a folder to `target`, in the place of what is there, with all of its files or not at all."""
    copied = target.with_name(f"{target.name}.copied")
    for old in (copied, target):
        shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(source, copied).rename(target)
    for path in sorted(target.rglob("*")):
        if path.is_file():
            note_made(path)


@contextmanager
def hold(folder: Path) -> Iterator[None]:
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

"""The one kind of error a user is shown, and the words for what a library says."""

import errno
import os
import re
from pathlib import Path


def first_line(error: Exception) -> str:
    """The first line of what a library says of an error, without its full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


AGAIN = "then give the same command again"
FEWER = "run fewer jobs at once (--cores)"
UNWRITABLE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "make its folder writable",
    errno.EACCES: "make its folder writable",
    errno.ENOMEM: FEWER,
}
UNREADABLE_NOW = {  # of a file that may well be whole; of other errors the disk is at fault
    errno.ENOENT: "bring it back",
    errno.EAGAIN: "close the program that has it open for writing",
    errno.EACCES: "make it readable",
    errno.EPERM: "make it readable",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: FEWER,
}


class RemError(Exception):
    """A mistake the user can mend: one sentence that says what is wrong, where, and what to do.

    >>> try:
    ...     rem.load("nowhere.pt")
    ... except rem.RemError as error:
    ...     print(error)
    nowhere.pt is missing; train the network first.
    """


class Damaged(RemError):
    """A file's content is at fault, and not memory, permissions, locks or the disk."""


def unreadable(path: Path, error: Exception, damaged: str, remedy: str) -> RemError:
    """What is to be said of an error by which a file could not be read.

    Only where its content is at fault, and not memory, permissions, locks or the disk, it is called `damaged`, and the
    `remedy` may cost the file.
    """
    if out_of_memory(error):
        return RemError(f"memory ran out while {path} was read; {FEWER}, {AGAIN}. The file is as it was.")
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EINVAL or isinstance(error, EOFError):  # a place was asked for that the file does not reach
        return Damaged(f"{path} {damaged} (it has been cut short); {remedy}.")
    if number is not None:
        advice = UNREADABLE_NOW.get(number, "see that its disk works")
        return RemError(f"{path} cannot be read now ({os.strerror(number).lower()}); {advice}, {AGAIN}.")
    return Damaged(f"{path} {damaged} ({first_line(error)}); {remedy}.")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, that of the processor or of a GPU."""
    kinds = RuntimeError, ImportError  # the second one of a library's file that did not fit
    said = r"out of memory|bad_alloc|(not enough|can't allocate|cannot allocate) memory|failed to map segment"
    return isinstance(error, MemoryError) or bool(
        isinstance(error, kinds) and re.search(said, str(error), re.IGNORECASE)
    )


def unwritable(error: OSError) -> str | None:
    """What is to be said of an error by which a file could not be written, if it is one."""
    found = re.search(r"errno (?:= )?(\d+)", str(error), re.IGNORECASE)  # HDF5 and shutil set no number
    number = int(found[1]) if found else None
    if number not in UNWRITABLE:
        return None
    return f"{os.strerror(number).lower()}; {UNWRITABLE[number]}, {AGAIN}"

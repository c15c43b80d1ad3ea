"""The one kind of error a user is shown, and the words for what a library says."""

import errno
import os
import re


def first_line(error: Exception) -> str:
    """The first line of what a library says of an error, without its full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


UNWRITABLE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "make its folder writable",
    errno.EACCES: "make its folder writable",
}


class RemError(Exception):
    """A mistake the user can mend: one sentence that says what is wrong, where, and what to do.

    >>> try:
    ...     rem.load("nowhere.pt")
    ... except rem.RemError as error:
    ...     print(error)
    nowhere.pt is missing; train the network first.
    """


def unwritable(error: OSError) -> str | None:
    """What is to be said of an error by which a file could not be written, if it is one."""
    found = re.search(r"errno (?:= )?(\d+)", str(error), re.IGNORECASE)  # HDF5 and shutil set no number
    number = int(found[1]) if found else None
    if number not in UNWRITABLE:
        return None
    return f"{os.strerror(number).lower()}; {UNWRITABLE[number]}, then give the same command again"

"""What this process has read and made: a record (`rem.files.trace`) is written from it."""

from pathlib import Path

from rem.files.digests import digest_all

read: dict[Path, str] = {}  # what was read of the user's or another step's -> its digest as it was then
made: list[Path] = []  # the files that were made whole, in their order


def note_read(path: Path) -> None:
    """Note a file or a folder that is about to be read, with its digest; every function that reads for a step calls it.

    Raises:
        RemError: it cannot be read.
    """
    if path not in read:
        read[path] = digest_all(path)


def note_made(path: Path) -> None:
    """Note a file that has appeared under its name; `rem.files.atomic` calls it."""
    made.append(path)


def forget() -> None:
    """Begin anew, with another command."""
    read.clear()
    made.clear()

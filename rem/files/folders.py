"""The files of a folder as its user sees them: links are followed, hidden entries passed over."""

import os
from pathlib import Path
from typing import NamedTuple

from rem.errors import unreadable

HIDDEN = {"thumbs.db", "desktop.ini", "__macosx"}  # beside names that begin with a dot; in lower case


class Found(NamedTuple):
    """The files below a folder and its dead links, sorted, by their names from it: "train/cat/1.png"."""

    files: list[str]
    dead: list[str]  # links to nothing, and links to a folder that they lie in


def is_hidden(name: str) -> bool:
    """Whether an entry is hidden: ".DS_Store", "._1.png", "Thumbs.db", "__MACOSX" and what else users do not see."""
    return name.startswith(".") or name.lower() in HIDDEN


def find_files(folder: Path) -> Found:
    """The files at any depth below a folder, also behind links.

    Raises:
        RemError: a folder cannot be listed.
    """
    found = Found([], [])
    _add(folder, "", frozenset(), found)
    return Found(sorted(found.files), sorted(found.dead))


def _add(folder: Path, prefix: str, above: frozenset[tuple[int, int]], found: Found) -> None:
    """Add what lies below a folder; `above` are the device and inode of the folders round it, which end a circle."""
    try:
        state = folder.stat()
        names = [name for name in os.listdir(folder) if not is_hidden(name)]
    except OSError as error:
        raise unreadable(folder, error, "cannot be listed", "make it readable") from error
    within = above | {(state.st_dev, state.st_ino)}
    for name in names:
        path = folder / name
        if path.is_dir():
            state = path.stat()
            if (state.st_dev, state.st_ino) in within:
                found.dead.append(prefix + name)
            else:
                _add(path, f"{prefix}{name}/", within, found)
        elif path.is_file():
            found.files.append(prefix + name)
        elif path.is_symlink():
            found.dead.append(prefix + name)

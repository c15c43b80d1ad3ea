"""The files in a folder, a zip or a tar archive, read where they are: nothing is ever unpacked to disk."""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rem.errors import RemError, first_line, unreadable
from rem.files.folders import find_files, is_hidden
from rem.files.notes import note_read

RATIO = 100  # of content to archive, above which it is refused; images and their likes hardly shrink
SIZE = 1 << 28  # bytes of content below which it never is
ENCRYPTED = 1  # of a zip's flags
OTHERS = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "RAR", b"\x28\xb5\x2f\xfd": "Zstandard"}  # how such archives begin
UNPACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


class Files(NamedTuple):
    """The files under a folder or in an archive, hidden ones (`rem.files.folders`) apart."""

    where: Path
    names: Sequence[str]  # "train/cat/1.png", sorted
    read: Callable[[str], bytes]  # by name; raises OSError where the content is damaged
    dead: Sequence[str] = ()  # links that lead nowhere: of an archive all, for they are never followed

    def holding(self, name: str) -> "Files":
        """The files below the folder, here or further down, that holds `name`: a file, or a folder, as "train/".

        Where several do, one in the other, it is the outermost; where none does, these files.

        Raises:
            RemError: several do that lie side by side.
        """
        found = {f"/{path}".partition(f"/{name}")[0] for path in self.names if f"/{name}" in f"/{path}"}
        depth = min((folder.count("/") for folder in found), default=0)
        outermost = sorted(folder for folder in found if folder.count("/") == depth)
        if len(outermost) > 1:
            raise RemError(
                f"{self.where} has {name} in {outermost[0][1:]}/ and in {outermost[1][1:]}/; leave it in one of them."
            )
        top = f"{outermost[0]}/"[1:] if outermost else ""
        below = [path.removeprefix(top) for path in self.names if path.startswith(top)]
        return Files(self.where, below, lambda path: self.read(top + path), self.dead)


def open_files(path: Path) -> Files:
    """The files of a folder (at any depth), a `.zip`, or a `.tar.gz` or other tar archive.

    A folder's links are followed. An archive's never are, and backslashes in its names are taken for slashes.

    A zip is read file by file; a tar, which has no table of contents, once and into memory as it is packed inside.

    Raises:
        RemError: there is nothing, or what is there is damaged, no archive, or has names that lead out of it.
    """
    if path.exists():
        note_read(path)
    if path.is_dir():
        names, dead = find_files(path)
        return Files(path, names, lambda name: (path / name).read_bytes(), dead)
    if not path.is_file():
        raise RemError(f"{path} is missing; it must be a folder, a .zip or a .tar.gz.")
    try:
        _check_format(path)
        return _open_zip(path) if zipfile.is_zipfile(path) else _open_tar(path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise unreadable(path, error, "is no whole .zip or .tar.gz", "get it again") from error


def _open_zip(path: Path) -> Files:
    archive = zipfile.ZipFile(path)
    _check_names(path, archive.namelist())
    _check_size(path, sum(info.file_size for info in archive.infolist()))  # zipfile reads no more than it says
    found, dead = {}, []
    for info in archive.infolist():
        if name := _visible(info.filename):
            _check_kind(path, info)
            if stat.S_ISLNK(info.external_attr >> 16):
                dead.append(name)
            else:
                found[name] = info

    def read(name: str) -> bytes:
        try:
            return archive.read(found[name])
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: encrypted
            raise OSError(first_line(error)) from error

    return Files(path, sorted(found), read, dead)


def _open_tar(path: Path) -> Files:
    contents, dead, size = {}, [], 0
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            _check_names(path, [member.name])
            _check_size(path, size := size + member.size)
            if member.isdir() or not (name := _visible(member.name)):
                continue
            if member.isfile() and (stream := archive.extractfile(member)):
                contents[name] = stream.read()
            else:
                dead.append(name)
    return Files(path, sorted(contents), contents.__getitem__, dead)


def _visible(name: str) -> str:
    """A file's name in an archive as a path with slashes, "./a\\b" as "a/b"; "" of a folder or a hidden entry."""
    parts = name.replace("\\", "/").split("/")
    shown = [part for part in parts if part not in ("", ".")]
    return "" if parts[-1] == "" or any(map(is_hidden, shown)) else "/".join(shown)


def _check_names(path: Path, names: list[str]) -> None:
    for name in names:
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
            raise RemError(f"{path} holds {name!r}, a path that leads out of the archive; do not use that archive.")


def _check_format(path: Path) -> None:
    """Raise where an archive is whole, for all that is known, but of a format that is not read."""
    with path.open("rb") as file:
        start = file.read(max(map(len, OTHERS)))
    for beginning, what in OTHERS.items():
        if start.startswith(beginning):
            raise RemError(f"{path} is packed as {what}, which is not read here; pack it again as a .zip or .tar.gz.")


def _check_kind(path: Path, info: zipfile.ZipInfo) -> None:
    """Raise where no file of a zip could be unpacked: by the first, and not one by one as damaged."""
    if info.flag_bits & ENCRYPTED:
        raise RemError(f"{path} is locked with a password; pack it again without one.")
    if info.compress_type not in UNPACKED:
        how = zipfile.compressor_names.get(info.compress_type, f"method {info.compress_type}")
        raise RemError(f"{path} is packed by {how}, which is not read here; pack it again as a plain .zip or .tar.gz.")


def _check_size(path: Path, size: int) -> None:
    if size > max(SIZE, RATIO * path.stat().st_size):
        raise RemError(
            f"{path} unpacks to {size:,} bytes or more, over {RATIO} times its size, as a decompression bomb does; "
            "do not use that archive."
        )

"""The files in a folder, a zip or a tar archive, read where they are: nothing is ever unpacked to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from rem.errors import RemError, first_line
from rem.files.notes import note_read

RATIO = 100  # of content to archive, above which it is refused; images and their likes hardly shrink
SIZE = 1 << 28  # bytes of content below which it never is


class Files(NamedTuple):
    """The files under a folder or in an archive.

    Of an archive whose files all lie in one folder, `names` are relative to that folder.
    """

    where: Path
    names: list[str]  # "train/cat/1.png", sorted
    read: Callable[[str], bytes]  # by name; raises OSError where the content is damaged


def open_files(path: Path) -> Files:
    """The files of a folder (at any depth), a `.zip`, or a `.tar.gz` or other tar archive.

    A zip is read file by file; a tar, which has no table of contents, once and into memory as it is packed inside.

    Raises:
        RemError: there is nothing, or what is there is damaged, no archive, or has names that lead out of it.
    """
    if path.exists():
        note_read(path)
    if path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        return Files(path, names, lambda name: (path / name).read_bytes())
    if not path.is_file():
        raise RemError(f"{path} is missing; it must be a folder, a .zip or a .tar.gz.")
    try:
        read = _open_zip(path) if zipfile.is_zipfile(path) else _open_tar(path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise RemError(f"{path} is no whole .zip or .tar.gz ({first_line(error)}); get it again.") from error
    return _without_top(path, *read)


def _open_zip(path: Path) -> tuple[list[str], Callable[[str], bytes]]:
    archive = zipfile.ZipFile(path)
    _check_names(path, archive.namelist())
    _check_size(path, sum(info.file_size for info in archive.infolist()))  # zipfile reads no more than it says

    def read(name: str) -> bytes:
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: encrypted
            raise OSError(first_line(error)) from error

    return [info.filename for info in archive.infolist() if not info.is_dir()], read


def _open_tar(path: Path) -> tuple[list[str], Callable[[str], bytes]]:
    contents, size = {}, 0
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            _check_names(path, [member.name])
            _check_size(path, size := size + member.size)
            if member.isfile() and (stream := archive.extractfile(member)):
                contents[PurePosixPath(member.name).as_posix()] = stream.read()  # "./a" is "a"
    return list(contents), contents.__getitem__


def _check_names(path: Path, names: list[str]) -> None:
    for name in names:
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
            raise RemError(f"{path} holds {name!r}, a path that leads out of the archive; do not use that archive.")


def _check_size(path: Path, size: int) -> None:
    if size > max(SIZE, RATIO * path.stat().st_size):
        raise RemError(
            f"{path} unpacks to {size:,} bytes or more, over {RATIO} times its size, as a decompression bomb does; "
            "do not use that archive."
        )


def _without_top(path: Path, names: list[str], read: Callable[[str], bytes]) -> Files:
    tops = {name.partition("/")[0] for name in names if "/" in name}
    if len(tops) != 1 or not all("/" in name for name in names):
        return Files(path, sorted(set(names)), read)
    top = f"{tops.pop()}/"
    return Files(path, sorted({name.removeprefix(top) for name in names}), lambda name: read(top + name))

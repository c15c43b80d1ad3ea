"""A download, resumed where it broke off and checked before the file appears."""

import errno
import shutil
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rem.errors import RemError, first_line, unwritable
from rem.files.atomic import whole
from rem.files.digests import checksum

CHUNK = 1 << 20  # bytes read at a time
TIMEOUT = (20, 60)  # seconds to connect, seconds without a byte


def address(official: str, name: str, file: str, mirror: str | None) -> str:
    """Where to get a file: below its official URL prefix, or at `<mirror>/<name>/<file>` where there is a mirror.

    A mirror may be a URL, `file://` too, or a folder, in which `~` is the user's own; an empty one is none.
    """
    if not mirror:
        return official + file
    if mirror.startswith("file://"):
        mirror = unquote(urlsplit(mirror).path)
    elif "://" not in mirror:
        mirror = str(Path(mirror).expanduser())
    return f"{mirror.rstrip('/')}/{name}/{file}"


def download(address: str, target: Path, digest: str | None, unpacked: bool = False) -> None:
    """Download a file to `target`, which appears only once its checksum is right.

    What an interrupted download has got stays in `<target>.part` and is taken up by the next call.

    Args:
        address: URL, or path in a mirror's folder.
        target: where to put it.
        digest: its "<algorithm>:<hex>"; None: its authors publish none, and it must be a whole zip.
        unpacked: whether the digest is of its content once gunzipped.

    Raises:
        RemError: no such file at that address, an interrupted download (run again to resume), or a wrong checksum
            (nothing is kept).
    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    if "://" in address:
        _download(address, part)
    else:
        _copy(Path(address), part)
    verdict = _accept(part, address, digest, unpacked)
    part.replace(target)
    print(f"{target}: {target.stat().st_size:,} bytes, {verdict}", file=sys.stderr)


def _accept(part: Path, address: str, expected: str | None, unpacked: bool) -> str:
    """What speaks for the file: its checksum, or where none is published that it is a whole zip; else delete it."""
    algorithm = (expected or "sha256").split(":")[0]
    try:
        found = checksum(part, algorithm, unpacked)
        whole_zip = expected is None and zipfile.is_zipfile(part) and zipfile.ZipFile(part).testzip() is None
    except (RemError, zipfile.BadZipFile, zlib.error, EOFError):
        found, whole_zip = "no whole archive", False
    if whole_zip:
        return f"a whole zip; no checksum is published, its own is {found}"
    if found != expected:
        part.unlink()
        expected = expected or "a whole zip"
        raise RemError(f"{address} has the wrong content (expected {expected}, found {found}); try again or a mirror.")
    return f"{algorithm} checksum right"


def _copy(origin: Path, part: Path) -> None:
    try:
        with whole(part) as partial:
            shutil.copyfile(origin, partial)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # of the copy, though the error names the original
            raise RemError(f"{part} cannot be written: {unwritable(error)}.") from error
        raise RemError(f"{origin} cannot be copied from the mirror ({error.strerror}); check `mirror`.") from error


def _download(address: str, part: Path) -> None:
    """Bring `part` to the full length of what is at `address`, from where it stands."""
    import requests
    import urllib3

    try:
        with requests.Session() as session:
            # Unencoded, so that byte ranges count the file's own bytes.
            session.headers["Accept-Encoding"] = "identity"
            _resume(session, address, part)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise RemError(
            f"{address} could not be downloaded ({first_line(error)}); run it again to resume, or try a mirror."
        ) from error


def _resume(session: Any, address: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with session.get(address, headers=headers, stream=True, timeout=TIMEOUT) as response:
        status, span = response.status_code, response.headers.get("Content-Range", "")
        if status == 416 and span == f"bytes */{have}":  # nothing lies beyond what we have: it is whole
            return
        if status == 206 and span.startswith(f"bytes {have}-"):
            return _stream(response, address, part, have)
        if not have or status not in (206, 416):
            response.raise_for_status()
            return _stream(response, address, part, 0)
    part.unlink()
    _resume(session, address, part)


def _stream(response: Any, address: str, part: Path, start: int) -> None:
    """Write the body of a response to `part` from byte `start` on, with progress on standard error."""
    import requests
    from tqdm import tqdm

    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    size = f"{total:,} bytes" if total else "size unknown"
    print(f"{address}: {size}, {f'resumed at {start:,}' if start else 'from the start'}", file=sys.stderr)
    with (
        part.open("ab" if start else "wb") as file,
        tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for block in response.raw.stream(CHUNK, decode_content=False):
            file.write(block)
            bar.update(len(block))
        if total is not None and file.tell() != total:
            raise requests.ConnectionError(f"it ended after {file.tell():,} of {total:,} bytes")

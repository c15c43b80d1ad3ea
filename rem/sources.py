"""Where images come from: the known sources, and the download of their files.

Imported by the workflow, so it loads nothing heavy.
"""

import gzip
import hashlib
import shutil
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rem.files import RemError, whole

CHUNK = 1 << 20  # bytes read at a time
TIMEOUT = (20, 60)  # seconds to connect, seconds without a byte


@dataclass(frozen=True)
class Source:
    """A named origin of images.

    `files` maps each file to "<algorithm>:<hex digest>". For the layout `idx` the digest is that of
    the unpacked content, since mirrors compress the same content differently.
    """

    what: str
    terms: str
    layout: Literal["idx", "cifar", "shapes", "folder", "weights"]
    url: str | None = None  # prefix of the files' addresses; None: nothing to download
    files: dict[str, str] | None = None
    class_names: tuple[str, ...] = ()  # empty: found in the images, or made with them
    sample: str | None = None  # folder in the repository that holds the files


DIGITS = tuple("0123456789")
GARMENTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MNIST_TERMS = "Y. LeCun, C. Cortes, C. J. C. Burges; CC BY-SA 3.0"
FASHION_TERMS = "Zalando SE; MIT"


def _idx(train_images: str, train_labels: str, test_images: str, test_labels: str) -> dict[str, str]:
    return {
        "train-images-idx3-ubyte.gz": f"sha256:{train_images}",
        "train-labels-idx1-ubyte.gz": f"sha256:{train_labels}",
        "t10k-images-idx3-ubyte.gz": f"sha256:{test_images}",
        "t10k-labels-idx1-ubyte.gz": f"sha256:{test_labels}",
    }


SOURCES: dict[str, Source] = {
    "mnist": Source(
        what="60,000 + 10,000 handwritten digits, grey, 28x28",
        terms=MNIST_TERMS,
        layout="idx",
        url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        files=_idx(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        class_names=DIGITS,
    ),
    "fashion-mnist": Source(
        what="60,000 + 10,000 garments, grey, 28x28",
        terms=FASHION_TERMS,
        layout="idx",
        url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        files=_idx(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        class_names=GARMENTS,
    ),
    "cifar10": Source(
        what="50,000 + 10,000 photographs of objects, RGB, 32x32",
        terms="A. Krizhevsky; no licence stated, not to be redistributed",
        layout="cifar",
        url="https://www.cs.toronto.edu/~kriz/",
        files={"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"},
        class_names=OBJECTS,
    ),
    "mnist-sample": Source(
        what="3,500 + 1,500 digits of MNIST's training set, grey, 28x28; in this repository",
        terms=MNIST_TERMS,
        layout="idx",
        files=_idx(
            "18c61047f0abf64b77f2568eaf8f0d89afbbf3a5d1acfdbb7ae38e04fbe6e199",
            "f7317c8c78900d3cd5ec1367ff6f5f084ecf8767503d66d7f1b89a55b47a6d1b",
            "fa641b20e8c64fb774e267e0192b6decff73363cb0c62ba4d0e226b4341270bd",
            "d7727dc72656ff1f35886cb3caed896198a040f1fd5f9eac7108d8e4f21215d5",
        ),
        class_names=DIGITS,
        sample="data/sample/mnist",
    ),
    "fashion-mnist-sample": Source(
        what="3,500 + 1,500 garments of Fashion-MNIST, grey, 28x28; in this repository",
        terms=FASHION_TERMS,
        layout="idx",
        files=_idx(
            "6fad38cff16c388353a76b32c1bbf4ad4674611d1d69e59ac9a145467b1fa0bf",
            "4b4b69332d2fcb78707c006b77b406e6402dde388d91d5f4fa42c08961a043b0",
            "198c65e5fd496a4592a3d358ab7ae641ba78f72fd3d4bbcacba5c7e5b16bdf46",
            "3b45ceebae77045996b9a37ee80a8d11be782b9edbfaa17111f7166217946914",
        ),
        class_names=GARMENTS,
        sample="data/sample/fashion-mnist",
    ),
    "shapes": Source(
        what="textured shapes under random pose before clutter, RGB, generated (rem/shapes.py)",
        terms="this project's licence",
        layout="shapes",
    ),
    "resnet18": Source(
        what="no images: weights of ResNet-18 trained on ImageNet, for `network.weights: pretrained`",
        terms="PyTorch contributors; BSD 3-Clause",
        layout="weights",
        url="https://download.pytorch.org/models/",
        files={
            "resnet18-f37072fd.pth": "sha256:f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        },
    ),
    "folder": Source(
        what="your images: <folder>/train/<class>/*.png, <folder>/test/<class>/*.png (or .jpg, .jpeg)",
        terms="yours",
        layout="folder",
    ),
}


def find_source(name: str) -> Source:
    """The source of that name.

    Raises:
        RemError: there is none; lists those there are.
    """
    if name not in SOURCES:
        raise RemError(f"unknown source {name!r}; the sources are {', '.join(SOURCES)}.")
    return SOURCES[name]


def source_files(source: str) -> list[str]:
    """The files that `rem prepare` needs, relative to the project: downloaded, in git, or none.

    Raises:
        RemError: unknown source.
    """
    known = find_source(source)
    folder = known.sample or f"data/raw/{source}"
    return [f"{folder}/{file}" for file in known.files or {}]


def checksum(path: str | Path, algorithm: str, unpacked: bool) -> str:
    """Digest, as "<algorithm>:<hex>", of a file's bytes, or of its content once gunzipped.

    Raises:
        RemError: the file is missing or, where it is to be unpacked, not a whole gzip file.
    """
    try:
        with gzip.open(path) if unpacked else open(path, "rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"
    except (OSError, EOFError, zlib.error) as error:
        raise RemError(f"{path} cannot be read for its checksum ({error}); fetch it again.") from error


def fetch(source: str, file: str, target: str | Path, mirror: str | None = None) -> None:
    """Download one file of a source to `target`, which appears only once its checksum is right.

    What an interrupted download has got stays in `<target>.part` and is taken up by the next call.

    Args:
        source: a name in `SOURCES`.
        file: one of that source's files.
        target: where to put it.
        mirror: folder or URL prefix, searched as `<mirror>/<source>/<file>`; None: the official address.

    Raises:
        RemError: unknown source or file, no such file at that address, an interrupted download
            (run again to resume), or a wrong checksum (nothing is kept).
    """
    known = find_source(source)
    if known.url is None:
        raise RemError(f"source {source!r} has nothing to download: {known.what}.")
    if not known.files or file not in known.files:
        raise RemError(f"source {source!r} has no file {file!r}; its files are {', '.join(known.files or {})}.")
    target, expected = Path(target), known.files[file]
    address = known.url + file if mirror is None else f"{mirror.rstrip('/')}/{source}/{file}"
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    if "://" in address:
        _download(address, part)
    else:
        _copy(Path(address), part)
    _accept(part, address, expected, unpacked=known.layout == "idx")
    part.replace(target)
    print(f"{target}: {target.stat().st_size:,} bytes, {expected.split(':')[0]} checksum right", file=sys.stderr)


def _accept(part: Path, address: str, expected: str, unpacked: bool) -> None:
    """Raise, and delete the file, unless its checksum is the expected one."""
    try:
        found = checksum(part, expected.split(":")[0], unpacked)
    except RemError:
        found = "no whole gzip file"
    if found != expected:
        part.unlink()
        raise RemError(f"{address} has the wrong content (expected {expected}, found {found}); try again or a mirror.")


def _copy(origin: Path, part: Path) -> None:
    try:
        with whole(part) as partial:
            shutil.copyfile(origin, partial)
    except OSError as error:
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
            f"{address} could not be downloaded ({error}); run it again to resume, or try a mirror."
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

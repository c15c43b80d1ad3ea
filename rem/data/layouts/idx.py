"""The IDX format of MNIST and Fashion-MNIST: one uint8 array a file, gzipped.

Unpacked: two zero bytes, the type (8: uint8), the number of dimensions, each dimension as a
big-endian 32-bit integer, then the values.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from rem.data.contents import AGAIN, Labelled
from rem.errors import RemError, unreadable
from rem.files.atomic import whole
from rem.files.notes import note_read

UINT8 = 8


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """The array in a gzipped IDX file: uint8 of `dimensions` dimensions, read-only.

    Raises:
        RemError: the file is missing, not gzip, cut short, or not an IDX file of that many dimensions.
    """
    try:
        note_read(path)
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error, "cannot be unpacked", "delete it and fetch it again") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes((0, 0, UINT8, dimensions)):
        raise RemError(f"{path} is not an IDX file of {dimensions} dimensions; delete it and fetch it again.")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise RemError(
            f"{path} holds {len(content) - start} values where its header promises {math.prod(shape)}; "
            "delete it and fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write a uint8 array as a gzipped IDX file; neither a name nor a time goes into it."""
    header = bytes((0, 0, UINT8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    with whole(path) as partial:
        partial.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes(), mtime=0))


def read_labelled(images_file: Path, labels_file: Path) -> Labelled:
    """The images and labels in two files of MNIST's layout."""
    images, labels = read_idx(images_file, dimensions=3), read_idx(labels_file, dimensions=1)
    if len(images) != len(labels):
        raise RemError(f"{labels_file} has {len(labels)} labels for {len(images)} images{AGAIN}")
    return Labelled(images[:, None], labels)

"""affNIST's official transformed test set, read from its archive batch by batch.

The archive holds 32 MATLAB files `1.mat` .. `32.mat`. Each has one structure `affNISTdata` whose `image` is uint8
(1600, 10000), an image a column, and whose `label_int` is (1, 10000). MATLAB keeps a column together, and within it
the 40x40 pixels stand row after row: so the transposed matrix, reshaped, is upright.
"""

import io
import re
import struct
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from rem.data.archives import Files, open_files
from rem.errors import RemError, first_line

BATCHES, BATCH, SIDE = 32, 10_000, 40
DIGITS = np.array([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])  # MNIST's test digits of each class
HEADER, COMPRESSED = 128, 15  # bytes before the first element of a MATLAB file; the type of those that are packed
LARGEST = 1 << 28  # bytes that an element may unpack to; a batch's images are 16 MB


class AffNIST:
    """The images (320000, 1, 40, 40) by position, and their `labels`; at most two batches are held.

    Raises:
        RemError: the archive is damaged, lacks a batch, or holds other images than 32 maps of MNIST's test digits.
    """

    def __init__(self, archive: Path) -> None:
        self.files = open_files(archive)
        self.names = _batch_names(self.files)
        self.shape = (BATCHES * BATCH, 1, SIDE, SIDE)
        self.labels = np.concatenate([_read_batch(self.files, name)[1] for name in self.names])
        counts = np.bincount(self.labels, minlength=10)
        if not np.array_equal(counts, BATCHES * DIGITS):
            raise RemError(
                f"{archive} labels {counts.tolist()} images as 0 to 9, where {BATCHES} maps of each of MNIST's test "
                f"digits make {(BATCHES * DIGITS).tolist()}; it is not affNIST's test set."
            )
        self._batch = lru_cache(maxsize=1)(lambda number: _read_batch(self.files, self.names[number])[0])

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images at ascending positions, (B, 1, 40, 40)."""
        batches = index // BATCH
        parts = [self._batch(number)[index[batches == number] % BATCH] for number in np.unique(batches)]
        return np.concatenate(parts)


def _batch_names(files: Files) -> list[str]:
    found = {int(match[1]): name for name in files.names if (match := re.search(r"(?:^|/)(\d+)\.mat$", name))}
    if lacking := sorted(set(range(1, BATCHES + 1)) - set(found)):
        raise RemError(f"{files.where} lacks {lacking[0]}.mat; it must be affNIST's archive of {BATCHES} test batches.")
    return [found[number] for number in range(1, BATCHES + 1)]


def _read_batch(files: Files, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (10000, 1, 40, 40) and labels (10000,) of a batch."""
    try:
        packed = files.read(name)
        _require_no_bomb(packed)
        content = loadmat(io.BytesIO(packed), variable_names="affNISTdata")["affNISTdata"]
        images, labels = content["image"][0, 0], content["label_int"][0, 0]
    except (OSError, ValueError, TypeError, LookupError, zlib.error, MatReadError) as error:
        raise RemError(f"{files.where}: {name} is no batch of affNIST ({first_line(error)}); get it again.") from error
    if images.shape != (SIDE * SIDE, BATCH) or images.dtype != np.uint8:
        raise RemError(
            f"{files.where}: {name} has images {images.shape} of type {images.dtype}, not {(SIDE * SIDE, BATCH)} bytes."
        )
    if labels.size != BATCH or labels.min() < 0 or labels.max() > 9:
        raise RemError(f"{files.where}: {name} has {labels.size} labels for {BATCH} images, or some beyond 0 to 9.")
    return images.T.reshape(-1, 1, SIDE, SIDE), labels.ravel().astype(np.int64)


def _require_no_bomb(packed: bytes) -> None:
    """Raise OSError where an element of a MATLAB file unpacks to more than any of affNIST's: no checksum guards it."""
    order = "<" if packed[HEADER - 2 : HEADER] == b"IM" else ">"
    place = HEADER
    while place + 8 <= len(packed):
        kind, size = struct.unpack_from(f"{order}II", packed, place)
        unpacker = zlib.decompressobj()
        if kind == COMPRESSED and len(unpacker.decompress(packed[place + 8 : place + 8 + size], LARGEST)) == LARGEST:
            raise OSError(f"it unpacks to over {LARGEST:,} bytes, as a decompression bomb does")
        place += 8 + size

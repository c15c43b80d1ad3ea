"""smallNORB's official files: of each part the images (-dat), their classes (-cat) and how they were taken (-info).

A file is a gzipped matrix, little-endian: a magic number that tells the type, the number of dimensions, the dimensions
themselves (at least three, those that are not there 1), then the values, the last dimension fastest.

Source: F. J. Huang, Y. LeCun, *The small NORB dataset*, https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rem.data.contents import AGAIN, Contents, Labelled
from rem.data.images import Chosen
from rem.errors import RemError, unreadable
from rem.files.notes import note_read
from rem.settings.images import Viewpoints

INTEGERS, BYTES = 0x1E3D4C54, 0x1E3D4C55  # magic numbers
TYPES = {INTEGERS: np.dtype("<i4"), BYTES: np.dtype("u1")}
POSE = ("instance", "elevation", "azimuth", "lighting")  # which toy of its class, degrees, degrees, which lamps


class Matrix:
    """A gzipped matrix (N, ...), unpacked as its rows are asked for, so that no more is held than these.

    Args:
        path: the file.
        magic: the type that its values must have, a key of `TYPES`.
        dimensions: how many dimensions it must have.

    Raises:
        RemError: the file is missing, damaged, cut short, or no such matrix.
    """

    def __init__(self, path: Path, magic: int, dimensions: int) -> None:
        self.path, self.dtype = path, TYPES[magic]
        try:
            note_read(path)
            self.file = gzip.GzipFile(path)
        except OSError as error:
            raise unreadable(path, error, "cannot be unpacked", "delete it and fetch it again") from error
        if struct.unpack("<2I", self._read(0, 8)) != (magic, dimensions):
            raise RemError(f"{path} is no matrix of {self.dtype.name} in {dimensions} dimension(s){AGAIN}")
        stored = max(3, dimensions)
        self.shape = struct.unpack(f"<{stored}I", self._read(8, 4 * stored))[:dimensions]
        self.start = 8 + 4 * stored
        self.row = self.dtype.itemsize * math.prod(self.shape[1:])  # bytes

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The rows at ascending positions, (B, ...)."""
        content = b"".join(self._read(self.start + self.row * int(position), self.row) for position in index)
        return np.frombuffer(content, self.dtype).reshape(-1, *self.shape[1:])

    def _read(self, place: int, size: int) -> bytes:
        """So many bytes of the content from there on. To go back costs unpacking from the beginning."""
        try:
            self.file.seek(place)
            content = self.file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise unreadable(self.path, error, "cannot be unpacked", "delete it and fetch it again") from error
        if len(content) < size:
            raise RemError(f"{self.path} ends before its values do{AGAIN}")
        return content


def read_norb(files: Sequence[Path], class_names: Sequence[str], viewpoints: Viewpoints | None) -> Contents:
    """The stereo pairs (N, 2, 96, 96) of smallNORB, with their poses (columns POSE).

    Args:
        files: -dat, -cat and -info of the training part, then of the test part.
        class_names: in the order of their numbers.
        viewpoints: which images are trained on, and that the others are tested on; None: all and all.

    Raises:
        RemError: a file cannot be read, or is not of as many images as the two beside it.
    """
    train, test = _read_part(*files[:3]), _read_part(*files[3:])
    if viewpoints:
        train, test = _taken(train, viewpoints, inside=True), _taken(test, viewpoints, inside=False)
    return Contents(train, test, class_names, POSE)


def _read_part(images_file: Path, classes_file: Path, taken_file: Path) -> Labelled:
    images, classes, taken = (
        Matrix(images_file, BYTES, 4),
        Matrix(classes_file, INTEGERS, 1),
        Matrix(taken_file, INTEGERS, 2),
    )
    count = images.shape[0]
    for matrix, shape in ((classes, (count,)), (taken, (count, len(POSE)))):
        if matrix.shape != shape:
            raise RemError(f"{matrix.path} has the shape {matrix.shape}, but for {count} images {shape} is due{AGAIN}")
    every = np.arange(count)
    instance, elevation, azimuth, lighting = taken[every].T
    pose = np.stack([instance, 30 + 5 * elevation, 10 * azimuth, lighting], axis=1).astype(np.float32)
    return Labelled(images, classes[every], pose)


def _taken(part: Labelled, viewpoints: Viewpoints, inside: bool) -> Labelled:
    """The images of a part whose pose lies inside the range that is trained on, or those outside."""
    pose, (start, end) = part.pose[:, POSE.index(viewpoints.pose)], viewpoints.trained
    within = (pose >= start) & (pose <= end) if start <= end else (pose >= start) | (pose <= end)
    rows = np.flatnonzero(within == inside)
    return Labelled(Chosen(part.images, rows), part.labels[rows], part.pose[rows])

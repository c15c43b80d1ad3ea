"""Images that are computed when they are asked for: decoded, scaled, or placed on a canvas.

Each class stands for an array (N, C, H, W): it has the `shape`, and gives the images at ascending
positions as uint8 (B, C, H, W). So no step holds more images than it has asked for.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps

from rem.data.archives import Files
from rem.data.decode import decode
from rem.errors import RemError, first_line, unreadable


class Images(Protocol):
    """uint8 images by position; a NumPy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, C, H, W)."""
        ...

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images at ascending positions, (B, C, H, W)."""
        ...


class Decoded:
    """Image files, decoded (`rem.data.decode`) as grey or RGB.

    Args:
        files: where they are.
        names: which of those files, in the order of the images.
        channels: 1 or 3.
        side: cut each to its middle square and scale it to this side; None: keep its size, of which all must be.

    Raises:
        RemError: an image cannot be read, has values of an unknown range, or is of another size than the first.
    """

    def __init__(self, files: Files, names: Sequence[str], channels: int, side: int | None) -> None:
        self.files, self.names, self.channels, self.side = files, names, channels, side
        self.shape = (len(names), *self._decode(names[0]).shape)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images at some positions, (B, C, H, W)."""
        return np.stack([self._decode(self.names[position]) for position in index])

    def _decode(self, name: str) -> np.ndarray:
        try:
            pixels = self._pixels(name)
        except (OSError, ValueError) as error:
            bad = {name: reason for name in self.names if (reason := self._fault(name))}
            first = next(iter(bad), name)
            raise RemError(
                f"{len(bad)} unreadable image(s) in {self.files.where}, the first {first} "
                f"({bad.get(first, first_line(error))}); replace or remove them."
            ) from error
        if pixels.shape != getattr(self, "shape", (0, *pixels.shape))[1:]:
            raise RemError(
                f"{name} in {self.files.where} differs in size from the others; set data.view to resize, "
                "or make all one size."
            )
        return pixels

    def _pixels(self, name: str) -> np.ndarray:
        """The pixels (C, H, W) of an image file; RemError where it may be whole, but cannot be read now."""
        try:
            content = self.files.read(name)
        except OSError as error:
            if error.errno is None:  # what an archive says of damaged content
                raise
            raise unreadable(self.files.where / name, error, "cannot be read", "make it readable") from error
        picture = decode(content, self.channels, f"{name} in {self.files.where}")
        return _to_array(picture if self.side is None else _fit(picture, self.side))

    def _fault(self, name: str) -> str:
        """Why an image file cannot be read; nothing where it can."""
        try:
            self._pixels(name)
        except (OSError, ValueError) as error:
            return first_line(error)
        return ""


class Chosen:
    """Images at some ascending positions of others."""

    def __init__(self, images: Images, positions: np.ndarray) -> None:
        self.images, self.positions = images, positions
        self.shape = (len(positions), *images.shape[1:])

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images at some positions of these, (B, C, H, W)."""
        return self.images[self.positions[index]]


class Resized:
    """Images cut to their middle square and scaled to `side` (bilinear, anti-aliased)."""

    def __init__(self, images: Images, side: int) -> None:
        self.images, self.side = images, side
        self.shape = (*images.shape[:2], side, side)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The images at some positions, (B, C, side, side)."""
        block = self.images[index]
        made = np.empty((len(block), *self.shape[1:]), np.uint8)
        for place in np.ndindex(block.shape[:2]):  # a channel at a time: Pillow takes two for grey and transparency
            made[place] = np.asarray(_fit(Image.fromarray(block[place]), self.side))
        return made


class Placed:
    """Images, each at a random place, wholly inside, on a black canvas of `side` x `side`."""

    def __init__(self, images: Images, side: int, generator: np.random.Generator) -> None:
        count, channels, height, width = images.shape
        self.images = images
        self.shape = (count, channels, side, side)
        self.top = generator.integers(side - height + 1, size=count)
        self.left = generator.integers(side - width + 1, size=count)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The canvases at some positions, (B, C, side, side)."""
        block = self.images[index]
        height, width = block.shape[2:]
        made = np.zeros((len(block), *self.shape[1:]), np.uint8)
        for canvas, image, top, left in zip(made, block, self.top[index], self.left[index], strict=True):
            canvas[:, top : top + height, left : left + width] = image
        return made


def _fit(picture: Image.Image, side: int) -> Image.Image:
    return ImageOps.fit(picture, (side, side), Image.Resampling.BILINEAR)


def _to_array(picture: Image.Image) -> np.ndarray:
    return np.atleast_3d(np.asarray(picture)).transpose(2, 0, 1)

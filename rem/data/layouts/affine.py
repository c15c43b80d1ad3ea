"""Random affine maps of digits, within the ranges that affNIST documents: the source `affnist-like`.

affNIST (T. Tieleman, https://www.cs.toronto.edu/~tijmen/affNIST/) was made by maps that are not published, so
these images are like affNIST's and never the same.
"""

import numpy as np
from scipy import ndimage

from rem.data.images import Images
from rem.errors import RemError

SIDE = 40
ROTATION = 20.0  # degrees, counter-clockwise, from minus this to this
SHEAR = 0.2  # from minus this to this
SCALE = (0.8, 1.2)  # vertical and horizontal, each of its own


class AffineMapped:
    """Images (N, 1, H, W) under random affine maps, `maps` of each, as canvases (N maps, 1, 40, 40).

    Canvas k shows image k mod N: scaled, sheared, rotated, then moved to a place drawn evenly from those
    at which no pixel of the digit is lost; pixels are interpolated bilinearly.

    Raises:
        RemError: an image that, so mapped, does not fit on the canvas.
    """

    def __init__(self, images: Images, maps: int, seed: tuple[int, ...]) -> None:
        self.images, self.count = images, images.shape[0]
        self.shape = (maps * self.count, 1, SIDE, SIDE)
        self.matrices, self.places = draw(self.shape[0], np.random.default_rng(seed))

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """The canvases at some positions, (B, 1, 40, 40)."""
        made = np.empty((len(index), *self.shape[1:]), np.uint8)
        for canvas, position in zip(made, index, strict=True):
            image = self.images[np.array([position % self.count])][0, 0]
            matrix = self.matrices[position]
            inverse = np.linalg.inv(matrix)
            offset = -inverse @ _shift(image, matrix, self.places[position])
            mapped = ndimage.affine_transform(
                image.astype(np.float32), inverse, offset, (SIDE, SIDE), order=1, mode="grid-constant"
            )
            canvas[0] = np.rint(mapped)
        return made


def draw(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Linear maps of (row, column), (count, 2, 2), and places, (count, 2) in [0, 1): how far along what is free."""
    angle = np.deg2rad(generator.uniform(-ROTATION, ROTATION, count))
    shear = generator.uniform(-SHEAR, SHEAR, count)
    scales = generator.uniform(*SCALE, (count, 2))
    cosine, sine = np.cos(angle), np.sin(angle)
    # Rows run downwards, so a counter-clockwise turn takes (row, column) to (cos r - sin c, sin r + cos c).
    rotations = np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1)
    shears = np.tile(np.eye(2), (count, 1, 1))
    shears[:, 1, 0] = shear  # columns move with the row
    return rotations @ shears * scales[:, None, :], generator.random((count, 2))


def _shift(image: np.ndarray, matrix: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Where (row, column) 0 goes, so that the mapped digit lies `place` of the way along the free rows and columns."""
    pixels = np.argwhere(image)
    if not len(pixels):
        return place * SIDE
    # A pixel touches all within 1 of it; no pixel of the canvas may be wanted at -1 or before, or at SIDE or after.
    reach = np.abs(matrix).sum(1)
    mapped = pixels @ matrix.T
    lowest, highest = -1 + reach - mapped.min(0), SIDE - reach - mapped.max(0)
    if (highest < lowest).any():
        height, width = np.ptp(pixels, axis=0) + 1
        raise RemError(f"a digit of {height}x{width} pixels does not fit on {SIDE}x{SIDE} after its affine map.")
    return lowest + place * (highest - lowest)

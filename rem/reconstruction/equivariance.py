"""Whether moving one dimension of a pose moves the image one way: the measure behind Figure 8."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

PROPERTIES = ("mass", "centroid_x", "centroid_y", "width", "height", "slant")
DRAWS = 2000
LEVEL = 0.95


class Equivariance(NamedTuple):
    """Of each dimension of a pose (D,).

    Attributes:
        best: index into `PROPERTIES` of the property that the dimension moves most consistently.
        consistency: |mean over images of Spearman's rho| between offset and that property: 1 where the
            dimension moves it monotonically and the same way in every image.
        monotony: mean over images of |rho| of that property, whichever way it goes.
        moved: mean over images of |R(last offset) - R(first)| / |R(middle)|, R the reconstruction.
        chance: the consistency that only one in twenty such sets of images would exceed if every image
            had its direction by a fair coin, the best property being chosen there too.
    """

    best: np.ndarray
    consistency: np.ndarray
    monotony: np.ndarray
    moved: np.ndarray
    chance: np.ndarray


def properties(images: np.ndarray) -> np.ndarray:
    """Moments of lightness: (..., C, S, S), none negative, to (..., 6) in the order of `PROPERTIES`.

    Mass is the sum, the centroid is in pixels from the left and the top, width and height are standard
    deviations in pixels, and slant is the covariance of x and y over the variance of y: how far x leans a row.
    """
    grey = np.asarray(images, np.float64).mean(axis=-3)  # (..., S, S)
    mass = grey.sum(axis=(-2, -1))
    share = grey / np.maximum(mass, np.finfo(float).tiny)[..., None, None]
    y, x = np.mgrid[: grey.shape[-2], : grey.shape[-1]].astype(float)

    def mean(values: np.ndarray) -> np.ndarray:
        return (share * values).sum(axis=(-2, -1))

    centre_x, centre_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - centre_x**2, mean(y * y) - centre_y**2
    covariance = mean(x * y) - centre_x * centre_y
    width, height = (np.sqrt(np.maximum(variance, 0)) for variance in (variance_x, variance_y))
    slant = np.divide(covariance, variance_y, out=np.zeros_like(mass), where=variance_y > 0)
    return np.stack([mass, centre_x, centre_y, width, height, slant], axis=-1)


def spearman(offsets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Spearman's rho of each column with the offsets, 0 where it is constant: (O,) and (..., O, P) to (..., P)."""
    ranks = rankdata(values, axis=-2)
    ranks -= ranks.mean(axis=-2, keepdims=True)
    steps = rankdata(offsets) - (len(offsets) + 1) / 2
    norm = np.sqrt((ranks**2).sum(axis=-2) * (steps**2).sum())
    return np.divide((ranks * steps[:, None]).sum(axis=-2), norm, out=np.zeros_like(norm), where=norm > 0)


def equivariance(reconstructions: np.ndarray, offsets: np.ndarray, seed: int = 0) -> Equivariance:
    """Measure the reconstructions of images of one class, in which a dimension should mean one thing.

    Args:
        reconstructions: (N, D, O, C, S, S), of N images with dimension d of the pose moved by each offset.
        offsets: (O,), ascending, symmetric about 0.
        seed: of the coins behind `chance`.
    """
    rho = spearman(offsets, properties(reconstructions))  # (N, D, P)
    consistency = np.abs(rho.mean(axis=0))  # (D, P)
    best = consistency.argmax(axis=1)  # (D,)
    own = np.arange(len(best)), best
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(DRAWS, len(rho)))
    by_chance = np.abs(np.einsum("sn,ndp->sdp", signs, rho) / len(rho)).max(axis=2)  # (draws, D)
    flat = np.asarray(reconstructions, np.float64).reshape(*reconstructions.shape[:3], -1)  # (N, D, O, C*S*S)
    change = np.linalg.norm(flat[:, :, -1] - flat[:, :, 0], axis=-1)  # (N, D)
    size = np.linalg.norm(flat[:, :, len(offsets) // 2], axis=-1)
    return Equivariance(
        best,
        consistency[own],
        np.abs(rho).mean(axis=0)[own],
        (change / np.maximum(size, np.finfo(float).tiny)).mean(axis=0),
        np.quantile(by_chance, LEVEL, axis=0),
    )

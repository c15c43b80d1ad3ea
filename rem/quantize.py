"""The uniform quantizer q_K of coupling coefficients (Eq. 7) and the choice of K."""

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rem.files import RemError

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")


def quantize(couplings: Array, levels: int) -> Array:
    """Eq. 7, q_K(c): each coupling moved to the nearest of the K centres k / (K - 1), k = 0 .. K-1.

    Takes and gives a NumPy array or a tensor of any shape with values in [0, 1].
    """
    return nearest(couplings, levels) / (levels - 1)


def nearest(couplings: Array, levels: int | Array) -> Array:
    """The k of Eq. 7, the index of the nearest centre; K may be an array that broadcasts against the couplings.

    A coupling half-way between two centres goes to the one of even k.
    """
    return (couplings * (levels - 1)).round()


def indices(couplings: np.ndarray, levels: int) -> np.ndarray:
    """The quantization indices k of Eq. 7 as uint8, for K up to 256; same shape as `couplings`."""
    return np.asarray(nearest(couplings, levels)).astype(np.uint8)


def lowest_levels(accuracies: Mapping[int, float], unquantized: float, tolerance: float) -> int:
    """The lowest K such that the accuracy is not deteriorated (section 3.1).

    Args:
        accuracies: accuracy in % at each K.
        unquantized: accuracy in % without quantization.
        tolerance: points of accuracy that quantization may cost.

    Raises:
        RemError: no K is good enough.
    """
    allowed = tolerance + 1e-9  # a loss of just the tolerance is allowed, however it is rounded
    good = [levels for levels, accuracy in accuracies.items() if unquantized - accuracy <= allowed]
    if not good:
        raise RemError(
            f"no K from {min(accuracies)} to {max(accuracies)} keeps the validation accuracy of {unquantized:.2f}% "
            f"within {tolerance:.2f} points; raise levels.maximum or levels.tolerance."
        )
    return min(good)


def edge_at_uniform(levels: int, classes: int) -> bool:
    """Whether a level edge (k + 1/2) / (K - 1) falls exactly on 1 / J.

    There the keys of undecided capsules, whose couplings are all close to 1/J, flicker.
    """
    return Fraction(levels - 1, classes) % 1 == Fraction(1, 2)

"""The uniform quantizer q_K of coupling coefficients (Eq. 7): couplings to centres, and to keys."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

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


def keys(couplings: Array, levels: int) -> Array:
    """The k of Eq. 7 as uint8, for K up to 256: of couplings (N, I), a row is the key of an image's parse tree.

    Takes and gives a NumPy array or a tensor, of any shape.
    """
    found = nearest(couplings, levels)
    return found.astype(np.uint8) if isinstance(found, np.ndarray | np.generic) else found.byte()

"""The uniform quantizer q_K of coupling coefficients (Eq. 7): couplings to centres, and to keys.

R. Renzulli, E. Tartaglione, M. Grangetto: REM: Routing Entropy Minimization for Capsule Networks, 2022,
https://arxiv.org/abs/2204.01298.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")


def quantize(couplings: Array, levels: int) -> Array:
    """Eq. 7, q_K(c): each coupling moved to the nearest of the K centres k / (K - 1), k = 0 .. K-1.

    Takes and gives a NumPy array or a tensor of any shape with values in [0, 1].

    >>> rem.quantize(np.array([0.1, 0.6, 0.3]), levels=3)
    array([0. , 0.5, 0.5])

    From Renzulli et al. (2022), https://arxiv.org/abs/2204.01298.
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

    >>> rem.keys(np.array([[0.1, 0.6, 0.3], [0.9, 0.0, 0.1]]), levels=3)
    array([[0, 1, 1],
           [2, 0, 0]], dtype=uint8)

    From Renzulli et al. (2022), section 3.1, https://arxiv.org/abs/2204.01298.
    """
    found = nearest(couplings, levels)
    return found.astype(np.uint8) if isinstance(found, np.ndarray | np.generic) else found.byte()

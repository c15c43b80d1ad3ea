"""The uniform quantizer q_K of coupling coefficients (Eq. 7): couplings to centres, and to keys.

There are two kinds. The paper's has K centres k / (K - 1), from 0 to 1, and takes the nearest. That of the authors'
runs on Tiny ImageNet has K cells [k / K, (k + 1) / K) with their middles as centres (`cells`).

R. Renzulli, E. Tartaglione, M. Grangetto: REM: Routing Entropy Minimization for Capsule Networks, 2022,
https://arxiv.org/abs/2204.01298.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from rem.errors import RemError

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", np.ndarray, "torch.Tensor")
MOST = 256  # levels that a byte tells apart


def quantize(couplings: Array, levels: int, cells: bool = False) -> Array:
    """Eq. 7, q_K(c): each coupling moved to the nearest of the K centres k / (K - 1), k = 0 .. K-1.

    Takes and gives a NumPy array or a tensor of any shape with values in [0, 1]. With `cells`, each is moved to the
    middle (k + 1/2) / K of its cell [k / K, (k + 1) / K).

    >>> rem.quantize(np.array([0.1, 0.6, 0.3]), levels=3)
    array([0. , 0.5, 0.5])
    >>> rem.quantize(np.array([0.1, 0.6, 0.3]), levels=4, cells=True)
    array([0.125, 0.625, 0.375])

    From Renzulli et al. (2022), https://arxiv.org/abs/2204.01298.

    Raises:
        RemError: K is a number below 2.
    """
    numerator, denominator = fraction(couplings, levels, cells)
    return numerator / denominator


def fraction(couplings: Array, levels: int | Array, cells: bool = False) -> tuple[Array, int | Array]:
    """The centres of Eq. 7 as numerators, which may be summed first, and the denominator that all of them share.

    K may be an array that broadcasts against the couplings.
    """
    k = nearest(couplings, levels, cells)
    return (k + 0.5, levels) if cells else (k, levels - 1)


def nearest(couplings: Array, levels: int | Array, cells: bool = False) -> Array:
    """The k of Eq. 7, the index of the nearest centre; K may be an array that broadcasts against the couplings.

    A coupling half-way between two centres goes to the one of even k, but one on the edge of a cell to the upper cell.
    """
    if isinstance(levels, int | np.integer) and levels < 2:
        raise RemError(f"K is {levels}; couplings are rounded to 2 levels or more.")
    if cells:
        return (couplings * levels // 1).clip(max=levels - 1)  # 1 belongs to the last cell
    return (couplings * (levels - 1)).round()


def edges(levels: int, cells: bool = False) -> np.ndarray:
    """Where the K levels begin and end: (K + 1,), from 0 to 1."""
    k = np.arange(levels + 1)
    return k / levels if cells else ((k - 0.5) / (levels - 1)).clip(0, 1)


def keys(couplings: Array, levels: int | Array, cells: bool = False) -> Array:
    """The k of Eq. 7 as uint8, for K up to 256: of couplings (N, I), a row is the key of an image's parse tree.

    Takes and gives a NumPy array or a tensor, of any shape; with `cells`, k is the number of the cell.

    >>> rem.keys(np.array([[0.1, 0.6, 0.3], [0.9, 0.0, 0.1]]), levels=3)
    array([[0, 1, 1],
           [2, 0, 0]], dtype=uint8)

    From Renzulli et al. (2022), section 3.1, https://arxiv.org/abs/2204.01298.

    Raises:
        RemError: K is a number beyond 256, or below 2.
    """
    if isinstance(levels, int | np.integer) and levels > MOST:
        raise RemError(f"K is {levels}, but a key's numbers have room for {MOST} levels; lower K.")
    found = nearest(couplings, levels, cells)
    return found.astype(np.uint8) if isinstance(found, np.ndarray | np.generic) else found.byte()

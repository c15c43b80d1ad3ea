"""Couplings as small numbers that give the same keys (Eq. 7) as the couplings themselves, at every K of the page.

All level edges of these K cut [0, 1] into cells, and within a cell no K can tell two couplings apart. A coupling's code
is the number of its cell, so codes give the keys at every K exactly. One more quantizer of three decimals (K = 1001)
is among them, so they give the couplings to three decimals exactly too.
"""

from collections.abc import Iterable

import numpy as np

from rem.trees import quantizer

DECIMALS = 1001  # K whose centres are 0.000, 0.001, ... 1.000
NEAR = 4  # float32 numbers to either side of an edge among which the first of the next level is


def thresholds(levels: Iterable[int], cells: bool = False) -> np.ndarray:
    """The least float32 numbers of the levels of all quantizers: ascending, (M,) float32, the first of them 0.

    Args:
        levels: every K.
        cells: whether the quantizer has cells; that of three decimals has none.
    """
    found = [np.zeros(1, np.float32), _least(DECIMALS, False)]
    return np.unique(np.concatenate([*found, *(_least(level, cells) for level in levels)]))


def _least(levels: int, cells: bool) -> np.ndarray:
    """The least float32 number of every level but the lowest; float32, for what is rounded decides."""
    around = quantizer.edges(levels, cells)[1:-1].astype(np.float32)
    steps = np.arange(-NEAR, NEAR + 1)
    near = (around.view(np.int32)[:, None] + steps.astype(np.int32)).view(np.float32)  # (K-1, 2 NEAR + 1), ascending
    inside = quantizer.nearest(near, levels, cells) > np.arange(levels - 1)[:, None]
    return near[np.arange(len(near)), inside.argmax(axis=1)]


def codes(couplings: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """The number of each coupling's cell: float32 of any shape to uint16, such that cuts[code] is in it."""
    return (np.searchsorted(cuts, couplings, side="right") - 1).astype(np.uint16)

"""Random tensors in float64, and what is compared with the reference."""

import numpy as np
import torch

from rem.trees.quantizer import quantize


def random_tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers in float64."""
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def quantizing(levels: int | None, cells: bool = False):
    """What `route` is to do to its last couplings to quantize them at K; None for none."""
    return None if levels is None else lambda couplings: quantize(couplings, levels, cells)


def assert_equal(found: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-12) -> None:
    """`found` has the values and the shape of `expected`, in float64."""
    torch.testing.assert_close(found.detach(), torch.tensor(np.array(expected)), atol=tolerance, rtol=0)


def finite_differences(function, at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central differences of a scalar function in every entry of `at`."""
    result = np.zeros_like(at)
    for entry in np.ndindex(*at.shape):
        moved = np.zeros_like(at)
        moved[entry] = step
        result[entry] = (function(at + moved) - function(at - moved)) / (2 * step)
    return result

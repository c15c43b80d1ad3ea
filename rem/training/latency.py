"""How long networks take, beside each other."""

import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

ROUNDS = 15  # of which the medians are taken


def latencies(networks: Sequence[Callable[[Tensor], object]], images: Tensor) -> list[float]:
    """The median milliseconds that each network takes for the images; they take turns."""
    rounds = [[_milliseconds(network, images) for network in networks] for _ in range(ROUNDS)]
    return [statistics.median(own) for own in zip(*rounds, strict=True)]


def _milliseconds(network: Callable[[Tensor], object], images: Tensor) -> float:
    """The wall time of a second call after a first, which finds memory and caches cold."""
    for _ in range(2):
        start = time.perf_counter()
        network(images)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        elapsed = time.perf_counter() - start
    return 1000 * elapsed

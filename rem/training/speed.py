"""How accurate networks are and how fast, each without what is dead in it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from rem.data.batches import stream_batches
from rem.pruning.compaction import matrices
from rem.training.accuracies import accuracy
from rem.training.checkpoints import load_checkpoint
from rem.training.compact import equal_compact, multiply_adds, size
from rem.training.latency import latencies


@torch.no_grad()
def measure_speeds(checkpoints: Sequence[Path], prepared: Path, device: torch.device) -> pd.DataFrame:
    """Measure networks of a dataset beside each other; their times are taken in turns.

    Args:
        checkpoints: of the networks.
        prepared: the dataset's HDF5 file.
        device: where to compute.

    Returns:
        A row a network: `dataset`, `variant`, `seed`, whether it was `structured` while it was trained, its `accuracy`
        in % on the test split, and, as of `rem.training.compact.compact_checkpoint`, what its compact form costs.

    Raises:
        RemError: a file cannot be read, or, as of `compact_checkpoint`, a network cannot be made compact.
    """
    loaded = [load_checkpoint(path, device) for path in checkpoints]
    data, batch = loaded[0].run.data, loaded[0].run.training.batch_size
    images, _ = next(stream_batches(prepared, "test", data, batch, device))
    smaller = [equal_compact(one, images, path) for one, path in zip(loaded, checkpoints, strict=True)]
    times = zip(latencies(smaller, images[:1]), latencies(smaller, images), strict=True)
    return pd.DataFrame(
        [
            {"dataset": one.run.dataset, "variant": one.run.variant, "seed": one.run.seed}
            | {"structured": one.run.structure is not None}
            | {"accuracy": accuracy(one, prepared, "test"), **size(model, matrices(model))}
            | {"multiply_adds": multiply_adds(model, images)}
            | {"image_ms": alone, "batch_ms": together, "batch": len(images)}
            for one, model, (alone, together) in zip(loaded, smaller, times, strict=True)
        ]
    )

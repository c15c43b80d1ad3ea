"""How a run went, epoch by epoch (Figure 5)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import run_of
from rem.trees import entropy
from rem.trees.sweep import hashed_keys


def write_trajectory(couplings: list[Path], levels: int, authors: int, band: Sequence[int], target: Path) -> None:
    """Write how a run went (Figure 5): a row per checkpoint kept.

    The CSV's columns: `epoch`, `sparsity` (%), `accuracy` (%) and `entropy` (Eq. 9, bits) at K, `keys` of
    all classes, `levels` (K); `authors_accuracy`, `authors_entropy`, `authors_keys` and `authors_levels`, the same at
    the authors' K; and `band_entropy`, the mean of the entropies at every K of the band (bits).

    Raises:
        RemError: there is no checkpoint's file.
    """
    if not couplings:
        raise RemError(f"there are no couplings for {target}; run the command that makes them again.")
    with whole(target) as partial:
        pd.DataFrame([_row(path, levels, authors, band) for path in couplings]).sort_values("epoch").to_csv(
            partial, index=False
        )


def _row(path: Path, levels: int, authors: int, band: Sequence[int]) -> dict[str, object]:
    with open_hdf5(path) as file:
        classes, predicted, cells = run_of(file).data.classes, file["predicted"][:], file.attrs["cells"]
        epoch, sparsity = file.attrs["epoch"], 100 * json.loads(file.attrs["sparsity"])["all"]
        accuracies = dict(zip(file["sweep/levels"][:].tolist(), file["sweep/accuracy"][:].tolist(), strict=True))
        words, _ = hashed_keys(file["couplings"], [levels, authors, *band], classes, cells)  # (2 + band, N)
    members = [np.flatnonzero(predicted == label) for label in range(classes)]
    entropies = [entropy.words_entropy(own, members) for own in words]
    keys = [sum(map(len, entropy.words_counts(own, members))) for own in words[:2]]
    return {
        "epoch": epoch,
        "sparsity": sparsity,
        "accuracy": accuracies[levels],
        "entropy": entropies[0],
        "keys": keys[0],
        "levels": levels,
        "authors_accuracy": accuracies[authors],
        "authors_entropy": entropies[1],
        "authors_keys": keys[1],
        "authors_levels": authors,
        "band_entropy": float(np.mean(entropies[2:])),
    }

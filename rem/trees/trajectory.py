"""How a pruned run went, epoch by epoch (Figure 5)."""

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
from rem.trees.dictionaries import parse_trees
from rem.trees.sweep import hashed_keys


def write_trajectory(couplings: list[Path], levels: int, band: Sequence[int], target: Path) -> None:
    """Write how a run went (Figure 5): a row per checkpoint kept.

    The CSV's columns: `epoch`, `sparsity` (%), `accuracy` (%) and `entropy` (Eq. 9, bits) at K, `keys` of
    all classes, `levels` (K), and `band_entropy`, the mean of the entropies at every K of the band (bits).

    Raises:
        RemError: there is no checkpoint's file.
    """
    if not couplings:
        raise RemError(f"there are no couplings for {target}; run the command that makes them again.")
    rows = []
    for path in couplings:
        with open_hdf5(path) as file:
            run = run_of(file)
            predicted, cells = file["predicted"][:], file.attrs["cells"]
            trees = parse_trees(file["couplings"], predicted, run.data.classes, levels, cells)
            members = [np.flatnonzero(predicted == label) for label in range(run.data.classes)]
            at_band, _ = hashed_keys(file["couplings"], band, run.data.classes, cells)
            counts = [one.trees.counts for one in trees]
            rows.append(
                {
                    "epoch": file.attrs["epoch"],
                    "sparsity": 100 * json.loads(file.attrs["sparsity"])["all"],
                    "accuracy": file["sweep/accuracy"][file["sweep/levels"][:] == levels].item(),
                    "entropy": entropy.mean_entropy([entropy.entropy(own) for own in counts]),
                    "keys": sum(map(len, counts)),
                    "levels": levels,
                    "band_entropy": float(np.mean([entropy.words_entropy(words, members) for words in at_band])),
                }
            )
    with whole(target) as partial:
        pd.DataFrame(rows).sort_values("epoch").to_csv(partial, index=False)

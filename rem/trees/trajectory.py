"""How a pruned run went, epoch by epoch (Figure 5)."""

import json
from pathlib import Path

import pandas as pd

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import run_of
from rem.trees import entropy
from rem.trees.dictionaries import parse_trees


def write_trajectory(couplings: list[Path], levels: int, target: Path) -> None:
    """Write how a run went (Figure 5): a row per checkpoint kept.

    The CSV's columns: `epoch`, `sparsity` (%), `accuracy` (%) and `entropy` (Eq. 9, bits) at K, `keys` of
    all classes, `levels` (K).

    Raises:
        RemError: there is no checkpoint's file.
    """
    if not couplings:
        raise RemError(f"there are no couplings for {target}; run the command that makes them again.")
    rows = []
    for path in couplings:
        with open_hdf5(path) as file:
            run = run_of(file)
            cells = file.attrs["cells"]
            trees = parse_trees(file["couplings"], file["predicted"][:], run.data.classes, levels, cells)
            counts = [one.trees.counts for one in trees]
            rows.append(
                {
                    "epoch": file.attrs["epoch"],
                    "sparsity": 100 * json.loads(file.attrs["sparsity"])["all"],
                    "accuracy": file["sweep/accuracy"][file["sweep/levels"][:] == levels].item(),
                    "entropy": entropy.mean_entropy([entropy.entropy(own) for own in counts]),
                    "keys": sum(map(len, counts)),
                    "levels": levels,
                }
            )
    with whole(target) as partial:
        pd.DataFrame(rows).sort_values("epoch").to_csv(partial, index=False)

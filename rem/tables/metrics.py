"""One tidy table of everything that was measured."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import row_of
from rem.tables.measurements import COLUMNS


def write_metrics(couplings: list[Path], entropies: list[Path], levels: list[Path], target: Path) -> None:
    """Gather `metrics.csv`: columns dataset, variant, seed, checkpoint, split, levels, class, metric, value.

    `levels` is K, empty where nothing is quantized; `class` is empty for the whole split. Accuracies
    and sparsities are in %, entropies in bits. `dose` is the sum of lambda over the optimiser's steps; `cells` of a
    dataset is 1 where its quantizer has cells (`rem.trees.quantizer`), else 0. A class's entropies are Eq. 8, the
    whole split's are Eq. 9; the metrics of the CSVs of `rem entropy` are their columns
    (`rem.trees.dictionaries.write_entropies`).

    Args:
        couplings: files of `rem couplings`.
        entropies: CSVs of `rem entropy`.
        levels: CSVs of `rem choose-levels`.
        target: the CSV.

    Raises:
        RemError: a file is missing, unreadable or incomplete.
    """
    readers = ((_couplings, couplings), (_levels, levels), (_entropies, entropies))
    rows = [row for read, paths in readers for path in paths for row in read(path)]
    with whole(target) as partial:
        table = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(("seed", "levels", "class"), "Int64"))
        table.to_csv(partial, index=False)


def _couplings(path: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(path) as file:
        where = row_of(file)
        yield where | {"metric": "accuracy", "value": file.attrs["accuracy"]}
        yield where | {"metric": "loss", "value": file.attrs["loss"]}
        yield where | {"metric": "strongest_coupling", "value": file["strongest"][:].astype(float).mean()}
        yield where | {"metric": "near_uniform_share", "value": file.attrs["near_uniform_share"]}
        for name in ("accuracy", "loss"):
            for level, value in zip(file["sweep/levels"][:], file[f"sweep/{name}"][:], strict=True):
                yield where | {"levels": level, "metric": name, "value": value}
        if where["split"] == "test":  # what follows is the network's, whatever the split
            network = {name: value for name, value in where.items() if name != "split"}
            epoch = file.attrs["epoch"]
            yield network | {"metric": "epoch", "value": epoch}
            if epoch:  # else an imported network, whose training nobody has seen
                yield network | {"metric": "dose", "value": file.attrs["dose"]}
            for name, share in json.loads(file.attrs["sparsity"]).items():
                metric = "sparsity" if name == "all" else f"sparsity_{name}"
                yield network | {"metric": metric, "value": 100 * share}


def _levels(path: Path) -> Iterator[dict[str, object]]:
    frame = read_csv(path, [*COLUMNS[:4], "levels", "lowest", "shared", "authors", "cells"])
    for row in frame[frame["lowest"]].to_dict("records"):
        where = {key: row[key] for key in ("dataset", "variant", "seed", "checkpoint")}
        yield where | {"split": "val", "metric": "lowest_levels", "value": row["levels"]}
    for name in ("shared", "authors"):
        row = frame[frame[name]].iloc[0]
        yield {"dataset": row["dataset"], "split": "val", "metric": f"{name}_levels", "value": row["levels"]}
    yield {"dataset": row["dataset"], "split": "val", "metric": "cells", "value": int(row["cells"])}


def _entropies(path: Path) -> list[dict[str, object]]:
    where = COLUMNS[:-2]
    return read_csv(path, where).melt(where, var_name="metric").to_dict("records")

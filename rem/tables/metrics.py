"""One tidy table of everything that was measured."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import row_of
from rem.tables.measurements import COLUMNS, INTEGERS
from rem.trees.layers import read_layers

LEVELS = [*COLUMNS[:4], "levels", "lowest", "shared", "authors", "band", "cells"]
SWEPT = ["entropy", "entropy_ceiling", "entropy_chao_shen", "keys", "uniform_share"]


def write_metrics(
    couplings: list[Path], entropies: list[Path], sweeps: list[Path], levels: list[Path], target: Path
) -> None:
    """Gather `metrics.csv`: columns dataset, variant, seed, checkpoint, split, layer, levels, class, metric, value.

    `layer` is a routed layer of a network, empty where a row is of no network: 1 is that of the class capsules, and has
    all that is measured of the network as a whole too; 2 is the one below it, of which there are couplings and keys
    (`rem.trees.dictionaries`). `levels` is K, empty where nothing is quantized: K is chosen for the quantizer of layer
    1 and serves all. `class` is empty for the whole split. Accuracies
    and sparsities are in %, entropies in bits. `dose` is the sum of lambda over the optimiser's steps; `cells` of a
    dataset is 1 where its quantizer has cells (`rem.trees.quantizer`), else 0. A class's entropies are Eq. 8, the
    whole split's are Eq. 9; the metrics of the CSVs of `rem entropy` are their columns
    (`rem.trees.dictionaries.write_entropies`), and blank where these are. At every further K of a dataset's band there
    are those of `rem sweep`; `band_entropy` and `band_keys` are means over the band.

    Args:
        couplings: files of `rem couplings`.
        entropies: CSVs of `rem entropy`.
        sweeps: CSVs of `rem sweep`.
        levels: CSVs of `rem choose-levels`.
        target: the CSV.

    Raises:
        RemError: a file is missing, unreadable or incomplete.
    """
    chosen = pd.concat([read_csv(path, LEVELS) for path in levels])
    readers = ((_couplings, couplings), (_levels, levels), (_entropies, entropies), (_sweeps(chosen), sweeps))
    rows = [row for read, paths in readers for path in paths for row in read(path)]
    with whole(target) as partial:
        table = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(INTEGERS, "Int64"))
        table.to_csv(partial, index=False)


def _couplings(path: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(path) as file:
        where = row_of(file) | {"layer": 1}
        yield where | {"metric": "accuracy", "value": file.attrs["accuracy"]}
        yield where | {"metric": "loss", "value": file.attrs["loss"]}
        for layer in read_layers(file):
            at_layer = where | {"layer": layer.number}
            yield at_layer | {"metric": "strongest_coupling", "value": layer.strongest.astype(float).mean()}
            yield at_layer | {"metric": "near_uniform_share", "value": layer.near_uniform_share}
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
    frame = read_csv(path, LEVELS)
    for row in frame[frame["lowest"]].to_dict("records"):
        where = {key: row[key] for key in ("dataset", "variant", "seed", "checkpoint")}
        yield where | {"split": "val", "layer": 1, "metric": "lowest_levels", "value": row["levels"]}
    for name in ("shared", "authors"):
        row = frame[frame[name]].iloc[0]
        yield {"dataset": row["dataset"], "split": "val", "metric": f"{name}_levels", "value": row["levels"]}
    yield {"dataset": row["dataset"], "split": "val", "metric": "cells", "value": int(row["cells"])}
    for level in sorted(set(frame.loc[frame["band"], "levels"])):
        dataset = frame["dataset"].iloc[0]
        yield {"dataset": dataset, "split": "val", "levels": level, "metric": "band", "value": level}


def _sweeps(chosen: pd.DataFrame) -> Callable[[Path], Iterator[dict[str, object]]]:
    """What reads a sweep, given the rows of all `levels.csv`."""
    bands = chosen[chosen["band"]].groupby("dataset")["levels"].agg(set)
    reported = chosen[chosen["shared"] | chosen["authors"]].groupby("dataset")["levels"].agg(set)

    def read(path: Path) -> Iterator[dict[str, object]]:
        frame = read_csv(path, [*COLUMNS[:7], *SWEPT])
        for where, own in frame.groupby(COLUMNS[:6], sort=False):
            network = dict(zip(COLUMNS[:6], where, strict=True))
            band = own[own["levels"].isin(bands[network["dataset"]])]
            for metric in ("entropy", "keys"):
                yield network | {"metric": f"band_{metric}", "value": band[metric].mean()}
            further = band[~band["levels"].isin(reported[network["dataset"]])]  # `rem entropy` has those
            yield from further[[*COLUMNS[:7], *SWEPT]].melt(COLUMNS[:7], var_name="metric").to_dict("records")

    return read


def _entropies(path: Path) -> list[dict[str, object]]:
    where = COLUMNS[:-2]
    return read_csv(path, where).melt(where, var_name="metric").to_dict("records")

"""The search for the quantizer's K: the lowest per network, and the one a dataset's networks share."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pandas as pd

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import row_of, run_of


def choose_levels(couplings: list[Path], tolerance: float, skip_edges: bool, authors: int, target: Path) -> None:
    """Search K on the validation split for all networks of one dataset and write `levels.csv`.

    A row per network and K: `dataset`, `variant`, `seed`, `checkpoint`, `levels` (K), `accuracy` and
    `unquantized` accuracy in %, `loss`; `lowest`: K is this network's lowest that keeps its accuracy
    within the tolerance (section 3.1); `shared`: K is the largest of the networks' lowest, at
    which their entropies are compared; `authors`: K is that of the authors' runs; `edge_at_uniform`: a
    level edge falls on 1/J, so that keys of undecided capsules flicker; `cells`: the quantizer has cells.

    Args:
        couplings: validation couplings, one file a network.
        tolerance: accuracy that quantization may cost, in standard errors sqrt(a (1 - a) / n) of the
            unquantized accuracy a on n images: 1 is the one-standard-error rule, 0 allows no loss.
        skip_edges: whether a K with `edge_at_uniform` is passed over.
        authors: K of the authors' runs, at which everything is reported too.
        target: the CSV.

    Raises:
        RemError: no K is good enough for some network, or the authors' K was not searched.
    """
    frames = [_network(path, tolerance, skip_edges) for path in couplings]
    table = pd.concat(frames, ignore_index=True)
    table["shared"] = table["levels"] == table.loc[table["lowest"], "levels"].max()
    table["authors"] = table["levels"] == authors
    if not table["authors"].any():
        raise RemError(
            f"the authors' K {authors} is above the largest K searched, {table['levels'].max()}; raise that."
        )
    with whole(target) as partial:
        table.to_csv(partial, index=False)


def shared_levels(table: Path) -> int:
    """The shared K of a `levels.csv`; raises RemError as `rem.files.csv.read_csv`."""
    frame = read_csv(table, ["levels", "shared"])
    return int(frame.loc[frame["shared"], "levels"].iloc[0])


def reported_levels(table: Path) -> list[int]:
    """The shared K and the authors' one of a `levels.csv`, ascending; raises RemError as `shared_levels`."""
    frame = read_csv(table, ["levels", "shared", "authors"])
    return sorted(frame.loc[frame["shared"] | frame["authors"], "levels"].unique().tolist())


def _network(path: Path, tolerance: float, skip_edges: bool) -> pd.DataFrame:
    with open_hdf5(path) as file:
        run, where = run_of(file), row_of(file)
        unquantized = float(file.attrs["accuracy"])
        levels, accuracy, loss = (file[f"sweep/{name}"][:] for name in ("levels", "accuracy", "loss"))
        images = len(file["predicted"])
        cells = bool(file.attrs["cells"])
    edges = [edge_at_uniform(level, run.data.classes, cells) for level in levels.tolist()]
    accuracies = zip(levels.tolist(), accuracy.tolist(), edges, strict=True)
    usable = {level: percent for level, percent, edge in accuracies if not (edge and skip_edges)}
    standard_error = (unquantized * (100 - unquantized) / images) ** 0.5  # in points
    lowest = lowest_levels(usable, unquantized, tolerance * standard_error)
    return pd.DataFrame(
        {
            **{name: where[name] for name in ("dataset", "variant", "seed", "checkpoint")},
            "levels": levels,
            "accuracy": accuracy,
            "unquantized": unquantized,
            "loss": loss,
            "lowest": levels == lowest,
            "edge_at_uniform": edges,
            "cells": cells,
        }
    )


def lowest_levels(accuracies: Mapping[int, float], unquantized: float, tolerance: float) -> int:
    """The lowest K such that the accuracy is not deteriorated (section 3.1).

    Args:
        accuracies: accuracy in % at each K.
        unquantized: accuracy in % without quantization.
        tolerance: points of accuracy that quantization may cost.

    Raises:
        RemError: no K is good enough.
    """
    allowed = tolerance + 1e-9  # a loss of just the tolerance is allowed, however it is rounded
    good = [levels for levels, accuracy in accuracies.items() if unquantized - accuracy <= allowed]
    if not good:
        raise RemError(
            f"no K from {min(accuracies)} to {max(accuracies)} keeps the validation accuracy of {unquantized:.2f}% "
            f"within {tolerance:.2f} points; raise quantizer.maximum or quantizer.tolerance."
        )
    return min(good)


def edge_at_uniform(levels: int, classes: int, cells: bool = False) -> bool:
    """Whether a level edge falls exactly on 1 / J: (k + 1/2) / (K - 1), or k / K between `cells`.

    There the keys of undecided capsules, whose couplings are all close to 1/J, flicker.
    """
    if cells:
        return levels % classes == 0
    return Fraction(levels - 1, classes) % 1 == Fraction(1, 2)

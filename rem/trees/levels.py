"""The search for the quantizer's K: the lowest per network, and the one a dataset's networks share."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import row_of, run_of


def choose_levels(couplings: list[Path], tolerance: float, skip_edges: bool, authors: int, target: Path) -> None:
    """Search K on the validation split for all networks of one dataset and write `levels.csv`.

    A row per network and K: `dataset`, `variant`, `seed`, `checkpoint`, `levels` (K), `accuracy` and
    `unquantized` accuracy in %, `loss`, `lost` and `gained` images; `holds`: K keeps this network's accuracy; `lowest`:
    K is the lowest that does (section 3.1); `shared`: K is the largest of the networks' lowest, at which their
    entropies are compared; `band`: K keeps the accuracy of all networks; `authors`: K is that of the authors' runs;
    `edge_distance`: from 1/J to the nearest level edge; `edge_at_uniform`: none, so that keys of undecided capsules
    flicker; `cells`: the quantizer has cells.

    Args:
        couplings: validation couplings, one file a network.
        tolerance: accuracy that quantization may cost, in standard errors of the difference on the same images
            (`keeps_accuracy`): 1 is the one-standard-error rule, 0 allows no loss.
        skip_edges: whether a K with `edge_at_uniform` is passed over.
        authors: K of the authors' runs, at which everything is reported too.
        target: the CSV.

    Raises:
        RemError: no K is good enough for some network, or for all, or the authors' K was not searched.
    """
    frames = [_network(path, tolerance, skip_edges) for path in couplings]
    table = pd.concat(frames, ignore_index=True)
    table["shared"] = table["levels"] == table.loc[table["lowest"], "levels"].max()
    table["band"] = table.groupby("levels")["holds"].transform("all")
    if not table["band"].any():
        raise RemError(
            f"no K up to {table['levels'].max()} keeps the validation accuracy of all networks of "
            f"{table['dataset'].iloc[0]}; raise quantizer.maximum or quantizer.tolerance."
        )
    table["authors"] = table["levels"] == authors
    if not table["authors"].any():
        raise RemError(
            f"the authors' K {authors} is above the largest K searched, {table['levels'].max()}; raise that."
        )
    with whole(target) as partial:
        table.to_csv(partial, index=False)


def read_levels(tables: Sequence[Path], columns: Sequence[str], datasets: Iterable[str]) -> pd.DataFrame:
    """The rows of the `levels.csv` of several datasets, all in one.

    Raises:
        RemError: a file cannot be read or lacks one of the columns, or one of `datasets` has no shared K in any.
    """
    chosen = pd.concat([read_csv(path, columns) for path in tables], ignore_index=True)
    for dataset in datasets:
        if not chosen.loc[chosen["dataset"] == dataset, "shared"].any():
            raise RemError(f"none of {', '.join(map(str, tables))} has a shared K of {dataset}; give its file.")
    return chosen


def shared_levels(table: Path) -> int:
    """The shared K of a `levels.csv`; raises RemError as `rem.files.csv.read_csv`."""
    return _marked(table, "shared")


def authors_levels(table: Path) -> int:
    """The authors' K of a `levels.csv`; raises RemError as `shared_levels`."""
    return _marked(table, "authors")


def _marked(table: Path, column: str) -> int:
    frame = read_csv(table, ["levels", column])
    return int(frame.loc[frame[column], "levels"].iloc[0])


def reported_levels(table: Path) -> list[int]:
    """The shared K and the authors' one of a `levels.csv`, ascending; raises RemError as `shared_levels`."""
    frame = read_csv(table, ["levels", "shared", "authors"])
    return sorted(frame.loc[frame["shared"] | frame["authors"], "levels"].unique().tolist())


def has_cells(table: Path) -> bool:
    """Whether the quantizer of a `levels.csv`'s dataset has cells; raises RemError as `shared_levels`."""
    return bool(read_csv(table, ["cells"])["cells"].any())


def band(table: Path) -> list[int]:
    """Every K of a `levels.csv` that keeps the accuracy of all its networks, ascending; raises as `shared_levels`."""
    frame = read_csv(table, ["levels", "band"])
    return sorted(frame.loc[frame["band"], "levels"].unique().tolist())


def _network(path: Path, tolerance: float, skip_edges: bool) -> pd.DataFrame:
    with open_hdf5(path) as file:
        run, where = run_of(file), row_of(file)
        unquantized = float(file.attrs["accuracy"])
        sweep = {name: file[f"sweep/{name}"][:] for name in ("levels", "accuracy", "loss", "lost", "gained")}
        cells = bool(file.attrs["cells"])
    distances = [edge_distance(level, run.data.classes, cells) for level in sweep["levels"].tolist()]
    table = pd.DataFrame({name: where[name] for name in ("dataset", "variant", "seed", "checkpoint")} | sweep)
    table.insert(table.columns.get_loc("loss"), "unquantized", unquantized)
    table["edge_distance"] = [float(distance) for distance in distances]
    table["edge_at_uniform"] = [distance == 0 for distance in distances]
    table["cells"] = cells
    keeps = [keeps_accuracy(*images, tolerance) for images in zip(table["lost"], table["gained"], strict=True)]
    table["holds"] = np.array(keeps) & ~(table["edge_at_uniform"] & skip_edges)
    if not table["holds"].any():
        raise RemError(
            f"no K up to {table['levels'].max()} keeps the validation accuracy of {where['dataset']}, "
            f"{where['variant']}, seed {where['seed']} within {tolerance:g} standard errors; raise quantizer.maximum "
            "or quantizer.tolerance."
        )
    table["lowest"] = table["levels"] == table.loc[table["holds"], "levels"].min()
    return table


def keeps_accuracy(lost: int, gained: int, tolerance: float) -> bool:
    """Whether the accuracy is not deteriorated (section 3.1), by the images that a quantizer changes.

    The same images are classified with and without it, so the difference is that of the images `lost` and `gained`,
    and its standard error, if neither were likelier, the root of their sum: McNemar's statistic.

    Args:
        lost: images that are right without quantization alone.
        gained: images that are right with it alone.
        tolerance: standard errors of which so many more may be lost than gained.
    """
    return lost - gained <= tolerance * (lost + gained) ** 0.5


def edge_distance(levels: int, classes: int, cells: bool = False) -> Fraction:
    """delta_K: from 1 / J to the nearest level edge, (k + 1/2) / (K - 1), or k / K between `cells`.

    Where it is small, tiny differences put a coupling of about 1/J on one side or the other, and keys vary.
    """
    steps, first = (levels, Fraction(0)) if cells else (levels - 1, Fraction(1, 2))  # of the edges, over their number
    place = Fraction(steps, classes) - first
    return abs(place - max(round(place), int(cells))) / steps

"""The search for the quantizer's K: the lowest per network, and the one a dataset's networks share."""

from pathlib import Path

import pandas as pd

from rem.files import RemError, open_hdf5, whole
from rem.provenance import origin
from rem.quantize import edge_at_uniform, lowest_levels
from rem.results import read_table


def choose_levels(couplings: list[Path], tolerance: float, skip_edges: bool, published: int, target: Path) -> None:
    """Search K on the validation split for all networks of one dataset and write `levels.csv`.

    A row per network and K: `dataset`, `variant`, `seed`, `checkpoint`, `levels` (K), `accuracy` and
    `unquantized` accuracy in %, `loss`; `lowest`: K is this network's lowest that keeps its accuracy
    within the tolerance (section 3.1); `shared`: K is the largest of the networks' lowest, at
    which their entropies are compared; `published`: K is that of the authors' runs; `edge_at_uniform`: a
    level edge falls on 1/J, so that keys of undecided capsules flicker.

    Args:
        couplings: validation couplings, one file a network.
        tolerance: accuracy that quantization may cost, in standard errors sqrt(a (1 - a) / n) of the
            unquantized accuracy a on n images: 1 is the one-standard-error rule, 0 allows no loss.
        skip_edges: whether a K with `edge_at_uniform` is passed over.
        published: K of the authors' runs, at which everything is reported too.
        target: the CSV.

    Raises:
        RemError: no K is good enough for some network, or the published K was not searched.
    """
    frames = [_network(path, tolerance, skip_edges) for path in couplings]
    table = pd.concat(frames, ignore_index=True)
    table["shared"] = table["levels"] == table.loc[table["lowest"], "levels"].max()
    table["published"] = table["levels"] == published
    if not table["published"].any():
        raise RemError(
            f"the published K {published} is above the largest K searched, {table['levels'].max()}; raise that."
        )
    with whole(target) as partial:
        table.to_csv(partial, index=False)


def shared_levels(table: Path) -> int:
    """The shared K of a `levels.csv`; raises RemError as `rem.results.read_table`."""
    frame = read_table(table, ["levels", "shared"])
    return int(frame.loc[frame["shared"], "levels"].iloc[0])


def reported_levels(table: Path) -> list[int]:
    """The shared K and the published one of a `levels.csv`, ascending; raises RemError as `shared_levels`."""
    frame = read_table(table, ["levels", "shared", "published"])
    return sorted(frame.loc[frame["shared"] | frame["published"], "levels"].unique().tolist())


def _network(path: Path, tolerance: float, skip_edges: bool) -> pd.DataFrame:
    with open_hdf5(path) as file:
        run, where = origin(file)
        unquantized = float(file.attrs["accuracy"])
        levels, accuracy, loss = (file[f"levels/{name}"][:] for name in ("K", "accuracy", "loss"))
        images = len(file["predicted"])
    edges = [edge_at_uniform(level, run.data.classes) for level in levels.tolist()]
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
        }
    )

"""One tidy table of everything that was measured."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from rem.files import open_hdf5, whole
from rem.results import COLUMNS
from rem.settings import Run


def write_metrics(couplings: list[Path], entropies: list[Path], levels: list[Path], target: Path) -> None:
    """Gather `metrics.csv`: columns dataset, variant, seed, checkpoint, split, levels, class, metric, value.

    `levels` is K, empty where nothing is quantized; `class` is empty for the whole split. Accuracies
    and sparsities are in %, entropies in bits. A class's entropies are Eq. 8, the whole split's are
    Eq. 9 (the mean over classes); `keys` and `images` of the whole split are sums over classes.

    Args:
        couplings: files of `rem couplings`.
        entropies: CSVs of `rem entropy`.
        levels: CSVs of `rem levels`.
        target: the CSV.
    """
    rows = [row for read, paths in ((_couplings, couplings), (_levels, levels)) for path in paths for row in read(path)]
    rows += _entropies(pd.concat([pd.read_csv(path) for path in entropies]))
    with whole(target) as partial:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(partial, index=False)


def _couplings(path: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(path) as file:
        run = Run.model_validate_json(file.attrs["run"])
        network = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed}
        network["checkpoint"] = file.attrs["checkpoint"]
        where = network | {"split": file.attrs["split"]}
        yield where | {"metric": "accuracy", "value": file.attrs["accuracy"]}
        yield where | {"metric": "loss", "value": file.attrs["loss"]}
        yield where | {"metric": "strongest_coupling", "value": file["strongest"][:].astype(float).mean()}
        for name in ("accuracy", "loss"):
            for level, value in zip(file["levels/K"][:], file[f"levels/{name}"][:], strict=True):
                yield where | {"levels": level, "metric": name, "value": value}
        if where["split"] == "test":  # what follows is the network's, whatever the split
            yield network | {"metric": "epoch", "value": file.attrs["epoch"]}
            for name, share in json.loads(file.attrs["sparsity"]).items():
                metric = "sparsity" if name == "all" else f"sparsity_{name}"
                yield network | {"metric": metric, "value": 100 * share}


def _levels(path: Path) -> Iterator[dict[str, object]]:
    frame = pd.read_csv(path)
    for row in frame[frame["lowest"]].to_dict("records"):
        where = {key: row[key] for key in ("dataset", "variant", "seed", "checkpoint")}
        yield where | {"split": "val", "metric": "lowest_levels", "value": row["levels"]}
    shared = frame[frame["shared"]].iloc[0]
    yield {"dataset": shared["dataset"], "split": "val", "metric": "shared_levels", "value": shared["levels"]}


def _entropies(frame: pd.DataFrame) -> list[dict[str, object]]:
    keys = ["dataset", "variant", "seed", "checkpoint", "split", "levels"]
    measured = [column for column in frame.columns if column not in [*keys, "class"]]
    split = frame.groupby(keys)[measured].mean()  # Eq. 9 for the entropies
    split[["images", "keys"]] = frame.groupby(keys)[["images", "keys"]].sum()
    by_class = frame.melt([*keys, "class"], measured, "metric")
    return by_class.to_dict("records") + split.reset_index().melt(keys, measured, "metric").to_dict("records")

"""One tidy table of everything that was measured, and the curve that Figure 5 shows."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from rem.files import open_hdf5, whole
from rem.levels import shared_levels
from rem.settings import read_run

COLUMNS = ["dataset", "variant", "seed", "checkpoint", "split", "levels", "class", "metric", "value"]


def write_metrics(runs: list[Path], levels: list[Path], target: Path) -> None:
    """Gather `metrics.csv`: columns dataset, variant, seed, checkpoint, split, levels, class, metric, value.

    `levels` is K, empty where nothing is quantized; `class` is empty for the whole split. Accuracies
    and sparsities are in %, entropies in bits. A class's entropies are Eq. 8, the whole split's are
    Eq. 9 (the mean over classes); `keys` and `images` of the whole split are sums over classes.

    Args:
        runs: folders of runs, with `run.yaml`, `couplings/*.h5` and `entropy.csv`.
        levels: the `levels.csv` of each dataset, in a folder of the dataset's name.
        target: the CSV.
    """
    rows = [row for folder in runs for row in _run_rows(folder)]
    rows += [row for table in levels for row in _level_rows(table)]
    with whole(target) as partial:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(partial, index=False)


def _level_rows(table: Path) -> Iterator[dict[str, object]]:
    dataset = table.parent.name
    frame = pd.read_csv(table)
    for row in frame[frame["lowest"]].itertuples():
        where = {"dataset": dataset, "variant": row.variant, "seed": row.seed, "checkpoint": row.checkpoint}
        yield where | {"split": "val", "metric": "lowest_levels", "value": row.levels}
    yield {"dataset": dataset, "split": "val", "metric": "shared_levels", "value": shared_levels(table)}


def _run_rows(folder: Path) -> Iterator[dict[str, object]]:
    run = read_run(folder / "run.yaml")
    key = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed}
    for path in sorted((folder / "couplings").glob("*.h5")):
        yield from (key | row for row in _coupling_rows(path))
    yield from (key | row for row in _entropy_rows(folder / "entropy.csv"))


def _coupling_rows(path: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(path) as file:
        where = {"checkpoint": file.attrs["checkpoint"], "split": file.attrs["split"]}
        yield where | {"metric": "accuracy", "value": file.attrs["accuracy"]}
        yield where | {"metric": "loss", "value": file.attrs["loss"]}
        yield where | {"metric": "strongest_coupling", "value": file["strongest"][:].astype(float).mean()}
        for name in ("accuracy", "loss"):
            for level, value in zip(file["levels/K"][:], file[f"levels/{name}"][:], strict=True):
                yield where | {"levels": level, "metric": name, "value": value}
        if where["split"] == "test":  # of the network, whatever the split
            network = {"checkpoint": where["checkpoint"]}
            yield network | {"metric": "epoch", "value": file.attrs["epoch"]}
            for name, share in json.loads(file.attrs["sparsity"]).items():
                metric = "sparsity" if name == "all" else f"sparsity_{name}"
                yield network | {"metric": metric, "value": 100 * share}


def _entropy_rows(table: Path) -> Iterator[dict[str, object]]:
    names = {"ceiling": "entropy_ceiling", "miller_madow": "entropy_miller_madow", "chao_shen": "entropy_chao_shen"}
    names |= {"uniform": "uniform_share"}
    frame = pd.read_csv(table).rename(columns=names)
    keys = ["checkpoint", "split", "levels"]
    measured = [column for column in frame.columns if column not in [*keys, "class"]]
    yield from frame.melt([*keys, "class"], measured, "metric").to_dict("records")
    whole_split = frame.groupby(keys)[measured].mean()  # Eq. 9 for the entropies
    whole_split[["images", "keys"]] = frame.groupby(keys)[["images", "keys"]].sum()
    yield from whole_split.reset_index().melt(keys, measured, "metric").to_dict("records")


def write_trajectory(couplings: list[Path], entropies: Path, levels: int, target: Path) -> None:
    """Write how a run went, a row per checkpoint kept: epoch, sparsity (%), accuracy (%), entropy (bits), keys.

    Args:
        couplings: test couplings of the run's checkpoints.
        entropies: the CSV of `rem entropy` for them.
        levels: K, for the accuracy and the entropy.
        target: the CSV.
    """
    frame = pd.read_csv(entropies).query("levels == @levels").groupby("checkpoint")
    entropy, keys = frame["entropy"].mean(), frame["keys"].sum()
    rows = []
    for path in couplings:
        with open_hdf5(path) as file:
            name = file.attrs["checkpoint"]
            accuracy = file["levels/accuracy"][file["levels/K"][:] == levels].item()
            sparsity = 100 * json.loads(file.attrs["sparsity"])["all"]
            row = {"epoch": file.attrs["epoch"], "sparsity": sparsity, "accuracy": accuracy}
            rows.append(row | {"entropy": entropy[name], "keys": keys[name], "levels": levels})
    with whole(target) as partial:
        pd.DataFrame(rows).sort_values("epoch").to_csv(partial, index=False)

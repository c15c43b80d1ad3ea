"""How trainings went, epoch by epoch, unpruned and pruned networks beside each other.

rem course results/laptop/course --trajectories ... --histories ... --runs ...
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rem.errors import RemError
from rem.files.csv import read_csv
from rem.settings.run import read_run
from rem.tables.names import Names
from rem.tables.table import as_text, write_forms

MEASURED = ["epoch", "sparsity", "accuracy", "entropy", "keys", "levels", "authors_accuracy", "authors_entropy"]
MEASURED += ["authors_keys", "authors_levels", "band_entropy"]  # of a trajectory
TRAINED = ["validation_accuracy", "dose", "logit_spread"]  # of a history
NETWORK = ["dataset", "variant", "seed", "pruned"]
COLUMNS = NETWORK + MEASURED + TRAINED
CAPTION = """\
Training, epoch by epoch. Test set; accuracy with couplings quantized, Eq. 9, and keys of all classes, at the K that \
the dataset's networks share and at the authors' K. H: the mean of Eq. 9 over the band of K. Dose: the sum of lambda \
over the optimiser's steps so far. Logit spread: the standard deviation of b_ij - mean_k b_ik in the last iteration of \
the routing, on validation images.\
"""


def write_course(
    trajectories: Sequence[Path], histories: Sequence[Path], run_yamls: Sequence[Path], folder: Path
) -> None:
    """Write `course` (.csv, .md, .tex) into a folder, which is made if it is missing.

    A row a network and epoch that was kept, with `COLUMNS`: sparsity and accuracies in %, entropies in bits.

    Args:
        trajectories: the CSVs of `rem trajectory`, one a run.
        histories: `history.csv` of these runs, in the same order.
        run_yamls: their `run.yaml`, in the same order.
        folder: to write to.

    Raises:
        RemError: a file cannot be read or lacks a column, or there are not as many of each kind.
    """
    if not len(run_yamls) == len(trajectories) == len(histories):
        raise RemError(
            f"{len(run_yamls)} runs, but {len(trajectories)} trajectories and {len(histories)} histories; give one of "
            "each for every run, in the same order."
        )
    runs = [read_run(path) for path in run_yamls]
    courses = []
    for run, trajectory, history in zip(runs, trajectories, histories, strict=True):
        trained = read_csv(history, ["epoch", *TRAINED])[["epoch", *TRAINED]]
        course = read_csv(trajectory, MEASURED)[MEASURED].merge(trained, on="epoch", validate="one_to_one")
        network = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed, "pruned": run.pruning is not None}
        courses.append(course.assign(**network))
    table = pd.concat(courses, ignore_index=True)[COLUMNS]
    write_forms(folder / "course", table, CAPTION, _readable(table, Names(runs)))


def read_course(path: Path) -> pd.DataFrame:
    """The CSV of `write_course`; raises RemError if it cannot be read or lacks a column."""
    return read_csv(path, COLUMNS)


def _readable(table: pd.DataFrame, names: Names) -> pd.DataFrame:
    def at(levels: str, prefix: str = "") -> dict[str, pd.Series]:
        return {
            f"{levels} K": as_text(table[f"{prefix}levels"], "d"),
            f"accuracy, {levels} K (%)": as_text(table[f"{prefix}accuracy"]),
            f"entropy, {levels} K (bits)": as_text(table[f"{prefix}entropy"]),
            f"keys, {levels} K": as_text(table[f"{prefix}keys"], ",.0f"),
        }

    return pd.DataFrame(
        {
            "Dataset": table["dataset"].map(names.dataset),
            "Network": table["variant"].map(names.model),
            "Seed": as_text(table["seed"], "d"),
            "Epoch": as_text(table["epoch"], "d"),
            "Sparsity (%)": as_text(table["sparsity"]),
            "Dose": as_text(table["dose"]),
            "Logit spread": as_text(table["logit_spread"], ".3f"),
            **at("authors'", "authors_"),
            **at("shared"),
            "H, band (bits)": as_text(table["band_entropy"]),
        }
    )

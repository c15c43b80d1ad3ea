"""Does a run reproduce another one? The numbers that tables show, held against published ones.

The rule, for the values of one quantity over the seeds of either run:

    `same`: the runs have seeds in common, and these have the same value, to the last digit;
    `agrees`: else, where the means differ by less than one in the last digit that is told of them, or where Welch's
        test, corrected for all quantities that are compared (Holm), finds no difference at 5 %;
    `differs`: where it finds one, or where neither run has a spread;
    `not decidable`: one seed has no spread to measure a difference by;
    `missing`: the run has no such number, or not of every seed.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from rem.errors import RemError
from rem.tables.measurements import UNQUANTIZED, Results, read_metrics
from rem.tables.quantities import METRICS
from rem.tables.statistics import holm, welch

SHOWN = ("accuracy", "sparsity", "dose", "entropy", "keys", "band_entropy", "band_keys", "strongest_coupling")
SHOWN += ("near_uniform_share", "sparsity_class_blocks")
PLACE = ["dataset", "variant", "checkpoint", "split", "levels", "metric"]
CHOSEN = ("shared_levels", "authors_levels")  # of a dataset: the K that the run chose
LEVEL = 0.05
SAME, AGREES, DIFFERS, OPEN, MISSING = "same", "agrees", "differs", "not decidable", "missing"


def published(metrics: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The rows of a `metrics.csv` that tables show: of whole sets, at the reported K and the shown checkpoints.

    Args:
        metrics: of `rem.read_metrics`.
        results: the same measurements of the selected runs.
    """
    shown = {(run.dataset, run.variant, run.seed, run.checkpoint) for run in results.runs}
    reported = {(dataset, K) for dataset in results.datasets for K in (*results.reported(dataset), UNQUANTIZED)}
    table = metrics[metrics["class"].isna() & metrics["dataset"].isin(results.datasets)]
    of_runs = table["metric"].isin(SHOWN) & (table["split"] != "val")
    of_runs &= _among(table[["dataset", "variant", "seed", "checkpoint"]], shown)
    of_runs &= _among(table[["dataset", "levels"]].fillna({"levels": UNQUANTIZED}), reported)
    return table[of_runs | table["metric"].isin(CHOSEN)]


def _among(rows: pd.DataFrame, chosen: set[tuple[object, ...]]) -> pd.Series:
    return pd.Series([row in chosen for row in rows.itertuples(index=False, name=None)], index=rows.index)


def compare(theirs: Path, own: Path) -> pd.DataFrame:
    """Hold a run's `metrics.csv` against a published one, by the rule of this module.

    Args:
        theirs: the published folder.
        own: the folder of the run, `results/<name>`, or of the experiment, `results/<name>/<experiment>`.

    Returns:
        A row a quantity: `PLACE`, `published` and `published_std` (over seeds), `published_seeds`, `own`, `own_std`,
        `own_seeds`, `verdict`.

    Raises:
        RemError: a folder or its `metrics.csv` is not there, or the published one has nothing that could be held
            against.
    """
    if missing := [folder for folder in (theirs, own) if not folder.is_dir()]:
        raise RemError(f"{missing[0]} is not there; name a folder of rem publish, then results/<name>.")
    sides = [_by_place(folder / "metrics.csv") for folder in (theirs, own)]
    if not sides[0]:
        raise RemError(f"{theirs / 'metrics.csv'} has no quantity that tables show; publish the folder again.")
    rows, p = [], []
    for place, values in sides[0].items():
        mine = sides[1].get(place, pd.Series(dtype=float))
        rows.append(
            dict(zip(PLACE, place, strict=True))
            | {"published": values.mean(), "published_std": values.std(), "published_seeds": len(values)}
            | {"own": mine.mean(), "own_std": mine.std(), "own_seeds": len(mine)}
        )
        common = values.index.intersection(mine.index)
        if mine.empty:
            verdict = MISSING
        elif len(common) and values[common].equals(mine[common]):
            verdict = SAME
        elif abs(values.mean() - mine.mean()) < _last_digit(rows[-1]["metric"]):
            verdict = AGREES
        elif min(len(values), len(mine)) < 2:
            verdict = OPEN
        else:
            interval, of_welch = welch(mine.to_numpy(), values.to_numpy())
            verdict = None if interval else DIFFERS
            p += [of_welch] if interval else []
        rows[-1]["verdict"] = verdict
    tested = iter(holm(np.array(p)) if p else ())
    for row in rows:
        row["verdict"] = row["verdict"] or (DIFFERS if next(tested) < LEVEL else AGREES)
    return pd.DataFrame(rows)


def _by_place(path: Path) -> dict[tuple[str, ...], pd.Series]:
    """The values of every quantity that tables show, indexed by seed; without those that are blank for a seed."""
    table = read_metrics(path)
    table = table[table["class"].isna() & table["metric"].isin([*SHOWN, *CHOSEN])]
    table = table.astype({"levels": "string", "seed": "Int64"}).fillna(dict.fromkeys(PLACE, "")).fillna({"seed": 0})
    by_place = {place: rows.set_index("seed")["value"] for place, rows in table.groupby(PLACE, sort=False)}
    return {place: values for place, values in by_place.items() if values.notna().all()}


def _told_to(metric: str) -> str:
    """The format by which a number is told."""
    return METRICS[metric].told if metric in METRICS else ".0f"


def _last_digit(metric: str) -> float:
    """One in the last digit of that."""
    return 10.0 ** -int(_told_to(metric).strip(".f"))


def verdict_told(table: pd.DataFrame) -> str:
    """What was found, for a terminal: a row a quantity, and how many have each verdict."""

    def number(row: dict[str, object], side: str) -> str:
        if not row[f"{side}_seeds"]:
            return "-"
        spec = _told_to(row["metric"])
        spread = row[f"{side}_std"]
        return f"{row[side]:{spec}}" + (f" ± {spread:.2g}" if spread > 0 else "") + f" ({row[f'{side}_seeds']})"

    rows = [
        [*(row[key] for key in PLACE), number(row, "published"), number(row, "own"), row["verdict"]]
        for row in table.to_dict("records")
    ]
    header = [*PLACE[:4], "K", "quantity", "published (seeds)", "yours (seeds)", "verdict"]
    counts = table["verdict"].value_counts()
    summed_up = ", ".join(
        f"{counts[verdict]} {verdict}" for verdict in (SAME, AGREES, DIFFERS, OPEN, MISSING) if verdict in counts
    )
    return f"{tabulate(rows, header, disable_numparse=True)}\nnumbers compared: {summed_up}"


def refuse_what_differs(table: pd.DataFrame) -> None:
    """Nothing, where no number differs and none is missing.

    Raises:
        RemError: else; it names the first.
    """
    for verdict, what in ((DIFFERS, "differs from the published one by more than seeds do"), (MISSING, "is missing")):
        found = table[table["verdict"] == verdict]
        if len(found):
            place = " ".join(str(each) for each in found.iloc[0][PLACE] if each)
            others = f", and {len(found) - 1} more" if len(found) > 1 else ""
            raise RemError(f"{place} {what}{others}.")

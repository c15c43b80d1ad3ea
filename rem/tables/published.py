"""The paper's printed numbers beside ours: `paper_vs_ours.csv` and `.md`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.settings.run import PaperData
from rem.settings.sections import Section, parse, read_yaml
from rem.tables.measurements import Results
from rem.tables.names import PAPERS, TRANSFERRED, Images, with_range, with_spread
from rem.tables.quantities import METRICS

COLUMNS = [
    *("table", "row", "column", "metric", "unit", "dataset", "variant", "class"),
    *("published", "published_spread", "spread_over"),
    *("ours", "statistic", "ours_std", "ours_std_classes", "ours_min", "ours_max", "ours_ceiling", "seeds"),
    "difference",
    *("our_dataset", "our_data", "checkpoint", "split", "levels", "suspect", "note", "reason"),
]
SUSPECT = "(suspect)"  # marks a cell that was probably copied from another
CHECKPOINTS = {"under-trained": "early"}  # the paper's word for an epoch -> ours, where they differ


class Published(Section):
    """One number that the paper prints."""

    table: int = Field(ge=2, le=7, description="The paper's table.")
    row: str
    column: str
    value: float = Field(description="In `unit`.")
    spread: float | None = Field(description="What stands behind +-: in points for an accuracy, else in `unit`.")
    spread_over: Literal["classes", "seeds"] | None
    dataset: PaperData | Literal["affnist"] = Field(description="The test set; of affnist, expanded-mnist trains.")
    variant: Literal["baseline", "rem"]
    quantized: bool
    metric: Literal["accuracy", "sparsity", "entropy", "keys"]
    class_: int | None = Field(alias="class", ge=0, description="The class a number of keys belongs to.")
    epoch: Literal["first", "best", "under-trained"] | None = Field(description="The checkpoint, where one is named.")
    unit: Literal["%", "bits", "keys"]
    suspect: bool = Field(description="Probably copied from another cell by mistake.")
    note: str


def read_published(path: Path) -> list[Published]:
    """The entries of `published.yaml`, in its order.

    Raises:
        RemError: the file is not a list of complete entries.
    """
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise RemError(f"{path} must hold a list of entries.")
    return [parse(Published, entry, f"{path}, entry {number}") for number, entry in enumerate(entries, start=1)]


def compare(entries: list[Published], results: Results) -> pd.DataFrame:
    """Each published number beside the same statistic of our runs on the same images, or a sample of them.

    A quantized model's number gets a row at the dataset's shared K and one at the authors' K. Accuracy and
    entropy are means over seeds, keys and sparsity medians, as in the paper. Its affNIST numbers are those of
    networks trained on expanded MNIST, on our transfer split of that dataset if its source is affNIST.

    Args:
        entries: the paper's numbers.
        results: our measurements.

    Returns:
        One row a number and K. `our_dataset`, `variant`, `checkpoint`, `split`, `levels`, `metric` and `class` are
        the rows of `metrics.csv` whose `statistic` over seeds `ours` is. `ours`, `ours_std` (over seeds),
        `ours_std_classes` (entropies: over classes of the seed-averaged H_j), `ours_min` and `ours_max` (sparsities:
        over seeds), `ours_ceiling` (entropies: mean over
        classes of log2 n; keys: images predicted as the class) and `difference` (ours - published) are NaN where
        this config computes no such number; `reason` says why.
    """
    rows = [row for entry in entries for row in _rows(entry, results)]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(("seeds", "levels", "class"), "Int64"))


def _rows(entry: Published, results: Results) -> list[dict]:
    printed = {
        "table": entry.table,
        "row": entry.row,
        "column": entry.column,
        "metric": entry.metric,
        "unit": entry.unit,
        "dataset": entry.dataset,
        "variant": entry.variant,
        "class": entry.class_,
        "published": entry.value,
        "published_spread": entry.spread,
        "spread_over": entry.spread_over,
        "suspect": entry.suspect,
        "note": entry.note,
    }
    trained_on, split = ("expanded-mnist", "transfer") if entry.dataset == TRANSFERRED else (entry.dataset, "test")
    tested = results.names.transfer if split == "transfer" else results.names.images
    datasets = [each for each in results.datasets if results.names.images(each).are(trained_on)]
    datasets = [each for each in datasets if (images := tested(each)) and images.are(entry.dataset)]
    rows = [
        printed | row
        for dataset in datasets
        if entry.variant in results.variants(dataset)
        for row in _of_dataset(entry, results, dataset, split)
    ]
    return rows or [printed | {"reason": _absence(entry, datasets, [*filter(None, map(tested, results.datasets))])}]


def _absence(entry: Published, datasets: list[str], tested: list[Images]) -> str:
    """Why there is no number: of no run of the datasets it could be of, which may be none, on what is tested here."""
    if datasets:
        return f"variant {entry.variant} is not among this config's runs"
    stand_ins = [images.name for images in tested if images.stand_in and images.paper == entry.dataset]
    if entry.dataset == TRANSFERRED:
        if stand_ins:
            place = f"in the place of {PAPERS[TRANSFERRED]} in Table {entry.table}"
            return f"{stand_ins[0]} stands {place} but is another test set"
        return f"{entry.dataset} is not the transfer set of any of this config's datasets"
    reason = f"{entry.dataset} is not among this config's datasets"
    for name in stand_ins:
        reason += f"; {name} stands in its place in Table {entry.table} but is another dataset"
    return reason


def _of_dataset(entry: Published, results: Results, dataset: str, split: str) -> Iterator[dict[str, object]]:
    checkpoint = CHECKPOINTS.get(entry.epoch, entry.epoch) or results.checkpoint(dataset, entry.variant)
    metric = METRICS[entry.metric]
    at_levels = entry.quantized and metric.sweep
    where = {
        "our_dataset": dataset,
        "our_data": results.names.transfer(dataset).name if split == "transfer" else results.source(dataset),
        "checkpoint": checkpoint,
        "split": split if metric.by_split else None,
    }
    for levels in results.reported(dataset) if at_levels else [None]:
        yield where | _ours(entry, results, dataset, checkpoint, levels, split)


def _ours(
    entry: Published, results: Results, dataset: str, checkpoint: str, levels: int | None, split: str
) -> dict[str, object]:
    def measured(metric: str) -> pd.Series:
        return results.cell(dataset, entry.variant, checkpoint, levels, metric, entry.class_, split=split)

    statistic, bound = METRICS[entry.metric].statistic, METRICS[entry.metric].ceiling
    cell = measured(entry.metric)
    return {
        "ours": cell[statistic],
        "statistic": statistic,
        "ours_std": cell["std"],
        "ours_std_classes": cell["std_classes"] if entry.metric == "entropy" else None,
        "ours_min": cell["min"] if METRICS[entry.metric].ranged else None,
        "ours_max": cell["max"] if METRICS[entry.metric].ranged else None,
        "ours_ceiling": measured(bound)[statistic] if bound else None,
        "seeds": cell["seeds"],
        "difference": cell[statistic] - entry.value,
        "levels": levels,
        "reason": f"not measured at checkpoint {checkpoint}" if pd.isna(cell[statistic]) else "",
    }


def write_comparison(comparison: pd.DataFrame, config_name: str, folder: Path) -> None:
    """Write what `compare` returns to `paper_vs_ours.csv` and, to be read, `paper_vs_ours.md`."""
    with whole(folder / "paper_vs_ours.csv") as path:
        comparison.to_csv(path, index=False, float_format="%.10g")
    with whole(folder / "paper_vs_ours.md") as path:
        path.write_text(_markdown(comparison, config_name), encoding="utf-8")


def _markdown(comparison: pd.DataFrame, config_name: str) -> str:
    tables = [
        table.assign(Published=table["Published"].str.replace(SUSPECT, f"**{SUSPECT}**", regex=False))
        for table in (made(comparison), missing(comparison))
    ]
    compared, absent = (table.to_markdown(index=False, disable_numparse=True) for table in tables)
    data = ", ".join(dict.fromkeys(comparison.loc[comparison["ours"].notna(), "our_data"])) or "none"
    return MARKDOWN.format(name=config_name, data=data, compared=compared, missing=absent)


def read_comparison(path: Path) -> pd.DataFrame:
    """What `compare` returned, from its CSV; raises RemError if that cannot be read or lacks a column."""
    return read_csv(path, COLUMNS).astype(dict.fromkeys(("seeds", "levels", "class"), "Int64"))


def made(comparison: pd.DataFrame) -> pd.DataFrame:
    """The numbers that were computed, as text for people."""
    rows = comparison[comparison["ours"].notna()]
    return _texts(
        rows,
        {
            "K": lambda row: row.levels,
            "Ours": _ours_told,
            "± classes": lambda row: with_spread(row.ours_std_classes, None, ".2f"),
            "Ceiling": lambda row: with_spread(row.ours_ceiling, None, _spec(row)),
            "Seeds": lambda row: row.seeds,
            "Difference": lambda row: f"{row.difference:+{_spec(row)}}",
            "Our data": lambda row: row.our_data,
            "Note": lambda row: row.note,
        },
    )


def _ours_told(row: Any) -> str:
    if METRICS[row.metric].ranged:
        return with_range(row.ours, row.ours_min, row.ours_max, _spec(row))
    return with_spread(row.ours, None if row.statistic == "median" else row.ours_std, _spec(row))


def missing(comparison: pd.DataFrame) -> pd.DataFrame:
    """Those that were not, and why."""
    return _texts(comparison[comparison["ours"].isna()], {"Why": lambda row: row.reason})


def _texts(rows: pd.DataFrame, further: dict[str, Callable[[Any], object]]) -> pd.DataFrame:
    columns = {
        "Table": lambda row: row.table,
        "Row": lambda row: row.row,
        "Column": lambda row: row.column,
        "Unit": lambda row: row.unit,
        "Published": _published,
    }
    texts = [
        ["" if pd.isna(cell := text(row)) else str(cell) for text in (columns | further).values()]
        for row in rows.itertuples(index=False)
    ]
    return pd.DataFrame(texts, columns=[*columns, *further])


def _published(row: Any) -> str:
    over = None if pd.isna(row.spread_over) else row.spread_over
    number = with_spread(row.published, row.published_spread, _spec(row), over)
    return f"{number} {SUSPECT}" if row.suspect else number


def _spec(row: Any) -> str:
    return METRICS[row.metric].spec


MARKDOWN = """# The paper's numbers and ours

Ours were made under config `{name}`, on the data sources {data}, not under the paper's protocol unless that config \
says so: read a difference together with the columns "Our data", "Ceiling" and "Seeds". The ceiling is what the number \
of test images allows at the most: log2 n bits (mean over classes) of entropy, and as many keys as images. K is the \
number of quantization levels: the paper's, and the one our models of the dataset are compared at; none where the \
couplings are not quantized or the number does not depend on it.

Accuracy and entropy are means over seeds, keys and sparsity medians; behind a sparsity stand its least and greatest \
over seeds. Ours ± is the standard deviation over seeds. "± classes" is that over classes of the entropies H_j \
averaged over seeds, which is what the paper prints beside an entropy. Ours divide by n - 1; the authors' code divides \
by n, which makes its own smaller: by the factor 0.89 for five seeds, 0.95 for ten classes. Spreads of accuracies are \
in points; the paper prints most of them as fractions. **(suspect)** marks a cell that was probably copied from \
another by mistake; its note says which.

## Compared

{compared}

## Not computed under this config

{missing}
"""

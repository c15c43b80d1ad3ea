"""A table of results: declared as models (rows) and quantities (columns), written as CSV, Markdown and LaTeX.

Every quantized model has a row at the dataset's shared K and one at the authors' K.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.tables.measurements import Results
from rem.tables.names import Names, with_range
from rem.tables.quantities import METRICS, Metric
from rem.trees.levels import edge_distance


@dataclass(frozen=True)
class Model:
    """Rows: a variant's network, or every one's without a decoder, or with; at its own checkpoint unless one is named.

    `state` stands in parentheses behind the model's name, which `name` replaces.
    """

    variant: str | None = None
    decoder: bool = False
    quantized: bool = True
    checkpoint: str | None = None
    state: str = ""
    name: str = ""


@dataclass(frozen=True)
class Quantity:
    """A column, or one a class: a metric on a split, as `METRICS` describes it, and what is printed beside it.

    Of a class, what bounds the metric from above stands behind a slash. The heading is the metric's name unless given.
    """

    metric: str
    heading: str = ""
    spreads: tuple[Literal["seeds", "classes"], ...] = ()
    per_class: bool = False
    caption: str = ""
    split: Literal["test", "transfer"] = "test"

    @property
    def of(self) -> Metric:
        """What the metric is."""
        return METRICS[self.metric]

    @property
    def column(self) -> str:
        """What the columns of its numbers begin with."""
        return self.metric if self.split == "test" else f"{self.metric}_{self.split}"


@dataclass(frozen=True)
class Table:
    """A table; `datasets` picks its datasets from the results and the main dataset, `needs` says which those are.

    `note` makes the sentences that end its caption.
    """

    stem: str
    heading: str
    title: str
    needs: str
    datasets: Callable[[Results, str], list[str]]
    models: tuple[Model, ...]
    quantities: tuple[Quantity, ...]
    by_dataset: bool = True
    note: Callable[[Results], str] | None = None

    @property
    def headline(self) -> str:
        """What its caption begins with."""
        return f"{self.heading}. {self.title}"


STD = {"seeds": "std", "classes": "std_classes"}
ENDS = ("min", "max")


def numbers(table: Table, results: Results, dataset: str) -> pd.DataFrame:
    """A table as plain numbers, one row a dataset, K and model that was run; `dataset` is the main one.

    Columns: dataset, source, model, variant, checkpoint, levels (empty: not quantized), seeds, then per quantity
    `<metric>_<statistic>`, with `<metric>_std_seeds`, for entropies `<metric>_std_classes` and for sparsities
    `<metric>_min` and `<metric>_max` over seeds; per class
    `<metric>_<class>` with the whole set's as `<metric>_total`. On the transfer split a metric is
    `<metric>_transfer`.
    """
    rows = []
    for each in table.datasets(results, dataset):
        for levels in [None, *results.reported(each)]:
            for model in table.models:
                if model.quantized == (levels is None):
                    continue
                variants = [model.variant] if model.variant else results.variants(each, decoder=model.decoder)
                rows += [_row(table, results, model, each, variant, levels) for variant in variants]
    frame = pd.DataFrame([row for row in rows if row])
    return frame if frame.empty else frame.astype({"levels": "Int64"})


def _row(
    table: Table, results: Results, model: Model, dataset: str, variant: str, levels: int | None
) -> dict[str, object]:
    shown = results.checkpoint(dataset, variant)
    if shown is None:
        return {}
    checkpoint = model.checkpoint or shown
    name = model.name or results.names.model(variant, dataset, model.quantized) + (
        f" ({model.state})" if model.state else ""
    )
    row = {
        "dataset": dataset,
        "source": results.source(dataset),
        "model": name,
        "variant": variant,
        "checkpoint": checkpoint,
        "levels": levels,
        "seeds": len(results.of(dataset, variant)),
    }
    for quantity in table.quantities:
        row |= _columns(quantity, results, (dataset, variant, checkpoint, levels))
    return row


def _columns(quantity: Quantity, results: Results, where: tuple[str, str, str, int | None]) -> dict[str, float]:
    name, statistic, split = quantity.column, quantity.of.statistic, quantity.split
    if quantity.per_class:
        classes = {class_: str(class_) for class_ in results.classes(where[0])} | {None: "total"}
        return {
            f"{metric}_{label}": results.cell(*where, metric, class_, split=split)[statistic]
            for metric in (quantity.metric, quantity.of.ceiling)
            for class_, label in classes.items()
        }
    cell = results.cell(*where, quantity.metric, split=split)
    spreads = {f"{name}_std_{over}": cell[STD[over]] for over in quantity.spreads}
    spreads |= {f"{name}_{end}": cell[end] for end in ENDS if quantity.of.ranged}
    return {f"{name}_{statistic}": cell[statistic]} | spreads


def readable(table: Table, frame: pd.DataFrame, names: Names) -> pd.DataFrame:
    """What `numbers` returns as text for people: "96.81 ± 0.23", blank where there is no number."""
    text = {"Model": frame["model"], "K": frame["levels"].map("{:d}".format, na_action="ignore")}
    if table.by_dataset:
        text = {"Dataset": frame["dataset"].map(names.dataset)} | text
    for quantity in table.quantities:
        text |= _texts(quantity, frame)
    return pd.DataFrame(text).astype(object).fillna("")


def _texts(quantity: Quantity, frame: pd.DataFrame) -> dict[str, list[str]]:
    name, heading = quantity.column, quantity.heading or quantity.of.name[0].upper() + quantity.of.name[1:]

    def printed(column: str, beside: str = "", between: str = "") -> list[str]:
        behind = frame[beside] if beside else [None] * len(frame)
        pairs = zip(frame[column], behind, strict=True)
        return [between.join(f"{number:{quantity.of.spec}}" for number in pair if pd.notna(number)) for pair in pairs]

    if quantity.per_class:
        labels = [column.removeprefix(f"{name}_") for column in frame if column.startswith(f"{name}_")]
        return {heading + label: printed(f"{name}_{label}", f"{quantity.of.ceiling}_{label}", "/") for label in labels}
    value = f"{name}_{quantity.of.statistic}"
    if quantity.of.ranged:
        over_seeds = frame[[value, *(f"{name}_{end}" for end in ENDS)]].itertuples(index=False)
        return {heading: [with_range(*numbers, quantity.of.spec) for numbers in over_seeds]}
    if "seeds" not in quantity.spreads:
        return {heading: printed(value)}
    text = {heading: printed(value, f"{name}_std_seeds", " ± ")}
    if "classes" in quantity.spreads:
        text["± classes"] = printed(f"{name}_std_classes")
    return text


def caption(table: Table, frame: pd.DataFrame, results: Results) -> str:
    """What stands below the headline of a table: on what its numbers were measured, and what they are."""
    sets = "; ".join(
        f"{results.names.dataset(dataset)}, source {results.source(dataset)}, n = {len(results.seeds(dataset))} seeds "
        f"({', '.join(map(str, results.seeds(dataset)))}){_fewer(frame, dataset, results)}, "
        f"shared K = {results.shared[dataset]}, authors' K = {results.authors[dataset]}{_edge(results, dataset)}"
        f"{', the K levels being cells [k/K, (k + 1)/K)' if dataset in results.in_cells else ''}"
        for dataset in frame["dataset"].unique()
    )
    checkpoints = ", ".join(
        f"{model} {' or '.join(dict.fromkeys(rows['checkpoint']))}"
        for model, rows in frame.groupby("model", sort=False)
    )
    statistics = "; ".join(dict.fromkeys(quantity.caption for quantity in table.quantities if quantity.caption))
    note = f" {table.note(results)}".rstrip() if table.note else ""
    return f"Test set of {sets}. Checkpoints: {checkpoints}. {statistics[0].upper()}{statistics[1:]}.{note}"


def _fewer(frame: pd.DataFrame, dataset: str, results: Results) -> str:
    """The models of a dataset that have fewer seeds than it has in all."""
    seeds = frame[frame["dataset"] == dataset].drop_duplicates("model").set_index("model")["seeds"]
    fewer = [f"{model} n = {count}" for model, count in seeds.items() if count < len(results.seeds(dataset))]
    return f", but {', '.join(fewer)}" if fewer else ""


def _edge(results: Results, dataset: str) -> str:
    classes = len(results.classes(dataset))
    flickers = classes and edge_distance(results.authors[dataset], classes, dataset in results.in_cells) == 0
    return " (where a level edge falls on 1/J: keys of undecided capsules flicker)" if flickers else ""


def write_table(table: Table, results: Results, dataset: str, folder: Path) -> None:
    """Write a table as `<stem>.csv` (plain numbers), `.md` and `.tex`; where it has no rows, what it needs.

    Args:
        table: its declaration.
        results: the measurements.
        dataset: the main dataset.
        folder: made if it is missing.
    """
    frame = numbers(table, results, dataset)
    if frame.empty:
        told = f"{table.heading} needs {table.needs.format(dataset=dataset)}, which these runs lack."
        write_forms(folder / table.stem, pd.DataFrame({"note": [told]}), told, pd.DataFrame())
    else:
        told = f"{table.headline}. {caption(table, frame, results)}"
        write_forms(folder / table.stem, frame, told, readable(table, frame, results.names))


def write_forms(stem: Path, frame: pd.DataFrame, told: str, text: pd.DataFrame) -> None:
    """Write `<stem>.csv` (plain numbers), `.md` and `.tex`: a caption, and the numbers as text where there are any.

    Args:
        stem: where to write, without a suffix.
        frame: the numbers.
        told: the caption.
        text: the numbers for people.
    """
    markdown, latex = told, _latex(told)
    if not text.empty:
        markdown = f"{told}\n\n{text.to_markdown(index=False, disable_numparse=True)}"
        latex = (
            text.map(_latex)
            .rename(columns=_latex)
            .to_latex(index=False, escape=False, caption=_latex(told), label=f"tab:{stem.name}")
        )
    csv, *others = (stem.with_name(f"{stem.name}.{kind}") for kind in ("csv", "md", "tex"))  # a stem may have dots
    with whole(csv) as path:
        frame.to_csv(path, index=False, float_format="%.10g")
    for target, content in zip(others, (markdown, latex), strict=True):
        with whole(target) as path:
            path.write_text(content.rstrip() + "\n", encoding="utf-8")


def as_text(numbers: pd.Series, spec: str = ".2f") -> pd.Series:
    """Numbers as a format says; what was not measured is blank."""
    return numbers.map(lambda number: "" if pd.isna(number) else f"{number:{spec}}")


def accuracy_text(table: pd.DataFrame) -> pd.Series:
    """The columns `accuracy` and `accuracy_std` as a mean ± its standard deviation over seeds, where there is one."""
    return as_text(table["accuracy"]) + as_text(table["accuracy_std"]).map(lambda text: text and f" ± {text}")


def gain_text(table: pd.DataFrame, gain: str) -> pd.Series:
    """A column and its interval, the columns `low` and `high`, with signs; blank where there is none."""
    low, high = as_text(table["low"], "+.2f"), as_text(table["high"], "+.2f")
    interval = (" [" + low + ", " + high + "]").where(table["low"].notna(), "")
    return as_text(table[gain], "+.2f") + interval


def read_table(table: Table, path: Path) -> pd.DataFrame:
    """The numbers of a table's CSV, as `numbers` makes them, or a `note` of what it needs.

    Raises:
        RemError: the file cannot be read, or is not of this table.
    """
    frame = read_csv(path, [])
    if "note" in frame:
        return frame
    whole_set = [quantity for quantity in table.quantities if not quantity.per_class]
    columns = [f"{quantity.column}_{quantity.of.statistic}" for quantity in whole_set]
    columns += [f"{quantity.column}_{end}" for quantity in whole_set if quantity.of.ranged for end in ENDS]
    return read_csv(path, ["dataset", "model", "checkpoint", "levels", *columns]).astype({"levels": "Int64"})


def _latex(text: str) -> str:
    for plain, escaped in (("%", r"\%"), ("#", r"\#"), ("_", r"\_"), ("±", r"$\pm$")):
        text = text.replace(plain, escaped)
    return text

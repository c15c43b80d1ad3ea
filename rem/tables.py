"""Tables 2 to 6 as CSV, Markdown and LaTeX, and the comparison with the paper, from `metrics.csv`.

A table is declared as its models (rows) and quantities (columns); every quantized model has a row at the dataset's
shared K and one at the published K.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from rem.files import whole
from rem.published import compare, read_published, write_comparison
from rem.results import UNQUANTIZED, WHOLE, Results, display_name, read_results


@dataclass(frozen=True)
class Model:
    """A row: a variant's network, at its own checkpoint unless one is named, quantized or not."""

    name: str
    variant: str
    quantized: bool = True
    checkpoint: str | None = None


@dataclass(frozen=True)
class Quantity:
    """A column, or one a class: a metric, its statistic over seeds, and how it is printed.

    `bounds` names the metric that bounds this one from above and is printed behind a slash.
    """

    metric: str
    heading: str
    statistic: Literal["mean", "median"]
    spec: str = ".2f"
    spreads: tuple[Literal["seeds", "classes"], ...] = ()
    per_class: bool = False
    bounds: str | None = None
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the paper; `dataset` None: every selected dataset but MNIST."""

    number: int
    title: str
    dataset: str | None
    models: tuple[Model, ...]
    quantities: tuple[Quantity, ...]


EPOCH = Quantity("epoch", "Epoch", "median", spec=".9g", caption="epoch: median over seeds")
ACCURACY = Quantity(
    "accuracy",
    "Accuracy (%)",
    "mean",
    spreads=("seeds",),
    caption="accuracy: mean ± standard deviation over seeds, in points",
)
SPARSITY = Quantity("sparsity", "Sparsity (%)", "median", caption="sparsity: median over seeds")
KEYS = Quantity(
    "keys",
    "#",
    "median",
    spec=".9g",
    per_class=True,
    bounds="images",
    caption="keys of a class / images predicted as it: medians over seeds",
)
ENTROPY = Quantity(
    "entropy",
    "Entropy (bits)",
    "mean",
    spreads=("seeds", "classes"),
    caption="entropy: mean ± standard deviation over seeds of Eq. 9; ± classes: standard deviation over classes of the "
    "H_j averaged over seeds, the spread that the paper prints",
)
CEILING = Quantity(
    "entropy_ceiling", "Ceiling (bits)", "mean", caption="ceiling: the most that n images allow, mean of log2 n"
)
ESTIMATES = (
    Quantity("entropy_miller_madow", "Miller-Madow (bits)", "mean", caption="Miller-Madow, Chao-Shen: less biased"),
    Quantity("entropy_chao_shen", "Chao-Shen (bits)", "mean"),
    Quantity("coverage", "Coverage", "mean", caption="coverage: Good-Turing, the probability that the seen keys hold"),
)
STD = {"seeds": "std", "classes": "std_classes"}

FIRST, BEST = (
    Model("CapsNet_1+Q", "baseline", checkpoint="first"),
    Model("CapsNet_best+Q", "baseline", checkpoint="best"),
)
QUANTIZED = (Model("CapsNet+Q", "baseline"), Model("CapsNet+REM", "rem"))
PLAIN = (Model("CapsNet", "baseline", quantized=False), Model("CapsNet (pruned)", "rem", quantized=False))

TABLES = (
    Table(
        2,
        "Unpruned CapsNets after the first and at the best epoch",
        "mnist",
        (FIRST, BEST),
        (EPOCH, ACCURACY, ENTROPY, CEILING),
    ),
    Table(3, "Dictionary sizes of the unpruned CapsNet", "mnist", (BEST,), (KEYS,)),
    Table(4, "Accuracy and sparsity", "mnist", PLAIN + QUANTIZED, (ACCURACY, SPARSITY)),
    Table(5, "Dictionary sizes and entropy", "mnist", QUANTIZED, (SPARSITY, KEYS, ENTROPY, CEILING, *ESTIMATES)),
    Table(6, "Accuracy, sparsity and entropy", None, QUANTIZED, (ACCURACY, SPARSITY, ENTROPY, CEILING)),
)


def write_tables(
    metrics_csv: str | Path,
    published_yaml: str | Path,
    run_yamls: Sequence[str | Path],
    config_name: str,
    published_levels: int,
    target_folder: str | Path,
) -> None:
    """Write `table2` .. `table6` (.csv, .md, .tex) and `paper_vs_ours` (.csv, .md) into `target_folder`.

    Args:
        metrics_csv: the tidy table that `rem.results` describes.
        published_yaml: the paper's numbers (`rem.published`).
        run_yamls: `run.yaml` of every selected run: they say which datasets, sources, seeds and checkpoints count.
        config_name: named in the comparison.
        published_levels: K of the authors' runs.
        target_folder: made if it is missing.

    Raises:
        RemError: an input is missing, unreadable or incomplete.
    """
    results = read_results(metrics_csv, run_yamls)
    target = Path(target_folder)
    for table in TABLES:
        _write_table(table, results, published_levels, target / f"table{table.number}")
    write_comparison(compare(read_published(published_yaml), results, published_levels), config_name, target)


def numbers(table: Table, results: Results, published_levels: int) -> pd.DataFrame:
    """A table as plain numbers, one row a dataset, K and model.

    Columns: dataset, source, model, checkpoint, levels (empty: not quantized), seeds, then per quantity
    `<metric>_<statistic>`, with `<metric>_std_seeds` and, for entropies, `<metric>_std_classes`; per class
    `<metric>_<class>` with the whole set's as `<metric>_total`.
    """
    rows = []
    for dataset in _datasets(table, results):
        for levels in dict.fromkeys([UNQUANTIZED, results.shared[dataset], published_levels]):
            for model in table.models:
                checkpoint = results.checkpoint(dataset, model.variant)
                if checkpoint is None or model.quantized == (levels == UNQUANTIZED):
                    continue
                where = (dataset, model.variant, model.checkpoint or checkpoint, levels)
                row = {
                    "dataset": dataset,
                    "source": results.source(dataset),
                    "model": model.name,
                    "checkpoint": where[2],
                    "levels": levels if model.quantized else None,
                    "seeds": len(results.seeds(dataset)),
                }
                for quantity in table.quantities:
                    row |= _columns(quantity, results, where)
                rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({"levels": "Int64"}) if rows else frame


def _datasets(table: Table, results: Results) -> list[str]:
    if table.dataset is None:
        return [dataset for dataset in results.datasets if dataset != "mnist"]
    return [dataset for dataset in results.datasets if dataset == table.dataset]


def _columns(quantity: Quantity, results: Results, where: tuple[str, str, str, int]) -> dict[str, float]:
    name, statistic = quantity.metric, quantity.statistic
    if quantity.per_class:
        classes = {class_: str(class_) for class_ in results.classes(where[0])} | {WHOLE: "total"}
        return {
            f"{metric}_{label}": results.cell(*where, metric, class_)[statistic]
            for metric in filter(None, (name, quantity.bounds))
            for class_, label in classes.items()
        }
    cell = results.cell(*where, name)
    spreads = {f"{name}_std_{over}": cell[STD[over]] for over in quantity.spreads}
    return {f"{name}_{statistic}": cell[statistic]} | spreads


def readable(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """What `numbers` returns as text for people: "96.81 ± 0.23", blank where there is no number."""
    text = {"Model": frame["model"], "K": frame["levels"].map("{:d}".format, na_action="ignore")}
    if table.dataset is None:
        text = {"Dataset": frame["dataset"].map(display_name)} | text
    for quantity in table.quantities:
        text |= _texts(quantity, frame)
    return pd.DataFrame(text).astype(object).fillna("")


def _texts(quantity: Quantity, frame: pd.DataFrame) -> dict[str, list[str]]:
    name = quantity.metric

    def printed(column: str, beside: str = "", between: str = "") -> list[str]:
        behind = frame[beside] if beside else [None] * len(frame)
        pairs = zip(frame[column], behind, strict=True)
        return [between.join(f"{number:{quantity.spec}}" for number in pair if pd.notna(number)) for pair in pairs]

    if quantity.per_class:
        labels = [column.removeprefix(f"{name}_") for column in frame if column.startswith(f"{name}_")]
        return {
            quantity.heading + label: printed(f"{name}_{label}", f"{quantity.bounds}_{label}", "/") for label in labels
        }
    value = f"{name}_{quantity.statistic}"
    if "seeds" not in quantity.spreads:
        return {quantity.heading: printed(value)}
    text = {quantity.heading: printed(value, f"{name}_std_seeds", " ± ")}
    if "classes" in quantity.spreads:
        text["± classes"] = printed(f"{name}_std_classes")
    return text


def _caption(table: Table, results: Results, published_levels: int) -> str:
    datasets = _datasets(table, results)
    if not datasets:
        wanted = table.dataset or "any dataset but mnist"
        return f"Table {table.number} needs {wanted}, which is not among the datasets of these runs."
    sets = "; ".join(
        f"{display_name(dataset)}, source {results.source(dataset)}, n = {len(results.seeds(dataset))} seeds "
        f"({', '.join(map(str, results.seeds(dataset)))}), shared K = {results.shared[dataset]}"
        for dataset in datasets
    )
    checkpoints = ", ".join(
        f"{model.name} {model.checkpoint or results.checkpoint(datasets[0], model.variant) or 'not run'}"
        for model in table.models
    )
    statistics = "; ".join(quantity.caption for quantity in table.quantities if quantity.caption)
    return (
        f"Table {table.number}. {table.title}. Test set of {sets}; published K = {published_levels}. "
        f"Checkpoints: {checkpoints}. {statistics[0].upper()}{statistics[1:]}."
    )


def _write_table(table: Table, results: Results, published_levels: int, stem: Path) -> None:
    caption = _caption(table, results, published_levels)
    frame = numbers(table, results, published_levels)
    if frame.empty:
        frame, markdown, latex = pd.DataFrame({"note": [caption]}), caption, _latex(caption)
    else:
        text = readable(table, frame)
        markdown = f"{caption}\n\n{text.to_markdown(index=False, disable_numparse=True)}"
        latex = (
            text.map(_latex)
            .rename(columns=_latex)
            .to_latex(index=False, escape=False, caption=_latex(caption), label=f"tab:{stem.name}")
        )
    with whole(stem.with_suffix(".csv")) as path:
        frame.to_csv(path, index=False, float_format="%.10g")
    for suffix, content in ((".md", markdown), (".tex", latex)):
        with whole(stem.with_suffix(suffix)) as path:
            path.write_text(content.rstrip() + "\n")


def _latex(text: str) -> str:
    for plain, escaped in (("%", r"\%"), ("#", r"\#"), ("_", r"\_"), ("±", r"$\pm$")):
        text = text.replace(plain, escaped)
    return text

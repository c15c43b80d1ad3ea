"""`metrics.csv` read back: the measurements of the selected runs and their statistics over seeds.

A row of `metrics.csv` is one number: dataset, variant, seed, checkpoint, split, layer (1: that of the class capsules;
empty: of no network), levels (the quantizer's K; empty: not quantized), class (empty: the whole set), metric, value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from rem.errors import RemError
from rem.files.csv import NAMES, read_csv
from rem.settings.run import Run, read_run
from rem.tables.names import Names
from rem.tables.quantities import METRICS

COLUMNS = ["dataset", "variant", "seed", "checkpoint", "split", "layer", "levels", "class", "metric", "value"]
INTEGERS = ["seed", "layer", "levels", "class"]

OVER_IMAGES = ["dataset", "split", "variant", "checkpoint", "baseline", "baseline_checkpoint", "levels", "metric"]
OVER_IMAGES += ["difference", "low", "high", "replicates"]  # of the CSVs of `rem resample`

RUN = ["dataset", "variant", "seed"]
CELL = ["dataset", "variant", "checkpoint", "split", "levels", "metric", "class"]
# What stands in `rows` where the file has nothing, for pandas groups and finds no missing values; outside this module
# a missing K or class is None.
UNQUANTIZED, WHOLE, ANY = 0, -1, ""  # in `levels`, in `class`, in `split` and in other names
SPLITS = ("test", "transfer")  # what is reported; the validation split only chooses


@dataclass(frozen=True)
class Results:
    """What was measured on the test set, and on a further one where there is any, for the selected runs.

    Attributes:
        runs: the settings of the selected runs.
        rows: the rows of `metrics.csv` of these runs, of `SPLITS` or no split, empty levels, classes and splits
            as `UNQUANTIZED`, `WHOLE` and `ANY`; of the layer of the class capsules.
        shared: the K at which a dataset's models are compared.
        authors: K of the authors' runs of a dataset.
        images: the rows of the CSVs of `rem resample`, empty levels as `UNQUANTIZED`.
        bands: every K that keeps the accuracy of all networks that choose a dataset's K.
        in_cells: the datasets whose quantizer has cells.
        lower: such rows of each lower layer, by its number.
    """

    runs: Sequence[Run]
    rows: pd.DataFrame
    shared: dict[str, int]
    authors: dict[str, int]
    images: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=OVER_IMAGES))
    bands: dict[str, list[int]] = field(default_factory=dict)
    in_cells: frozenset[str] = frozenset()
    lower: dict[int, pd.DataFrame] = field(default_factory=dict)

    def at_layer(self, layer: int) -> "Results":
        """The same of a lower routed layer, 2 or more: what was measured of it, of networks that have it."""
        return replace(self, rows=self.lower.get(layer, self.rows.iloc[:0]))

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Statistics over seeds, indexed by `CELL`.

        Columns: mean, std (n - 1 in the denominator; NaN with one seed), median, min, max, seeds (their number), and
        for the whole set std_classes: the standard deviation over classes of the values averaged over seeds. What is
        blank for any seed has no row: the other seeds are no fair choice of all.
        """
        groups = self.rows.groupby(CELL)["value"]
        cells = groups.agg(mean="mean", std="std", median="median", min="min", max="max", seeds="count")
        cells = cells[cells["seeds"] == groups.size()]
        means = cells["mean"].drop(index=WHOLE, level="class")
        over_classes = means.groupby(level=CELL[:-1]).std()
        over_classes = pd.concat({WHOLE: over_classes}, names=["class"]).reorder_levels(CELL)
        return cells.assign(std_classes=over_classes.reindex(cells.index)).sort_index()

    def cell(
        self,
        dataset: str,
        variant: str,
        checkpoint: str,
        levels: int | None,
        metric: str,
        class_: int | None = None,
        *,
        split: str = "test",
    ) -> pd.Series:
        """The statistics of one measurement; all NaN where it was not made.

        `levels` is K, None without quantization; `class_` None is the whole set.

        A metric that depends on no K or no split (sparsity, say) is the same at every K and on every split.
        """
        key = (
            dataset,
            variant,
            checkpoint,
            *self._where(metric, split, levels),
            metric,
            WHOLE if class_ is None else class_,
        )
        return self.cells.reindex([key]).iloc[0]

    def over_seeds(
        self, dataset: str, variant: str, checkpoint: str, levels: int | None, metric: str, *, split: str = "test"
    ) -> pd.Series:
        """The whole set's values of a measurement, indexed by seed; empty where it was not made."""
        key = (dataset, variant, checkpoint, *self._where(metric, split, levels), metric, WHOLE)
        return self._by_seed.loc[key] if key in self._by_seed.index else self._by_seed.iloc[:0].droplevel(CELL)

    def over_images(
        self,
        dataset: str,
        network: tuple[str, str],
        against: tuple[str, str],
        levels: int | None,
        metric: str,
        *,
        split: str = "test",
    ) -> tuple[float, float] | None:
        """The 95% interval over images of the mean difference of two networks, each a variant and a checkpoint."""
        key = (dataset, split, *network, *against, levels or UNQUANTIZED, metric)
        return tuple(self._by_pair.loc[key]) if key in self._by_pair.index else None

    @cached_property
    def _by_pair(self) -> pd.DataFrame:
        return self.images.set_index(OVER_IMAGES[:8])[["low", "high"]].sort_index()

    @cached_property
    def _by_seed(self) -> pd.Series:
        return self.rows.set_index([*CELL, "seed"])["value"].sort_index()

    @staticmethod
    def _where(metric: str, split: str, levels: int | None) -> tuple[str, int]:
        """The split and K at which a metric stands in the rows."""
        known = METRICS[metric]
        return split if known.by_split else ANY, levels if levels and known.sweep else UNQUANTIZED

    @property
    def datasets(self) -> list[str]:
        """The selected datasets, in the order of the runs."""
        return list(dict.fromkeys(run.dataset for run in self.runs))

    @cached_property
    def names(self) -> Names:
        """What the datasets and networks are called."""
        return Names(self.runs)

    def of(self, dataset: str, variant: str | None = None) -> list[Run]:
        """The runs of a dataset, or of a variant on it."""
        return [run for run in self.runs if run.dataset == dataset and variant in (None, run.variant)]

    def variants(self, dataset: str, decoder: bool | None = None) -> list[str]:
        """The variants of a dataset, in the order of the runs: all, those with a decoder, or those without."""
        chosen = [run for run in self.of(dataset) if decoder in (None, run.decoder is not None)]
        return list(dict.fromkeys(run.variant for run in chosen))

    def decoders_on(self, dataset: str, network: str) -> list[str]:
        """The variants of a dataset that are one of the paper's two networks, but for a decoder."""
        return list(dict.fromkeys(run.variant for run in self.of(dataset) if run.decoder_on == network))

    def checkpoint(self, dataset: str, variant: str) -> str | None:
        """The checkpoint that tables show of a variant; None if no such run is selected."""
        runs = self.of(dataset, variant)
        return runs[0].checkpoint if runs else None

    def reported(self, dataset: str) -> list[int]:
        """Every K at which the dataset is reported: the shared one and, if it is another, the authors' one."""
        return list(dict.fromkeys([self.shared[dataset], self.authors[dataset]]))

    def source(self, dataset: str) -> str:
        """Where the dataset's images come from, e.g. `mnist-sample`."""
        return self.of(dataset)[0].data.source

    def seeds(self, dataset: str) -> list[int]:
        """The seeds of the dataset's runs."""
        return sorted({run.seed for run in self.of(dataset)})

    def classes(self, dataset: str) -> list[int]:
        """The classes of which anything was measured."""
        found = self.rows.loc[(self.rows["dataset"] == dataset) & (self.rows["class"] != WHOLE), "class"]
        return sorted(found.unique().tolist())


def read_metrics(path: str | Path, layer: int | None = 1) -> pd.DataFrame:
    """A `metrics.csv`, a number a row: names are text, seed, layer, levels and class integers, and empty is NA.

    >>> metrics = rem.read_metrics("results/sample/metrics.csv")
    >>> of_classes = metrics.query("metric == 'entropy' and not `class`.isna()")

    Args:
        path: the file.
        layer: the routed layer that rows are of, beside those that are of no network: 1 is that of the class capsules,
            2 the one below it. None: all layers.

    Raises:
        RemError: the file cannot be read or lacks a column.
    """
    table = _read(Path(path)).astype(dict.fromkeys(INTEGERS, "Int64"))
    return table if layer is None else table[table["layer"].fillna(layer) == layer].reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    """All rows. A file that has no layers, as older ones, is of layer 1."""
    table = read_csv(path, [column for column in COLUMNS if column != "layer"])
    if "layer" not in table:
        table.insert(COLUMNS.index("layer"), "layer", np.where(table["variant"].isna(), np.nan, 1))
    return table


def read_results(metrics_csv: Path, run_yamls: Sequence[Path], images_csvs: Sequence[Path] = ()) -> Results:
    """The measurements of the runs whose `run.yaml` are given, with what `rem resample` says of their images.

    Raises:
        RemError: the file cannot be read, lacks a column, says one thing twice, or lacks a run or a K to report.
    """
    runs = [read_run(path) for path in run_yamls]
    chosen = pd.DataFrame([{key: getattr(run, key) for key in RUN} for run in runs], columns=RUN)
    table = _read(metrics_csv)
    table = table.fillna(dict.fromkeys(NAMES, ANY) | {"levels": UNQUANTIZED, "class": WHOLE})
    levels = {}
    for metric in ("shared_levels", "authors_levels", "cells"):
        levels[metric] = table[table["metric"] == metric].set_index("dataset")["value"].astype(int).to_dict()
        for dataset in chosen["dataset"].unique():
            if dataset not in levels[metric]:
                raise RemError(f"{metrics_csv} has no {metric} for dataset {dataset}; make it again.")
    measured = table[table["split"].isin([*SPLITS, ANY]) & (table["variant"] != "")].astype({"seed": int})
    rows = chosen.merge(measured, on=RUN, how="left", indicator=True)
    for missing in rows[rows["_merge"] == "left_only"].itertuples():
        name = f"{missing.dataset}/{missing.variant}/seed{missing.seed}"
        raise RemError(f"{metrics_csv} has no row for the run {name}; make it again.")
    rows = rows.drop(columns="_merge").astype({"levels": int, "class": int})
    twice = rows[rows.duplicated([*CELL, "seed", "layer"])]
    if not twice.empty:
        raise RemError(f"{metrics_csv} has two rows for {twice.iloc[0][[*CELL, 'seed']].to_dict()}; make it again.")
    images = [pd.DataFrame(columns=OVER_IMAGES), *(read_csv(path, OVER_IMAGES) for path in images_csvs)]
    images = pd.concat([frame for frame in images if len(frame)] or images[:1]).fillna({"levels": UNQUANTIZED})
    bands = table[table["metric"] == "band"].groupby("dataset")["value"].agg(lambda own: sorted(own.astype(int)))
    in_cells = frozenset(dataset for dataset, cells in levels["cells"].items() if cells)
    at = levels["shared_levels"], levels["authors_levels"], images, bands.to_dict(), in_cells
    lower = {int(layer): own for layer, own in rows.groupby("layer") if layer > 1}
    return Results(runs, rows[rows["layer"] == 1], *at, lower)


def main_dataset(results: Results, dataset: str) -> list[str]:
    """The main dataset, in the place of the paper's MNIST, if it is selected."""
    return [dataset] if dataset in results.datasets else []


def with_transfer(results: Results, dataset: str = "") -> list[str]:
    """The datasets that were measured on a transfer set."""
    found = set(results.rows.loc[results.rows["split"] == "transfer", "dataset"])
    return [each for each in results.datasets if each in found]


def others(results: Results, dataset: str) -> list[str]:
    """The datasets beside the main one, but for those with a transfer set: Table 6."""
    return [each for each in results.datasets if each not in (dataset, *with_transfer(results))]


def with_decoder(results: Results, dataset: str = "") -> list[str]:
    """The datasets on which a network with a decoder was trained."""
    return [each for each in results.datasets if results.variants(each, decoder=True)]


def every(results: Results, dataset: str = "") -> list[str]:
    """All selected datasets."""
    return results.datasets

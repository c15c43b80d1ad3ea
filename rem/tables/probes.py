"""What the probes found, of all networks: `probes.csv`, and over seeds `tables/probes.csv` and `probes.md`."""

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd

from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.tables.measurements import Results, read_results
from rem.tables.statistics import exact_binomial, paired_test
from rem.trees.probe_kinds import COLUMNS, DELETED, DELETIONS, FREQUENCIES, INTERVENTIONS, ITERATIONS, UNCHANGED

MARGIN = 0.5  # points of accuracy; a smaller loss counts as none
CELL = ["dataset", "split", "variant", "checkpoint", "probe", "setting", "levels", "metric"]
ANY = 0  # in `levels`, where there is none
SHOWN_TAUS = ("0.5", "1", "2", "3", "inf")


class Probes:
    """The rows of `probes.csv` of some runs, `levels` 0 where there is none."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows

    @cached_property
    def _values(self) -> pd.Series:
        return self.rows.set_index(["dataset", "variant", "split", *CELL[4:], "seed"])["value"].sort_index()

    def over_seeds(
        self,
        dataset: str,
        variant: str,
        probe: str,
        setting: str,
        metric: str,
        levels: int = ANY,
        split: str = "test",
    ) -> pd.Series:
        """A metric under a setting, indexed by seed; empty where it was not measured."""
        key = (dataset, variant, split, probe, setting, levels, metric)
        values = self._values
        return values.loc[key] if key in values.index.droplevel("seed") else pd.Series(dtype=float)

    def line(self, dataset: str, variant: str, seed: int, split: str = "test", levels: int = ANY) -> pd.DataFrame:
        """What the temperatures make of a network: a row a tau, ascending, and a column a metric.

        `entropy` is that at K, where K is given.
        """
        rows = self.rows
        own = rows[
            (rows["dataset"] == dataset)
            & (rows["variant"] == variant)
            & (rows["seed"] == seed)
            & (rows["split"] == split)
            & (rows["probe"] == "temperature")
            & rows["levels"].isin([ANY, levels])
        ]
        line = own.pivot(index="setting", columns="metric", values="value")
        return line.set_axis(line.index.astype(float)).sort_index()


def at(line: pd.DataFrame, given: str, value: float, wanted: str) -> float:
    """A metric on a network's line over tau, where another has a value; NaN where it has it nowhere.

    Between two neighbouring tau the line is straight. Where it has the value more than once, as an entropy near its
    ceiling can, the largest tau counts.
    """
    known = line[[given, wanted]].dropna().sort_index(ascending=False).to_numpy()
    for (one, made), (other, next_made) in itertools.pairwise(known):
        if min(one, other) <= value <= max(one, other):
            share = (value - one) / (other - one) if other != one else 0.0
            return float(made + share * (next_made - made))
    return math.nan


def write_probes(probe_csvs: Sequence[Path], metrics_csv: Path, run_yamls: Sequence[Path], folder: Path) -> None:
    """Write `probes.csv` into `folder`, and `tables/probes.csv` and `tables/probes.md` below it.

    `probes.csv` has the rows of `rem probe` and, beside every `lost` and `gained`, further metrics: `difference`, the
    points of accuracy that the setting gains; its 95% interval from `difference_low` to `difference_high`, that of
    Clopper and Pearson for the images that are classified otherwise, given how many they are; and `mcnemar_p`, the p
    of McNemar's exact test on the same images. And of every network that has a baseline of its seed `matched_entropy`
    at K: its entropy at the tau at which its couplings spread as the baseline's do.

    `tables/probes.csv` has a row a dataset, split, variant, probe, setting, K and metric: `mean`, `std` (n - 1) and
    `seeds`, and of a `difference` the 95% interval `low` to `high`, Student's over seeds.

    Raises:
        RemError: a file is missing, unreadable or incomplete.
    """
    results = read_results(metrics_csv, run_yamls)
    rows = pd.concat([read_csv(path, COLUMNS) for path in probe_csvs], ignore_index=True)
    rows = pd.concat([rows, tested(rows)], ignore_index=True).fillna({"levels": ANY}).astype({"levels": int})
    rows = pd.concat([rows, matched(Probes(rows), results)], ignore_index=True)
    with whole(folder / "probes.csv") as path:
        rows.replace({"levels": {ANY: pd.NA}}).astype({"levels": "Int64"}).to_csv(path, index=False)
    table = over_seeds(rows)
    with whole(folder / "tables/probes.csv") as path:
        table.replace({"levels": {ANY: pd.NA}}).astype({"levels": "Int64"}).to_csv(path, index=False)
    with whole(folder / "tables/probes.md") as path:
        path.write_text(readable(table, results), encoding="utf-8")


def read_probes(path: Path) -> Probes:
    """What `write_probes` wrote to `probes.csv`; raises RemError if that cannot be read or lacks a column."""
    return Probes(read_csv(path, COLUMNS).fillna({"levels": ANY}).astype({"levels": int}))


def tested(rows: pd.DataFrame) -> pd.DataFrame:
    """The further rows of every setting under which images were `lost` and `gained`."""
    where = COLUMNS[:-2]
    wide = rows[rows["metric"].isin(["images", "lost", "gained"])]
    wide = wide.pivot(index=where, columns="metric", values="value").dropna().astype(int).reset_index()
    found = []
    for row in wide[wide["probe"] != "key"].itertuples():
        test = paired_images(row.lost, row.gained, row.images)
        found += [[*(getattr(row, name) for name in where), metric, value] for metric, value in test.items()]
    return pd.DataFrame(found, columns=COLUMNS)


def paired_images(lost: int, gained: int, images: int) -> dict[str, float]:
    """The difference of two accuracies on the same images, in points, its 95% interval, and McNemar's exact p.

    Of the images that the two classify differently, the share that is gained has the interval of Clopper and Pearson.
    """
    changed = lost + gained
    found = {"difference": 100 * (gained - lost) / images}
    if not changed:
        return found | {"difference_low": 0.0, "difference_high": 0.0, "mcnemar_p": 1.0}
    interval, p = exact_binomial(gained, changed, 0.5)
    low, high = (100 * changed / images * (2 * share - 1) for share in interval(0.95))
    return found | {"difference_low": low, "difference_high": high, "mcnemar_p": p}


def matched(probes: Probes, results: Results) -> pd.DataFrame:
    """The entropy of every network where its couplings spread as those of the baseline of its seed, on the test set."""
    found = []
    for dataset in results.datasets:
        own = probes.rows[(probes.rows["dataset"] == dataset) & (probes.rows["split"] == "test")]
        networks = own[["variant", "seed", "checkpoint"]].drop_duplicates()
        for variant, seed, checkpoint in networks.itertuples(index=False):
            spread = probes.over_seeds(dataset, "baseline", *UNCHANGED, "coupling_spread")
            if seed not in spread.index:
                continue
            for levels in results.reported(dataset):
                line = probes.line(dataset, variant, seed, levels=levels)
                value = at(line, "coupling_spread", spread[seed], "entropy")
                where = (dataset, variant, seed, checkpoint, "test", "stability", "unchanged", levels)
                found.append([*where, "matched_entropy", value])
    return pd.DataFrame(found, columns=COLUMNS).astype({"seed": int, "levels": int, "value": float})


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The statistics over seeds of every measurement, with the columns of `tables/probes.csv`."""
    grouped = rows.groupby(CELL, sort=False)["value"]
    of_all = {name: partial(getattr(pd.Series, name), skipna=False) for name in ("mean", "std")}  # not of some seeds
    table = grouped.agg(**of_all, seeds="count").reset_index()
    of_differences = table["metric"] == "difference"
    intervals = [
        [paired_test(values.to_numpy()).get(end, np.nan) for end in ("low", "high")]
        for (*_, metric), values in grouped
        if metric == "difference"
    ]
    table.loc[of_differences, ["low", "high"]] = np.reshape(intervals, (-1, 2))
    return table


MARKDOWN = """# What the routing is worth

Of networks at the checkpoints that their tables show. Differences are in points of accuracy from the network as it \
is, on the same images, means over seeds with the 95% interval of Student's t. *No loss*: the interval lies above \
-{margin:g} points; *loss*: it lies below. `probes.csv` has every network, with McNemar's exact test.

## Other couplings in place of its own

{interventions}

uniform: c = 1/J. class-mean: of each class its mean column over the training images, so a static tree. modal-key: \
in its place their most frequent key, at the shared K. overall-mean: the mean over all training images. same-class, \
other-class: those of another image of the predicted class, or of another class. one-hot: each capsule to its \
strongest class alone.

## A temperature on its own couplings

{temperatures}

c = softmax_j(b_ij / tau) in the last iteration; tau = 1 is the network as it is, infinity c = 1/J. H: entropy in bits.

## Strength, stability, and what the trees explain

{trees}

polarization: 1 - H(c_i) / log J. rho: the share of the spread of the logits that is from image to image of one \
class. capsule entropy: of one capsule's level, in bits, at the shared K. matched entropy: H at the authors' K where \
the couplings spread as those of the baseline do. Deletion: without the {deleted:.0%} of the capsules that are coupled \
most to the predicted class (strongest), that agree most with it when c = 1/J (agreeing), or any (random). Known keys: \
test images whose key at the shared K a training image of the class has; the accuracy by how many have it.

## Iterations at test time

{iterations}

Accuracy, and in brackets mean max_j c.
"""


def readable(table: pd.DataFrame, results: Results) -> str:
    """What `over_seeds` returns as text for people."""
    cells = table.set_index(["dataset", "split", "variant", *CELL[4:]]).sort_index()
    networks = table[["dataset", "split", "variant"]].drop_duplicates().itertuples(index=False)
    of = [_Network(cells.loc[tuple(network)], *network, results) for network in networks]
    return MARKDOWN.format(
        margin=MARGIN,
        deleted=DELETED,
        interventions=_markdown(network.interventions() for network in of),
        temperatures=_markdown(row for network in of for row in network.temperatures()),
        trees=_markdown(network.trees() for network in of),
        iterations=_markdown(network.iterations() for network in of),
    )


def _markdown(rows: Iterable[dict[str, str]]) -> str:
    return pd.DataFrame(rows).fillna("").to_markdown(index=False, disable_numparse=True)


class _Network:
    """The cells of one network on one split, as text."""

    def __init__(self, cells: pd.DataFrame, dataset: str, split: str, variant: str, results: Results) -> None:
        self.cells, names = cells, results.names
        self.shared, self.authors = results.shared[dataset], results.authors[dataset]
        self.row = {"Dataset": names.dataset(dataset), "Split": split, "Model": names.model(variant, dataset)}

    def text(self, spec: str, probe: str, setting: str, metric: str, levels: int = ANY) -> str:
        mean = self.cells["mean"].get((probe, setting, levels, metric), np.nan)
        return "" if pd.isna(mean) else f"{mean:{spec}}"

    def difference(self, probe: str, setting: str, levels: int = ANY) -> str:
        key = (probe, setting, levels, "difference")
        if key not in self.cells.index:
            return ""
        cell = self.cells.loc[key]
        if pd.isna(cell["low"]):
            return f"{cell['mean']:+.2f}"
        verdict = " no loss" if cell["low"] > -MARGIN else " loss" if cell["high"] < -MARGIN else ""
        return f"{cell['mean']:+.2f} [{cell['low']:+.2f}, {cell['high']:+.2f}]{verdict}"

    def interventions(self) -> dict[str, str]:
        levels = {"modal-key": self.shared}
        found = {name: self.difference("intervention", name, levels.get(name, ANY)) for name in INTERVENTIONS}
        return self.row | {"As it is (%)": self.text(".2f", *UNCHANGED, "accuracy")} | found

    def temperatures(self) -> Iterable[dict[str, str]]:
        for tau in SHOWN_TAUS:
            yield self.row | {
                "tau": tau,
                "Accuracy (%)": self.text(".2f", "temperature", tau, "accuracy"),
                "H, shared K": self._entropy(tau, self.shared),
                "H, authors' K": self._entropy(tau, self.authors),
                "H, band": self.text(".2f", "temperature", tau, "band_entropy"),
                "mean max_j c": self.text(".3f", "temperature", tau, "strongest_coupling"),
            }

    def _entropy(self, tau: str, levels: int) -> str:
        found = self.text(".2f", "temperature", tau, "entropy", levels)
        return found and f"{found} (K = {levels})"

    def trees(self) -> dict[str, str]:
        still = ("stability", "unchanged")
        known = [
            self.cells["mean"].get(("key", name, self.shared, "share"), 0.0)
            for name, most in FREQUENCIES.items()
            if most
        ]
        return self.row | {
            "mean max_j c": self.text(".3f", *UNCHANGED, "strongest_coupling"),
            "polarization": self.text(".3f", *UNCHANGED, "polarization"),
            "rho": self.text(".2f", *still, "instability"),
            "capsule entropy": self.text(".2f", *still, "capsule_entropy", self.shared),
            "matched entropy": self.text(".2f", *still, "matched_entropy", self.authors),
            **{f"without the {name}": self.difference("deletion", name) for name in DELETIONS},
            "known keys (%)": f"{sum(known):.1f}",
            "accuracy, unknown keys (%)": self.text(".2f", "key", "0", "accuracy", self.shared),
            "accuracy, keys of 1": self.text(".2f", "key", "1", "accuracy", self.shared),
            "of 2 to 9": self.text(".2f", "key", "2 to 9", "accuracy", self.shared),
            "of 10 or more": self.text(".2f", "key", "10 or more", "accuracy", self.shared),
        }

    def iterations(self) -> dict[str, str]:
        found = {}
        for t in map(str, ITERATIONS):
            strength = self.text(".3f", "iterations", t, "strongest_coupling")
            accuracy = self.text(".2f", "iterations", t, "accuracy")
            found[f"t = {t}"] = accuracy and f"{accuracy} % ({strength})"
        return self.row | found

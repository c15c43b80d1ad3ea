"""Which networks differ from which across seeds: paired t-tests, their intervals and effect sizes."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from scipy import stats

from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.tables.measurements import SPLITS, Results, read_results
from rem.tables.names import Names
from rem.tables.quantities import METRICS
from rem.tables.resample import ACCURACIES, ENTROPIES
from rem.tables.statistics import holm, paired_test
from rem.tables.table import as_text
from rem.trees.entropy import KNOWN

COMPARED = ("band_entropy", "band_keys", "entropy", "entropy_chao_shen", "accuracy", "keys")
TESTED = ("band_entropy", "entropy")  # whose p are corrected for their number
MEASURED = ["seeds", "difference", "std", "low", "high", "t", "p", "p_holm", "effect_size"]
COLUMNS = ["dataset", "split", "baseline", "baseline_checkpoint", "variant", "variant_checkpoint", "levels", "metric"]
COLUMNS += [*MEASURED, "images_low", "images_high"]
NO_PAIR = "No two networks of these runs make a pair."
CAPTION = """\
Differences between networks of the same seed: mean of (model - reference) over the seeds that both have, at the \
checkpoints that their tables show; K is blank where couplings are not quantized, and of means over the band of K. ±: \
standard deviation of the differences; interval: 95%, of Student's t; p: paired t-test, two-sided; Holm: p corrected \
for the {tests} tests of an entropy (Eq. 9) in this table; d_z: mean over standard deviation of the differences \
(Cohen). Blank where fewer than two seeds, or differences that are all the same, leave nothing to test. What is blank \
for one of the seeds has no row.

Images: the 95% interval of the same difference where not the seeds but the test images are drawn anew, the same ones \
for both networks and all seeds (basic bootstrap, {accuracies:,} replicates of an accuracy, {entropies} of an entropy, \
for whose bias it is widened). Blank for an entropy where either is but a lower bound (a class of some seed has a \
coverage below {known:g}), and for what is not resampled: accuracies at a K, for which no prediction of a single image \
is kept, Chao-Shen, and keys.

{power} A p that is not small is therefore no sign that two networks are alike: read the interval. The test takes \
differences as normal, which so few seeds cannot show. Seeds vary the initial weights and the batches, not the \
images: the interval over seeds speaks of other trainings on these data, that over images of these trainings on others.
"""


def compare_pairs(results: Results) -> pd.DataFrame:
    """Every variant against the baseline, and all with a decoder against the baseline with one, paired over seeds.

    Args:
        results: the selected runs' measurements.

    Returns:
        A row a dataset, split, pair, K and metric, with `COLUMNS`: `seeds` (n), `difference` (mean of variant -
        baseline, in the metric's unit), `std` of the differences, the 95% t-interval `low` to `high`, `t` and `p` of
        the paired t-test (two-sided), `p_holm` (Holm 1979, over all tests of `TESTED`; NaN for other metrics) and
        `effect_size` (Cohen's d_z, difference / std). NaN from `std` on where n < 2, and from `low` on where the
        differences are all the same. `images_low` and `images_high` are the 95% interval over images; NaN where there
        is none. There is no row where no seed has both measurements, or one that has is blank: the other seeds are no
        fair choice of all. `levels` is NA for accuracies without quantization.
    """
    table = pd.DataFrame(
        [
            row
            for dataset in results.datasets
            for split in SPLITS
            for pair in _pairs(results, dataset)
            for levels in [None, *results.reported(dataset)]
            for row in _rows(results, dataset, split, pair, levels)
        ],
        columns=COLUMNS,
    ).astype({"levels": "Int64"})
    tested = table["metric"].isin(TESTED) & table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].to_numpy(float))
    return table


def _pairs(results: Results, dataset: str) -> list[tuple[str, str]]:
    variants, unpruned = results.variants(dataset), results.decoders_on(dataset, "baseline")
    pairs = [("baseline", variant) for variant in variants if "baseline" in variants and variant != "baseline"]
    pruned = [variant for variant in results.variants(dataset, decoder=True) if variant not in unpruned]
    return [*pairs, *itertools.product(unpruned, pruned)]


def _rows(
    results: Results, dataset: str, split: str, pair: tuple[str, str], levels: int | None
) -> Iterator[dict[str, object]]:
    networks = [(variant, results.checkpoint(dataset, variant)) for variant in pair]
    for metric in COMPARED:
        if levels is not None and not METRICS[metric].sweep:  # it has no K
            continue
        values = [results.over_seeds(dataset, *network, levels, metric, split=split) for network in networks]
        common = values[0].index.intersection(values[1].index)
        differences = values[1][common] - values[0][common]  # by seed
        if len(common) and differences.notna().all():
            images = results.over_images(dataset, networks[1], networks[0], levels, metric, split=split)
            where = (dataset, split, *networks[0], *networks[1], levels, metric)
            measured = paired_test(differences.to_numpy())
            measured |= dict(zip(("images_low", "images_high"), images, strict=True)) if images else {}
            yield dict(zip(COLUMNS, where, strict=False)) | measured


def write_paired(metrics_csv: Path, run_yamls: Sequence[Path], images_csvs: Sequence[Path], folder: Path) -> None:
    """Write what `compare_pairs` returns to `paired.csv` and, to be read, `paired.md` in `folder`.

    Args:
        metrics_csv: the tidy table that `rem.tables.measurements` describes.
        run_yamls: `run.yaml` of every run that counts.
        images_csvs: of `rem resample`, one a dataset; may be none.
        folder: made if it is missing.

    Raises:
        RemError: as `rem.tables.measurements.read_results`.
    """
    results = read_results(metrics_csv, run_yamls, images_csvs)
    table = compare_pairs(results)
    with whole(folder / "paired.csv") as path:
        table.to_csv(path, index=False, float_format="%.10g")
    with whole(folder / "paired.md") as path:
        text = readable(table, results.names).to_markdown(index=False, disable_numparse=True)
        path.write_text(f"{caption(table)}\n{NO_PAIR if table.empty else text}\n", encoding="utf-8")


def read_paired(path: Path) -> pd.DataFrame:
    """What `compare_pairs` returned, from its CSV; raises RemError if that cannot be read or lacks a column."""
    return read_csv(path, COLUMNS).astype({"levels": "Int64"})


def caption(table: pd.DataFrame) -> str:
    """What the columns of `readable` are, and what so few seeds can decide."""
    power = [
        f"With {n} seeds p < 0.05 before correction takes |d_z| > {stats.t.ppf(0.975, n - 1) / n**0.5:.2f}."
        for n in sorted(set(table["seeds"]))
        if n > 1
    ]
    tests = int(table["p_holm"].notna().sum())
    return CAPTION.format(
        tests=tests,
        accuracies=ACCURACIES,
        entropies=ENTROPIES,
        known=KNOWN,
        power=" ".join(power) or "One seed decides nothing.",
    )


def readable(table: pd.DataFrame, names: Names) -> pd.DataFrame:
    """What `compare_pairs` returns as text for people."""

    def printed(column: str, spec: str) -> pd.Series:
        return as_text(table[column], spec)

    specs = [METRICS[metric].difference for metric in table["metric"]]

    def measured(column: str, sign: str = "") -> pd.Series:
        pairs = zip(table[column], specs, strict=True)
        texts = ["" if pd.isna(number) else f"{number:{sign}{spec}}" for number, spec in pairs]
        return pd.Series(texts, index=table.index)

    spread = measured("std")

    def interval(which: str = "") -> pd.Series:
        text = measured(f"{which}low", "+") + " .. " + measured(f"{which}high", "+")
        return text.where(table[f"{which}low"].notna(), "")

    text = {
        "Dataset": table["dataset"].map(names.dataset),
        "Split": table["split"],
        "K": table["levels"].map("{:d}".format, na_action="ignore").astype(object).fillna(""),
        "Model": [names.model(*pair) for pair in zip(table["variant"], table["dataset"], strict=True)],
        "Reference": [names.model(*pair) for pair in zip(table["baseline"], table["dataset"], strict=True)],
        "Metric": [METRICS[metric].name for metric in table["metric"]],
        "Seeds": table["seeds"],
        "Difference": measured("difference", "+") + spread.where(spread == "", " ± " + spread),
        "95% interval": interval(),
        "Images": interval("images_"),
        "t": printed("t", ".2f"),
        "p": printed("p", ".2g"),
        "p (Holm)": printed("p_holm", ".2g"),
        "d_z": printed("effect_size", ".2f"),
    }
    return pd.DataFrame(text).astype(str)

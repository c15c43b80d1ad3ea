"""What pruned connections make of the trees: networks of several densities beside such as were drawn by lot.

rem trees results/networks/trees --metrics results/networks/trees/metrics.csv --probes ... --runs ...
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rem.files.csv import read_csv
from rem.settings.run import Run
from rem.tables.alike import alike
from rem.tables.measurements import Results, read_results
from rem.tables.probes import Probes, read_probes
from rem.tables.statistics import paired_gain
from rem.tables.table import accuracy_text, as_text, gain_text, write_forms
from rem.trees.probe_kinds import FREQUENCIES, UNCHANGED, UNIFORM

DRAWN, LEARNED, WHOLE = "drawn by lot", "learned", "all connections"
COLUMNS = ["dataset", "variant", "kind", "density", "seeds", "accuracy", "accuracy_std", "strongest_coupling"]
COLUMNS += ["uniform_coupling", "coupling_entropy", "entropy_shared", "shared_levels", "entropy_authors"]
COLUMNS += ["authors_levels", "band_entropy", "instability", "without_strongest", "without_random", "against_lot"]
COLUMNS += ["low", "high"]
CAPTION = """\
Trees of fewer connections; means over seeds. Kept: the connections (i, j) whose W_ij is not zero. Accuracy: of the \
test set, not quantized, ± over seeds. Mean 1/n: what mean max_j c would be if capsules coupled to each of their n \
connections alike; what lies above it is the routing's. H(c_i): the mean entropy of a capsule's couplings over the \
classes. H: Eq. 9, at K = {shared}, which the dataset's networks share, at the authors' K = {authors}, and its mean \
over the band. rho: the share of the spread of the logits that is from image to image of one class, blank where there \
is no spread. Without: points of accuracy that are lost without the 20% of the capsules coupled most to the predicted \
class, or without any 20%. Against the lot: points of accuracy above a network of as many connections that were drawn \
by lot before training, all else alike, of the same seed, with the 95% interval of Student's t.\
"""


def kind(run: Run) -> str:
    """Where a network's connections come from."""
    if run.connections is None:
        return WHOLE
    return DRAWN if run.connections.chosen_by == "lot" else LEARNED


def drawn_beside(results: Results, dataset: str, variant: str) -> str | None:
    """The variant that a learned one is held against: as many connections drawn by lot, all else alike; or None."""
    learned = results.of(dataset, variant)[0]
    drawn = (run for run in _controls(results, learned) if kind(run) == DRAWN)
    return next((run.variant for run in drawn if _asked(run) == _asked(learned)), None)


def _asked(run: Run) -> tuple[object, ...]:
    """What is asked of the connections of a network, however they come about."""
    return run.connections.density, run.connections.keep_one, run.connections.softmax


def whole_beside(results: Results, dataset: str, variant: str) -> str | None:
    """The variant of all connections, all else alike, that a learned one is held against; or None.

    None as well where the softmax is over all classes: what is removed is not taken out of the routing there.
    """
    learned = results.of(dataset, variant)[0]
    whole = (run.variant for run in _controls(results, learned) if kind(run) == WHOLE)
    return next(whole, None) if learned.connections and learned.connections.softmax == "connected" else None


def _controls(results: Results, learned: Run) -> list[Run]:
    """The networks that differ in their connections alone from one of a stated share of learned ones; else none."""
    if kind(learned) != LEARNED or learned.connections.density is None:
        return []
    return alike(results, learned, {"connections"})


def purity(probes: Probes, dataset: str, variant: str, levels: int) -> pd.Series:
    """The purity of keys in %, by seed: the share of the images of a key that are of the class it was found for.

    A mean over the keys at K that training images have, by their test images. Keys that no training image has are
    left out: nearly each is a single image's. NaN where no test image has a key of a training image.
    """
    known = [name for name, most in FREQUENCIES.items() if most > 0]
    images, right = (
        pd.DataFrame({name: probes.over_seeds(dataset, variant, "key", name, metric, levels) for name in known})
        for metric in ("images", "accuracy")
    )
    total = images.sum(axis=1)
    return (images * right).sum(axis=1) / total.where(total > 0)


def lost_with_rare_keys(probes: Probes, dataset: str, variant: str, levels: int) -> pd.Series:
    """Points of accuracy, by seed, by which images whose key at K no training image has lie below the others."""
    rare = probes.over_seeds(dataset, variant, "key", "0", "accuracy", levels)
    return purity(probes, dataset, variant, levels) - rare


def above_uniform(probes: Probes, dataset: str, variant: str) -> pd.Series:
    """What the routing adds to mean max_j c, by seed: what lies above the mean of 1/n, n a capsule's connections."""
    strength, uniform = (probes.over_seeds(dataset, variant, *of, "strongest_coupling") for of in (UNCHANGED, UNIFORM))
    return strength - uniform


def trees(results: Results, probes: Probes) -> pd.DataFrame:
    """A row a dataset and variant, with `COLUMNS`: means over seeds, but for the standard deviation of the accuracy.

    `density` is in %, `coupling_entropy` and the entropies in bits, `without_strongest`, `without_random` and
    `against_lot` in points of accuracy, the last with its 95% interval `low` to `high`. What was not measured is NaN.
    """
    networks = [(dataset, variant) for dataset in results.datasets for variant in results.variants(dataset)]
    return pd.DataFrame([_row(results, probes, *network) for network in networks], columns=COLUMNS)


def _row(results: Results, probes: Probes, dataset: str, variant: str) -> dict[str, object]:
    run = results.of(dataset, variant)[0]
    shared, authors = results.shared[dataset], results.authors[dataset]

    def measured(metric: str, levels: int | None = None, of: str = variant) -> pd.Series:
        return results.over_seeds(dataset, of, results.checkpoint(dataset, of), levels, metric)

    def probed(probe: str, setting: str, metric: str) -> float:
        return probes.over_seeds(dataset, variant, probe, setting, metric).mean()

    accuracy = measured("accuracy")
    lot = drawn_beside(results, dataset, variant)
    others = measured("accuracy", of=lot) if lot else pd.Series(dtype=float)
    better, low, high = paired_gain(accuracy, others)
    return {
        "dataset": dataset,
        "variant": variant,
        "kind": kind(run),
        "density": 100 - measured("sparsity_class_blocks").mean(),
        "seeds": len(accuracy),
        "accuracy": accuracy.mean(),
        "accuracy_std": accuracy.std(),
        "strongest_coupling": measured("strongest_coupling").mean(),
        "uniform_coupling": probed(*UNIFORM, "strongest_coupling"),
        "coupling_entropy": (1 - probed(*UNCHANGED, "polarization")) * np.log2(run.data.classes),
        "entropy_shared": measured("entropy", shared).mean(),
        "shared_levels": shared,
        "entropy_authors": measured("entropy", authors).mean(),
        "authors_levels": authors,
        "band_entropy": measured("band_entropy").mean(),
        "instability": probed("stability", "unchanged", "instability"),
        "without_strongest": -probed("deletion", "strongest", "difference"),
        "without_random": -probed("deletion", "random", "difference"),
        "against_lot": better,
        "low": low,
        "high": high,
    }


def write_trees(metrics_csv: Path, probes_csv: Path, run_yamls: Sequence[Path], folder: Path) -> None:
    """Write `trees` (.csv, .md, .tex) into a folder, which is made if it is missing.

    Args:
        metrics_csv: the tidy table that `rem.tables.measurements` describes.
        probes_csv: of `rem probes`.
        run_yamls: `run.yaml` of every run.
        folder: to write to.

    Raises:
        RemError: a file is missing, unreadable or incomplete.
    """
    results = read_results(metrics_csv, run_yamls)
    table = trees(results, read_probes(probes_csv))
    shared, authors = (" or ".join(map(str, table[f"{of}_levels"].unique())) for of in ("shared", "authors"))
    write_forms(folder / "trees", table, CAPTION.format(shared=shared, authors=authors), _readable(table, results))


def read_trees(path: Path) -> pd.DataFrame:
    """What `trees` returned, from its CSV; raises RemError if that cannot be read or lacks a column."""
    return read_csv(path, COLUMNS)


def _readable(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    networks = zip(table["variant"], table["dataset"], strict=True)
    return pd.DataFrame(
        {
            "Dataset": table["dataset"].map(results.names.dataset),
            "Network": [results.names.model(*network, quantized=False) for network in networks],
            "Kept (%)": as_text(table["density"], ".1f"),
            "Accuracy (%)": accuracy_text(table),
            "Mean max_j c": as_text(table["strongest_coupling"], ".3f"),
            "Mean 1/n": as_text(table["uniform_coupling"], ".3f"),
            "H(c_i) (bits)": as_text(table["coupling_entropy"]),
            "H, shared K": as_text(table["entropy_shared"]),
            "H, authors' K": as_text(table["entropy_authors"]),
            "H, band": as_text(table["band_entropy"]),
            "rho": as_text(table["instability"]),
            "Without the strongest": as_text(table["without_strongest"]),
            "Without any": as_text(table["without_random"]),
            "Against the lot": gain_text(table, "against_lot"),
        }
    )

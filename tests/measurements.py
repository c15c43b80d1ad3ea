"""Hand-made measurements: a `metrics.csv` with the `run.yaml` files it belongs to, and results without files."""

import functools

import pandas as pd
import tiny

from rem.settings.sections import to_yaml
from rem.tables.measurements import COLUMNS, WHOLE, Results
from rem.tables.quantities import METRICS

RUNS = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43)]


@functools.cache
def settings(dataset, variant, seed, transfer=None):
    """The settings of a run of the default config; of a variant or dataset that it lacks, of a small network.

    `transfer` names another source of the transfer set.
    """
    config = tiny.shipped_config()
    if dataset in config.datasets and variant in config.variants:
        run = config.run(dataset, variant, seed)
    else:
        kept = {"stands_for": config.run(dataset, "baseline", seed).stands_for} if dataset in config.datasets else {}
        run = tiny.run(variant, seed, **kept).model_copy(update={"dataset": dataset, "checkpoint": "last"})
    if transfer is None:
        return run
    return run.model_copy(update={"data": run.data.model_copy(update={"transfer": transfer})})


def run_yaml(folder, dataset, variant, seed, **changes):
    """The `run.yaml` of those settings."""
    path = folder / f"{dataset}-{variant}-{seed}.yaml"
    path.write_text(to_yaml(settings(dataset, variant, seed, **changes)), encoding="utf-8")
    return path


def made_results(values, shared=7, authors=11, **changes):
    """`values`: (dataset, variant, checkpoint, split, levels, metric) -> the whole set's values, one a seed from 42.

    What depends on no split or K has none, whatever is given.
    """
    rows = {}
    for (dataset, variant, checkpoint, split, levels, metric), by_seed in values.items():
        known = METRICS.get(metric, METRICS["accuracy"])
        where = (checkpoint, split if known.by_split else "", 1, levels if known.sweep else 0, WHOLE, metric)
        rows |= {(dataset, variant, seed, *where): value for seed, value in enumerate(by_seed, start=42)}
    frame = pd.DataFrame([(*key, value) for key, value in rows.items()], columns=COLUMNS)
    runs = frame[["dataset", "variant", "seed"]].drop_duplicates().itertuples(index=False)
    runs = [settings(*run, **changes) for run in runs]
    return Results(runs, frame, dict.fromkeys(frame["dataset"], shared), dict.fromkeys(frame["dataset"], authors))


def metrics(folder):
    """Three seeds of MNIST with two classes, one of shapes; shared K = 7, the authors' 11."""
    chosen = {"shared_levels": 7, "authors_levels": 11, "cells": 0}.items()
    rows = [(dataset, "", None, "", "", None, None, None, *one) for dataset in ("mnist", "shapes") for one in chosen]
    runs = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    for run in [*runs, ("shapes", "baseline", 42)]:
        for checkpoint in ("first", "best", "last"):
            rows += [(*run, checkpoint, split, 1, *row) for split, *row in _measured(*run[1:], checkpoint)]
    path = folder / "metrics.csv"
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False)
    return path


def _measured(variant, seed, checkpoint):
    """Rows of split, levels, class, metric, value."""
    step, pruned = seed - 43, variant == "rem"
    yield "", None, None, "epoch", {"first": 1, "best": 10 + step, "last": 20}[checkpoint]
    yield "", None, None, "sparsity", pruned * (70 if step > 0 else 60)
    yield "", None, None, "dose", pruned * 1.34
    yield "test", None, None, "accuracy", 97 + step
    yield "val", None, None, "accuracy", 10
    yield "test", None, None, "near_uniform_share", 0.8
    keys = (8 if pruned else 40) + (30 if step > 0 else 0)
    for levels in (7, 11):
        yield "test", levels, None, "accuracy", (80 if checkpoint == "first" else 95 - pruned) + step
        for class_, entropy, ceiling, classes in ((0, 4, 6, 1), (1, 6, 7, 1), (None, 5, 6.5, 2)):
            yield "test", levels, class_, "entropy", entropy - 3 * pruned + step
            yield "test", levels, class_, "entropy_ceiling", ceiling
            yield "test", levels, class_, "keys", classes * keys
            yield "test", levels, class_, "images", classes * 50
        for metric in ("entropy_miller_madow", "entropy_chao_shen", "coverage", "lower_bound"):
            yield "test", levels, None, metric, 0.5

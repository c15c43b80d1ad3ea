"""The summary: the numbers of the tables, under names that `dvc metrics` can compare."""

import json

import pytest
from measurements import made_results, metrics, run_yaml

from rem.tables.measurements import read_results
from rem.tables.summary import write_summary


def summary(results, folder):
    write_summary(results, folder / "summary.json")
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def test_every_dataset_has_its_levels_and_its_networks_at_them(tmp_path):
    runs = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    yamls = [run_yaml(tmp_path, *run) for run in [*runs, ("shapes", "baseline", 42)]]
    assert summary(read_results(metrics(tmp_path), yamls), tmp_path) == {
        "mnist": {
            "levels": 7,
            "seeds": 3,
            "baseline": {"accuracy": 95, "entropy": 5, "sparsity": 0},
            "rem": {"accuracy": 94, "entropy": 2, "sparsity": 60},  # of 60, 60 and 70: the median
        },
        "shapes": {"levels": 7, "seeds": 1, "baseline": {"accuracy": 94, "entropy": 4, "sparsity": 0}},
    }


@pytest.mark.parametrize(("shared", "accuracy"), [(7, 90), (11, 80)])
def test_a_network_counts_at_the_shared_levels_of_its_own_checkpoint_without_decoder(tmp_path, shared, accuracy):
    measured = {}
    for variant in ("rem", "rem-decoder"):
        for checkpoint, split, levels, value in (
            ("last", "test", 7, 90), ("last", "test", 11, 80), ("last", "transfer", 7, 70), ("best", "test", 7, 60),
        ):  # fmt: skip
            for metric in ("accuracy", "entropy"):
                measured["mnist", variant, checkpoint, split, levels, metric] = [value]
        measured["mnist", variant, "last", "", 0, "sparsity"] = [50]
    written = summary(made_results(measured, shared=shared), tmp_path)
    network = {"accuracy": accuracy, "entropy": accuracy, "sparsity": 50}
    assert written == {"mnist": {"levels": shared, "seeds": 1, "rem": network}}

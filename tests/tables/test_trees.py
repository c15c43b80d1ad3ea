"""The table of trees of fewer connections, from measurements made by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from measurements import made_results
from scipy import stats

from rem.tables.probes import Probes
from rem.tables.trees import COLUMNS, DRAWN, LEARNED, WHOLE, drawn_beside, trees, whole_beside
from rem.trees.probe_kinds import COLUMNS as OF_PROBES

KINDS = {
    "baseline": WHOLE,
    "rem": WHOLE,
    "baseline-long": WHOLE,
    "blocks": LEARNED,
    "blocks-100": WHOLE,
    "blocks-07": LEARNED,
    "blocks-07-softmax": LEARNED,
    "group-lasso-07": LEARNED,
    "random-07": DRAWN,
    "random-20": DRAWN,
}
BEST = {"baseline", "baseline-long"}


@pytest.fixture
def results():
    """Two seeds of each network, at the checkpoints that its variant's tables show."""
    values = {}
    for place, variant in enumerate(KINDS):
        where = ("mnist", variant, "best" if variant in BEST else "last", "test")
        values[*where, 0, "accuracy"] = [90.0 + place, 91.0 + place**2]
        values[*where, 0, "sparsity_class_blocks"] = [80.0, 90.0]
        values[*where, 0, "strongest_coupling"] = [0.5, 0.6]
        values[*where, 0, "band_entropy"] = [3.0, 4.0]
        for levels in (7, 11):
            values[*where, levels, "entropy"] = [levels, levels + 1]
    return made_results(values)


def probes():
    """Of `blocks-07` alone."""
    rows = []
    for seed in (42, 43):
        where = ("mnist", "blocks-07", seed, "last", "test")
        rows += [
            (*where, "temperature", "1", 0, "polarization", 0.7 + 0.1 * (seed - 42)),
            (*where, "temperature", "inf", 0, "strongest_coupling", 0.4 + 0.1 * (seed - 42)),
            (*where, "stability", "unchanged", 0, "instability", 0.2),
            (*where, "deletion", "strongest", 0, "difference", -3.0),
            (*where, "deletion", "random", 0, "difference", -1.0),
        ]
    return Probes(pd.DataFrame(rows, columns=OF_PROBES))


def test_a_row_is_of_a_network_over_its_seeds(results):
    table = trees(results, probes()).set_index("variant")
    assert [*table.columns.insert(1, "variant")] == COLUMNS
    assert table["kind"].to_dict() == KINDS
    row = table.loc["blocks-07"]
    assert (row["density"], row["seeds"]) == (15.0, 2)
    place = list(KINDS).index("blocks-07")
    accuracies = 90 + place, 91 + place**2
    assert (row["accuracy"], row["accuracy_std"]) == pytest.approx((np.mean(accuracies), np.std(accuracies, ddof=1)))
    assert (row["strongest_coupling"], row["uniform_coupling"]) == pytest.approx((0.55, 0.45))
    assert row["band_entropy"] == pytest.approx(3.5)
    assert (row["entropy_shared"], row["entropy_authors"]) == (7.5, 11.5)
    assert row["coupling_entropy"] == pytest.approx(0.25 * math.log2(10))
    assert (row["instability"], row["without_strongest"], row["without_random"]) == pytest.approx((0.2, 3.0, 1.0))
    assert table["coupling_entropy"].notna().sum() == 1  # nothing is made up for what was not probed


def test_a_learned_network_is_held_against_such_as_are_trained_shrunk_and_routed_alike(results):
    beside = {variant: drawn_beside(results, "mnist", variant) for variant in KINDS}
    assert {variant: lot for variant, lot in beside.items() if lot} == {"blocks-07": "random-07"}
    beside = {variant: whole_beside(results, "mnist", variant) for variant in KINDS}
    assert {variant: whole for variant, whole in beside.items() if whole} == {"blocks-07": "blocks-100"}
    places = {variant: place for place, variant in enumerate(KINDS)}
    learned, lot = places["blocks-07"], places["random-07"]
    row = trees(results, probes()).set_index("variant").loc["blocks-07"]
    differences = [learned - lot, learned**2 - lot**2]
    assert row["against_lot"] == pytest.approx(sum(differences) / 2)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))


def test_a_lot_that_leaves_every_capsule_a_connection_is_no_control_of_one_that_need_not(results):
    lots = [run for run in results.runs if run.variant == "random-07"]
    kept = [
        run.model_copy(update={"connections": run.connections.model_copy(update={"keep_one": True})}) for run in lots
    ]
    others = [run for run in results.runs if run.variant != "random-07"]
    assert drawn_beside(replace(results, runs=[*others, *kept]), "mnist", "blocks-07") is None

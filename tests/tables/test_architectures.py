"""The table of networks and routings, from measurements made by hand."""

import math
from dataclasses import replace

import pandas as pd
import pytest
import tiny
from measurements import made_results
from scipy import stats

from rem.tables.architectures import COLUMNS, architectures, parameters, without_routing
from rem.tables.probes import Probes
from rem.trees.probe_kinds import COLUMNS as OF_PROBES

TWINS = {
    "baseline": "uniform",
    "rem": "uniform-rem",
    "uniform": None,
    "uniform-rem": None,
    "em-rem": "uniform-rem",
    "efficient": None,  # no network of its layers is trained without routing
}


@pytest.fixture
def results():
    """Two seeds of each network, at the checkpoints that its variant's tables show."""
    values = {}
    for place, variant in enumerate(TWINS):
        where = ("mnist", variant, "last" if variant.endswith("rem") else "best", "test")
        values[*where, 0, "accuracy"] = [90.0 + place, 91.0 + place**2]
        values[*where, 0, "sparsity"] = [40.0, 50.0]
        values[*where, 0, "strongest_coupling"] = [0.5, 0.6]
        values[*where, 0, "band_entropy"] = [3.0, 4.0]
    return made_results(values)


def probes():
    """Of `em-rem` alone."""
    rows = [
        ("mnist", "em-rem", seed, "last", "test", *measured)
        for seed in (42, 43)
        for measured in (
            ("stability", "unchanged", 0, "instability", 0.2 + 0.1 * (seed - 42)),
            ("intervention", "uniform", 0, "difference", -2.0),
        )
    ]
    return Probes(pd.DataFrame(rows, columns=OF_PROBES))


def test_a_row_is_of_a_network_over_its_seeds(results):
    table = architectures(results, probes()).set_index("variant")
    assert sorted([*table.columns, "variant"]) == sorted(COLUMNS)
    row = table.loc["em-rem"]
    assert (row["architecture"], row["routing"], row["pruned"], row["seeds"]) == ("capsnet", "em", True, 2)
    assert (row["accuracy"], row["accuracy_std"]) == pytest.approx((100.5, 13 / math.sqrt(2)))
    assert (row["sparsity"], row["strongest_coupling"], row["band_entropy"]) == pytest.approx((45, 0.55, 3.5))
    assert (row["instability"], row["over_uniform_couplings"]) == pytest.approx((0.25, 2.0))
    assert table["over_uniform_couplings"].notna().sum() == 1  # nothing is made up for what was not probed
    assert table["pruned"].to_dict() == {variant: variant.endswith("rem") for variant in TWINS}


def test_a_layer_below_is_shown_where_there_is_one(results):
    assert architectures(results, probes())["strongest_coupling_below"].isna().all()
    rows = results.rows[results.rows["variant"] == "em-rem"].assign(layer=2)
    below = rows.assign(value=rows["value"] + 0.25)
    table = architectures(replace(results, lower={2: below}), probes()).set_index("variant")
    row = table.loc["em-rem"]
    assert (row["strongest_coupling_below"], row["band_entropy_below"]) == pytest.approx((0.8, 3.75))
    assert (row["strongest_coupling"], row["band_entropy"]) == pytest.approx((0.55, 3.5))
    assert table["band_entropy_below"].notna().sum() == 1


def test_a_network_is_held_against_the_one_that_is_alike_but_for_its_routing(results):
    assert {variant: without_routing(results, "mnist", variant) for variant in TWINS} == TWINS
    row = architectures(results, probes()).set_index("variant").loc["em-rem"]
    differences = [94 - 93, 91 + 16 - (91 + 9)]
    assert row["over_uniform_network"] == pytest.approx(sum(differences) / 2)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))


def test_parameters_are_those_of_the_layers():
    convolutions = 2 * 81 + 2 + 6 * 2 * 81 + 6
    matrices = 8 * 3 * 4 * 3
    assert parameters(tiny.run()) == convolutions + matrices + 3 * 4
    assert parameters(tiny.run(network={"routing": "em"})) == convolutions + matrices + 2 * 3

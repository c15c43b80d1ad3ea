"""A run held against a published one: the rule, case by case."""

import measurements
import pandas as pd
import pytest

from rem.errors import RemError
from rem.tables.measurements import COLUMNS, read_metrics, read_results
from rem.tables.reproduction import compare, published, refuse_what_differs, verdict_told


def folder(path, values, metric="accuracy"):
    """A folder whose `metrics.csv` has one quantity, a value a seed from 42."""
    path.mkdir()
    rows = [("mnist", "rem", seed, "last", "test", 1, None, None, metric, one) for seed, one in enumerate(values, 42)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path / "metrics.csv", index=False)
    return path


def verdict(tmp_path, theirs, own):
    table = compare(folder(tmp_path / "published", theirs), folder(tmp_path / "own", own))
    return table["verdict"].item()


@pytest.mark.parametrize(
    ("theirs", "own", "expected"),
    [
        ([97.1, 97.5, 97.3], [97.1, 97.5, 97.3], "same"),
        ([97.1, 97.5, 97.3], [97.1], "same"),  # of the seed that both have
        ([97.1, 97.5, 97.3], [97.1, 97.5, 97.2999], "agrees"),  # by less than a printed digit
        ([97.1, 97.5, 97.3], [97.3, 97.0, 97.6], "agrees"),  # by less than seeds do
        ([97.1, 97.5, 97.3], [95.1, 95.5, 95.2], "differs"),
        ([0.0, 0.0], [1.0, 1.0], "differs"),
        ([97.1, 97.5, 97.3], [95.1], "not decidable"),
        ([97.1, 97.5, 97.3], [], "missing"),
        ([97.1, 97.5, 97.3], [97.1, 97.5, float("nan")], "missing"),
    ],
)
def test_the_verdict_follows_from_the_values_over_the_seeds(tmp_path, theirs, own, expected):
    assert verdict(tmp_path, theirs, own) == expected


def test_a_published_folder_with_nothing_to_hold_against_is_refused(tmp_path):
    theirs, own = folder(tmp_path / "published", [0.1], "insensitive"), folder(tmp_path / "own", [97.1])
    with pytest.raises(RemError, match=r"published/metrics\.csv has no quantity that tables show; publish"):
        compare(theirs, own)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    own = folder(tmp_path / "own", [97.1])
    with pytest.raises(RemError, match=r"sampel is not there; name a folder of rem publish"):
        compare(tmp_path / "sampel", own)


def test_a_share_is_told_to_three_digits_and_a_smaller_difference_than_a_point_counts(tmp_path):
    theirs = folder(tmp_path / "published", [0.1131, 0.1132, 0.1133], "strongest_coupling")
    own = folder(tmp_path / "own", [0.1061, 0.1062, 0.1063], "strongest_coupling")
    assert compare(theirs, own)["verdict"].item() == "differs"
    near = folder(tmp_path / "near", [0.1134, 0.1135, 0.1136], "strongest_coupling")
    assert compare(theirs, near)["verdict"].item() == "agrees"


def test_seeds_that_differ_by_rounding_alone_have_no_spread(tmp_path):
    assert verdict(tmp_path, [97.0, 97.0 + 1e-12], [55.0, 55.0]) == "differs"


def test_one_difference_among_many_quantities_needs_more_than_5_percent(tmp_path):
    """p is 0.03: a difference where one quantity is compared, and none among fifty."""
    theirs, own = [97.1, 97.5, 97.3], [97.6, 97.9, 98.0]
    assert verdict(tmp_path, theirs, own) == "differs"
    tables = []
    for side, values in (("a", theirs), ("b", own)):
        folder(tmp_path / side, values)
        table = pd.read_csv(tmp_path / side / "metrics.csv")
        others = [table.assign(dataset=f"set {n}", value=[1.0, 2.0, 3.0]) for n in range(50)]
        others = [other.assign(value=other["value"] + (side == "b") * 0.1) for other in others]
        tables.append(tmp_path / side)
        pd.concat([table, *others]).to_csv(tmp_path / side / "metrics.csv", index=False)
    assert set(compare(*tables)["verdict"]) == {"agrees"}


def test_lower_layers_are_not_compared_and_a_file_without_layers_is_of_the_class_capsules(tmp_path):
    theirs, own = folder(tmp_path / "a", [97.1, 97.5]), folder(tmp_path / "b", [97.1, 97.5])
    table = pd.read_csv(own / "metrics.csv")
    pd.concat([table, table.assign(layer=2, value=0.0)]).to_csv(own / "metrics.csv", index=False)
    pd.read_csv(theirs / "metrics.csv").drop(columns="layer").to_csv(theirs / "metrics.csv", index=False)
    assert compare(theirs, own)["verdict"].tolist() == ["same"]


def test_another_k_is_told_beside_the_numbers_at_it_that_are_missing(tmp_path):
    for side, levels in (("a", 7), ("b", 8)):
        (tmp_path / side).mkdir()
        rows = [("mnist", *[None] * 7, "shared_levels", levels)]
        rows += [("mnist", "rem", seed, "last", "test", 1, levels, None, "entropy", seed) for seed in (42, 43)]
        pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / side / "metrics.csv", index=False)
    found = compare(tmp_path / "a", tmp_path / "b").set_index("metric")["verdict"]
    assert found.to_dict() == {"shared_levels": "not decidable", "entropy": "missing"}


def test_what_is_published_is_what_tables_show_and_agrees_with_its_run(tmp_path):
    metrics = measurements.metrics(tmp_path)
    runs = [measurements.run_yaml(tmp_path, *run) for run in measurements.RUNS]
    results = read_results(metrics, runs)
    table = published(read_metrics(metrics), results)
    assert set(table["dataset"]) == {"mnist"}
    assert set(table["seed"].dropna()) == {42, 43}
    assert table["class"].isna().all()
    assert "val" not in set(table["split"])
    shown = table.dropna(subset="checkpoint").groupby("variant")["checkpoint"].unique()
    assert {variant: list(found) for variant, found in shown.items()} == {"baseline": ["best"], "rem": ["last"]}
    (tmp_path / "published").mkdir()
    table.to_csv(tmp_path / "published/metrics.csv", index=False)
    assert set(compare(tmp_path / "published", tmp_path)["verdict"]) == {"same"}


def test_the_table_has_both_sides_and_the_first_difference_is_named(tmp_path):
    table = compare(folder(tmp_path / "a", [97.1, 97.5, 97.3]), folder(tmp_path / "b", [95.1, 95.5, 95.2]))
    header, _, row, summed_up = verdict_told(table).splitlines()
    assert " ".join(header.split()) == (
        "dataset variant checkpoint split K quantity published (seeds) yours (seeds) verdict"
    )
    assert " ".join(row.split()) == "mnist rem last test accuracy 97.30 ± 0.2 (3) 95.27 ± 0.21 (3) differs"
    assert summed_up == "numbers compared: 1 differs"
    with pytest.raises(RemError, match="mnist rem last test accuracy differs from the published one by more than"):
        refuse_what_differs(table)
    refuse_what_differs(compare(tmp_path / "a", tmp_path / "a"))

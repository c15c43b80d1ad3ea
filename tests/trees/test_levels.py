"""The choice of K: the lowest of each network, the largest of these for all."""

import pandas as pd
import pytest
import tiny

from rem.errors import RemError
from rem.trees.levels import choose_levels, lowest_levels, reported_levels, shared_levels


def network(folder, name, accuracies, unquantized=90.0, **attributes):
    """A validation file of a network with these accuracies."""
    variant, seed = name.split("-")
    return tiny.write_couplings(
        folder / f"{name}.h5", tiny.run(variant, int(seed)), accuracies=accuracies, accuracy=unquantized, **attributes
    )


def chosen(folder, networks, tolerance=0.0, skip_edges=False, authors=3):
    choose_levels(networks, tolerance, skip_edges, authors, folder / "levels.csv")
    return pd.read_csv(folder / "levels.csv")


def test_the_lowest_k_is_each_networks_and_the_shared_one_the_largest_of_them(tmp_path):
    first = network(tmp_path, "baseline-1", {2: 80, 3: 90, 4: 89, 5: 91, 6: 90})
    second = network(tmp_path, "rem-1", {2: 10, 3: 20, 4: 30, 5: 90.5, 6: 90})
    third = network(tmp_path, "rem-2", {2: 90, 3: 20, 4: 30, 5: 40, 6: 90})
    table = chosen(tmp_path, [first, second, third])
    lowest = table[table["lowest"]]
    assert list(zip(lowest["variant"], lowest["seed"], lowest["levels"], strict=True)) == [
        ("baseline", 1, 3),
        ("rem", 1, 5),
        ("rem", 2, 2),
    ]
    assert table.loc[table["shared"], "levels"].tolist() == [5, 5, 5]
    assert shared_levels(tmp_path / "levels.csv") == 5


@pytest.mark.parametrize(("authors", "reported"), [(2, [2, 4]), (4, [4])])
def test_the_published_k_is_reported_beside_the_shared_one(tmp_path, authors, reported):
    networks = [network(tmp_path, name, {2: 80, 3: 80, 4: 90}) for name in ("baseline-1", "rem-1")]
    table = chosen(tmp_path, networks, authors=authors)
    assert table.loc[table["authors"], "levels"].tolist() == [authors] * 2
    assert reported_levels(tmp_path / "levels.csv") == reported


def test_a_published_k_that_was_not_searched_is_refused(tmp_path):
    with pytest.raises(RemError, match="the authors' K 11 is above the largest K searched, 3"):
        chosen(tmp_path, [network(tmp_path, "rem-1", {2: 90, 3: 90})], authors=11)
    assert not (tmp_path / "levels.csv").exists()


def test_every_k_of_every_network_has_a_row(tmp_path):
    first = network(tmp_path, "baseline-1", {2: 80.0, 3: 90.0}, losses={2: 0.4, 3: 0.2}, checkpoint="best")
    second = network(tmp_path, "rem-7", {2: 95.0, 3: 96.0}, 95.0, losses={2: 0.3, 3: 0.1}, checkpoint="last")
    table = chosen(tmp_path, [first, second])
    columns = (
        "dataset variant seed checkpoint levels accuracy unquantized loss lowest edge_at_uniform cells shared authors"
    )
    assert list(table.columns) == columns.split()
    assert table.values.tolist() == [
        ["thirds", "baseline", 1, "best", 2, 80.0, 90.0, 0.4, False, False, False, False, False],
        ["thirds", "baseline", 1, "best", 3, 90.0, 90.0, 0.2, True, False, False, True, True],
        ["thirds", "rem", 7, "last", 2, 95.0, 95.0, 0.3, True, False, False, False, False],
        ["thirds", "rem", 7, "last", 3, 96.0, 95.0, 0.1, False, False, False, True, True],
    ]


@pytest.mark.parametrize(("tolerance", "lowest"), [(0.0, 5), (0.49, 5), (0.5, 4), (1.0, 3), (3.3, 3), (3.34, 2)])
def test_the_tolerance_is_in_standard_errors(tmp_path, tolerance, lowest):
    """90% of 100 images have a standard error of sqrt(0.9 x 0.1 / 100) = 3 points."""
    path = network(tmp_path, "baseline-1", {2: 80, 3: 87, 4: 88.5, 5: 90}, predicted=[0] * 100)
    table = chosen(tmp_path, [path], tolerance)
    assert table.loc[table["lowest"], "levels"].tolist() == [lowest]


def test_a_loss_of_exactly_the_tolerance_is_allowed():
    assert lowest_levels({2: 100 * 901 / 1000}, 100 * 902 / 1000, 0.1) == 2


def test_a_k_with_an_edge_on_a_jth_can_be_passed_over(tmp_path):
    run = tiny.run(data={"classes": 4})
    path = tiny.write_couplings(tmp_path / "a.h5", run, accuracies={2: 0.0, 3: 90.0, 4: 90.0}, accuracy=90.0)
    for skip, lowest in ((False, 3), (True, 4)):
        table = chosen(tmp_path, [path], skip_edges=skip)
        assert table.loc[table["lowest"], "levels"].tolist() == [lowest]


def test_an_edge_on_a_jth_is_flagged(tmp_path):
    """(K - 1) / J = whole + 1/2 needs an even J: with J = 4 at K = 3, 7, 11; with J = 3 never."""
    for classes, flagged in ((4, [3, 7, 11]), (3, [])):
        run = tiny.run(data={"classes": classes})
        accuracies = dict.fromkeys(range(2, 12), 90.0)
        table = chosen(tmp_path, [tiny.write_couplings(tmp_path / "a.h5", run, accuracies=accuracies, accuracy=90.0)])
        assert table.loc[table["edge_at_uniform"], "levels"].tolist() == flagged


def test_an_edge_between_cells_is_flagged_where_the_file_says_that_the_quantizer_has_them(tmp_path):
    run = tiny.run(data={"classes": 4})
    accuracies = dict.fromkeys(range(2, 13), 90.0)
    path = tiny.write_couplings(tmp_path / "a.h5", run, accuracies=accuracies, accuracy=90.0, cells=True)
    table = chosen(tmp_path, [path], skip_edges=True)
    assert table["cells"].all()
    assert table.loc[table["edge_at_uniform"], "levels"].tolist() == [4, 8, 12]  # k/K = 1/4
    assert table.loc[table["lowest"], "levels"].tolist() == [2]


def test_no_good_k_is_one_sentence_and_no_file(tmp_path):
    good = network(tmp_path, "baseline-1", {2: 90, 3: 90})
    bad = network(tmp_path, "rem-1", {2: 80, 3: 89.9})
    with pytest.raises(RemError, match=r"no K from 2 to 3 keeps the validation accuracy of 90\.00%"):
        chosen(tmp_path, [good, bad])
    assert not (tmp_path / "levels.csv").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RemError, match=r"none\.h5"):
        chosen(tmp_path, [tmp_path / "none.h5"])


def test_a_table_that_is_not_there_or_is_another_is_a_mistake(tmp_path):
    with pytest.raises(RemError, match=r"levels\.csv cannot be read"):
        shared_levels(tmp_path / "levels.csv")
    (tmp_path / "levels.csv").write_text("epoch,levels\n1,2\n", encoding="utf-8")
    with pytest.raises(RemError, match="lacks the column shared"):
        shared_levels(tmp_path / "levels.csv")

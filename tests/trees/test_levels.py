"""The choice of K: the lowest of each network, the largest of these for all."""

from fractions import Fraction

import pandas as pd
import pytest
import tiny

from rem.errors import RemError
from rem.trees.levels import band, choose_levels, edge_distance, keeps_accuracy, reported_levels, shared_levels


def network(folder, name, changed, unquantized=90.0, **attributes):
    """A validation file of a network that loses and gains so many images at each K."""
    variant, seed = name.split("-")
    changed = {level: images if isinstance(images, tuple) else (images, 0) for level, images in changed.items()}
    accuracies = {level: unquantized - lost + gained for level, (lost, gained) in changed.items()}
    return tiny.write_couplings(
        folder / f"{name}.h5",
        tiny.run(variant, int(seed)),
        accuracies=attributes.pop("accuracies", accuracies),
        changed=changed,
        accuracy=unquantized,
        **attributes,
    )


def chosen(folder, networks, tolerance=0.0, skip_edges=False, authors=3):
    choose_levels(networks, tolerance, skip_edges, authors, folder / "levels.csv")
    return pd.read_csv(folder / "levels.csv")


def test_the_lowest_k_is_each_networks_and_the_shared_one_the_largest_of_them(tmp_path):
    first = network(tmp_path, "baseline-1", {2: 10, 3: 0, 4: 1, 5: (0, 1), 6: 0})
    second = network(tmp_path, "rem-1", {2: 80, 3: 70, 4: 60, 5: 0, 6: 0})
    third = network(tmp_path, "rem-2", {2: 0, 3: 70, 4: 60, 5: 50, 6: 0})
    table = chosen(tmp_path, [first, second, third])
    lowest = table[table["lowest"]]
    assert list(zip(lowest["variant"], lowest["seed"], lowest["levels"], strict=True)) == [
        ("baseline", 1, 3),
        ("rem", 1, 5),
        ("rem", 2, 2),
    ]
    assert table.loc[table["shared"], "levels"].tolist() == [5, 5, 5]
    assert shared_levels(tmp_path / "levels.csv") == 5


def test_the_band_is_every_k_that_keeps_the_accuracy_of_all_networks(tmp_path):
    first = network(tmp_path, "baseline-1", {2: 0, 3: 0, 4: 1, 5: 0, 6: (2, 2)})
    second = network(tmp_path, "rem-1", {2: 3, 3: 0, 4: 0, 5: (0, 1), 6: 0})
    table = chosen(tmp_path, [first, second])
    assert table.loc[table["holds"] & (table["variant"] == "baseline"), "levels"].tolist() == [2, 3, 5, 6]
    assert band(tmp_path / "levels.csv") == [3, 5, 6]


def test_a_band_without_any_k_is_one_sentence(tmp_path):
    first, second = network(tmp_path, "baseline-1", {2: 0, 3: 9}), network(tmp_path, "rem-1", {2: 9, 3: 0})
    with pytest.raises(RemError, match="no K up to 3 keeps the validation accuracy of all networks of thirds"):
        chosen(tmp_path, [first, second])


@pytest.mark.parametrize(("authors", "reported"), [(2, [2, 4]), (4, [4])])
def test_the_published_k_is_reported_beside_the_shared_one(tmp_path, authors, reported):
    networks = [network(tmp_path, name, {2: 10, 3: 10, 4: 0}) for name in ("baseline-1", "rem-1")]
    table = chosen(tmp_path, networks, authors=authors)
    assert table.loc[table["authors"], "levels"].tolist() == [authors] * 2
    assert reported_levels(tmp_path / "levels.csv") == reported


def test_a_published_k_that_was_not_searched_is_refused(tmp_path):
    with pytest.raises(RemError, match="the authors' K 11 is above the largest K searched, 3"):
        chosen(tmp_path, [network(tmp_path, "rem-1", {2: 0, 3: 0})], authors=11)
    assert not (tmp_path / "levels.csv").exists()


def test_every_k_of_every_network_has_a_row(tmp_path):
    first = network(tmp_path, "baseline-1", {2: 10, 3: (1, 1)}, losses={2: 0.4, 3: 0.2}, checkpoint="best")
    second = network(tmp_path, "rem-7", {2: 0, 3: (0, 1)}, 95.0, losses={2: 0.3, 3: 0.1}, checkpoint="last")
    table = chosen(tmp_path, [first, second])
    columns = "dataset variant seed checkpoint levels accuracy unquantized loss lost gained edge_distance"
    columns += " edge_at_uniform cells holds lowest shared band authors"
    assert list(table.columns) == columns.split()
    distances = [pytest.approx(1 / 6), pytest.approx(1 / 12)]  # edges at 1/2; at 1/4 and 3/4; 1/J = 1/3
    assert table.values.tolist() == [
        ["thirds", "baseline", 1, "best", 2, 80, 90, 0.4, 10, 0, distances[0], *[False] * 7],
        ["thirds", "baseline", 1, "best", 3, 90, 90, 0.2, 1, 1, distances[1], False, False, *[True] * 5],
        ["thirds", "rem", 7, "last", 2, 95, 95, 0.3, 0, 0, distances[0], False, False, True, True, *[False] * 3],
        ["thirds", "rem", 7, "last", 3, 96, 95, 0.1, 0, 1, distances[1], False, False, True, False, *[True] * 3],
    ]


def test_the_accuracy_is_compared_on_the_same_images():
    """McNemar's statistic, (lost - gained) / sqrt(lost + gained), against the tolerance."""
    assert keeps_accuracy(0, 0, 0.0)
    assert not keeps_accuracy(1, 0, 0.99)
    assert keeps_accuracy(1, 0, 1.0)  # one image more lost than gained of one: 1 / 1
    assert not keeps_accuracy(3, 0, 1.7)
    assert keeps_accuracy(3, 0, 1.74)
    assert keeps_accuracy(9, 6, 1.0)  # 3 / sqrt(15) = 0.77: the same three images, among more that change
    assert keeps_accuracy(0, 5, 0.0)


@pytest.mark.parametrize(("tolerance", "lowest"), [(0.0, 5), (0.99, 5), (1.0, 4), (2.0, 3), (2.99, 3), (3.0, 2)])
def test_the_tolerance_is_in_standard_errors_of_the_difference(tmp_path, tolerance, lowest):
    path = network(tmp_path, "baseline-1", {2: 9, 3: 4, 4: 1, 5: 0})
    table = chosen(tmp_path, [path], tolerance)
    assert table.loc[table["lowest"], "levels"].tolist() == [lowest]


def test_a_k_with_an_edge_on_a_jth_can_be_passed_over(tmp_path):
    run = tiny.run(data={"classes": 4})
    accuracies = {2: 80.0, 3: 90.0, 4: 90.0}
    path = tiny.write_couplings(tmp_path / "a.h5", run, accuracies=accuracies, changed={2: (10, 0)}, accuracy=90.0)
    for skip, lowest in ((False, 3), (True, 4)):
        table = chosen(tmp_path, [path], skip_edges=skip)
        assert table.loc[table["lowest"], "levels"].tolist() == [lowest]


@pytest.mark.parametrize("classes", [2, 3, 4, 10, 200])
def test_the_edge_distance_by_looking_at_every_edge(classes):
    for levels in range(2, 257):
        centres = [Fraction(2 * k + 1, 2 * (levels - 1)) for k in range(levels - 1)]
        cells = [Fraction(k, levels) for k in range(1, levels)]
        for edges, kind in ((centres, False), (cells, True)):
            nearest = min(abs(edge - Fraction(1, classes)) for edge in edges)
            assert edge_distance(levels, classes, kind) == nearest, (levels, kind)


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
    good = network(tmp_path, "baseline-1", {2: 0, 3: 0})
    bad = network(tmp_path, "rem-1", {2: 10, 3: 1})
    with pytest.raises(RemError, match=r"no K up to 3 keeps the validation accuracy of thirds, rem, seed 1"):
        chosen(tmp_path, [good, bad])
    assert not (tmp_path / "levels.csv").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RemError, match=r"none\.h5"):
        chosen(tmp_path, [tmp_path / "none.h5"])


def test_a_table_that_is_not_there_or_is_another_is_a_mistake(tmp_path):
    with pytest.raises(RemError, match=r"levels\.csv is missing; run the command that makes it"):
        shared_levels(tmp_path / "levels.csv")
    (tmp_path / "levels.csv").write_text("epoch,levels\n1,2\n", encoding="utf-8")
    with pytest.raises(RemError, match="lacks the column shared"):
        shared_levels(tmp_path / "levels.csv")

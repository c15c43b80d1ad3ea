"""Dictionaries and entropies of couplings on disk, against what a hand can count."""

import h5py
import numpy as np
import pandas as pd
import pytest
import tiny

from rem.errors import RemError
from rem.settings.run import Run
from rem.trees import dictionaries as module
from rem.trees import entropy, quantizer
from rem.trees.dictionaries import parse_trees, write_entropies
from rem.trees.sweep import write_sweep
from rem.trees.trajectory import write_trajectory

# At K = 3 the levels are 0, 1/2, 1 with edges at 1/4 and 3/4, and 1/3 falls into the middle one.
COUPLINGS = [
    [0.0, 0.9],  # class 0, key (0, 2)
    [0.5, 0.3],  # class 2, key (1, 1)
    [0.1, 1.0],  # class 0, key (0, 2)
    [0.6, 0.2],  # class 0, key (1, 0)
    [0.2, 0.8],  # class 0, key (0, 2)
]
PREDICTED = [0, 2, 0, 0, 0]
THREE_TO_ONE = 2 - 0.75 * np.log2(3)  # bits of the frequencies 3/4 and 1/4


@pytest.fixture
def written(tmp_path):
    """The table, and the path of the dictionary, at K = 2 and 3."""
    of = tiny.run("rem", 7)
    source = tiny.write_couplings(
        tmp_path / "last.test.h5", of, COUPLINGS, PREDICTED, checkpoint="last", split="test", epoch=4
    )
    write_entropies([source], [2, 3], tmp_path / "dictionaries", tmp_path / "entropy.csv")
    return pd.read_csv(tmp_path / "entropy.csv"), tmp_path / "dictionaries" / "last.test.h5"


def at(table, levels, label):
    return table[(table["levels"] == levels) & (table["class"] == label)].iloc[0]


def test_a_dictionary_holds_keys_counts_images_and_members(written):
    with h5py.File(written[1]) as file:
        group = file["levels3/class0"]
        assert group["keys"][:].tolist() == [[0, 2], [1, 0]]
        assert group["keys"].dtype == np.uint8
        assert group["counts"][:].tolist() == [3, 1]
        assert group["images"][:].tolist() == [0, 2, 3, 4]
        assert group["members"][:].tolist() == [0, 0, 1, 0]
        assert file["levels3/class2/keys"][:].tolist() == [[1, 1]]
        assert file["levels3/class2/images"][:].tolist() == [1]


def test_a_dictionary_at_two_levels_is_of_binary_keys(written):
    with h5py.File(written[1]) as file:
        assert set(file) == {"levels2", "levels3", "label"}
        assert file["levels2/class0/keys"][:].tolist() == [[0, 1], [1, 0]]
        assert file["levels2/class2/keys"][:].tolist() == [[0, 0]]  # 0.5 is half-way and goes to the even level


def test_a_dictionary_has_the_label_of_every_image(tmp_path):
    labels = [1, 2, 0, 0, 2]
    source = tiny.write_couplings(tmp_path / "a.h5", tiny.run(), COUPLINGS, PREDICTED, labels=labels)
    write_entropies([source], [2], tmp_path / "dictionaries", tmp_path / "entropy.csv")
    with h5py.File(tmp_path / "dictionaries/a.h5") as file:
        assert file["label"][:].tolist() == labels


def test_members_lead_from_every_image_to_its_key(written):
    expected = np.round(np.array(COUPLINGS, np.float32) * 2)
    with h5py.File(written[1]) as file:
        for label in range(tiny.CLASSES):
            group = file[f"levels3/class{label}"]
            keys, members, images = (group[name][:] for name in ("keys", "members", "images"))
            assert keys[members].tolist() == expected[images].tolist()


def test_the_dictionary_says_where_it_comes_from(written):
    with h5py.File(written[1]) as file:
        assert Run.model_validate_json(file.attrs["run"]) == tiny.run("rem", 7)
        assert (file.attrs["checkpoint"], file.attrs["split"]) == ("last", "test")
        assert "provenance" in file.attrs


def test_the_table_has_a_row_per_level_and_class_and_one_for_all(written):
    table, _ = written
    columns = "dataset variant seed checkpoint split layer levels class images keys entropy entropy_low entropy_high "
    columns += "lower_bound entropy_ceiling entropy_miller_madow entropy_chao_shen coverage uniform_share"
    assert list(table.columns) == columns.split()
    classes = table["class"].fillna(-1)
    assert list(zip(table["levels"], classes, strict=True)) == [(k, j) for k in (2, 3) for j in (0, 1, 2, -1)]
    network = ["dataset", "variant", "seed", "checkpoint", "split"]
    assert table[network].drop_duplicates().values.tolist() == [["thirds", "rem", 7, "last", "test"]]


def test_entropies_are_those_of_the_hand(written):
    row = at(written[0], 3, 0)
    assert (row["images"], row["keys"]) == (4, 2)
    assert row["entropy"] == pytest.approx(THREE_TO_ONE)
    assert row["entropy_ceiling"] == pytest.approx(2)
    assert row["entropy_miller_madow"] == pytest.approx(THREE_TO_ONE + 1 / (8 * np.log(2)))
    assert row["coverage"] == pytest.approx(0.75)
    alone = at(written[0], 3, 2)
    assert (alone["images"], alone["keys"], alone["entropy"], alone["entropy_ceiling"]) == (1, 1, 0, 0)


def test_the_row_of_all_classes_has_sums_of_images_and_keys_and_means_of_the_rest(written):
    table = written[0][written[0]["levels"] == 3]
    row = table[table["class"].isna()].iloc[0]
    assert (row["images"], row["keys"]) == (5, 3)
    assert row["entropy"] == pytest.approx(THREE_TO_ONE / 3)  # Eq. 9 over all J classes
    assert row["entropy_ceiling"] == pytest.approx(2 / 3)
    assert row["entropy_miller_madow"] == pytest.approx((THREE_TO_ONE + 1 / (8 * np.log(2))) / 3)
    assert row["coverage"] == pytest.approx(0.75 / 3)  # a lone image has seen nothing twice
    assert row["uniform_share"] == pytest.approx((1 / 8 + 1) / 2)  # a class without images has no share


def test_intervals_are_between_nothing_and_the_ceiling_and_the_same_every_time(tmp_path):
    couplings = [[0, 1]] * 8 + [[1, 0]] * 2 + [[0, 0]] * 10
    source = tiny.write_couplings(tmp_path / "a.h5", tiny.run(), couplings, [0] * 10 + [2] * 10)
    for name in ("one", "two"):
        write_entropies([source], [3], tmp_path / "dictionaries", tmp_path / f"{name}.csv")
    table = pd.read_csv(tmp_path / "one.csv")
    assert table.equals(pd.read_csv(tmp_path / "two.csv"))
    assert table["lower_bound"].tolist() == [0] * 4
    assert ((table["entropy_low"] >= 0) & (table["entropy_low"] <= table["entropy_high"])).all()
    assert (table["entropy_high"] <= table["entropy_ceiling"] + 1e-12).all()
    assert at(table, 3, 0)["entropy_high"] > at(table, 3, 0)["entropy"]
    for label in (1, 2):  # no image, and one key
        assert at(table, 3, label)[["entropy_low", "entropy_high"]].tolist() == pytest.approx([0, 0])


def test_an_entropy_of_keys_seldom_seen_is_a_lower_bound_and_so_is_the_mean_over_classes(written):
    table = written[0][written[0]["levels"] == 3]
    assert table["lower_bound"].tolist() == [1, 0, 1, 1]  # a coverage of 3/4, no image, a single image
    assert (
        table["entropy_low"].notna().tolist() == table["entropy_high"].notna().tolist() == [False, True, False, False]
    )
    assert table["entropy_chao_shen"].notna().tolist() == [True, True, False, False]


def test_the_interval_of_all_classes_is_narrower_than_that_of_one(tmp_path):
    couplings = np.random.default_rng(0).integers(2, size=(600, 5))
    source = tiny.write_couplings(tmp_path / "a.h5", tiny.run(), couplings, np.arange(600) % 3)
    write_entropies([source], [2], tmp_path / "dictionaries", tmp_path / "entropy.csv")
    table = pd.read_csv(tmp_path / "entropy.csv")
    width = (table["entropy_high"] - table["entropy_low"]).tolist()
    assert 0 < width[3] < min(width[:3])


def test_a_class_that_nobody_predicts_has_no_images_and_no_entropy(written):
    row = at(written[0], 3, 1)
    assert row[["images", "keys", "entropy", "entropy_ceiling", "coverage"]].tolist() == [0, 0, 0, 0, 0]
    assert np.isnan(row["uniform_share"])
    with h5py.File(written[1]) as file:
        group = file["levels3/class1"]
        assert group["keys"].shape == (0, 2)
        assert [group[name].shape for name in ("counts", "members", "images")] == [(0,)] * 3


def test_the_uniform_share_counts_couplings_in_the_level_of_a_jth(written):
    assert at(written[0], 3, 0)["uniform_share"] == pytest.approx(1 / 8)  # 0.6 alone of the eight
    assert at(written[0], 3, 2)["uniform_share"] == 1
    assert at(written[0], 2, 0)["uniform_share"] == pytest.approx(4 / 8)  # level 0: 0.0, 0.1, 0.2, 0.2


def test_what_is_made_of_couplings_goes_by_the_quantizer_that_they_name(tmp_path):
    """Two cells are [0, 1/2) and [1/2, 1]: 0.5 is in the upper one, and 1/3 in the lower."""
    source = tiny.write_couplings(tmp_path / "a.h5", tiny.run(), COUPLINGS, PREDICTED, cells=True)
    write_entropies([source], [2], tmp_path / "dictionaries", tmp_path / "entropy.csv")
    with h5py.File(tmp_path / "dictionaries/a.h5") as file:
        assert file["levels2/class2/keys"][:].tolist() == [[1, 0]]
    assert at(pd.read_csv(tmp_path / "entropy.csv"), 2, 2)["uniform_share"] == 0.5
    write_sweep(source, tmp_path / "sweep.csv")
    sweep = pd.read_csv(tmp_path / "sweep.csv").query("levels == 2")
    assert sweep["uniform_share"].item() == pytest.approx((4 / 8 + 1 / 2) / 2)
    write_trajectory([source], 2, 2, [2], tmp_path / "trajectory.csv")
    assert pd.read_csv(tmp_path / "trajectory.csv")["keys"].item() == sweep["keys"].item()


def test_each_file_has_its_own_dictionary_and_rows(tmp_path):
    sources = [
        tiny.write_couplings(tmp_path / f"{checkpoint}.val.h5", tiny.run(), COUPLINGS, PREDICTED, checkpoint=checkpoint)
        for checkpoint in ("first", "best")
    ]
    write_entropies(sources, [3], tmp_path / "dictionaries", tmp_path / "entropy.csv")
    assert sorted(path.name for path in (tmp_path / "dictionaries").iterdir()) == ["best.val.h5", "first.val.h5"]
    assert pd.read_csv(tmp_path / "entropy.csv")["checkpoint"].tolist() == ["first"] * 4 + ["best"] * 4


def test_relabelled_classes_keep_their_trees():
    values, predicted = np.array(COUPLINGS, np.float32), np.array(PREDICTED)
    trees = list(parse_trees(values, predicted, 3, 3))
    swapped = list(parse_trees(values, 2 - predicted, 3, 3))
    for one, other in zip(trees, reversed(swapped), strict=True):
        assert one.images.tolist() == other.images.tolist()
        assert one.trees.keys.tolist() == other.trees.keys.tolist()


def test_uniform_couplings_have_one_key_no_entropy_and_full_uniform_share():
    for levels in (2, 11, 128):
        trees = next(parse_trees(np.full((5, 4), 1 / 10, np.float32), np.zeros(5, int), 10, levels))
        assert trees.trees.counts.tolist() == [5]
        assert trees.uniform == 1


# Lower layers


@pytest.fixture
def layered(tmp_path):
    """Its couplings, table and dictionaries, with a layer below in which a child has the choice of five capsules.

    At K = 3 the images of class 0 have the keys (0, 2) three times and (1, 2) there, with the parents 300, 44, 300, 300
    (300 is 256 + 44); 1/5 falls into level 0.
    """
    lower = {2: ([[0.1, 0.9], [0.3, 0.3], [0.1, 0.9], [0.1, 0.9], [0.4, 0.9]], [300, 9, 44, 300, 300], 5)}
    source = tiny.write_couplings(
        tmp_path / "last.test.h5",
        tiny.run("rem", 7),
        COUPLINGS,
        PREDICTED,
        lower=lower,
        checkpoint="last",
        split="test",
    )
    write_entropies([source], [2, 3], tmp_path / "layered", tmp_path / "layered.csv")
    return source, pd.read_csv(tmp_path / "layered.csv"), tmp_path / "layered" / "last.test.h5"


def test_a_key_of_a_lower_layer_is_of_a_parent_and_of_its_children(layered):
    _, table, path = layered
    with h5py.File(path) as file:
        group = file["layers/2/levels3/class0"]
        assert group["parents"][:].tolist() == [300, 44, 300]  # most frequent first, then by parent and key
        assert group["keys"][:].tolist() == [[0, 2], [0, 2], [1, 2]]
        assert group["keys"].dtype == np.uint8
        assert group["counts"][:].tolist() == [2, 1, 1]
        assert group["members"][:].tolist() == [0, 1, 0, 2]
        assert "parents" not in file["levels3/class0"]
    row = at(table[table["layer"] == 2], 3, 0)
    assert (row["images"], row["keys"], row["entropy"], row["uniform_share"]) == (4, 3, 1.5, 3 / 8)


def test_a_lower_layer_changes_nothing_above_it(layered, written):
    above = layered[1][layered[1]["layer"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(above, written[0])
    with h5py.File(layered[2]) as file, h5py.File(written[1]) as alone:
        assert set(file) == {*alone, "layers"}
        assert np.array_equal(file["levels3/class0/keys"], alone["levels3/class0/keys"])


def test_a_sweep_has_the_entropies_of_every_layer_and_the_accuracy_of_the_first(layered, tmp_path):
    write_sweep(layered[0], tmp_path / "sweep.csv")
    swept, table = pd.read_csv(tmp_path / "sweep.csv"), layered[1]
    assert list(zip(swept["layer"], swept["levels"], strict=True)) == [(1, 2), (1, 3), (2, 2), (2, 3)]
    assert swept["accuracy"].isna().tolist() == [False, False, True, True]
    measured = ["layer", "levels", "entropy", "keys", "uniform_share", "entropy_ceiling", "entropy_chao_shen"]
    whole = table.loc[table["class"].isna(), measured].reset_index(drop=True)
    pd.testing.assert_frame_equal(swept[measured], whole, check_dtype=False)
    distance = swept.set_index(["layer", "levels"])["edge_distance"]
    assert distance[1, 3] == pytest.approx(1 / 3 - 1 / 4)
    assert distance[2, 3] == pytest.approx(1 / 4 - 1 / 5)


# Streaming


@pytest.fixture
def many(tmp_path):
    """A file of 90 images of 6 capsules, with few keys, predicted as two of three classes; and what it holds."""
    draw = np.random.default_rng(4)
    couplings = draw.random((5, 6)).astype(np.float32)[draw.integers(5, size=90)]
    predicted = draw.choice([0, 2], size=90)
    of_k = {level: 10.0 + level for level in range(2, 20)}
    source = tiny.write_couplings(
        tmp_path / "last.test.h5", tiny.run("rem", 7), couplings, predicted, of_k, split="test"
    )
    return source, couplings, predicted


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (7, 1), (7, 1 << 28), (89, 300), (1024, 300)])
def test_streamed_dictionaries_are_those_made_in_memory(many, monkeypatch, rows, size):
    source, couplings, predicted = many
    monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr(module, "BYTES", size)
    keys = quantizer.keys(couplings, 11)
    with h5py.File(source) as file:
        found = list(parse_trees(file["couplings"], predicted, 3, 11))
    assert [one.label for one in found] == [0, 1, 2]
    for one in found:
        images = np.flatnonzero(predicted == one.label)
        assert one.images.tolist() == images.tolist()
        for streamed, expected in zip(one.trees, entropy.dictionary(keys[images]), strict=True):
            assert np.array_equal(streamed, expected)
        share = (keys[images] == 3).mean() if len(images) else np.nan  # 1/3 falls into level 3 of 0 .. 10
        assert one.uniform == pytest.approx(share, nan_ok=True)


@pytest.mark.parametrize("rows", [1, 7, 1024])
def test_the_table_sweep_agrees_with_the_dictionaries_at_every_k(many, tmp_path, monkeypatch, rows):
    monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr("rem.trees.sweep.ROWS", rows)
    write_sweep(many[0], tmp_path / "sweep.csv")
    write_entropies([many[0]], list(range(2, 20)), tmp_path / "dictionaries", tmp_path / "entropy.csv")
    found, expected = pd.read_csv(tmp_path / "sweep.csv"), pd.read_csv(tmp_path / "entropy.csv")
    names = ["dataset", "variant", "seed", "checkpoint", "split", "layer", "levels"]
    measured = ["entropy", "entropy_ceiling", "entropy_chao_shen", "keys", "uniform_share"]
    assert list(found.columns) == [*names, "edge_distance", "accuracy", *measured]
    assert found["accuracy"].tolist() == [10.0 + level for level in range(2, 20)]
    expected = expected.loc[expected["class"].isna(), [*names, *measured]].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.drop(columns=["accuracy", "edge_distance"]), expected, check_dtype=False)


def test_an_interrupted_write_leaves_no_dictionary_and_no_table(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    source = tiny.write_couplings(tmp_path / "a.h5", tiny.run(), COUPLINGS, PREDICTED)
    monkeypatch.setattr("rem.trees.entropy.chao_shen", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_entropies([source], [3], tmp_path / "dictionaries", tmp_path / "entropy.csv")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.h5"]


def test_the_trajectory_is_in_the_order_of_epochs(tmp_path):
    later = tiny.write_couplings(
        tmp_path / "a.h5", tiny.run("rem"), COUPLINGS, PREDICTED, {2: 70.0, 3: 80.0}, sparsity={"all": 0.25}, epoch=11
    )
    earlier = tiny.write_couplings(
        tmp_path / "b.h5",
        tiny.run("rem"),
        [[0, 0], [0, 1], [1, 0], [1, 1]],
        [1, 1, 1, 1],
        {2: 30.0, 3: 40.0},
        sparsity={"all": 0.125, "class": 0.5},
        epoch=2,
    )
    write_trajectory([later, earlier], 3, 2, [3, 4], tmp_path / "trajectory.csv")
    table = pd.read_csv(tmp_path / "trajectory.csv")
    at_both = ["accuracy", "keys", "levels", "authors_accuracy", "authors_keys", "authors_levels"]
    assert table[["epoch", "sparsity"]].values.tolist() == [[2, 12.5], [11, 25.0]]
    assert table[at_both].values.tolist() == [[40, 4, 3, 30, 4, 2], [80, 3, 3, 70, 3, 2]]
    # At K = 2 the edge is 1/2: class 0 of the later one has the keys (0, 1) three times and (1, 0).
    assert table["authors_entropy"].tolist() == pytest.approx([2 / 3, THREE_TO_ONE / 3])
    assert table["entropy"].tolist() == pytest.approx([2 / 3, THREE_TO_ONE / 3])  # Eq. 9: over all J classes
    # At K = 4 the edges are 1/6, 1/2 and 5/6: class 0 of the later one has the keys (0, 3) twice, (2, 1) and (1, 2).
    assert table["band_entropy"].tolist() == pytest.approx([2 / 3, (THREE_TO_ONE + 1.5) / 2 / 3])


def test_a_trajectory_without_checkpoints_is_a_mistake(tmp_path):
    with pytest.raises(RemError, match="no couplings"):
        write_trajectory([], 3, 3, [3], tmp_path / "trajectory.csv")


@pytest.mark.parametrize("write", ["entropies", "sweep"])
def test_missing_couplings_are_named(tmp_path, write):
    missing, target = tmp_path / "last.test.h5", tmp_path / "table.csv"
    with pytest.raises(RemError, match=r"last\.test\.h5"):
        write_entropies([missing], [3], tmp_path, target) if write == "entropies" else write_sweep(missing, target)
    assert list(tmp_path.iterdir()) == []

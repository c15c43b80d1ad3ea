"""Images drawn anew: against a slow reading in loops, and against intervals that are known."""

import numpy as np
import pandas as pd
import pytest
import tiny

from rem.settings.run import Run
from rem.tables.measurements import OVER_IMAGES
from rem.tables.resample import Keys, write_resampled
from rem.trees import entropy
from rem.trees.dictionaries import write_entropies

IMAGES = 120


def dictionary(folder, of: Run, couplings, predicted, labels, checkpoint="best", split="test", levels=(3,)):
    """A file of `rem entropy` of a network."""
    name = f"{of.variant}-{of.seed}-{checkpoint}.{split}.h5"
    source = tiny.write_couplings(
        folder / name, of, couplings, predicted, labels=labels, checkpoint=checkpoint, split=split
    )
    write_entropies([source], list(levels), folder / "dictionaries", folder / f"{name}.csv")
    return folder / "dictionaries" / name


@pytest.fixture
def drawn():
    """Couplings of few keys, labels, and predictions of which some are wrong, of four networks."""
    draw = np.random.default_rng(0)
    labels = draw.integers(3, size=IMAGES)
    networks = []
    for errors in (5, 10, 15, 20):
        predicted = labels.copy()
        predicted[draw.permutation(IMAGES)[:errors]] += 1
        networks.append((draw.integers(2, size=(IMAGES, 2)) / 2, predicted % 3))
    return labels, networks


@pytest.fixture
def written(tmp_path, drawn):
    """The CSV of two seeds of two variants."""
    labels, networks = drawn
    runs = [tiny.run(variant, seed) for variant in ("baseline", "rem") for seed in (1, 2)]
    files = [dictionary(tmp_path, run, *network, labels) for run, network in zip(runs, networks, strict=True)]
    write_resampled(files, tmp_path / "images.csv")
    return pd.read_csv(tmp_path / "images.csv")


def row(table, variant, metric, split="test"):
    found = table[(table["variant"] == variant) & (table["metric"] == metric) & (table["split"] == split)]
    assert len(found) == 1
    return found.iloc[0]


def test_every_two_networks_have_a_row_either_way_round(written):
    assert list(written) == OVER_IMAGES
    assert len(written) == 2 * 2
    one, other = (row(written, variant, "accuracy") for variant in ("rem", "baseline"))
    assert one["difference"] == -other["difference"] == pytest.approx(100 * (7.5 - 17.5) / IMAGES)
    assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))
    assert (one["replicates"], row(written, "rem", "entropy")["replicates"]) == (2000, 200)


def test_the_interval_is_that_of_a_slow_bootstrap_of_the_same_images_for_all(written, drawn):
    labels, networks = drawn
    draw = np.random.default_rng(9)

    def accuracies(images):
        return [100 * np.mean(predicted[images] == labels[images]) for _, predicted in networks]

    def entropies(images):
        found = []
        for couplings, predicted in networks:
            keys = (couplings[images] * 2).round().astype(np.uint8)
            counts = [entropy.dictionary(keys[predicted[images] == label]).counts for label in range(3)]
            found.append(entropy.mean_entropy([entropy.entropy(own) for own in counts]))
        return found

    for metric, measure in (("accuracy", accuracies), ("entropy", entropies)):
        drawn_anew = [measure(draw.integers(IMAGES, size=IMAGES)) for _ in range(1500 if metric == "accuracy" else 600)]
        of_variants = np.reshape(drawn_anew, (-1, 2, 2)).mean(axis=2)  # (replicates, variants)
        baseline, rem = np.reshape(measure(np.arange(IMAGES)), (2, 2)).mean(axis=1)
        low, high = 2 * (rem - baseline) - np.quantile(of_variants[:, 1] - of_variants[:, 0], [0.975, 0.025])
        if metric == "entropy":  # widened by what is corrected of the bias of either
            bias = [baseline, rem] - of_variants.mean(axis=0)
            low, high = low - bias[0], high + bias[1]
        found = row(written, "rem", metric)
        assert found["difference"] == pytest.approx(rem - baseline)
        assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_a_pairing_narrows_the_interval(tmp_path, drawn):
    """Two networks that err on the same images but for one have a narrower interval than two that err on others."""
    labels, [(couplings, predicted), *_] = drawn
    alike, elsewhere = predicted.copy(), np.roll((predicted - labels) % 3, 1)
    alike[np.flatnonzero(predicted == labels)[0]] += 1
    files = [
        dictionary(tmp_path, tiny.run(name), couplings, own % 3, labels)
        for name, own in (("baseline", predicted), ("rem", alike), ("other", labels + elsewhere))
    ]
    write_resampled(files, tmp_path / "images.csv")
    table = pd.read_csv(tmp_path / "images.csv")
    table = table[(table["baseline"] == "baseline") & (table["metric"] == "accuracy")].set_index("variant")
    width = table["high"] - table["low"]
    assert width["rem"] < 0.6 * width["other"]


def test_an_entropy_that_is_but_a_lower_bound_has_no_interval_and_its_accuracy_has(tmp_path, drawn):
    labels, [network, (_, predicted), *_] = drawn
    unseen = np.random.default_rng(1).integers(3, size=(IMAGES, 9)) / 2  # hardly a key twice
    files = [
        dictionary(tmp_path, tiny.run("baseline"), *network, labels),
        dictionary(tmp_path, tiny.run("rem"), unseen, predicted, labels),
    ]
    write_resampled(files, tmp_path / "images.csv")
    assert pd.read_csv(tmp_path / "images.csv")["metric"].unique().tolist() == ["accuracy"]


def test_splits_checkpoints_and_levels_are_not_mixed(tmp_path, drawn):
    labels, networks = drawn
    files = []
    for (checkpoint, split, images), (couplings, predicted) in zip(
        [("first", "test", 120), ("last", "test", 120), ("early", "transfer", 60), ("last", "transfer", 60)],
        networks,
        strict=True,
    ):
        own = couplings[:images], predicted[:images], labels[:images]
        files.append(dictionary(tmp_path, tiny.run("rem"), *own, checkpoint, split, levels=(2, 3)))
    write_resampled(files, tmp_path / "images.csv")
    table = pd.read_csv(tmp_path / "images.csv")
    pairs = table[["split", "checkpoint", "baseline_checkpoint"]].drop_duplicates().values.tolist()
    assert pairs == [
        ["test", "first", "last"],
        ["test", "last", "first"],
        ["transfer", "early", "last"],
        ["transfer", "last", "early"],
    ]
    assert table.loc[table["metric"] == "entropy", "levels"].unique().tolist() == [2, 3]
    assert table.loc[table["metric"] == "accuracy", "levels"].isna().all()


def test_only_seeds_that_both_have_count(tmp_path, drawn):
    labels, networks = drawn
    runs = [tiny.run("baseline", 1), tiny.run("baseline", 2), tiny.run("rem", 2), tiny.run("penalty", 3)]
    files = [dictionary(tmp_path, run, *network, labels) for run, network in zip(runs, networks, strict=True)]
    write_resampled(files, tmp_path / "images.csv")
    table = pd.read_csv(tmp_path / "images.csv")
    assert set(table["variant"]) == {"baseline", "rem"}
    assert row(table, "rem", "accuracy")["difference"] == pytest.approx(100 * (10 - 15) / IMAGES)


def test_the_same_files_give_the_same_intervals(tmp_path, drawn, written):
    files = sorted((tmp_path / "dictionaries").glob("*.h5"))
    write_resampled(files, tmp_path / "again.csv")
    again = pd.read_csv(tmp_path / "again.csv")
    pd.testing.assert_frame_equal(again, written)


def test_entropies_of_weighted_images_are_eq_9_and_a_class_without_an_image_counts_as_zero():
    keys = Keys(of=np.array([0, 0, 1, 2, 3]), classes=np.array([0, 0, 1, 1, 2]))
    assert keys.entropy(np.ones(5)) == pytest.approx((entropy.entropy(np.array([2, 1])) + 1 + 0) / 3)
    assert keys.entropy(np.array([1, 2, 1, 0, 0])) == pytest.approx(entropy.entropy(np.array([3, 1])) / 3)

"""Dictionaries of keys, their entropy (Eq. 8 and 9) and what a finite sample does to it."""

import math
from collections import Counter

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from rem.errors import RemError
from rem.trees import quantizer
from rem.trees.entropy import (
    LEAST,
    bootstrap,
    ceiling,
    chao_shen,
    coverage,
    dictionary,
    digests,
    entropy,
    interval,
    is_known,
    mean_entropy,
    miller_madow,
)

quick = settings(derandomize=True, deadline=None, max_examples=80)
some_counts = st.lists(st.integers(1, 50), min_size=1, max_size=30).map(np.array)
some_keys = (
    st.integers(1, 4)
    .flatmap(
        lambda width: st.lists(st.lists(st.integers(0, 2), min_size=width, max_size=width), min_size=1, max_size=40)
    )
    .map(lambda rows: np.array(rows, dtype=np.uint8))
)


def as_counter(found) -> Counter:
    """A dictionary as a mapping from key to count."""
    return Counter({tuple(key): int(n) for key, n in zip(found.keys.tolist(), found.counts, strict=True)})


# The dictionary


@quick
@given(some_keys)
def test_dictionary_counts_every_key_as_the_reference_does(keys: np.ndarray):
    rows = [tuple(row) for row in keys.tolist()]
    found = dictionary(keys)
    assert len(found.keys) == len(found.counts) == len(set(rows))
    assert [as_counter(found)] == reference.dictionaries(rows, [0] * len(rows), classes=1)


@quick
@given(some_keys)
def test_dictionary_lists_its_keys_from_the_most_frequent_to_the_rarest(keys: np.ndarray):
    counts = np.asarray(dictionary(keys).counts).astype(int)
    assert (np.diff(counts) <= 0).all()


@quick
@given(some_keys)
def test_every_image_is_a_member_of_its_own_key(keys: np.ndarray):
    found = dictionary(keys)
    assert np.array_equal(found.keys[found.members], keys)
    assert np.bincount(found.members, minlength=len(found.counts)).tolist() == np.asarray(found.counts).tolist()


def test_identical_images_give_one_key():
    found = dictionary(np.tile(np.array([[3, 0, 10, 255]], dtype=np.uint8), (7, 1)))
    assert found.keys.tolist() == [[3, 0, 10, 255]]
    assert found.counts.tolist() == [7]
    assert found.members.tolist() == [0] * 7
    assert entropy(found.counts) == 0.0


def test_keys_that_differ_in_one_index_are_two_keys():
    keys = np.zeros((2, 1152), dtype=np.uint8)
    keys[1, 1151] = 1
    assert len(dictionary(keys).keys) == 2


def test_an_index_of_255_is_not_taken_for_a_sign():
    assert len(dictionary(np.array([[255, 0], [0, 255], [255, 255]], dtype=np.uint8)).keys) == 3


@quick
@given(some_keys, st.randoms(use_true_random=False))
def test_reordering_the_images_reorders_the_members_only(keys: np.ndarray, random):
    order = list(range(len(keys)))
    random.shuffle(order)
    before, after = dictionary(keys), dictionary(keys[order])
    assert as_counter(before) == as_counter(after)
    assert np.array_equal(after.keys[after.members], before.keys[before.members][order])
    assert entropy(after.counts) == pytest.approx(entropy(before.counts), abs=1e-12)


@quick
@given(some_keys)
def test_renaming_the_primary_capsules_changes_no_count(keys: np.ndarray):
    before, after = dictionary(keys), dictionary(np.ascontiguousarray(keys[:, ::-1]))
    assert np.asarray(before.counts).tolist() == np.asarray(after.counts).tolist()


def test_from_couplings_to_entropies_as_the_reference_goes():
    draw = np.random.default_rng(3)
    images, classes, capsules, levels = 60, 3, 2, 4
    couplings = draw.dirichlet(np.full(classes, 0.5), size=(images, capsules)).transpose(0, 2, 1)  # (image, J, I)
    predicted = draw.integers(classes, size=images)
    keys = [reference.key(c, j, levels) for c, j in zip(couplings, predicted, strict=True)]
    expected = [reference.entropy(found.values()) for found in reference.dictionaries(keys, predicted, classes)]

    chosen = np.asarray(quantizer.keys(couplings[np.arange(images), predicted], levels)).astype(np.uint8)
    found = [entropy(dictionary(chosen[predicted == j]).counts) for j in range(classes)]
    assert found == pytest.approx(expected, abs=1e-12)
    assert mean_entropy(found) == pytest.approx(reference.mean_entropy(expected), abs=1e-12)


@quick
@given(some_keys)
def test_hashes_tell_apart_what_the_keys_do(keys: np.ndarray):
    counts = np.unique(digests(keys), return_counts=True)[1]
    assert sorted(counts) == sorted(dictionary(keys).counts)


def test_hashes_do_not_depend_on_how_the_keys_lie_in_memory():
    keys = np.random.default_rng(0).integers(256, size=(5, 7)).astype(np.uint8)
    assert np.array_equal(digests(np.asfortranarray(keys)), digests(keys))
    assert digests(keys[:0]).shape == (0,)


def test_hashes_of_many_keys_of_a_networks_size_are_all_different():
    keys = np.random.default_rng(1).integers(256, size=(20_000, 288)).astype(np.uint8)
    keys[1:289] = keys[0]
    keys[1:289][np.arange(288), np.arange(288)] ^= 1  # neighbours: another number in one place
    assert len(np.unique(digests(keys))) == len(keys)


def test_what_is_no_key_is_refused():
    for wrong in (np.array([[0.1, 0.2]]), np.array([[256, 0]]), np.array([[-1, 0]])):
        with pytest.raises(RemError, match=r"no whole numbers from 0 to 255; make them of couplings with rem\.keys"):
            dictionary(wrong)
    assert dictionary(np.array([[255, 0]])).counts.tolist() == [1]


# Eq. 8 and 9


def test_a_key_of_no_image_adds_nothing():
    assert entropy(np.bincount([0, 0, 2])) == pytest.approx(entropy(np.array([2, 1])))
    assert entropy(np.zeros(3, int)) == 0


@quick
@given(some_counts)
def test_entropy_agrees_with_the_reference(counts: np.ndarray):
    assert entropy(counts) == pytest.approx(reference.entropy(counts.tolist()), abs=1e-12)


@quick
@given(some_keys)
def test_entropy_is_never_above_the_logarithm_of_the_number_of_images(keys: np.ndarray):
    assert 0.0 <= entropy(dictionary(keys).counts) <= ceiling(len(keys)) + 1e-12


@pytest.mark.parametrize("images", [1, 2, 50, 1000, 1024])
def test_images_that_all_differ_reach_the_ceiling(images: int):
    assert ceiling(images) == pytest.approx(math.log2(images), abs=1e-12)
    assert entropy(np.ones(images, dtype=np.int64)) == pytest.approx(ceiling(images), abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "bits"),
    [([5], 0.0), ([4, 4], 1.0), ([2, 1, 1], 1.5), ([3, 1, 1], 1.3709505944546687), ([1] * 8, 3.0)],
)
def test_entropy_worked_out_by_hand(counts: list[int], bits: float):
    assert entropy(np.array(counts)) == pytest.approx(bits, abs=1e-12)


def test_the_order_of_the_keys_does_not_matter():
    assert entropy(np.array([1, 7, 3])) == pytest.approx(entropy(np.array([7, 3, 1])), abs=1e-12)


def test_mean_entropy_counts_every_class_alike():
    assert mean_entropy([4.0, 1.0, 1.0]) == pytest.approx(2.0)
    assert mean_entropy([1.0, 4.0, 1.0]) == pytest.approx(2.0)  # relabelled


def test_a_class_that_is_never_predicted_counts_as_zero():
    empty = dictionary(np.zeros((0, 4), dtype=np.uint8))
    assert len(empty.keys) == len(empty.counts) == len(empty.members) == 0
    never = entropy(empty.counts)
    assert never == 0.0
    assert mean_entropy([3.0, never, 3.0]) == pytest.approx(2.0)


# What a finite sample does


def test_miller_madow_worked_out_by_hand():
    # counts 3, 1, 1: 1.37095 bits + (3 - 1) / (2 * 5) nats
    assert miller_madow(np.array([3, 1, 1])) == pytest.approx(1.3709505944546687 + 0.2 / math.log(2), abs=1e-12)
    assert miller_madow(np.array([9])) == 0.0


def test_coverage_worked_out_by_hand():
    assert coverage(np.array([3, 1, 1])) == pytest.approx(0.6)  # two of five images have a key of their own
    assert coverage(np.array([2, 2])) == 1.0
    assert coverage(np.array([1, 1, 1])) == 0.0


def test_chao_shen_worked_out_by_hand():
    # coverage 0.6 shrinks 0.6, 0.2, 0.2 to 0.36, 0.12, 0.12
    often = -0.36 * math.log2(0.36) / (1 - 0.64**5)
    once = -0.12 * math.log2(0.12) / (1 - 0.88**5)
    assert chao_shen(np.array([3, 1, 1])) == pytest.approx(often + 2 * once, abs=1e-12)
    assert chao_shen(np.array([3, 1, 1])) == pytest.approx(2.1489, abs=1e-4)
    assert chao_shen(np.array([5])) == 0.0


@quick
@given(some_counts)
def test_estimators_agree_with_the_reference(counts: np.ndarray):
    assert miller_madow(counts) == pytest.approx(reference.miller_madow(counts.tolist()), abs=1e-10)
    assert coverage(counts) == pytest.approx(reference.coverage(counts.tolist()), abs=1e-12)
    if coverage(counts) >= LEAST:
        assert chao_shen(counts) == pytest.approx(reference.chao_shen(counts.tolist()), abs=1e-10)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("estimate", [entropy, miller_madow, coverage, chao_shen])
def test_no_image_counts_as_nothing(estimate):
    assert estimate(np.array([], dtype=np.int64)) == 0.0
    assert ceiling(0) == 0.0


@pytest.mark.parametrize("counts", [[1], [1] * 40, [2] * 7 + [1] * 140])
def test_chao_shen_is_blank_where_hardly_a_key_was_seen_twice(counts: list[int]):
    assert coverage(np.array(counts)) < LEAST
    assert math.isnan(chao_shen(np.array(counts)))
    assert math.isfinite(miller_madow(np.array(counts)))


def test_chao_shen_stands_from_a_tenth_of_coverage_on():
    counts = np.array([2] * 8 + [1] * 144)  # 16 of 160 images share a key
    assert coverage(counts) == pytest.approx(LEAST)
    assert chao_shen(counts) == pytest.approx(reference.chao_shen(counts.tolist()), abs=1e-10)


@pytest.mark.parametrize(
    ("classes", "known"),
    [
        ([[]], True),  # no image
        ([[9]], True),
        ([[4, 1]], True),  # a fifth unseen
        ([[3, 1]], False),
        ([[1]], False),
        ([[4, 1], [9], []], True),
        ([[9], [9], [3, 1]], False),
    ],
)
def test_an_entropy_is_known_where_four_fifths_of_every_class_were_seen(classes, known):
    assert is_known(*(np.array(counts, dtype=np.int64) for counts in classes)) is known


def test_corrected_entropies_come_nearer_to_a_known_one():
    truth, keys = 6.0, 64  # bits: 64 equally likely keys, of which 100 images are far too few
    draw = np.random.default_rng(0)
    samples = [np.bincount(draw.integers(keys, size=100), minlength=keys) for _ in range(200)]
    bias = {
        estimate.__name__: np.mean([estimate(counts[counts > 0]) for counts in samples]) - truth
        for estimate in (entropy, miller_madow, chao_shen)
    }
    assert bias["entropy"] < -0.3
    assert abs(bias["miller_madow"]) < abs(bias["entropy"]) / 2
    assert abs(bias["chao_shen"]) < abs(bias["entropy"]) / 4


def test_coverage_predicts_how_often_the_next_key_is_a_known_one():
    draw = np.random.default_rng(1)
    weights = draw.dirichlet(np.full(200, 0.3))
    predicted, known = [], []
    for _ in range(200):
        sample = draw.choice(200, size=100, p=weights)
        counts = np.bincount(sample, minlength=200)
        predicted.append(coverage(counts[counts > 0]))
        known.append(weights[counts > 0].sum())
    assert np.mean(predicted) == pytest.approx(np.mean(known), abs=0.01)


# Simulations: samples of a population whose entropy is known


def population(name: str, keys: int) -> np.ndarray:
    """The probabilities of so many keys."""
    rank = np.arange(1, keys + 1)
    weights = {"uniform": np.ones(keys), "geometric": 0.9**rank, "zipf": 1 / rank}[name]
    return weights / weights.sum()


def samples(name: str, keys: int, images: int, times: int = 150) -> tuple[float, list[np.ndarray]]:
    """The entropy of a population in bits, and the counts of samples from it."""
    probability = population(name, keys)
    drawn = np.random.default_rng(5).multinomial(images, probability, size=times)
    return float(-(probability * np.log2(probability)).sum()), [counts[counts > 0] for counts in drawn]


POPULATIONS = ["uniform", "geometric", "zipf"]


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize(("keys", "images"), [(50, 100), (50, 1000), (200, 300)])
def test_the_plug_in_is_biased_down_and_the_corrections_less(name: str, keys: int, images: int):
    truth, drawn = samples(name, keys, images)
    plug_in, corrected, adjusted = (
        np.mean([estimate(counts) for counts in drawn]) - truth for estimate in (entropy, miller_madow, chao_shen)
    )
    assert plug_in < 0
    assert plug_in < corrected < 0.01  # Miller-Madow corrects up, and by too little where keys are unseen
    assert plug_in < adjusted
    assert abs(adjusted) < abs(plug_in)


@pytest.mark.parametrize("name", ["uniform", "zipf"])
def test_with_many_images_the_bias_is_that_of_miller(name: str):
    truth, drawn = samples(name, keys=50, images=2000, times=400)
    bias = np.mean([entropy(counts) for counts in drawn]) - truth
    assert bias == pytest.approx(-49 / (2 * 2000 * math.log(2)), rel=0.2)


@pytest.mark.parametrize("name", POPULATIONS)
def test_with_few_images_chao_shen_comes_nearer_than_miller_madow(name: str):
    truth, drawn = samples(name, keys=200, images=100)
    error = {
        estimate: abs(np.mean([estimate(counts) for counts in drawn]) - truth) for estimate in (miller_madow, chao_shen)
    }
    assert error[chao_shen] < 0.7 * error[miller_madow]


def held(truth: float, drawn: list[np.ndarray], classes: int = 1) -> tuple[float, float]:
    """The shares of samples whose entropy is known, and of these whose interval holds the truth; NaN where none is.

    With several classes a sample is one of each, and the entropy their mean.
    """
    draw, intervals = np.random.default_rng(0), []
    for start in range(0, len(drawn), classes):
        of_each = drawn[start : start + classes]
        if is_known(*of_each):
            replicates = np.mean([bootstrap(counts, 60, draw) for counts in of_each], axis=0)
            most = np.mean([ceiling(counts.sum()) for counts in of_each])
            intervals.append(interval(np.mean([entropy(counts) for counts in of_each]), replicates, most))
    hits = [low <= truth <= high for low, high in intervals]
    return len(hits) * classes / len(drawn), float(np.mean(hits)) if hits else math.nan


@pytest.mark.parametrize(
    ("name", "keys", "images", "classes"),
    [
        ("uniform", 5, 150, 1),
        ("geometric", 5, 150, 1),
        ("zipf", 5, 150, 1),
        ("uniform", 85, 150, 1),
        ("geometric", 100, 150, 1),
        ("zipf", 100, 150, 1),
        ("zipf", 300, 1000, 1),
        ("uniform", 50, 150, 10),
        ("geometric", 100, 150, 10),
        ("zipf", 50, 150, 10),
    ],
)
def test_an_interval_that_is_published_holds_the_known_entropy(name: str, keys: int, images: int, classes: int):
    published, holding = held(*samples(name, keys, images, times=120 if classes == 1 else 50 * classes), classes)
    assert published > 0.5
    assert holding >= 0.85


@pytest.mark.parametrize(("name", "keys"), [("uniform", 300), ("zipf", 200)])
def test_no_interval_is_published_where_it_would_miss_the_known_entropy(name: str, keys: int):
    truth, drawn = samples(name, keys, images=150)
    assert held(truth, drawn)[0] < 0.05
    draw, hits = np.random.default_rng(0), []
    for counts in drawn:
        low, high = interval(entropy(counts), bootstrap(counts, 60, draw), ceiling(150))
        hits.append(low <= truth <= high)
    assert np.mean(hits) < 0.85


# The bootstrap


def test_replicates_are_entropies_of_multinomial_resamples():
    counts, draw = np.array([50, 30, 15, 4, 1]), np.random.default_rng(2)
    found = bootstrap(counts, 2000, draw)
    expected = [entropy(anew[anew > 0]) for anew in draw.multinomial(100, counts / 100, size=2000)]
    assert found.shape == (2000,)
    assert found.mean() == pytest.approx(np.mean(expected), abs=0.015)
    assert found.std() == pytest.approx(np.std(expected), rel=0.08)


def test_two_images_of_two_keys_have_replicates_of_no_bit_and_of_one():
    found = bootstrap(np.array([1, 1]), 400, np.random.default_rng(0))
    assert set(found) == {0.0, 1.0}
    assert found.mean() == pytest.approx(0.5, abs=0.08)


def test_replicates_are_the_generators_alone():
    counts = np.array([5, 3, 1, 1])
    one, same, other = (bootstrap(counts, 20, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("counts", [[], [1], [40]])
def test_nothing_or_a_single_key_has_an_interval_without_width(counts: list[int]):
    replicates = bootstrap(np.array(counts, dtype=np.int64), 10, np.random.default_rng(0))
    assert replicates.tolist() == [0.0] * 10
    assert interval(0.0, replicates, ceiling(sum(counts))) == (0.0, 0.0)


def test_the_interval_mirrors_the_replicates_at_the_estimate():
    replicates = np.linspace(1, 2, 1001)  # 2.5% of them below 1.025, 97.5% below 1.975
    assert interval(2.5, replicates, 10.0) == pytest.approx((3.025, 3.975 + 1))  # whose mean is 1 below it
    assert interval(2.5, replicates, 3.5) == pytest.approx((3.025, 3.5))  # cut off at the ceiling
    assert interval(0.9, replicates, 10.0) == pytest.approx((0, 0.775))  # and at no bit


def test_where_every_key_is_new_the_interval_is_the_ceiling():
    counts = np.ones(64, dtype=np.int64)
    assert interval(6.0, bootstrap(counts, 50, np.random.default_rng(0)), ceiling(64)) == (6.0, 6.0)

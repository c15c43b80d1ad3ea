"""Strength and stability, against loops in float64, and what must not change them."""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from rem.trees.strength import CapsuleEntropy, Instability, instability, polarization, strongest_coupling

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(40, 3, 5, generator=GENERATOR, dtype=torch.float64)  # (N, J, I)
COUPLINGS = LOGITS.softmax(dim=1)
PREDICTED = torch.randint(3, (40,), generator=GENERATOR)


def test_the_strongest_coupling_is_the_mean_of_the_maxima():
    for image, found in enumerate(strongest_coupling(COUPLINGS)):
        expected = sum(max(COUPLINGS[image, j, i].item() for j in range(3)) for i in range(5)) / 5
        assert found.item() == pytest.approx(expected)


def test_polarization_is_one_less_the_entropy_over_log_j():
    for image, found in enumerate(polarization(COUPLINGS)):
        shares = [[COUPLINGS[image, j, i].item() for j in range(3)] for i in range(5)]
        expected = sum(1 + sum(c * math.log(c) for c in own) / math.log(3) for own in shares) / 5
        assert found.item() == pytest.approx(expected)


def test_uniform_couplings_are_weak_and_one_hot_ones_strong():
    uniform, hot = torch.full((1, 4, 2), 0.25), torch.eye(4)[None, :, :2]
    assert strongest_coupling(uniform).tolist() == [0.25]
    assert polarization(uniform).tolist() == pytest.approx([0.0], abs=1e-6)
    assert strongest_coupling(hot).tolist() == polarization(hot).tolist() == [1.0]


def test_a_capsule_without_connections_does_not_count():
    couplings = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 0.0, 0.5]]])
    assert strongest_coupling(couplings).tolist() == [0.75]
    assert polarization(couplings).tolist() == [0.5]


def slow_rho(logits, predicted):
    """The variance within class and capsule over that of all, entry by entry."""
    own = []
    for image, j in enumerate(predicted.tolist()):
        columns = logits[image].tolist()
        own.append([columns[j][i] - sum(column[i] for column in columns) / len(columns) for i in range(5)])
    everything = [x for row in own for x in row]
    mean = sum(everything) / len(everything)
    total = sum((x - mean) ** 2 for x in everything)
    within = 0.0
    for j in range(3):
        for i in range(5):
            values = [own[image][i] for image in range(len(own)) if predicted[image] == j]
            if values:
                within += sum((x - sum(values) / len(values)) ** 2 for x in values)
    return within / total


def test_rho_is_the_share_of_the_variance_within_class_and_capsule():
    assert instability(COUPLINGS, PREDICTED) == pytest.approx(slow_rho(LOGITS, PREDICTED))


def test_rho_of_a_network_with_connections_is_over_those():
    """What is not connected has no logit: means and variances are over the connections alone."""
    there = torch.rand(5, 3, generator=GENERATOR) > 0.4  # (I, J)
    there[:, 0] = True
    couplings = LOGITS.masked_fill(~there.t(), -math.inf).softmax(dim=1)
    values: dict[tuple[int, int], list[float]] = {}
    for image, j in enumerate(PREDICTED.tolist()):
        for i in range(5):
            if there[i, j]:
                logits = [float(LOGITS[image, k, i]) for k in range(3) if there[i, k]]
                values.setdefault((i, j), []).append(float(LOGITS[image, j, i]) - sum(logits) / len(logits))
    everything = [x for own in values.values() for x in own]
    mean = sum(everything) / len(everything)
    within = sum((x - sum(own) / len(own)) ** 2 for own in values.values() for x in own)
    expected = within / sum((x - mean) ** 2 for x in everything)
    found = Instability(3, 5, there)
    found.add(couplings, PREDICTED)
    assert found.rho() == pytest.approx(expected)
    assert instability(couplings, PREDICTED) == pytest.approx(expected)
    assert instability(couplings.requires_grad_(), PREDICTED) == pytest.approx(expected)


def test_rho_does_not_feel_the_scale_of_the_logits():
    for scale in (0.1, 3.0):
        assert instability((LOGITS * scale).softmax(dim=1), PREDICTED) == pytest.approx(
            instability(COUPLINGS, PREDICTED)
        )


def test_rho_of_static_trees_is_0_and_of_trees_that_know_no_class_1():
    trees = torch.randn(3, 3, 5, generator=GENERATOR, dtype=torch.float64).softmax(dim=1)
    assert instability(trees[PREDICTED], PREDICTED) == pytest.approx(0, abs=1e-12)
    noise = torch.randn(20_000, 3, 5, generator=GENERATOR, dtype=torch.float64).softmax(dim=1)
    labels = torch.randint(3, (20_000,), generator=GENERATOR)
    assert instability(noise, labels) == pytest.approx(1, abs=0.01)


def test_rho_does_not_depend_on_the_batches():
    batches = Instability(3, 5)
    for rows in torch.arange(40).split(7):
        batches.add(COUPLINGS[rows], PREDICTED[rows])
    assert batches.rho() == pytest.approx(instability(COUPLINGS, PREDICTED))


@pytest.mark.parametrize("classes", [3, 10, 12, 15, 200])
@pytest.mark.parametrize("capsules", [5, 36, 216])
def test_rho_of_couplings_without_any_spread_is_no_number(classes: int, capsules: int):
    even = torch.zeros(40, classes, capsules).softmax(dim=1)
    assert math.isnan(instability(even, torch.arange(40) % classes))


def test_the_entropy_of_a_capsule_by_counting():
    keys = np.random.default_rng(0).integers(0, 4, (30, 2)).astype(np.uint8)
    predicted = np.repeat([0, 1], 15)  # nobody is predicted as class 2
    found = CapsuleEntropy(3, 2, 4)
    for rows in np.array_split(np.arange(30), 4):
        found.add(keys[rows], predicted[rows])
    bits = 0.0
    for label in range(2):
        for capsule in range(2):
            counts = Counter(keys[predicted == label, capsule].tolist()).values()
            bits -= sum(n / 15 * math.log2(n / 15) for n in counts)
    assert found.bits() == pytest.approx(bits / 6)

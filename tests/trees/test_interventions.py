"""Couplings in place of the routing's own, against the softmax worked out entry by entry."""

import math

import pytest
import torch

from rem.errors import RemError
from rem.trees.interventions import delete, one_hot, temper

LOGITS = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)  # (B, J, I)
COUPLINGS = LOGITS.softmax(dim=1)


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_a_temperature_is_the_softmax_of_the_logits_over_tau(tau):
    found = temper(COUPLINGS, tau)
    for image in range(5):
        for capsule in range(6):
            powers = [math.exp(LOGITS[image, label, capsule].item() / tau) for label in range(4)]
            expected = [power / sum(powers) for power in powers]
            assert found[image, :, capsule].tolist() == pytest.approx(expected, rel=1e-9)


def test_tau_1_changes_no_bit_and_an_infinite_one_couples_uniformly():
    assert temper(COUPLINGS, 1) is COUPLINGS
    assert torch.equal(temper(COUPLINGS, math.inf), torch.full_like(COUPLINGS, 1 / 4))
    assert temper(COUPLINGS, 1e9) == pytest.approx(temper(COUPLINGS, math.inf), abs=1e-6)


def test_a_low_temperature_is_one_hot():
    assert temper(COUPLINGS, 1e-4) == pytest.approx(one_hot(COUPLINGS), abs=1e-6)


def test_scaled_logits_have_the_same_couplings_at_a_scaled_temperature():
    scaled = (LOGITS * 2.5).softmax(dim=1)
    assert temper(scaled, 2.5 * 1.4) == pytest.approx(temper(COUPLINGS, 1.4), abs=1e-12)


@pytest.mark.parametrize("tau", [0.3, 2.0, math.inf])
def test_what_is_not_connected_stays_so(tau):
    masked = torch.tensor([[[0.5, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]]])  # capsule 2 has no connection
    found = temper(masked, tau)
    assert torch.equal(found > 0, masked > 0)
    assert found.sum(dim=1).tolist() == [[1.0, 1.0, 0.0]]


def test_one_hot_gives_all_to_the_strongest_class():
    found = one_hot(COUPLINGS)
    assert torch.equal(found.argmax(dim=1), COUPLINGS.argmax(dim=1))
    assert torch.equal(found.sum(dim=1), torch.ones(5, 6, dtype=torch.float64))
    assert set(found.unique().tolist()) == {0.0, 1.0}


def test_one_hot_connects_nothing_that_is_not_connected():
    masked = torch.tensor([[[0.4, 0.0, 0.0], [0.6, 1.0, 0.0], [0.0, 0.0, 0.0]]])  # capsule 2 has no connection
    assert one_hot(masked).tolist() == [[[0, 0, 0], [1, 1, 0], [0, 0, 0]]]


def test_deletion_takes_the_highest_scores_of_each_image_and_leaves_the_rest():
    score = torch.tensor([[3.0, 1.0, 2.0, 0.0, 5.0, 4.0]]).repeat(5, 1)
    score[1] = score[1].flip(0)
    found = delete(COUPLINGS, score, 1 / 3)
    for image, gone in enumerate([[4, 5], [0, 1], [4, 5], [4, 5], [4, 5]]):
        for capsule in range(6):
            expected = torch.zeros(4, dtype=torch.float64) if capsule in gone else COUPLINGS[image, :, capsule]
            assert torch.equal(found[image, :, capsule], expected)


def test_deleting_no_share_deletes_nothing():
    assert torch.equal(delete(COUPLINGS, torch.rand(5, 6), 0.0), COUPLINGS)


@pytest.mark.parametrize("tau", [0, -1, float("nan")])
def test_a_temperature_that_is_none_is_refused(tau):
    with pytest.raises(RemError, match=f"tau is {tau:g}; a temperature is above 0"):
        temper(torch.full((2, 1), 0.5), tau)

"""The reference itself against values worked out by hand."""

import math

import numpy as np
import pytest
import reference


def test_squash_of_a_pose_of_length_five():
    assert reference.squash([3.0, 4.0]) == pytest.approx([25 / 26 * 3 / 5, 25 / 26 * 4 / 5], abs=1e-6)


def test_vote_is_the_matrix_times_the_pose():
    weight = np.array([[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]])  # one W_ij, 3x2
    assert reference.votes(weight, np.array([[10.0, 1.0]])).tolist() == [[[12.0, 34.0, 56.0]]]


def test_two_iterations_of_routing_on_one_capsule():
    votes = np.array([[[1.0]], [[0.0]]])  # one primary capsule, votes 1 for class 0 and 0 for class 1
    routing = reference.route(votes, bias=np.zeros((2, 1)), iterations=2)
    agreement = 0.5**2 / (1 + 0.5**2)  # squash(1/2) * 1
    expected = math.exp(agreement) / (math.exp(agreement) + 1)
    assert routing.couplings[:, 0] == pytest.approx([expected, 1 - expected], abs=1e-6)
    assert routing.poses[0, 0] == pytest.approx(expected**2 / (1 + expected**2), abs=1e-6)


def test_margin_loss_of_one_image():
    assert reference.margin_loss([0.8, 0.3, 0.05], label=0) == pytest.approx(0.1**2 + 0.5 * 0.2**2)
    assert reference.margin_loss([0.8, 0.3, 0.05], label=1) == pytest.approx(0.6**2 + 0.5 * 0.7**2)


def test_lobster_decays_what_the_loss_does_not_feel():
    assert reference.lobster_decay(2.0, gradient=0.0, penalty=0.1) == pytest.approx(1.8)
    assert reference.lobster_decay(2.0, gradient=-0.5, penalty=0.1) == pytest.approx(1.9)
    assert reference.lobster_decay(2.0, gradient=-3.0, penalty=0.1) == 2.0


def test_eleven_levels_are_tenths():
    assert [reference.index(x, 11) for x in (0.0, 0.049, 0.051, 0.1, 0.74, 0.951, 1.0)] == [0, 0, 1, 1, 7, 10, 10]


def test_convolution_of_a_ramp():
    image = np.arange(16.0).reshape(1, 4, 4)
    strided = reference.convolve(image, np.ones((1, 1, 2, 2)), np.array([0.5]), stride=2)
    assert strided.tolist() == [[[10.5, 18.5], [42.5, 50.5]]]


def test_dictionary_of_each_predicted_class():
    keys = [(0, 1), (1, 1), (0, 1), (0, 1)]
    assert reference.dictionaries(keys, [0, 0, 0, 2], classes=3) == [{(0, 1): 2, (1, 1): 1}, {}, {(0, 1): 1}]

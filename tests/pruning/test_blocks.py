"""The matrices W_ij as wholes: their shrinkage, and what a connection carries."""

import math

import numpy as np
import pytest
import reference
import torch
from prunable import labelled_images
from tensors import assert_equal, random_tensor

from rem.errors import RemError
from rem.networks.capsnet import CapsNet
from rem.networks.routing import votes
from rem.pruning.blocks import block_norms, coupled_votes, group_lasso, group_lobster

SHAPE = 5, 3, 2, 4  # I, J, D, P
GONE = [(2, 1), (4, 0)]  # connections whose W_ij is 0


def matrices(gradient_scale: float = 1.0) -> torch.nn.Parameter:
    """W_ij with a gradient, in float64; both are 0 where a connection is gone."""
    weight = torch.nn.Parameter(random_tensor(*SHAPE))
    weight.grad = gradient_scale * random_tensor(*SHAPE, seed=1)
    for i, j in GONE:
        weight.data[i, j], weight.grad[i, j] = 0, 0
    return weight


def connections() -> list[tuple[int, int]]:
    return [(i, j) for i in range(SHAPE[0]) for j in range(SHAPE[1])]


def norm(matrix: torch.Tensor) -> float:
    return math.sqrt(sum(x**2 for x in matrix.flatten().tolist()))


@pytest.mark.parametrize("gradient_scale", [1e-6, 1.0, 1e6])
def test_group_lobster_agrees_with_the_reference_on_any_scale_of_the_gradient(gradient_scale: float):
    weight = matrices(gradient_scale)
    sensitivities = sorted(norm(weight.grad[i, j]) for i, j in connections() if (i, j) not in GONE)
    median = sensitivities[(len(sensitivities) - 1) // 2]
    before, gradient = weight.detach().numpy().copy(), weight.grad.numpy()
    group_lobster(weight, 0.3)
    expected = [reference.group_lobster_decay(before[i, j], gradient[i, j], median, 0.3) for i, j in connections()]
    assert_equal(weight.flatten(0, 1), np.array(expected))
    shrunk = [(i, j) for i, j in connections() if norm(weight[i, j]) < norm(torch.tensor(before[i, j]))]
    assert 0 < len(shrunk) <= SHAPE[0] * SHAPE[1] / 2  # those that the loss feels least


def test_where_the_loss_feels_nothing_group_lobster_shrinks_every_matrix_alike():
    weight = matrices(0.0)
    before = weight.detach().clone()
    group_lobster(weight, 0.3)
    torch.testing.assert_close(weight.detach(), 0.7 * before)


def test_group_lobster_without_a_gradient_is_an_error():
    with pytest.raises(RemError, match="no gradient"):
        group_lobster(torch.nn.Parameter(torch.ones(SHAPE)), 0.1)


def test_group_lasso_takes_the_same_length_off_every_matrix_but_never_turns_one():
    weight = matrices()
    weight.data[0, 0] *= 1e-3
    before = weight.detach().clone()
    norms = [norm(before[i, j]) for i, j in connections()]
    length = 0.3 * sum(norms) / (len(norms) - len(GONE))  # of the matrices that are not 0
    group_lasso(weight, 0.3)
    for (i, j), was in zip(connections(), norms, strict=True):
        left = max(0.0, was - length)
        assert norm(weight.detach()[i, j]) == pytest.approx(left)
        torch.testing.assert_close(weight.detach()[i, j] * was, before[i, j] * left)
    assert norm(weight.detach()[0, 0]) == 0 == norm(weight.detach()[2, 1])


def test_norms_are_of_a_connection():
    weight = matrices().detach()
    expected = [[norm(weight[i, j]) for j in range(SHAPE[1])] for i in range(SHAPE[0])]
    assert_equal(block_norms(weight), np.array(expected))


@pytest.mark.parametrize("connected", [False, True])
def test_coupled_votes_are_the_mean_of_coupling_times_length_of_the_vote(connected: bool):
    torch.manual_seed(0)
    sizes = {"convolution_channels": 2, "primary_types": 2, "primary_dimensions": 3, "class_dimensions": 2}
    network = CapsNet(size=17, classes=2, connected=connected, **sizes).double()
    network.keep(torch.tensor([[True, False], [True, True]]))
    images, _ = labelled_images(5)
    found = coupled_votes(network, images.split(2))
    assert found.shape == (2, 2)
    expected = np.zeros((2, 2))
    for image in images:
        poses = network.primary_capsules(image[None])[0].detach().numpy()
        seen = reference.votes(network.weight.detach().numpy(), poses)
        mask = network.connections.numpy() if connected else None
        couplings = reference.route(seen, network.routing_bias.detach().numpy(), 3, connected=mask).couplings
        for i, j in np.ndindex(2, 2):
            expected[i, j] += couplings[j, i] * reference.length(seen[j, i]) / len(images)
    assert_equal(found, expected)
    assert found[0, 1] == 0


def test_what_a_connection_carries_is_reckoned_in_float32_under_autocast_too():
    torch.manual_seed(0)
    network = CapsNet(size=17, classes=2, convolution_channels=2, primary_types=4).eval()
    images = torch.rand(5, 1, 17, 17)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = coupled_votes(network, [images])
        primary = network.primary_capsules(images)
    couplings = network.route(primary)[2]
    expected = (couplings * votes(network.weight, primary).norm(dim=3)).mean(dim=0).t()
    torch.testing.assert_close(found.float(), expected)

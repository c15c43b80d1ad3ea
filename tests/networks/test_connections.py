"""Routing over some of the connections."""

import numpy as np
import pytest
import reference
import torch
from tensors import assert_equal, finite_differences, quantizing, random_tensor

from rem.networks import routing
from rem.networks.connections import Gathered, draw, route_connected, route_gathered, strongest

CAPSULES, CLASSES, DIMENSIONS, INPUTS = 9, 5, 3, 4


def inputs(batch: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """W_ij (I, J, D, P), u_i (B, I, P) and a routing bias (J, D)."""
    weight, poses = random_tensor(CAPSULES, CLASSES, DIMENSIONS, INPUTS), random_tensor(batch, CAPSULES, INPUTS, seed=1)
    return weight, poses, 0.3 * random_tensor(CLASSES, DIMENSIONS, seed=2)


def drawn(density: float) -> torch.Tensor:
    """Connections (I, J) drawn by lot: capsule 0 has all, capsule 1 none, capsule 2 one, and class 4 none but of 0."""
    connections = torch.from_numpy(np.random.default_rng(3).random((CAPSULES, CLASSES)) < density)
    connections[:, 4] = False
    connections[0], connections[1], connections[2] = True, False, torch.arange(CLASSES) == 1
    return connections


densities = pytest.mark.parametrize("density", [0.1, 0.5, 0.9])


@densities
@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("levels", [None, 4])
def test_routing_over_connections_agrees_with_the_reference(density: float, iterations: int, levels: int | None):
    weight, poses, bias = inputs()
    connections = drawn(density)
    found, couplings = route_connected(weight, poses, bias, iterations, quantizing(levels), connections)
    every = [reference.votes(weight.numpy(), u) for u in poses.numpy()]
    expected = [reference.route(u, bias.numpy(), iterations, levels, connections.numpy()) for u in every]
    assert_equal(couplings, np.array([one.couplings for one in expected]))
    assert_equal(found, np.array([one.poses for one in expected]))


def test_all_connections_are_plain_routing_bit_for_bit():
    weight, poses, bias = (tensor.float() for tensor in inputs())
    found = route_connected(weight, poses, bias, 3, None, torch.ones(CAPSULES, CLASSES, dtype=torch.bool))
    assert all(map(torch.equal, found, routing.route(weight, poses, bias, 3)))


@densities
def test_what_is_not_connected_has_a_coupling_of_exactly_0_and_the_rest_of_a_capsule_sums_to_1(density: float):
    connections = drawn(density)
    _, couplings = route_connected(*inputs(), 3, None, connections)
    assert (couplings.transpose(1, 2)[:, ~connections] == 0).all()
    assert (couplings[:, 1, 2] == 1).all()  # of the capsule with one connection
    expected = connections.any(dim=1).double().expand(2, -1)  # (B, I)
    torch.testing.assert_close(couplings.sum(dim=1), expected)


def test_weights_of_removed_connections_change_nothing():
    weight, poses, bias = inputs()
    connections = drawn(0.5)
    changed = torch.where(connections[:, :, None, None], weight, 100.0)
    found, expected = (route_connected(each, poses, bias, 3, None, connections) for each in (changed, weight))
    assert all(map(torch.equal, found, expected))


def test_large_logits_are_borne():
    weight, poses, bias = inputs()
    _, couplings = route_connected(1000 * weight, poses, bias, 3, None, drawn(0.5))
    assert couplings.isfinite().all()


def test_reordering_capsules_and_classes_reorders_what_is_routed():
    weight, poses, bias = inputs()
    connections = drawn(0.5)
    capsules, classes = (
        torch.randperm(CAPSULES, generator=torch.Generator().manual_seed(4)),
        torch.tensor([3, 0, 4, 2, 1]),
    )
    found, couplings = route_connected(weight, poses, bias, 3, None, connections)
    reordered = route_connected(
        weight[capsules][:, classes], poses[:, capsules], bias[classes], 3, None, connections[capsules][:, classes]
    )
    torch.testing.assert_close(reordered[0], found[:, classes])
    torch.testing.assert_close(reordered[1], couplings[:, classes][:, :, capsules])


def test_gradients_by_finite_differences_with_the_couplings_held_constant():
    weight, poses, bias = inputs(1)
    connections = drawn(0.5)
    direction = random_tensor(CLASSES, DIMENSIONS, seed=5).numpy()  # the derivative of the poses along it
    every = reference.votes(weight.numpy(), poses[0].numpy())
    used = reference.route(every, bias.numpy(), 3, connected=connections.numpy()).used

    def along(w: np.ndarray, u: np.ndarray, b: np.ndarray) -> float:
        return float((reference.output_poses(reference.votes(w, u), b, used) * direction).sum())

    for tensor in (weight, poses, bias):
        tensor.requires_grad_()
    made, couplings = route_connected(weight, poses, bias, 3, None, connections)
    assert not couplings.requires_grad
    (made[0] * torch.tensor(direction)).sum().backward()
    w, u, b = weight.detach().numpy(), poses.detach()[0].numpy(), bias.detach().numpy()
    assert_equal(weight.grad, finite_differences(lambda x: along(x, u, b), w), tolerance=1e-8)
    assert_equal(poses.grad[0], finite_differences(lambda x: along(w, x, b), u), tolerance=1e-8)
    assert_equal(bias.grad, finite_differences(lambda x: along(w, u, x), b), tolerance=1e-8)


def test_centred_logits_are_centred_over_the_connections_of_a_capsule():
    weight, poses, bias = inputs(1)
    connections = drawn(0.5)
    _, couplings = route_connected(weight, poses, bias, 3, None, connections)
    every = reference.votes(weight.numpy(), poses[0].numpy())
    logits = reference.route(every, bias.numpy(), 3, connected=connections.numpy()).logits
    found = routing.centred_logits(couplings, connections)[0].numpy()
    for i in range(CAPSULES):
        parents = [j for j in range(CLASSES) if connections[i, j]]
        for j in range(CLASSES):
            mean = sum(logits[k, i] for k in parents) / max(1, len(parents))
            assert found[j, i] == pytest.approx(logits[j, i] - mean if j in parents else 0.0, abs=1e-10)


# Which connections there are


@pytest.mark.parametrize("keep_one", [False, True])
@pytest.mark.parametrize("count", [CAPSULES, 20, CAPSULES * CLASSES])
def test_the_strongest_are_kept_of_those_that_are_there(count: int, keep_one: bool):
    score, kept = random_tensor(CAPSULES, CLASSES), drawn(0.5)
    found = strongest(score, kept, count, keep_one)
    order = sorted(((i, j) for i, j in np.ndindex(CAPSULES, CLASSES) if kept[i, j]), key=lambda ij: -score[ij])
    bests = [max((ij for ij in order if ij[0] == i), key=lambda ij: score[ij], default=None) for i in range(CAPSULES)]
    first = [ij for ij in bests if ij] if keep_one else []
    expected = [*first, *(ij for ij in order if ij not in first)][:count]
    assert {tuple(ij) for ij in found.nonzero().tolist()} == set(expected)


@pytest.mark.parametrize("keep_one", [False, True])
def test_a_lot_draws_so_many_connections_each_as_likely_as_another(keep_one: bool):
    draws = [draw(CAPSULES, CLASSES, 15, keep_one, torch.Generator().manual_seed(seed)) for seed in range(600)]
    assert {int(one.sum()) for one in draws} == {15}
    assert all(one.any(dim=1).all() for one in draws) == keep_one
    share = torch.stack(draws).double().mean(dim=0)
    assert (share - 15 / (CAPSULES * CLASSES)).abs().max() < 0.1  # five standard errors
    again = draw(CAPSULES, CLASSES, 15, keep_one, torch.Generator().manual_seed(0))
    assert torch.equal(again, draws[0])
    assert not torch.equal(draws[0], draws[1])


@pytest.mark.parametrize("change", [None, lambda couplings: couplings**2])
def test_capsules_that_are_gone_as_wholes_are_left_out_as_their_connections_would_be(change):
    weight, poses, bias = random_tensor(6, 3, 4, 2, seed=1), random_tensor(2, 6, 2, seed=2), random_tensor(3, 4, seed=3)
    connections = torch.tensor([1, 0, 1, 1, 0, 1]).bool().unsqueeze(1).expand(-1, 3)
    layout = Gathered(connections)
    expected = route_gathered(layout, layout.weight(weight), poses, bias, 3, change)
    for found, wanted in zip(route_connected(weight, poses, bias, 3, change, connections), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-12, rtol=0)
    assert not expected[1][:, :, [1, 4]].any()

"""Squash, votes and dynamic routing (Eq. 1 to 5, 15)."""

from itertools import pairwise

import numpy as np
import pytest
import reference
import torch
from tensors import assert_equal, finite_differences, quantizing, random_tensor

from rem.errors import RemError
from rem.networks import routing
from rem.networks.routing import coupling, squash, votes
from rem.trees.replaced import sums_at_levels

# batch, I primary capsules, J classes, D and P dimensions of their poses: all different, so that no axis
# can be taken for another
SHAPES = [(1, 1, 2, 1, 1), (2, 7, 3, 4, 5), (3, 5, 10, 2, 4)]
shapes = pytest.mark.parametrize(("batch", "capsules", "classes", "dimensions", "inputs"), SHAPES)


iterations_from_1_to_4 = pytest.mark.parametrize("iterations", [1, 2, 3, 4])


def route(
    votes: torch.Tensor, bias: torch.Tensor, iterations: int, levels: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`rem.networks.routing.route` on any votes (B, J, I, D): W_ij is the vote itself, u_i = 1, an image at a time."""
    ones = torch.ones(1, votes.shape[2], 1, dtype=votes.dtype)
    routed = [
        routing.route(one.transpose(0, 1).unsqueeze(-1), ones, bias, iterations, quantizing(levels)) for one in votes
    ]
    poses, couplings = zip(*routed, strict=True)
    return torch.cat(poses), torch.cat(couplings)


def votes_and_bias(batch: int, capsules: int, classes: int, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Votes (B, J, I, D) and a routing bias (J, D) that is different for every class and dimension."""
    return random_tensor(batch, classes, capsules, dimensions), 0.3 * random_tensor(classes, dimensions, seed=1)


# Squash, votes, couplings


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("shape", [(3,), (4, 2), (2, 3, 5)])
def test_squash_agrees_with_the_reference(shape: tuple[int, ...], size: float):
    s = size * random_tensor(*shape)
    expected = np.apply_along_axis(reference.squash, -1, s.numpy())
    assert_equal(squash(s), expected, tolerance=1e-14)


def test_squash_keeps_the_direction_and_stays_below_length_1():
    s = random_tensor(50, 8) * torch.logspace(-3, 3, 50, dtype=torch.float64)[:, None]
    v = squash(s)
    assert (v.norm(dim=-1) < 1).all()
    torch.testing.assert_close(torch.cosine_similarity(v, s, dim=-1, eps=1e-30), torch.ones(50, dtype=torch.float64))


def test_squash_gradient_by_finite_differences_even_at_zero():
    s = random_tensor(4, 3)
    s[0] = 0.0
    s[1] *= 1e-3
    assert torch.autograd.gradcheck(squash, s.requires_grad_(), eps=1e-7, atol=1e-6)


@shapes
def test_votes_agree_with_the_reference(batch: int, capsules: int, classes: int, dimensions: int, inputs: int):
    weight = random_tensor(capsules, classes, dimensions, inputs)
    poses = random_tensor(batch, capsules, inputs, seed=1)
    assert_equal(votes(weight, poses), np.array([reference.votes(weight.numpy(), u) for u in poses.numpy()]))


@shapes
def test_coupling_agrees_with_the_reference(batch: int, capsules: int, classes: int, dimensions: int, inputs: int):
    logits = random_tensor(batch, classes, capsules)
    by_class = coupling(logits.transpose(0, 1))  # (J, B, I)
    assert_equal(by_class.transpose(0, 1), np.array([reference.coupling(b) for b in logits.numpy()]))


def test_couplings_of_a_primary_capsule_sum_to_1_over_the_classes():
    found = coupling(random_tensor(3, 2, 7))  # (J, B, I)
    torch.testing.assert_close(found.sum(dim=0), torch.ones(2, 7, dtype=torch.float64))
    assert (found.sum(dim=2) - 1).abs().min() > 0.1  # and not over the primary capsules


def test_coupling_bears_large_logits():
    found = coupling(torch.tensor([[[1000.0]], [[0.0]]]))
    assert found.flatten().tolist() == [1.0, 0.0]


def test_a_share_that_rounds_to_0_is_still_a_connection():
    logits = torch.tensor([[[0.0, 2.0], [-1000.0, 2.0]]])  # (B, J, I)
    couplings = routing.shares(logits)
    assert couplings[0, :, 0].tolist() == [1, torch.finfo(torch.float32).tiny]
    assert couplings[0, :, 1].tolist() == [0.5, 0.5]


# Dynamic routing


@shapes
@iterations_from_1_to_4
@pytest.mark.parametrize("levels", [None, 2, 11])
def test_routing_agrees_with_the_reference(
    batch: int, capsules: int, classes: int, dimensions: int, inputs: int, iterations: int, levels: int | None
):
    predictions, bias = votes_and_bias(batch, capsules, classes, dimensions)
    poses, couplings = route(predictions, bias, iterations, levels)
    expected = [reference.route(one.numpy(), bias.numpy(), iterations, levels) for one in predictions]
    assert_equal(couplings, np.array([one.couplings for one in expected]))
    assert_equal(poses, np.array([one.poses for one in expected]))


@iterations_from_1_to_4
def test_routed_couplings_sum_to_1_over_the_classes(iterations: int):
    _, couplings = route(*votes_and_bias(3, 6, 4, 5), iterations)
    torch.testing.assert_close(couplings.sum(dim=1), torch.ones(3, 6, dtype=torch.float64))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_one_iteration_couples_uniformly_and_has_entropy_zero(classes: int):
    _, couplings = route(*votes_and_bias(5, 6, classes, 4), iterations=1)
    assert (couplings == 1 / classes).all()
    keys = [reference.key(c, predicted=0, levels=11) for c in couplings.numpy()]
    assert reference.entropy(reference.dictionaries(keys, [0] * 5, 1)[0].values()) == 0.0


def test_agreement_strengthens_a_coupling():
    predictions = torch.zeros(1, 2, 3, 2, dtype=torch.float64)
    predictions[0, 0, :, 0] = 1.0  # all primary capsules vote alike for class 0, for class 1 they do not vote
    bias = torch.zeros(2, 2, dtype=torch.float64)
    found = [route(predictions, bias, iterations)[1][0, 0, 0].item() for iterations in (1, 2, 3, 4)]
    assert all(before < after for before, after in pairwise(found))


def test_quantized_couplings_weigh_the_votes_while_the_couplings_are_returned_as_they_are():
    predictions, bias = votes_and_bias(2, 7, 3, 4)
    _, couplings = route(predictions, bias, 3)
    poses, with_levels = route(predictions, bias, 3, 5)
    assert torch.equal(with_levels, couplings)
    used = np.vectorize(reference.quantize)(couplings.numpy(), 5)
    expected = [reference.output_poses(u, bias.numpy(), c) for u, c in zip(predictions.numpy(), used, strict=True)]
    assert_equal(poses, np.array(expected))


@pytest.mark.parametrize("levels", [2, 11, 128, 256])
def test_quantization_moves_a_pose_no_further_than_its_votes_allow(levels: int):
    predictions, bias = votes_and_bias(4, 9, 3, 5)
    moved = (route(predictions, bias, 3, levels)[0] - route(predictions, bias, 3)[0]).norm(dim=-1)
    half_a_level = 0.5 / (levels - 1)
    assert (moved <= half_a_level * predictions.norm(dim=-1).sum(dim=2)).all()  # squash never stretches


def test_many_levels_are_as_good_as_no_quantizer():
    predictions, bias = votes_and_bias(4, 9, 3, 5)
    exact, fine = route(predictions, bias, 3)[0], route(predictions, bias, 3, 256)[0]
    torch.testing.assert_close(fine.norm(dim=-1), exact.norm(dim=-1), atol=5e-3, rtol=0)
    assert torch.equal(fine.norm(dim=-1).argmax(dim=1), exact.norm(dim=-1).argmax(dim=1))


@pytest.mark.parametrize("levels", [None, 11])
def test_gradients_by_finite_differences_with_the_couplings_held_constant(levels: int | None):
    predictions, bias = votes_and_bias(1, 3, 4, 2)
    direction = random_tensor(4, 2, seed=2).numpy()  # the derivative of the poses along it
    used = reference.route(predictions[0].numpy(), bias.numpy(), 3, levels).used

    def along(u: np.ndarray, b: np.ndarray) -> float:
        return float((reference.output_poses(u, b, used) * direction).sum())

    predictions.requires_grad_()
    bias.requires_grad_()
    poses, _ = route(predictions, bias, 3, levels)
    (poses[0] * torch.tensor(direction)).sum().backward()
    u, b = predictions.detach()[0].numpy(), bias.detach().numpy()
    assert_equal(predictions.grad[0], finite_differences(lambda x: along(x, b), u), tolerance=1e-8)
    assert_equal(bias.grad, finite_differences(lambda x: along(u, x), b), tolerance=1e-8)


def test_couplings_carry_no_gradient():
    predictions, bias = votes_and_bias(1, 3, 4, 2)
    assert not route(predictions.requires_grad_(), bias.requires_grad_(), 3)[1].requires_grad


def test_relabelling_the_classes_relabels_poses_and_couplings():
    predictions, bias = votes_and_bias(2, 7, 4, 3)
    order = [2, 0, 3, 1]
    poses, couplings = route(predictions, bias, 3)
    relabelled_poses, relabelled_couplings = route(predictions[:, order], bias[order], 3)
    torch.testing.assert_close(relabelled_poses, poses[:, order])
    torch.testing.assert_close(relabelled_couplings, couplings[:, order])


def test_images_are_routed_independently_and_in_any_order():
    predictions, bias = votes_and_bias(4, 7, 3, 2)
    poses, couplings = route(predictions, bias, 3)
    reversed_poses, reversed_couplings = route(predictions.flip(0), bias, 3)
    torch.testing.assert_close(reversed_poses, poses.flip(0))
    torch.testing.assert_close(reversed_couplings, couplings.flip(0))
    alone, alone_couplings = route(predictions[2:3], bias, 3)
    torch.testing.assert_close(alone, poses[2:3])
    torch.testing.assert_close(alone_couplings, couplings[2:3])


def test_reordering_the_primary_capsules_changes_no_pose():
    predictions, bias = votes_and_bias(2, 7, 3, 4)
    poses, couplings = route(predictions, bias, 3)
    reordered_poses, reordered_couplings = route(predictions.flip(2), bias, 3)
    torch.testing.assert_close(reordered_poses, poses)
    torch.testing.assert_close(reordered_couplings, couplings.flip(2))


# Pruned votes


@iterations_from_1_to_4
def test_a_capsule_without_any_vote_is_coupled_uniformly(iterations: int):
    weight, poses = random_tensor(6, 10, 4, 3), random_tensor(2, 6, 3, seed=1)
    weight[4] = 0.0  # W_ij = 0 for every j
    _, couplings = routing.route(weight, poses, 0.3 * random_tensor(10, 4, seed=2), iterations)
    assert (couplings[:, :, 4] == 1 / 10).all()


def test_a_zero_block_gives_the_coupling_of_equation_15():
    weight, poses = random_tensor(6, 5, 4, 3), random_tensor(1, 6, 3, seed=1)
    bias = 0.3 * random_tensor(5, 4, seed=2)
    weight[4, 2] = 0.0  # one W_ij: its vote is zero for every image
    _, couplings = routing.route(weight, poses, bias, 3)

    expected_routing = reference.route(reference.votes(weight.numpy(), poses[0].numpy()), bias.numpy(), 3)
    assert expected_routing.logits[2, 4] == 0.0
    expected = 1 / sum(np.exp(expected_routing.logits[k, 4]) for k in range(5))
    assert couplings[0, 2, 4].item() == pytest.approx(expected, abs=1e-12)
    assert abs(expected - 1 / 5) > 1e-3  # not merely the uniform one


@shapes
def test_routing_with_the_networks_weights_agrees_with_the_reference(
    batch: int, capsules: int, classes: int, dimensions: int, inputs: int
):
    weight = random_tensor(capsules, classes, dimensions, inputs)
    poses, bias = random_tensor(batch, capsules, inputs, seed=1), 0.3 * random_tensor(classes, dimensions, seed=2)
    found, couplings = routing.route(weight, poses, bias, 3)
    expected = [reference.route(reference.votes(weight.numpy(), u), bias.numpy(), 3) for u in poses.numpy()]
    assert_equal(couplings, np.array([one.couplings for one in expected]))
    assert_equal(found, np.array([one.poses for one in expected]))


def test_centred_logits_of_couplings_are_those_of_the_logits_they_are_made_of():
    weight, poses, bias = random_tensor(9, 3, 5, 4), random_tensor(1, 9, 4, seed=1), 0.3 * random_tensor(3, 5, seed=2)
    _, couplings = routing.route(weight, poses, bias, 3)
    logits = reference.route(reference.votes(weight.numpy(), poses[0].numpy()), bias.numpy(), 3).logits
    assert np.ptp(logits) > 1
    assert_equal(routing.centred_logits(couplings)[0], logits - logits.mean(axis=0))


def test_centred_logits_of_couplings_that_are_0_are_finite():
    couplings = torch.tensor([1.0, 0.0]).view(1, 2, 1)
    assert routing.centred_logits(couplings).isfinite().all()


@pytest.mark.parametrize("cells", [False, True])
def test_poses_at_many_levels_at_once_are_those_of_routing_at_each(cells: bool):
    weight, poses, bias = random_tensor(9, 3, 5, 4), random_tensor(4, 9, 4, seed=1), 0.3 * random_tensor(3, 5, seed=2)
    _, couplings = routing.route(weight, poses, bias, 3)
    levels = torch.tensor([2, 3, 11, 128])
    sums = sums_at_levels(couplings, votes(weight, poses), levels, cells)  # (B, J, L, D)
    found = routing.squash(sums + bias.unsqueeze(1))
    for one, level in zip(found.unbind(2), levels.tolist(), strict=True):
        torch.testing.assert_close(one, routing.route(weight, poses, bias, 3, quantizing(level, cells))[0])


# Couplings with a gradient


def test_couplings_with_a_gradient_are_the_same_and_the_poses_too():
    weight, poses, bias = random_tensor(9, 3, 5, 4), random_tensor(2, 9, 4, seed=1), 0.3 * random_tensor(3, 5, seed=2)
    plain = routing.route(weight, poses, bias, 3)
    found = routing.route(weight.requires_grad_(), poses, bias, 3, differentiable=True)
    assert torch.equal(found[0], plain[0])
    torch.testing.assert_close(found[1].detach(), plain[1])
    assert found[1].requires_grad


def test_the_gradient_of_couplings_is_that_of_their_logits_with_the_class_capsules_before_as_constants():
    weight, poses, bias = random_tensor(4, 3, 2, 3), random_tensor(1, 4, 3, seed=1), 0.3 * random_tensor(3, 2, seed=2)
    before = [reference.route(reference.votes(weight.numpy(), poses[0].numpy()), bias.numpy(), t).poses for t in (1, 2)]
    direction = random_tensor(3, 4, seed=3).numpy()  # the derivative of the couplings along it

    def along(w: np.ndarray, u: np.ndarray) -> float:
        seen = reference.votes(w, u)
        logits = [[sum(float(v[j] @ seen[j, i]) for v in before) for i in range(4)] for j in range(3)]
        return float((reference.coupling(np.array(logits)) * direction).sum())

    weight.requires_grad_()
    poses.requires_grad_()
    _, couplings = routing.route(weight, poses, bias, 3, differentiable=True)
    (couplings[0] * torch.tensor(direction)).sum().backward()
    w, u = weight.detach().numpy(), poses.detach()[0].numpy()
    assert_equal(weight.grad, finite_differences(lambda x: along(x, u), w), tolerance=1e-8)
    assert_equal(poses.grad[0], finite_differences(lambda x: along(w, x), u), tolerance=1e-8)


@pytest.mark.parametrize("floats", [1, 100, 2**20])
def test_classes_that_are_routed_in_groups_give_what_all_at_once_give(monkeypatch, floats: int):
    """As those of large batches are, with their gradients."""
    monkeypatch.setattr(routing, "FLOATS_AT_ONCE", floats)
    weight, poses = random_tensor(6, 5, 4, 3).requires_grad_(), random_tensor(2, 6, 3, seed=1).requires_grad_()
    bias = 0.3 * random_tensor(5, 4, seed=2)
    groups = len(list(routing._groups(5, poses)))
    assert groups == {1: 5, 100: 3, 2**20: 1}[floats]
    found, couplings = routing.route(weight, poses, bias, 3)
    seen = [reference.votes(weight.detach().numpy(), u) for u in poses.detach().numpy()]
    expected = [reference.route(votes, bias.numpy(), 3) for votes in seen]
    assert_equal(found.detach(), np.array([one.poses for one in expected]))
    direction = random_tensor(2, 5, 4, seed=3)
    (found * direction).sum().backward()
    constant = torch.tensor(np.array([one.couplings for one in expected]))  # (B, J, I)
    w, u = weight.detach().clone().requires_grad_(), poses.detach().clone().requires_grad_()
    sums = torch.einsum("bji,ijdp,bip->bjd", constant, w, u)
    (routing.squash(sums + bias) * direction).sum().backward()
    assert_equal(weight.grad, w.grad.numpy())
    assert_equal(poses.grad, u.grad.numpy())
    assert_equal(couplings, constant.numpy())


def test_no_image_is_routed_to_no_capsules_and_no_iteration_is_refused():
    weight, poses, bias = random_tensor(6, 5, 4, 3), random_tensor(0, 6, 3), random_tensor(5, 4)
    found, couplings = routing.route(weight, poses, bias)
    assert found.shape == (0, 5, 4)
    assert couplings.shape == (0, 5, 6)
    with pytest.raises(RemError, match="t is 0; a routing has at least one iteration"):
        routing.route(weight, poses, bias, iterations=0)

"""Squash, votes, dynamic routing and the network (Eq. 1 to 5, 15)."""

from itertools import pairwise

import numpy as np
import pytest
import reference
import tiny
import torch

from rem.errors import RemError
from rem.networks import routing
from rem.networks.build import capsnet
from rem.networks.capsnet import CapsNet
from rem.networks.losses import margin_loss
from rem.networks.routing import coupling, squash, votes
from rem.trees.couplings import quantized_poses
from rem.trees.quantizer import quantize

# batch, I primary capsules, J classes, D and P dimensions of their poses: all different, so that no axis
# can be taken for another
SHAPES = [(1, 1, 2, 1, 1), (2, 7, 3, 4, 5), (3, 5, 10, 2, 4)]
shapes = pytest.mark.parametrize(("batch", "capsules", "classes", "dimensions", "inputs"), SHAPES)
iterations_from_1_to_4 = pytest.mark.parametrize("iterations", [1, 2, 3, 4])


def random_tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers in float64."""
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def quantizing(levels: int | None):
    """What `route` is to do to its last couplings to quantize them at K; None for none."""
    return None if levels is None else lambda couplings: quantize(couplings, levels)


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


def assert_equal(found: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-12) -> None:
    """`found` has the values and the shape of `expected`, in float64."""
    torch.testing.assert_close(found.detach(), torch.tensor(np.array(expected)), atol=tolerance, rtol=0)


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


def finite_differences(function, at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central differences of a scalar function in every entry of `at`."""
    result = np.zeros_like(at)
    for entry in np.ndindex(*at.shape):
        moved = np.zeros_like(at)
        moved[entry] = step
        result[entry] = (function(at + moved) - function(at - moved)) / (2 * step)
    return result


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


# The network

TINY = tiny.run(network={"convolution_channels": 3, "primary_dimensions": 4, "class_dimensions": 5}).network
PAPER = {"convolution_channels": 256, "primary_dimensions": 8, "class_dimensions": 16, "routing_iterations": 3}
RESNET = {"backbone": "resnet18", "weights": "pretrained", "input_size": 224, "convolution_channels": None}


def tiny_network(seed: int = 0) -> CapsNet:
    """For grey 19x19 images: I = 2 types x 2 rows x 2 columns, J = 3; in float64."""
    torch.manual_seed(seed)
    network = capsnet(TINY, channels=1, size=19, classes=3).double()
    with torch.no_grad():  # large enough for the routing to decide something
        network.primary.weight.mul_(10)
        network.weight.mul_(10)
        network.routing_bias.copy_(0.3 * random_tensor(3, 5, seed=9))
    return network


def test_images_need_room_for_both_convolutions():
    assert capsnet(TINY, channels=1, size=17, classes=3).weight.shape[0] == TINY.primary_types  # one place a type
    with pytest.raises(RemError, match=r"16 pixels are too small for two 9x9 convolutions; data.size must be >= 17"):
        capsnet(TINY, channels=1, size=16, classes=3)


def images_for_it(count: int = 2) -> torch.Tensor:
    """Images (B, 1, 19, 19)."""
    return random_tensor(count, 1, 19, 19, seed=5)


def reference_capsules(network: CapsNet, image: torch.Tensor) -> np.ndarray:
    """The primary capsules (I, P) of one image, convolution by convolution."""
    layers = [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in (network.convolution, network.primary)
    ]
    features = np.maximum(reference.convolve(image.numpy(), *layers[0], stride=1), 0)
    return reference.primary_capsules(reference.convolve(features, *layers[1], stride=2), dimensions=4)


def reference_routing(network: CapsNet, capsules: np.ndarray, levels: int | None) -> reference.Routing:
    """Routing of one image's primary capsules."""
    weight, bias = network.weight.detach().numpy(), network.routing_bias.detach().numpy()
    return reference.route(reference.votes(weight, capsules), bias, 3, levels)


def test_primary_capsules_run_over_type_then_row_then_column():
    network, images = tiny_network(), images_for_it()
    found = network.primary_capsules(images)
    assert found.shape == (2, 8, 4)
    assert_equal(found, np.array([reference_capsules(network, image) for image in images]))


@pytest.mark.parametrize("levels", [None, 4])
def test_forward_agrees_with_the_reference_from_pixels_to_lengths(levels: int | None):
    network, images = tiny_network(), images_for_it()
    lengths, poses, couplings = network.forward(images, quantizing(levels))
    routings = [reference_routing(network, reference_capsules(network, image), levels) for image in images]
    assert_equal(couplings, np.array([routing.couplings for routing in routings]))
    assert_equal(poses, np.array([routing.poses for routing in routings]))
    assert_equal(lengths, np.array([[reference.length(v) for v in r.poses] for r in routings]), tolerance=1e-10)


def test_gradient_of_the_margin_loss_with_the_couplings_held_constant():
    network, images = tiny_network(), images_for_it(1)
    loss = margin_loss(network(images)[0], torch.tensor([1]))
    loss.backward()
    capsules = reference_capsules(network, images[0])
    bias, used = network.routing_bias.detach().numpy(), reference_routing(network, capsules, None).used

    def loss_of(block: np.ndarray) -> float:
        weight = network.weight.detach().numpy().copy()
        weight[3] = block
        poses = reference.output_poses(reference.votes(weight, capsules), bias, used)
        return reference.margin_loss([reference.length(v) for v in poses], label=1)

    assert loss.item() == pytest.approx(loss_of(network.weight.detach().numpy()[3]), abs=1e-10)
    expected = finite_differences(loss_of, network.weight.detach().numpy()[3])
    assert np.abs(expected).max() > 1e-4
    assert_equal(network.weight.grad[3], expected, tolerance=1e-7)


def test_every_parameter_receives_a_gradient():
    network, images = tiny_network(), images_for_it()
    margin_loss(network(images)[0], torch.tensor([0, 2])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_a_network_pruned_to_nothing_still_has_finite_gradients():
    network, images = tiny_network(), images_for_it()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    lengths = network(images)[0]
    margin_loss(lengths, torch.tensor([0, 2])).backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    assert lengths.detach().abs().max() < 2e-3


def test_renaming_the_classes_of_a_network_renames_its_outputs():
    network, images = tiny_network(), images_for_it()
    lengths, _, couplings = network(images)
    order = [2, 0, 1]
    with torch.no_grad():
        network.weight.copy_(network.weight[:, order].clone())
        network.routing_bias.copy_(network.routing_bias[order].clone())
    renamed_lengths, _, renamed_couplings = network(images)
    torch.testing.assert_close(renamed_lengths, lengths[:, order])
    torch.testing.assert_close(renamed_couplings, couplings[:, order])


def test_identical_images_have_identical_couplings_hence_one_key():
    network = tiny_network()
    lengths, _, couplings = network(images_for_it(1).repeat(6, 1, 1, 1))
    predicted = lengths.argmax(dim=1).tolist()
    keys = [reference.key(c, j, 11) for c, j in zip(couplings.detach().numpy(), predicted, strict=True)]
    assert len(set(predicted)) == len(set(keys)) == 1


def test_many_levels_keep_every_prediction():
    network, images = tiny_network(), images_for_it(64)
    with torch.no_grad():
        exact, fine = network(images)[0], network(images, quantizing(256))[0]
        reach = (
            votes(network.weight, network.primary_capsules(network.stem(images))).norm(dim=-1).sum(dim=2) * 0.5 / 255
        )
    assert ((fine - exact).abs() <= reach).all()
    best, second = exact.topk(2, dim=1).values.T
    clear = best - second > 2 * reach.amax(dim=1)
    assert clear.sum() >= 8
    assert torch.equal(fine.argmax(dim=1)[clear], exact.argmax(dim=1)[clear])


# The paper's sizes


@pytest.mark.parametrize(
    ("channels", "size", "types", "capsules", "parameters"),
    [
        pytest.param(1, 28, 32, 1152, 6_804_384, id="MNIST, Fashion-MNIST"),
        pytest.param(3, 24, 64, 1024, 11_990_688, id="CIFAR10"),
        pytest.param(1, 40, 32, 4608, 11_228_064, id="expanded MNIST"),
    ],
)
def test_networks_of_the_paper_have_its_sizes(channels: int, size: int, types: int, capsules: int, parameters: int):
    network = capsnet(tiny.run(network=PAPER | {"primary_types": types}).network, channels, size, classes=10)
    assert network.weight.shape == (capsules, 10, 16, 8)
    assert network.routing_bias.shape == (10, 16)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_the_network_of_the_paper_with_decoder_has_its_size():
    network = capsnet(tiny.run(network=PAPER | {"primary_types": 32}).network, 1, 28, 10, hidden=[512, 1024])
    assert sum(parameter.numel() for parameter in network.parameters()) == 8_215_728


def test_the_network_of_tiny_imagenet_has_the_papers_trainable_size():
    settings = tiny.run(network=PAPER | RESNET | {"primary_types": 1}).network
    network = capsnet(settings, channels=3, size=64, classes=200)
    assert network.weight.shape == (36, 200, 16, 8)
    assert network.convolution is None
    trainable = [parameter.numel() for parameter in network.parameters() if parameter.requires_grad]
    assert sum(trainable) == 1_256_584
    with torch.no_grad():
        lengths, poses, couplings = network(torch.zeros(1, 3, 64, 64))
    assert [lengths.shape, poses.shape, couplings.shape] == [(1, 200), (1, 200, 16), (1, 200, 36)]


def test_a_decoder_leaves_the_initial_weights_as_they_are_without_it():
    torch.manual_seed(0)
    alone = capsnet(TINY, 1, 19, 3).state_dict()
    torch.manual_seed(0)
    both = capsnet(TINY, 1, 19, 3, hidden=[4]).state_dict()
    assert all(torch.equal(weight, both[name]) for name, weight in alone.items())


def test_initial_weights_and_routing_bias():
    torch.manual_seed(0)
    network = capsnet(tiny.run(network=PAPER | {"primary_types": 32}).network, channels=1, size=28, classes=10)
    assert network.weight.mean().item() == pytest.approx(0.0, abs=1e-3)
    assert network.weight.std().item() == pytest.approx(0.1, abs=1e-3)
    assert (network.routing_bias == 0.1).all()


def test_a_new_network_couples_almost_uniformly():
    torch.manual_seed(0)
    network = capsnet(TINY, channels=1, size=19, classes=3)
    with torch.no_grad():
        couplings = network(images_for_it().float())[2]
    torch.testing.assert_close(couplings, torch.full_like(couplings, 1 / 3), atol=0.02, rtol=0)  # Eq. 11


def test_the_same_seed_makes_the_same_network():
    first, second, other = tiny_network(seed=1), tiny_network(seed=1), tiny_network(seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.weight, other.weight)


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


def test_poses_at_many_levels_at_once_are_those_of_routing_at_each():
    weight, poses, bias = random_tensor(9, 3, 5, 4), random_tensor(4, 9, 4, seed=1), 0.3 * random_tensor(3, 5, seed=2)
    _, couplings = routing.route(weight, poses, bias, 3)
    levels = torch.tensor([2, 3, 11, 128])
    found = quantized_poses(couplings, votes(weight, poses), bias, levels)  # (L, B, J, D)
    for one, level in zip(found, levels.tolist(), strict=True):
        torch.testing.assert_close(one, routing.route(weight, poses, bias, 3, quantizing(level))[0])

"""The network, from pixels to lengths."""

import numpy as np
import pytest
import reference
import tiny
import torch
from tensors import assert_equal, finite_differences, quantizing, random_tensor
from torch.utils.flop_counter import FlopCounterMode

from rem.errors import RemError
from rem.networks.build import build, capsnet
from rem.networks.capsnet import CapsNet
from rem.networks.losses import margin_loss
from rem.networks.routing import squash, votes

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


# Types of primary capsules that have lost all connections


def with_a_dead_type(types: int = 2, dead: int = 0) -> CapsNet:
    """The network for 19x19 images with connections, none of them of one type and a few of the others."""
    torch.manual_seed(1)
    network = CapsNet(size=19, classes=3, convolution_channels=3, primary_types=types, connected=True).double()
    kept = torch.rand(types, 4, 3) < 0.6
    kept[:, 0, 0], kept[dead] = True, False
    network.keep(kept.view(-1, 3))
    return network


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_a_type_without_connections_changes_no_output_and_no_gradient_by_not_being_computed(dead):
    network, images = with_a_dead_type(3, dead), images_for_it()
    maps = network.primary(torch.relu(network.convolution(images)))  # (B, T*P, M, N), of all types
    every = squash(maps.view(2, 3, 8, 4).transpose(2, 3).flatten(1, 2))  # (B, I, P)
    expected = network.route(every)
    labels = torch.tensor([0, 2])
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(margin_loss(expected[0], labels), parameters)
    found = network(images)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)
    assert not network.primary_capsules(images).view(2, 3, 4, 8)[:, dead].any()
    for one, other in zip(torch.autograd.grad(margin_loss(found[0], labels), parameters), gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


def multiply_adds_of_a_step(network: CapsNet) -> int:
    """Of forward and backward pass, for two images of the network's size."""
    with FlopCounterMode(display=False) as counter:
        margin_loss(network(torch.zeros(2, 1, 28, 28))[0], torch.tensor([0, 1])).backward()
    return counter.get_total_flops() // 2


def test_a_training_step_computes_the_types_that_have_connections():
    """The sample's network with 7 % of its connections, all in two of its six types, or anywhere."""
    sizes, chance = {"convolution_channels": 32, "primary_types": 6}, torch.Generator().manual_seed(0)
    whole = multiply_adds_of_a_step(CapsNet(**sizes))
    shares = []
    for capsules in (72, 216):
        network = CapsNet(**sizes, connected=True)
        kept = torch.zeros(216, 10, dtype=torch.bool)
        kept.view(-1)[torch.randperm(10 * capsules, generator=chance)[:151]] = True
        network.keep(kept)
        shares.append(multiply_adds_of_a_step(network) / whole)
    assert shares[0] < 0.5
    assert shares[1] > 0.8  # no type is dead, and a convolution computes a type at all places


@pytest.mark.parametrize("routing", ["dynamic", "sda"])
def test_no_iteration_is_refused_and_not_taken_for_the_networks_own(routing):
    network = build(tiny.run(network={"routing": routing}), torch.device("cpu"))
    with pytest.raises(RemError, match="t is 0; a routing has at least one iteration"):
        network(torch.zeros(2, 1, 20, 20), iterations=0)

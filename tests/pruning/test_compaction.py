"""A network without what is dead in it: equal outputs, and nothing dead left."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensors import random_tensor

from rem.errors import RemError
from rem.networks.backbone import Backbone
from rem.networks.capsnet import CapsNet
from rem.pruning.compaction import compact, matrices, pack, unpack

CHANNELS, TYPES, PLACES, INPUTS, CLASSES = 4, 3, 4, 2, 3
CAPSULES = TYPES * PLACES
quick = settings(derandomize=True, deadline=None, max_examples=25)
either = pytest.mark.parametrize("connected", [False, True])


def network(connected: bool = True, **options: object) -> CapsNet:
    """Of 19x19 images, in float64: F = 4, T = 3 types of 2x2 capsules, J = 3; no bias is 0."""
    torch.manual_seed(0)
    sizes = {"convolution_channels": CHANNELS, "primary_types": TYPES, "primary_dimensions": INPUTS}
    return CapsNet(size=19, classes=CLASSES, **sizes, class_dimensions=2, connected=connected, **options).double()


def images(side: int = 19, channels: int = 1) -> torch.Tensor:
    """Two of them."""
    return random_tensor(2, channels, side, side)


def indices(size: int) -> st.SearchStrategy[list[int]]:
    """Some of the numbers below the size."""
    return st.sets(st.integers(0, size - 1)).map(sorted)


@st.composite
def pruned(draw: st.DrawFn) -> CapsNet:
    """A network of which random parts are zero; at least one connection and one channel are alive."""
    model = network(draw(st.booleans()))
    kept = torch.tensor(draw(st.lists(st.booleans(), min_size=CAPSULES * CLASSES, max_size=CAPSULES * CLASSES)))
    kept = kept.view(CAPSULES, CLASSES)
    kept[[PLACES * one + place for one in draw(indices(TYPES)) for place in range(PLACES)]] = False
    kept[draw(indices(CAPSULES))] = False
    alive, shown = draw(st.integers(0, CAPSULES - 1)), draw(st.integers(0, CHANNELS - 1))
    kept[alive, draw(st.integers(0, CLASSES - 1))] = True
    unseen, constant, mute = draw(indices(CHANNELS)), draw(indices(CHANNELS)), draw(indices(TYPES * INPUTS))
    first_of_alive = alive // PLACES * INPUTS
    with torch.no_grad():
        model.primary.weight[:, [one for one in unseen if one != shown]] = 0
        model.convolution.weight[[one for one in constant if one != shown]] = 0
        model.primary.weight[[one for one in mute if one != first_of_alive]] = 0
        model.primary.bias[draw(indices(TYPES * INPUTS))] = 0
        model.convolution.bias[draw(indices(CHANNELS))] = 0
    model.keep(kept)
    if model.connections is not None:  # some connected by matrices of zeros, some not by others
        model.connections[draw(indices(CAPSULES))] = True
        model.connections[[one for one in draw(indices(CAPSULES)) if one != alive]] = False
    return model


def assert_same_outputs(one: CapsNet, other: CapsNet, tolerance: float = 1e-10) -> None:
    """Lengths, poses and couplings, these as they are and changed."""
    for change in (None, lambda couplings: couplings**2):
        for found, expected in zip(one(images(), change), other(images(), change), strict=True):
            torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


@quick
@given(pruned())
def test_outputs_stay_what_they_were(model: CapsNet):
    assert_same_outputs(compact(model), model)


@quick
@given(pruned())
def test_nothing_dead_is_left_and_nothing_else_is_gone(model: CapsNet):
    first, second = model.convolution.weight.detach().numpy(), model.primary.weight.detach().numpy()
    there = torch.ones(CAPSULES, CLASSES) if model.connections is None else model.connections
    weight = (model.weight * there[:, :, None, None]).detach().numpy()
    living = [i for i in range(CAPSULES) if weight[i].any()]
    types = sorted({i // PLACES for i in living})
    rows = [INPUTS * one + p for one in types for p in range(INPUTS)]
    channels = [f for f in range(CHANNELS) if first[f].any() and second[rows, f].any()]
    smaller = compact(model)
    np.testing.assert_array_equal(smaller.convolution.weight.detach(), first[channels])
    np.testing.assert_array_equal(smaller.primary.weight.detach(), second[rows][:, channels])
    assert smaller.computed.tolist() == [PLACES * one + place for one in types for place in range(PLACES)]
    assert pack(smaller)["weight"].shape == (sum(weight[i, j].any() for i, j in np.ndindex(CAPSULES, CLASSES)), 2, 2)
    if model.connections is None:
        assert (list(range(CAPSULES)) if smaller.living is None else smaller.living.tolist()) == living


@either
@pytest.mark.parametrize("bias", [-0.5, 0.0, 0.5])
def test_what_a_channel_without_weights_shows_everywhere_is_still_seen(connected: bool, bias: float):
    model = network(connected)
    with torch.no_grad():
        model.convolution.weight[1], model.convolution.bias[1] = 0, bias
    smaller = compact(model)
    assert smaller.convolution.out_channels == CHANNELS - 1
    assert torch.equal(smaller.primary.bias, model.primary.bias) == (bias <= 0)
    assert_same_outputs(smaller, model)


@quick
@given(pruned())
def test_what_is_packed_comes_back_bit_for_bit(model: CapsNet):
    smaller = compact(model)
    for state in (pack(smaller), smaller.state_dict()):
        other = network(model.connections is not None)
        unpack(other, copy.deepcopy(state))
        assert_same_outputs(other, smaller, tolerance=0)


@quick
@given(pruned())
def test_a_compact_network_is_compact(model: CapsNet):
    once = compact(model)
    again = compact(once).state_dict()
    assert again.keys() == once.state_dict().keys()
    assert all(torch.equal(again[name], value) for name, value in once.state_dict().items())


@quick
@given(pruned(), st.permutations(range(TYPES)), st.permutations(range(CHANNELS)))
def test_reordering_types_and_channels_reorders_the_couplings_alone(
    model: CapsNet, types: list[int], channels: list[int]
):
    reordered = copy.deepcopy(model)
    rows = [INPUTS * one + p for one in types for p in range(INPUTS)]
    capsules = [PLACES * one + place for one in types for place in range(PLACES)]
    with torch.no_grad():
        for name in ("weight", "bias"):
            getattr(reordered.convolution, name).copy_(getattr(model.convolution, name)[channels])
        reordered.primary.weight.copy_(model.primary.weight[rows][:, channels])
        reordered.primary.bias.copy_(model.primary.bias[rows])
        reordered.weight.copy_(model.weight[capsules])
        if model.connections is not None:
            reordered.connections.copy_(model.connections[capsules])
    lengths, poses, couplings = compact(model)(images())
    found = compact(reordered)(images())
    for one, other in zip(found, (lengths, poses, couplings[:, :, capsules]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


@either
def test_the_network_itself_is_left_as_it_was(connected: bool):
    model = network(connected)
    model.keep(torch.arange(CAPSULES).unsqueeze(1).expand(-1, CLASSES) < 5)
    before = copy.deepcopy(model.state_dict())
    compact(model)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_network_with_nothing_dead_keeps_all_its_weights():
    model = network(connected=False)
    smaller = compact(model)
    assert all(torch.equal(value, smaller.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("form", [torch.channels_last, torch.contiguous_format])
def test_the_second_convolution_keeps_its_order_in_memory(form: torch.memory_format):
    model = network()
    model.keep(torch.arange(CAPSULES).unsqueeze(1).expand(-1, CLASSES) < 5)
    model.primary.to(memory_format=form)
    assert compact(model).primary.weight.is_contiguous(memory_format=form)


@either
def test_the_decoder_is_kept(connected: bool):
    model = network(connected, hidden=[5])
    model.keep(torch.arange(CAPSULES).unsqueeze(1).expand(-1, CLASSES) < 5)
    smaller, shown = compact(model), torch.tensor([0, 2])
    drawn, expected = (each.decoder(each(images())[1], shown) for each in (smaller, model))
    torch.testing.assert_close(drawn, expected, atol=1e-10, rtol=0)


def test_a_backbone_is_left_alone_and_all_its_channels_are_seen():
    torch.manual_seed(0)
    backbone = Backbone(frozen=True, input_size=None)
    model = CapsNet(3, 33, CLASSES, primary_types=2, primary_dimensions=2, backbone=backbone).double().eval()
    with torch.no_grad():
        model.weight[: len(model.weight) // 2] = 0
        model.primary.weight[:, 7] = 0
    smaller, seen = compact(model), images(33, 3)
    assert smaller.primary.weight.shape == (2, Backbone.channels, 9, 9)
    assert all(map(torch.equal, backbone.state_dict().values(), smaller.backbone.state_dict().values()))
    assert not any(parameter.requires_grad for parameter in smaller.backbone.parameters())
    for found, expected in zip(smaller(seen), model(seen), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


def test_gradients_of_couplings_are_those_of_the_living_capsules():
    model = network(connected=False)
    model.keep(torch.arange(CAPSULES).unsqueeze(1).expand(-1, CLASSES) < 5)
    gradients = []
    for each in (model, compact(model)):
        each(images(), differentiable=True)[2].square().sum().backward()
        gradients.append(each.weight.grad[matrices(model)])
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(*gradients, atol=1e-10, rtol=0)


@pytest.mark.parametrize("dead", ["weight", "convolution.weight", "primary.weight"])
def test_a_network_that_sees_no_image_any_more_is_refused(dead: str):
    model = network()
    with torch.no_grad():
        model.get_parameter(dead).zero_()
    with pytest.raises(RemError, match="the network has the same outputs for every image"):
        compact(model)

"""Channels and types that go as wholes: the least first, so many an epoch, and for good."""

import itertools

import numpy as np
import pytest
import torch
from tensors import random_tensor

from rem.networks.capsnet import CapsNet
from rem.pruning.compaction import compact
from rem.pruning.structure import Kept, group_norms
from rem.settings.pruning import Structure

CHANNELS, TYPES, PLACES, INPUTS, CLASSES = 6, 4, 4, 2, 3


def network(channels: int = CHANNELS, types: int = TYPES) -> CapsNet:
    """Of 19x19 images, in float64: F = 6, T = 4 types of 2x2 capsules, J = 3."""
    torch.manual_seed(0)
    sizes = {"convolution_channels": channels, "primary_types": types, "primary_dimensions": INPUTS}
    return CapsNet(size=19, classes=CLASSES, **sizes, class_dimensions=2, connected=True).double()


def wanted(channels: int = 2, types: int = 1, epochs: int = 3) -> Structure:
    return Structure(channels=channels, types=types, epochs=epochs)


def test_a_group_weighs_the_norm_of_what_leads_in_times_that_of_what_leads_out():
    model = network()
    channels, types = group_norms(model)
    first, second, weight = (
        one.detach().numpy() for one in (model.convolution.weight, model.primary.weight, model.weight)
    )
    for f in range(CHANNELS):
        into = sum(first[f, 0, y, x] ** 2 for y, x in np.ndindex(9, 9)) ** 0.5
        out = sum(second[row, f, y, x] ** 2 for row, y, x in np.ndindex(TYPES * INPUTS, 9, 9)) ** 0.5
        assert float(channels[f]) == pytest.approx(into * out, rel=1e-12)
    for t in range(TYPES):
        into = sum((second[t * INPUTS + p] ** 2).sum() for p in range(INPUTS)) ** 0.5
        out = sum((weight[t * PLACES + place] ** 2).sum() for place in range(PLACES)) ** 0.5
        assert float(types[t]) == pytest.approx(into * out, rel=1e-12)


def test_a_channel_that_shows_more_and_is_seen_by_less_weighs_the_same():
    model = network()
    before = group_norms(model)[0]
    with torch.no_grad():
        model.convolution.weight[2] *= 5
        model.convolution.bias[2] *= 5
        model.primary.weight[:, 2] /= 5
    torch.testing.assert_close(group_norms(model)[0], before)


def test_the_least_go_in_like_shares_and_never_come_back():
    model = network()
    kept, before = Kept(model, wanted()), []
    for epoch in range(5):
        with torch.no_grad():  # a training that would bring everything back
            for parameter in model.parameters():
                parameter += 0.01 * random_tensor(*parameter.shape, seed=epoch)
        kept.apply()
        norms = group_norms(model)
        before.append((kept.channels.clone(), kept.types.clone()))
        kept.remove(epoch)
        for was, now, norm in zip(before[-1], (kept.channels, kept.types), norms, strict=True):
            gone = was & ~now
            assert not gone.any() or norm[gone].max() <= norm[now].min()
    counts = [(int(channels.sum()), int(types.sum())) for channels, types in before]
    assert counts == [(6, 4), (4, 3), (3, 2), (2, 1), (2, 1)]  # 6 (2/6)^(e/3) and 4 (1/4)^(e/3), rounded
    for was, now in itertools.pairwise(before):
        assert all((after <= former).all() for former, after in zip(was, now, strict=True))


def test_what_is_left_is_a_network_built_so_small():
    """Its weights put by hand into a network of as many channels and types: the same lengths and poses."""
    model, images = network(), random_tensor(2, 1, 19, 19)
    kept = Kept(model, wanted(channels=3, types=2, epochs=1))
    kept.remove(0)
    channels, types = (np.flatnonzero(each) for each in (kept.channels, kept.types))
    rows = [INPUTS * t + p for t in types for p in range(INPUTS)]
    capsules = [PLACES * t + place for t in types for place in range(PLACES)]
    small = network(3, 2)
    with torch.no_grad():
        small.convolution.weight.copy_(model.convolution.weight[channels])
        small.convolution.bias.copy_(model.convolution.bias[channels])
        small.primary.weight.copy_(model.primary.weight[rows][:, channels])
        small.primary.bias.copy_(model.primary.bias[rows])
        small.weight.copy_(model.weight[capsules])
        small.routing_bias.copy_(model.routing_bias)
    lengths, poses, couplings = small(images)
    for form in (model, compact(model)):
        found = form(images)
        torch.testing.assert_close(found[0], lengths, atol=1e-12, rtol=0)
        torch.testing.assert_close(found[1], poses, atol=1e-12, rtol=0)
        torch.testing.assert_close(found[2][:, :, capsules], couplings, atol=1e-12, rtol=0)
        assert found[2].sum() == pytest.approx(float(couplings.sum()))  # the others have none
    smaller = compact(model)
    assert smaller.primary.weight.shape == small.primary.weight.shape
    assert smaller.convolution.weight.shape == small.convolution.weight.shape


def test_no_gradient_reaches_what_is_gone_and_that_of_the_rest_is_the_whole_network_s():
    model, images = network(), random_tensor(2, 1, 19, 19)
    kept = Kept(model, wanted(channels=3, types=2, epochs=1))
    kept.remove(0)
    parameters = dict(model.named_parameters())

    def gradients(lengths: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict(
            zip(parameters, torch.autograd.grad(lengths.square().sum(), list(parameters.values())), strict=True)
        )

    maps = model.primary(torch.relu(model.convolution(images)))  # of all channels and types
    primary = maps.view(2, TYPES, INPUTS, PLACES).transpose(2, 3).flatten(1, 2)
    square = primary.square().sum(dim=-1, keepdim=True)
    whole = gradients(model.route(square / (1 + square) * primary / (square + 1e-6).sqrt())[0].norm(dim=-1))
    found = gradients(model(images)[0])
    for name, gradient in whole.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-12, rtol=0)
    assert not found["convolution.weight"][~kept.channels].any()
    assert not found["primary.weight"][:, ~kept.channels].any()
    assert found["convolution.weight"][kept.channels].abs().amax(dim=(1, 2, 3)).min() > 0

"""Masks: what is pruned stays so, and is counted."""

import math

import pytest
import torch
from prunable import LAYERS, PRUNABLE, magnitudes_of, tiny_network, train, weights

from rem.errors import RemError
from rem.pruning.masks import Masks, sparsity

OF_LAYER = {
    "convolution": {"convolution.weight", "convolution.bias"},
    "primary": {"primary.weight", "primary.bias"},
    "class": {"weight", "routing_bias"},
}


@pytest.mark.parametrize("layers", [("class",), ("primary", "class"), ("convolution",), LAYERS])
def test_only_the_layers_named_are_pruned_and_shrunk(layers: tuple[str, ...]):
    network = tiny_network()
    named = set.union(*(OF_LAYER[layer] for layer in layers))
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    masks = Masks(network, layers)
    ids = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {ids[id(parameter)] for parameter in masks.parameters} == named
    assert len(masks.magnitudes()) == sum(before[name].numel() for name in named & set(PRUNABLE))
    masks.prune(math.inf)
    for name, parameter in network.named_parameters():
        gone = name in named & set(PRUNABLE)
        assert torch.equal(parameter.detach(), torch.zeros_like(parameter) if gone else before[name]), name


def test_sparsity_is_of_the_whole_network_whichever_layers_are_pruned():
    network = tiny_network()
    masks = Masks(network, ["class"])
    masks.prune(math.inf)
    total = sum(parameter.numel() for parameter in network.parameters())
    assert masks.sparsity() == pytest.approx(network.weight.numel() / total, abs=1e-12)
    assert sparsity(network)["class"] == sparsity(network)["class_blocks"] == 1
    assert sparsity(network)["convolution"] == sparsity(network)["primary"] == 0


def test_a_network_on_a_backbone_has_no_convolution_to_prune():
    network = tiny_network()
    network.convolution = None
    masks = Masks(network, LAYERS)
    assert list(network.prunable_layers()) == list(masks.weights) == ["primary", "class"]
    masks.prune(math.inf)
    assert set(sparsity(network)) == {"primary", "class", "class_blocks", "all"}


def test_layers_that_a_network_lacks_are_refused_in_a_sentence():
    network = tiny_network()
    network.convolution = None
    with pytest.raises(RemError, match=r"^none of the network's layers .* as convolution; .* has: class, primary\.$"):
        Masks(network, ["convolution"])


def test_pruning_zeroes_exactly_the_weights_below_the_threshold():
    network = tiny_network()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    threshold = magnitudes_of(network).median().item()  # one weight lies on it
    masks = Masks(network, LAYERS)
    masks.prune(threshold)
    for name, parameter in network.named_parameters():
        expected = before[name].clone()
        if name in PRUNABLE:
            expected[before[name].abs() < threshold] = 0.0
        assert torch.equal(parameter.detach(), expected), name
    assert (magnitudes_of(network) == threshold).sum() == 1


def test_biases_are_never_thresholded():
    network = tiny_network()
    masks = Masks(network, LAYERS)
    masks.prune(math.inf)
    assert magnitudes_of(network).max() == 0
    for name in ("convolution.bias", "primary.bias", "routing_bias"):
        assert dict(network.named_parameters())[name].detach().abs().min() > 0, name


def test_sparsity_is_the_zeros_among_all_parameters_of_the_prunable_layers():
    network = tiny_network()
    masks = Masks(network, LAYERS)
    assert masks.sparsity() == 0.0
    threshold = magnitudes_of(network).quantile(0.7).item()
    masks.prune(threshold)
    zeros = sum(int((parameter == 0).sum()) for parameter in network.parameters())
    total = sum(parameter.numel() for parameter in network.parameters())  # biases and routing bias included
    assert zeros > 0
    assert masks.sparsity() == pytest.approx(zeros / total, abs=1e-12)
    masks.prune(math.inf)
    assert masks.sparsity() == pytest.approx(magnitudes_of(network).numel() / total, abs=1e-12)


def test_a_block_counts_as_zero_only_if_all_of_it_is():
    network = tiny_network()
    with torch.no_grad():
        network.weight[0, 0] = 0
        network.weight[0, 1, :, 0] = 0  # a column and a row of another
        network.weight[0, 1, 0, :] = 0
    assert sparsity(network)["class_blocks"] == pytest.approx(1 / network.weight[..., 0, 0].numel())


def test_pruned_weights_stay_zero_through_any_number_of_steps_with_momentum():
    network = tiny_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    train(network, optimizer, steps=5)  # the optimiser has momentum in every weight
    masks = Masks(network, LAYERS)
    masks.prune(magnitudes_of(network).median().item())
    pruned = {name: weight.detach() == 0 for name, weight in weights(network).items()}
    assert all(zeros.any() and not zeros.all() for zeros in pruned.values())
    moved = False
    for _ in range(30):
        train(network, optimizer, steps=1)
        moved |= any((weight[pruned[name]] != 0).any().item() for name, weight in weights(network).items())
        masks.apply()
        for name, weight in weights(network).items():
            assert (weight[pruned[name]] == 0).all(), name
    assert moved  # the optimiser did try


def test_weights_that_are_not_pruned_go_on_learning():
    network = tiny_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    masks = Masks(network, LAYERS)
    masks.prune(magnitudes_of(network).median().item())
    before = {name: weight.detach().clone() for name, weight in weights(network).items()}
    train(network, optimizer, steps=1)
    masks.apply()
    for name, weight in weights(network).items():
        kept = before[name] != 0
        assert (weight.detach()[kept] != before[name][kept]).any(), name


def test_a_pruned_weight_stays_pruned_even_if_it_has_grown_when_the_next_threshold_comes():
    network = tiny_network()
    masks = Masks(network, LAYERS)
    masks.prune(magnitudes_of(network).median().item())
    sparsity = masks.sparsity()
    for _ in range(2):
        with torch.no_grad():
            for weight in weights(network).values():
                weight[weight == 0] = 1.0  # as an optimiser's momentum might do
        masks.prune(1e-9)
        assert masks.sparsity() == sparsity

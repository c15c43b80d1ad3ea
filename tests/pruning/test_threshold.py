"""How far to prune: to a sparsity, or as far as the loss allows."""

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prunable import LAYERS, PRUNABLE, labelled_images, loss_of, magnitudes_of, tiny_network, train, weights

from rem.errors import RemError
from rem.networks.capsnet import CapsNet
from rem.networks.losses import margin_losses
from rem.pruning.blocks import block_norms
from rem.pruning.masks import Masks
from rem.pruning.threshold import (
    crossing_threshold,
    search_connections,
    search_threshold,
    threshold_for_sparsity,
)

quick = settings(derandomize=True, deadline=None, max_examples=100)


def weight_of_rank(network: CapsNet, rank: int) -> float:
    """The magnitude that as many weights lie below."""
    return float(magnitudes_of(network).sort().values[rank])


@quick
@given(st.floats(0, 1), st.floats(0, 1))
def test_magnitude_pruning_reaches_a_sparsity_to_one_weight(first: float, second: float):
    network = tiny_network()
    masks = Masks(network, LAYERS)
    total, of_weights = sum(parameter.numel() for parameter in network.parameters()), len(magnitudes_of(network))
    expected = 0
    for wanted in (first, second):  # the second time the network is sparse already
        masks.prune(threshold_for_sparsity(masks, wanted))
        expected = max(expected, min(round(wanted * total), of_weights))
        assert round(masks.sparsity() * total) == expected


def test_magnitude_pruning_takes_the_smallest_weights():
    network = tiny_network()
    masks, total = Masks(network, LAYERS), sum(parameter.numel() for parameter in network.parameters())
    assert threshold_for_sparsity(masks, 100 / total) == weight_of_rank(network, 100)


def test_magnitude_pruning_leaves_a_network_alone_that_is_sparse_enough():
    network = tiny_network()
    masks = Masks(network, LAYERS)
    masks.prune(weight_of_rank(network, 200))
    assert threshold_for_sparsity(masks, masks.sparsity()) == 0
    assert threshold_for_sparsity(masks, masks.sparsity() / 2) == 0


def test_magnitude_pruning_prunes_all_it_may_where_that_is_not_enough():
    network = tiny_network()
    before = {name: weight.clone() for name, weight in weights(network).items()}
    masks = Masks(network, ["class"])
    assert threshold_for_sparsity(masks, 1.0) == math.inf
    masks.prune(math.inf)
    assert threshold_for_sparsity(masks, masks.sparsity() + 0.1) == math.inf
    assert network.weight.abs().max() == 0
    assert all(torch.equal(weights(network)[name], before[name]) for name in PRUNABLE[:2])


def test_magnitude_pruning_counts_a_weight_that_is_zero_already():
    network = tiny_network()
    total = sum(parameter.numel() for parameter in network.parameters())
    with torch.no_grad():
        network.weight[0] = 0
    zeros = network.weight[0].numel()
    masks = Masks(network, LAYERS)
    assert threshold_for_sparsity(masks, (zeros + 10) / total) == weight_of_rank(network, zeros + 10)
    assert threshold_for_sparsity(masks, len(magnitudes_of(network)) / total) == math.inf  # every weight, and no bias


def test_weights_of_equal_magnitude_are_kept_together_rather_than_pruned_beyond_a_sparsity():
    network = tiny_network()
    with torch.no_grad():
        for weight in weights(network).values():
            weight.copy_(weight.sign())
    masks = Masks(network, LAYERS)
    assert threshold_for_sparsity(masks, 0.5) == 1.0
    masks.prune(1.0)
    assert masks.sparsity() == 0


# As far as the loss allows


@st.composite
def searches(draw) -> tuple[list[float], dict[float, float], float]:
    """Magnitudes with ties, what pruning those up to each of them costs, and a bound."""
    magnitudes = [0.5 * n for n in draw(st.lists(st.integers(1, 12), min_size=1, max_size=30))]
    rises = [draw(st.integers(0, 3)) for _ in set(magnitudes)]
    losses = dict(zip(sorted(set(magnitudes)), np.cumsum(rises).astype(float).tolist(), strict=True))
    return magnitudes, losses, float(draw(st.integers(0, 12)))


@quick
@given(searches())
def test_the_threshold_is_the_largest_that_holds(case: tuple[list[float], dict[float, float], float]):
    magnitudes, losses, bound = case

    def loss(threshold: float) -> float:
        return max((losses[m] for m in magnitudes if m < threshold), default=0.0)

    expected = reference.largest_threshold(magnitudes, loss, bound)
    found = crossing_threshold(torch.tensor(magnitudes, dtype=torch.float64), lambda t, stride: loss(t) - bound)
    assert [m < found for m in magnitudes] == [m < expected for m in magnitudes]
    assert found == expected or not any(m < found for m in magnitudes)


def test_weights_of_equal_magnitude_are_pruned_together():
    magnitudes = torch.tensor([2.0, 1.0, 1.0, 1.0, 3.0, 2.0], dtype=torch.float64)
    for allowed, expected in [(2, (0.0, 1.0)), (3, (2.0,)), (4, (2.0,)), (5, (3.0,)), (6, (math.inf,))]:
        found = crossing_threshold(magnitudes, lambda t, _, most=allowed: float((magnitudes < t).sum() - most))
        assert found in expected, allowed


def test_nothing_is_pruned_where_every_weight_matters():
    magnitudes = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    found = crossing_threshold(magnitudes, lambda t, _: float((magnitudes < t).sum()))
    assert not (magnitudes < found).any()


def test_everything_is_pruned_where_no_weight_matters():
    assert crossing_threshold(torch.tensor([0.5, 1.0, 2.0]), lambda t, _: 0.0) == math.inf


def test_a_loss_that_equals_the_bound_holds():
    network = tiny_network()
    threshold = search_threshold(Masks(network, LAYERS), lambda stride: [torch.ones(1)] * 3)  # whatever is pruned
    assert threshold == math.inf


@pytest.mark.parametrize("count", [1, 2, 999, 1998, 5000, 100_000])
@pytest.mark.parametrize("share", [0.0, 0.0003, 0.2468, 0.9999, 1.0])
@pytest.mark.parametrize("misleading", [0.0, 0.3, -0.3])
@pytest.mark.parametrize("loss", [float, lambda pruned: pruned**4, math.sqrt, lambda pruned: -((1 - pruned) ** 20)])
def test_the_search_is_exact_to_one_weight_or_to_the_resolution(
    count: int, share: float, misleading: float, loss: Callable[[float], float]
):
    magnitudes, strides, bound = torch.arange(1, count + 1, dtype=torch.float64), [], round(share * count)

    def excess(threshold: float, stride: int) -> float:
        strides.append(stride)
        allowed = bound if stride == 1 else bound + misleading * count  # by a part of the images
        return loss(int((magnitudes < threshold).sum()) / count) - loss(min(max(allowed / count, 0), 1))

    assert (magnitudes < crossing_threshold(magnitudes, excess)).sum() == bound
    assert strides.count(1) <= (2 * math.log2(count + 1) + 4)
    strides.clear()
    found = int((magnitudes < crossing_threshold(magnitudes, excess, resolution=0.001)).sum())
    assert bound - count / 1000 <= found <= bound
    assert found == bound or count > 1000
    assert strides.count(1) <= (4 if misleading == 0 else 16)  # few passes over all images


def test_the_search_goes_on_with_more_images_from_where_it_stood_with_fewer():
    magnitudes, asked = torch.arange(1, 100_001, dtype=torch.float64), []

    def excess(threshold: float, stride: int) -> float:
        asked.append((stride, (magnitudes < threshold).sum().item()))
        return asked[-1][1] - {16: 50_900, 1: 50_000}[stride]

    found = (magnitudes < crossing_threshold(magnitudes, excess, resolution=0.001)).sum()
    assert 49_900 <= found <= 50_000
    assert [stride for stride, _ in asked] == sorted((stride for stride, _ in asked), reverse=True)
    assert all(abs(pruned - 50_000) < 2_000 for stride, pruned in asked if stride == 1)


@pytest.fixture(scope="module")
def pruning_curve() -> tuple[CapsNet, list[float], list[float]]:
    """A trained network, all thresholds that differ, and its loss when pruned at each."""
    network = tiny_network()
    train(network, torch.optim.Adam(network.parameters(), lr=0.01), steps=30)
    thresholds = [*magnitudes_of(network).unique().tolist(), math.inf]
    losses = []
    for threshold in thresholds:
        pruned = copy.deepcopy(network)
        masks = Masks(pruned, LAYERS)
        masks.prune(threshold)
        with torch.no_grad():
            losses.append(loss_of(pruned).item())
    return network, thresholds, losses


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_threshold_of_a_real_network_equals_brute_force(share: float, pruning_curve):
    network, thresholds, losses = pruning_curve
    magnitudes = magnitudes_of(network)
    rising = dict(zip(thresholds, np.maximum.accumulate(losses).tolist(), strict=True))
    bound = losses[0] + share * (max(losses) - losses[0])
    expected = reference.largest_threshold(magnitudes.tolist(), rising.__getitem__, bound)
    found = crossing_threshold(magnitudes, lambda t, _: rising.get(t, losses[0]) - bound)
    assert (magnitudes < found).sum() == (magnitudes < expected).sum()
    assert found <= thresholds[0] or dict(zip(thresholds, losses, strict=True))[found] <= bound


@pytest.mark.parametrize("seed", range(4))
def test_the_search_keeps_its_promise_and_leaves_the_weights_alone(seed: int):
    network, (images, labels) = tiny_network(seed), labelled_images(16)
    masks, before = Masks(network, LAYERS), {name: weight.clone() for name, weight in weights(network).items()}

    def losses(stride: int):
        with torch.no_grad():
            yield from (margin_losses(network(batch)[0], own) for batch, own in batches[::stride])

    batches = list(zip(images.split(4), labels.split(4), strict=True))
    unpruned = sum(float(batch.double().sum()) for batch in losses(1))
    threshold = search_threshold(masks, losses)
    for name, weight in weights(network).items():
        assert torch.equal(weight, before[name])
    masks.prune(threshold)
    assert sum(float(batch.double().sum()) for batch in losses(1)) <= unpruned


def test_the_search_of_a_network_ends_at_the_bound_of_all_batches_after_few_passes():
    network, seen = tiny_network(), []
    optima = [50 if batch % 16 == 0 else 40 - batch % 2 for batch in range(32)]  # the batches of the first look mislead

    def losses(stride: int):  # falls with the weights pruned to an optimum, and is at twice as many what it was
        zeros = sum(int((weight == 0).sum()) for weight in weights(network).values())
        for batch in range(0, 32, stride):
            seen.append((stride, batch))
            yield torch.full((2,), 5 + (zeros**2 - 2 * optima[batch] * zeros) / 1000)

    threshold = search_threshold(Masks(network, LAYERS), losses)
    assert (magnitudes_of(network) < threshold).sum() == int(2 * np.mean(optima))
    assert seen.count((1, 0)) <= 5  # one of them for the bound
    assert seen.count((16, 0)) <= 12


@pytest.mark.parametrize("power", [0.5, 1, 2, 4])
def test_a_curved_loss_takes_hardly_more_probes_than_a_straight_one(power: float):
    magnitudes, asked = torch.arange(1, 100_001, dtype=torch.float64), []

    def excess(threshold: float, stride: int) -> float:
        asked.append(stride)
        return (float((magnitudes < threshold).sum()) / 1e5) ** power - 0.3**power

    assert (magnitudes < crossing_threshold(magnitudes, excess)).sum() == 30_000
    assert asked.count(16) <= 8
    assert asked.count(1) <= 4


@pytest.mark.parametrize("beyond", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_beyond_the_bound(beyond: float):
    magnitudes, asked = torch.arange(1, 100_001, dtype=torch.float64), []

    def excess(threshold: float, stride: int) -> float:
        asked.append(threshold)
        pruned = float((magnitudes < threshold).sum())
        return pruned - 40_000 if pruned < 30_000 else beyond

    assert (magnitudes < crossing_threshold(magnitudes, excess)).sum() == 29_999
    assert len(asked) < 100


def test_a_probe_stops_once_its_loss_is_beyond_the_bound():
    network, evaluated = tiny_network(), []

    def losses(stride: int):  # every weight matters: the loss grows with each that is zero
        zeros = sum(int((weight == 0).sum()) for weight in weights(network).values())
        for batch in range(0, 10, stride):
            evaluated.append((stride, batch))
            yield torch.full((1,), 1.0 + zeros)

    search_threshold(Masks(network, LAYERS), losses)
    passes = evaluated.count((1, 0))
    assert passes > 1
    assert evaluated.count((1, 9)) < passes


# Connections


def connected_network() -> CapsNet:
    """I = 4, J = 2, of 17x17 images; capsule 1 has lost one of its connections."""
    torch.manual_seed(1)
    network = CapsNet(
        size=17, classes=2, convolution_channels=2, primary_types=4, primary_dimensions=2, class_dimensions=2,
        connected=True,
    ).double()  # fmt: skip
    network.keep(torch.tensor([[True, True], [True, False], [True, True], [True, True]]))
    return network


@pytest.mark.parametrize("keep_one", [False, True])
@pytest.mark.parametrize("allowed", [0, 2, 5])
def test_as_many_connections_go_as_the_loss_allows_the_weakest_first(keep_one: bool, allowed: int):
    network = connected_network()
    score = torch.tensor([[5.0, 6.0], [1.0, 0.0], [2.0, 3.0], [7.0, 4.0]])

    def losses(_stride: int):
        yield torch.tensor([max(0.0, 7 - float(network.connections.sum()) - allowed)])

    before, there = network.weight.detach().clone(), network.connections.clone()
    left = search_connections(network, score, there, losses, keep_one)
    assert torch.equal(network.weight, before)
    assert torch.equal(network.connections, there)
    order = [2.0, 4.0, 5.0] if keep_one else [1.0, 2.0, 3.0, 4.0, 5.0]  # no capsule's best
    gone = set(order[:allowed])
    assert {float(value) for value in score[there & ~left]} == gone


def test_the_strongest_connection_is_left_where_the_loss_feels_none():
    network = connected_network()
    score = torch.tensor([[5.0, 6.0], [1.0, 0.0], [2.0, 3.0], [7.0, 4.0]])
    left = search_connections(network, score, score > 0, lambda _stride: iter([torch.zeros(1)]), keep_one=False)
    assert left.nonzero().tolist() == [[3, 0]]


def test_a_capsule_whose_connections_all_score_nothing_keeps_one():
    network = connected_network()
    score, there = torch.tensor([[5.0, 6.0], [0.0, 0.0], [2.0, 3.0], [7.0, 4.0]]), network.connections.clone()
    before = network.weight.detach().clone()
    left = search_connections(network, score, there, lambda _stride: iter([torch.zeros(1)]), keep_one=True)
    assert left.nonzero().tolist() == [[0, 1], [1, 0], [2, 1], [3, 0]]
    assert torch.equal(network.weight, before)


def test_the_search_for_connections_tries_them_in_the_routing():
    network, (images, labels) = connected_network(), labelled_images()

    def losses(_stride: int):
        yield margin_losses(network(images)[0], labels)

    before, score = float(next(losses(1)).detach().sum()), block_norms(network.weight)
    left = search_connections(network, score, score > 0, losses, keep_one=False)
    network.keep(left)
    assert float(next(losses(1)).sum()) <= before


def test_losses_that_run_out_are_no_licence_to_prune():
    network = CapsNet(size=17, convolution_channels=2, primary_types=1)
    once = iter([torch.ones(4)] * 40)
    with pytest.raises(RemError, match="losses yields 0 batches in place of 3; every call must yield the same"):
        search_threshold(Masks(network), lambda stride: once)
    with pytest.raises(RemError, match="losses yields no batch"):
        search_threshold(Masks(network), lambda stride: [])

"""LOBSTER: the decay of Eq. 16, the masks, and the search for the threshold."""

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import reference
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rem.errors import RemError
from rem.networks.build import capsnet
from rem.networks.capsnet import CapsNet
from rem.networks.losses import margin_loss, margin_losses
from rem.pruning.lobster import lobster, weight_decay
from rem.pruning.masks import Masks, prunable_layers, sparsity
from rem.pruning.threshold import crossing_threshold, search_threshold, threshold_for_sparsity

quick = settings(derandomize=True, deadline=None, max_examples=100)
PRUNABLE = ("convolution.weight", "primary.weight", "weight")
OF_LAYER = {
    "convolution": {"convolution.weight", "convolution.bias"},
    "primary": {"primary.weight", "primary.bias"},
    "class": {"weight", "routing_bias"},
}
LAYERS = tuple(OF_LAYER)
TINY = tiny.run(network={"primary_types": 1, "primary_dimensions": 2, "class_dimensions": 2}).network


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks this small only lose time to a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_network(seed: int = 0) -> CapsNet:
    """Some 500 parameters in float64: 17x17 images, I = 1, J = 2."""
    torch.manual_seed(seed)
    return capsnet(TINY, channels=1, size=17, classes=2).double()


def labelled_images(count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Images with a bright upper (class 0) or lower half (class 1)."""
    draw = np.random.default_rng(7)
    labels = np.arange(count) % 2
    images = draw.normal(size=(count, 1, 17, 17))
    images[labels == 0, :, :8] += 2
    images[labels == 1, :, 9:] += 2
    return torch.tensor(images), torch.tensor(labels)


def loss_of(network: CapsNet) -> torch.Tensor:
    """The margin loss on those images."""
    images, labels = labelled_images()
    return margin_loss(network(images)[0], labels)


def train(network: CapsNet, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Plain steps, without pruning."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(network).backward()
        optimizer.step()


def weights(network: CapsNet) -> dict[str, torch.Tensor]:
    """The prunable weights."""
    return {name: parameter for name, parameter in network.named_parameters() if name in PRUNABLE}


def magnitudes_of(network: CapsNet) -> torch.Tensor:
    """|w| of all prunable weights, in one row."""
    return torch.cat([weight.detach().abs().flatten() for weight in weights(network).values()])


# Eq. 16


def test_lobster_agrees_with_the_reference():
    draw = np.random.default_rng(0)
    shapes = [(3, 4), (5,), (2, 2, 2)]
    parameters = [torch.nn.Parameter(torch.tensor(draw.normal(size=shape))) for shape in shapes]
    for parameter in parameters:
        parameter.grad = torch.tensor(draw.normal(size=parameter.shape))
    expected = [
        [
            reference.lobster_decay(w, g, 0.3)
            for w, g in zip(p.flatten().tolist(), p.grad.flatten().tolist(), strict=True)
        ]
        for p in parameters
    ]
    gradients = [parameter.grad.clone() for parameter in parameters]
    lobster(iter(parameters), 0.3)
    for parameter, values, gradient in zip(parameters, expected, gradients, strict=True):
        assert parameter.detach().flatten().tolist() == pytest.approx(values, abs=1e-15)
        assert torch.equal(parameter.grad, gradient)  # the optimiser's gradient is left alone


def test_a_parameter_the_loss_feels_strongly_is_not_decayed():
    parameter = torch.nn.Parameter(torch.tensor([2.0, -2.0, 2.0]))
    parameter.grad = torch.tensor([1.0, -5.0, 0.5])
    lobster([parameter], 0.1)
    assert parameter.tolist() == pytest.approx([2.0, -2.0, 1.9])


def test_an_insensitive_parameter_shrinks_by_the_sum_of_the_penalties():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -3.0], dtype=torch.float64))
    parameter.grad = torch.zeros(2, dtype=torch.float64)
    for _ in range(1000):
        lobster([parameter], 1e-3)
    assert parameter.tolist() == pytest.approx([math.exp(-1), -3 * math.exp(-1)], rel=1e-3)


def test_a_penalty_of_zero_changes_nothing():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -3.0]))
    parameter.grad = torch.tensor([0.1, 0.2])
    lobster([parameter], 0.0)
    assert parameter.tolist() == [1.0, -3.0]


def test_a_missing_gradient_is_an_error_and_not_a_silent_skip():
    parameter = torch.nn.Parameter(torch.ones(3))
    with pytest.raises(RemError):
        lobster([parameter], 0.1)


def test_biases_and_routing_bias_decay_like_weights():
    network = tiny_network()
    with torch.no_grad():
        network.routing_bias.fill_(0.1)
    loss_of(network).backward()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    lobster(network.parameters(), 0.5)
    for name, parameter in network.named_parameters():
        felt = parameter.grad.abs() >= 1
        assert (parameter.detach().abs() < before[name].abs())[~felt & (before[name] != 0)].all(), name


# What REM is compared with


def test_weight_decay_shrinks_every_weight_alike_however_much_the_loss_feels_it():
    parameters = [torch.nn.Parameter(torch.tensor([2.0, -4.0])), torch.nn.Parameter(torch.tensor([8.0]))]
    parameters[0].grad = torch.tensor([0.0, 5.0])
    weight_decay(iter(parameters), 0.25)
    assert [parameter.tolist() for parameter in parameters] == [[1.5, -3.0], [6.0]]
    assert parameters[0].grad.tolist() == [0.0, 5.0]


def test_weight_decay_is_lobster_where_the_loss_feels_nothing():
    parameters = [torch.nn.Parameter(torch.linspace(-3, 3, 20)) for _ in range(2)]
    parameters[0].grad = torch.zeros(20)
    lobster(parameters[:1], 0.3)
    weight_decay(parameters[1:], 0.3)
    assert torch.allclose(*parameters, rtol=1e-6, atol=0)


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


# Masks


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
    assert list(prunable_layers(network)) == list(masks.weights) == ["primary", "class"]
    masks.prune(math.inf)
    assert set(sparsity(network)) == {"primary", "class", "class_blocks", "all"}


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


# The threshold search


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

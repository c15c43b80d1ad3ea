"""The networks beside CapsNet: their sizes as published, and what any routing makes of them."""

import pytest
import tiny
import torch
from tensors import quantizing

from rem.errors import RemError
from rem.networks.build import ROUTINGS, build
from rem.networks.capsnet import CapsNet
from rem.networks.convcaps import WINDOW, ConvCapsNet
from rem.networks.deepcaps import Cell, ConvCaps, DeepCaps
from rem.networks.efficient import EfficientCapsNet
from rem.networks.gamma import GammaCapsNet
from rem.networks.routing import squash
from rem.networks.spatial_routing import route_in_space, spatial_votes
from rem.pruning.masks import Masks, sparsity
from rem.training.checkpoints import load_checkpoint, save_checkpoint
from rem.trees.replaced import lengths_at_levels, with_couplings

CPU = torch.device("cpu")
SIZES = {"efficient": 28, "gamma": tiny.SIZE, "convcaps": 23, "deepcaps": tiny.SIZE}
FURTHER = {"efficient": {"primary_dimensions": 4}, "deepcaps": {"primary_dimensions": 4}}
every = pytest.mark.parametrize("architecture", sorted(SIZES))


def run_of(architecture, routing="attention", **sections):
    further = FURTHER.get(architecture, {"middle_capsules": 5})
    network = {"architecture": architecture, "routing": routing} | further
    return tiny.run(network=network, data={"size": SIZES[architecture]}, **sections)


def network(architecture, routing="attention"):
    torch.manual_seed(1)
    return build(run_of(architecture, routing), CPU).eval()


def images(architecture, count=3):
    torch.manual_seed(2)
    return torch.rand(count, 1, SIZES[architecture], SIZES[architecture])


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_an_efficient_capsnet_has_as_many_parameters_as_published():
    model = EfficientCapsNet()
    assert parameters(model) == 161_824
    assert (model.capsules, model.classes) == (16, 10)


def test_a_gamma_capsnet_has_the_layers_of_the_authors_code():
    """Convolutions of 256 channels, 1152 -> 32 capsules of 8 dimensions -> 10 of 16, a bias in each layer."""
    convolutions = 256 * 81 + 256 + 256 * 256 * 81 + 256
    capsules = 1152 * 32 * 8 * 8 + 32 * 8 + 32 * 10 * 16 * 8 + 10 * 16
    assert parameters(GammaCapsNet()) == convolutions + capsules == 7_730_336


def test_a_deepcaps_has_the_layers_of_the_authors_code():
    """Of CIFAR10 at 64x64 pixels, without the decoder: 2560 capsules, of grids of 4x4 and 8x8, to 10 of 32."""
    convolution = 3 * 9 * 128 + 128 + 2 * 128
    first, second, third = 4 * 9 * 128 * 128, 9 * 128 * 256 + 3 * 9 * 256 * 256, 4 * 9 * 256 * 256
    fourth = 3 * 9 * 256 * 256 + 9 * 8 * 32 * 8 + 32 * 8
    cells = first + second + third + fourth
    model = DeepCaps(3, 64)
    assert (model.capsules, model.classes) == (2560, 10)
    assert parameters(model) == convolution + cells + 2560 * 10 * 32 * 8 + 10 * 32 == 13_359_424
    assert parameters(DeepCaps(3, 32, class_dimensions=8)) == convolution + cells + 640 * 10 * 8 * 8 + 80 == 7_215_184


def test_a_cell_of_deepcaps_adds_its_skip_to_two_layers_more():
    torch.manual_seed(1)
    skip = ConvCaps(6, 3, 2)
    cell, grid = Cell(5, 3, 2, skip), torch.rand(2, 5, 7, 7)

    def layer(capsules, weight, stride=1):
        maps = torch.nn.functional.conv2d(capsules, weight, stride=stride, padding=1)
        return torch.cat([squash(one.movedim(1, -1)).movedim(-1, 1) for one in maps.split(2, dim=1)], dim=1)

    halved = layer(grid, cell.first.weight, stride=2)
    expected = layer(layer(halved, cell.second.weight), cell.third.weight) + layer(halved, skip.weight)
    torch.testing.assert_close(cell(grid), expected)
    assert expected.shape == (2, 6, 4, 4)


def test_class_capsules_of_deepcaps_see_the_last_two_cells():
    """Of 19x19 pixels these are of 2x2 and 3x3 places; the last one's capsules come first, type by type."""
    model, image = network("deepcaps"), images("deepcaps", 1)
    assert model.capsules == 2 * (2 * 2 + 3 * 3)
    with torch.no_grad():
        grids = [model.norm(model.convolution(image).relu())]
        for cell in model.cells:
            grids.append(cell(grids[-1]))
        found = model.primary_capsules(image)[0]
    torch.testing.assert_close(found[4 + 3], grids[4][0, 4:, 1, 1])  # the second type, last row and column
    torch.testing.assert_close(found[8 + 9 + 5], grids[3][0, 4:, 1, 2])


def test_capsules_of_deepcaps_keep_their_lengths_through_all_layers():
    """At the first weights: else a squash after the other would leave nothing for a gradient to move."""
    torch.manual_seed(1)
    poses = DeepCaps(convolution_channels=16, primary_types=8)(torch.rand(8, 1, 28, 28))[1]
    assert poses.norm(dim=2).mean() > 0.1


def test_a_capsnet_has_the_parameters_of_sabour_et_al_without_the_decoder():
    assert parameters(CapsNet()) == 256 * 81 + 256 + 256 * 256 * 81 + 256 + 1152 * 10 * 16 * 8 + 10 * 16


def test_a_middle_capsule_of_convcaps_sees_its_window_alone():
    """Of 23x23 pixels there are 4x4 primary capsules and 2x2 windows of 3x3; the left ones see the first 21 columns."""
    torch.manual_seed(1)
    sizes = {"convolution_channels": 2, "primary_types": 2, "primary_dimensions": 3, "class_dimensions": 4}
    model = ConvCapsNet(1, 23, 3, middle_capsules=5, **sizes).eval()
    assert model.capsules == 2 * 2 * 5
    dark = torch.rand(1, 1, 23, 23)
    changed = dark.clone()
    changed[..., 21:] += 1  # the last two columns
    with torch.no_grad():
        before, after = (model.primary_capsules(one).view(2, 2, 5, 3) for one in (dark, changed))
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])


def test_a_window_is_routed_as_its_primary_capsules_by_themselves():
    torch.manual_seed(1)
    sizes = {"convolution_channels": 2, "primary_types": 2, "primary_dimensions": 3, "class_dimensions": 4}
    model, image = ConvCapsNet(1, 23, 3, middle_capsules=5, **sizes).eval(), torch.rand(1, 1, 23, 23)
    with torch.no_grad():
        grid = squash(model.primary(model.convolution(image).relu()).view(2, 3, 4, 4).movedim(1, 3))  # (T, M, N, P)
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            window = grid[:, row : row + 3, column : column + 3].reshape(1, 18, 3)
            found = model.primary_capsules(image).view(2, 2, 5, 3)[row, column]
            torch.testing.assert_close(found, model.middle.route(window)[1][0])


@every
@pytest.mark.parametrize("routing", sorted(ROUTINGS))
def test_any_routing_runs_on_it(architecture, routing):
    model = network(architecture, routing)
    lengths, poses, couplings = model(images(architecture))
    assert lengths.shape == (3, tiny.CLASSES)
    assert poses.shape[:2] == lengths.shape
    assert couplings.shape == (3, tiny.CLASSES, model.capsules)
    torch.testing.assert_close(couplings.sum(dim=1), torch.ones(3, model.capsules))


@pytest.mark.parametrize("routing", sorted(ROUTINGS))
def test_the_lower_layer_of_gamma_is_that_of_the_primary_capsules(routing):
    model, shown = network("gamma", routing), images("gamma")
    (layer,) = model.lower_layers(model.stem(shown))
    assert layer.couplings.shape == (3, 1, 5, model.below.capsules)
    torch.testing.assert_close(layer.couplings.sum(dim=2), torch.ones(3, 1, model.below.capsules))
    torch.testing.assert_close(layer.couplings[:, 0], model.below(shown)[2])
    torch.testing.assert_close(layer.lengths, model.primary_capsules(shown).norm(dim=2))
    assert layer.parts is None  # capsule i of the class capsules' is capsule i


@torch.no_grad()
@pytest.mark.parametrize("routing", ["dynamic", "em"])
def test_the_lower_layer_of_convcaps_has_of_each_place_the_children_in_its_window(routing):
    """Of 23x23 pixels there are 4x4 primary capsules of 2 types and 2x2 windows, to 5 middle capsules each."""
    model, image = network("convcaps", routing), images("convcaps", 2)
    (layer,) = model.lower_layers(image)
    assert layer.couplings.shape == (2, 4, 5, 2 * WINDOW**2)
    torch.testing.assert_close(layer.couplings.sum(dim=2), torch.ones(2, 4, 2 * WINDOW**2))
    torch.testing.assert_close(layer.lengths, model.primary_capsules(image).norm(dim=2))
    maps = model.primary(model.convolution(image).relu())
    grid = squash(maps.view(2, 2, model.dimensions, 4, 4).movedim(2, 4))  # (B, T, M, N, P)
    for number, (row, column) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
        window = grid[:, :, row : row + WINDOW, column : column + WINDOW].flatten(1, 3)
        torch.testing.assert_close(layer.couplings[:, number], model.middle.route(window)[2])


@torch.no_grad()
def test_the_lower_layer_of_deepcaps_has_the_types_as_children_of_every_capsule_of_the_last_cell():
    """Of 19x19 pixels the last cell has 2 types at 2x2 places; of the cell before nothing is routed."""
    model, image = network("deepcaps"), images("deepcaps", 2)
    (layer,) = model.lower_layers(image)
    assert layer.couplings.shape == (2, 1, 2 * 2 * 2, 2)
    torch.testing.assert_close(layer.couplings.sum(dim=2), torch.ones(2, 1, 2))
    torch.testing.assert_close(layer.lengths, model.primary_capsules(image)[:, :8].norm(dim=2))
    assert layer.parts.tolist() == [*range(8), *[-1] * (model.capsules - 8)]
    cell, grid = model.cells[-1], model.norm(model.convolution(image).relu())
    for before in model.cells[:-1]:
        grid = before(grid)
    votes = spatial_votes(cell.skip.weight, cell.first(grid).unflatten(1, (2, 4)))
    found = route_in_space(votes, cell.skip.routing_bias, 3)[1]  # (B, I, J, M, N)
    for capsule, (kind, row, column) in enumerate((r, p, q) for r in (0, 1) for p in (0, 1) for q in (0, 1)):
        torch.testing.assert_close(layer.couplings[:, 0, capsule], found[:, :, kind, row, column])


def test_a_network_with_one_routed_layer_has_none_below():
    model = network("efficient")
    assert model.lower_layers(model.stem(images("efficient"))) == []


@every
@pytest.mark.parametrize("routing", ["dynamic", "em"])
def test_lengths_at_many_levels_are_those_of_the_network_quantized_at_each(architecture, routing):
    model = network(architecture, routing)
    with torch.no_grad():
        primary = model.primary_capsules(model.stem(images(architecture)))
        couplings, found = lengths_at_levels(model, primary, torch.tensor([2, 3, 11]), False)
        for at_level, levels in zip(found, [2, 3, 11, None], strict=True):
            expected = model(images(architecture), change=quantizing(levels))
            torch.testing.assert_close(at_level, expected[0])
            torch.testing.assert_close(couplings, expected[2])


@every
@pytest.mark.parametrize("routing", ["dynamic", "em"])
def test_other_couplings_make_what_a_change_to_them_makes(architecture, routing):
    model = network(architecture, routing)
    other = torch.rand(3, tiny.CLASSES, model.capsules).softmax(dim=1)
    with torch.no_grad():
        primary = model.primary_capsules(model.stem(images(architecture)))
        lengths, poses = with_couplings(model, primary, [other, other.flip(0)])
        for row, used in enumerate((other, other.flip(0))):
            expected = model(images(architecture), change=lambda _, used=used: used)
            torch.testing.assert_close((lengths[row], poses[row]), expected[:2])


@every
def test_its_layers_are_pruned_and_counted(architecture):
    model = network(architecture)
    masks = Masks(model)
    assert {name.partition(".")[0] for name in masks.weights} == {"convolution", "primary", "class"}
    masks.prune(float("inf"))
    shares = sparsity(model)
    assert all(share == 1 for name, share in shares.items() if name != "all")
    assert 0.5 < shares["all"] < 1
    only = Masks(network(architecture), ["convolution"])
    assert {name.partition(".")[0] for name in only.weights} == {"convolution"}


@every
def test_a_checkpoint_brings_it_back_with_its_decoder(architecture, tmp_path):
    run = run_of(architecture, decoder={"hidden": [4], "weight": 0.001, "pixels": "raw"})
    torch.manual_seed(1)
    model = build(run, CPU).eval()
    save_checkpoint(tmp_path / "last.pt", model.state_dict(), run, 1)
    again = load_checkpoint(tmp_path / "last.pt").model
    found, expected = again(images(architecture)), model(images(architecture))
    assert all(map(torch.equal, found, expected))
    shown = torch.tensor([0, 1, 2])
    assert torch.equal(again.decoder(found[1], shown), model.decoder(expected[1], shown))


def test_images_too_small_for_an_efficient_capsnet_are_refused():
    assert EfficientCapsNet(size=27).capsules == 16
    with pytest.raises(RemError, match="images of 26 pixels are too small"):
        EfficientCapsNet(size=26)


def test_capsules_of_an_efficient_capsnet_divide_its_channels():
    with pytest.raises(RemError, match=r"128 channels, 4 x network\.convolution_channels, make no whole number"):
        EfficientCapsNet(primary_dimensions=7)


def test_capsules_of_a_deepcaps_can_be_halved():
    with pytest.raises(RemError, match="capsules of 5 dimensions have no half"):
        DeepCaps(primary_dimensions=5)

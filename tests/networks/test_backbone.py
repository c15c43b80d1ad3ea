"""ResNet-18 below the primary capsules: its shape, its weights, and that it stays frozen where it must."""

import dataclasses
import hashlib

import pytest
import tiny
import torch
import torch.nn.functional as F
from torchvision.models import resnet18

from rem.errors import RemError
from rem.networks.backbone import Backbone
from rem.networks.build import build, capsnet
from rem.networks.losses import margin_loss
from rem.networks.weights import WEIGHTS
from rem.pruning.masks import Masks
from rem.training.checkpoints import load_backbone

CPU = torch.device("cpu")
RESNET = {"backbone": "resnet18", "input_size": 40, "convolution_channels": None}


def run(weights="pretrained"):
    return tiny.run(network=RESNET | {"weights": weights})


@pytest.fixture(scope="module")
def official():
    """A stand-in for the official network: random, with statistics that are not those of a new one."""
    torch.manual_seed(3)
    network = resnet18()
    with torch.no_grad():
        network(torch.randn(8, 3, 64, 64))
    return network.eval()


@pytest.fixture
def weights_file(official, tmp_path, monkeypatch):
    """Its weights in a file that is taken for the official one."""
    path = tmp_path / "resnet18-f37072fd.pth"
    torch.save(official.state_dict(), path)
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    monkeypatch.setitem(WEIGHTS, "resnet18", dataclasses.replace(WEIGHTS["resnet18"], digest=digest))
    return path


def up_to_last_feature_map(network, images):
    x = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    return network.layer4(network.layer3(network.layer2(network.layer1(x))))


def trained(network, steps=3):
    """Some steps of training on noise."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(steps):
        network.train()
        optimizer.zero_grad()
        margin_loss(network(torch.randn(4, 1, tiny.SIZE, tiny.SIZE))[0], torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
    return network


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(one, other):
    return {name for name in one if torch.equal(one[name], other[name])}


def test_an_image_of_224_pixels_gives_a_map_of_7_padded_to_19():
    backbone = Backbone(frozen=True, input_size=None)
    found = backbone(torch.randn(1, 3, 224, 224))
    assert found.shape == (1, 512, 19, 19)
    assert backbone.side(224) == 19
    inside = F.pad(torch.ones(7, 7), (6, 6, 6, 6)).bool()
    assert (found[..., ~inside] == 0).all()
    assert (found[..., inside] != 0).any()


@pytest.mark.parametrize("size", [33, 40, 64, 65, 100])
def test_the_side_is_what_comes_out(size):
    backbone = Backbone(frozen=True, input_size=None)
    assert backbone(torch.zeros(1, 3, size, size)).shape[-1] == backbone.side(size)


def test_images_are_scaled_to_the_input_size_and_grey_is_seen_thrice():
    backbone = Backbone(frozen=True, input_size=64)
    plain = Backbone(frozen=True, input_size=None)
    plain.load_state_dict(backbone.state_dict())
    images = torch.rand(2, 1, 32, 32)
    scaled = F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(backbone(images), plain(scaled.repeat(1, 3, 1, 1)))
    assert backbone.side(32) == 14


def test_too_small_images_are_refused():
    with pytest.raises(RemError, match="too small for the backbone"):
        capsnet(run("none").network.model_copy(update={"input_size": None}), 3, 32, 10)


def test_pretrained_weights_are_those_of_the_file(official, weights_file):
    model = build(run(), CPU)
    load_backbone(model, run(), weights_file)
    images = torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        expected = F.pad(up_to_last_feature_map(official, images), (6, 6, 6, 6))
        torch.testing.assert_close(model.backbone(images), expected)


def test_a_pretrained_backbone_never_moves_and_its_head_does():
    network = build(run(), CPU)
    before = state(network)
    after = state(trained(network))
    frozen = {name for name in before if name.startswith("backbone.")}
    assert same(before, after) == frozen
    assert not any(layer.training for layer in network.backbone.modules())
    assert network.primary.training
    assert all(parameter.grad is None for parameter in network.backbone.parameters())


def test_a_backbone_without_weights_is_trained_with_its_statistics():
    network = build(run("none"), CPU)
    before = state(network)
    assert same(before, state(trained(network))) == set()
    assert all(layer.training for layer in network.backbone.modules())
    assert not any(layer.training for layer in network.eval().modules())


@pytest.mark.parametrize("weights", ["pretrained", "none"])
def test_only_the_head_is_prunable(weights):
    network = build(run(weights), CPU)
    masks = Masks(network, ["convolution", "primary", "class"])
    assert set(masks.weights) == {"primary", "class"}
    head = [network.primary.weight, network.primary.bias, network.weight, network.routing_bias]
    assert {id(parameter) for parameter in masks.parameters} == {id(parameter) for parameter in head}


def test_missing_weights_say_how_to_get_them():
    with pytest.raises(RemError) as raised:
        load_backbone(build(run(), CPU), run(), None)
    for needed in ("rem fetch resnet18", "resnet18-f37072fd.pth", "--backbone-weights", "network.weights to none"):
        assert needed in str(raised.value)


def test_other_weights_are_refused(weights_file):
    weights_file.write_bytes(weights_file.read_bytes()[:-1])
    with pytest.raises(RemError, match=r"is not resnet18-f37072fd\.pth"):
        load_backbone(build(run(), CPU), run(), weights_file)
    with pytest.raises(RemError, match=r"none\.pth cannot be read now \(no such file or directory\); bring it back"):
        load_backbone(build(run(), CPU), run(), weights_file.with_name("none.pth"))


@pytest.mark.parametrize("settings", [run("none"), tiny.run()])
def test_weights_nobody_asked_for_are_refused(settings, weights_file):
    with pytest.raises(RemError, match="leave "):
        load_backbone(build(settings, CPU), settings, weights_file)
    load_backbone(build(settings, CPU), settings, None)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"weights": "none"}, "network.weights and network.input_size are a backbone's"),
        ({"input_size": 224}, "network.weights and network.input_size are a backbone's"),
        ({"convolution_channels": None}, "network.backbone takes the first convolution's place"),
        ({"backbone": "resnet18", "weights": "none"}, "network.backbone takes the first convolution's place"),
        (RESNET | {"weights": None}, "network.weights is null"),
        (RESNET | {"weights": "none", "input_size": 32}, "network.input_size"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(network, message):
    with pytest.raises(RemError, match=message):
        tiny.run(network=network)

"""Import of published checkpoints: against a forward pass of their layout, written from the equations alone."""

import re

import pandas as pd
import pytest
import tiny
import torch
import torch.nn.functional as F

from rem.errors import RemError
from rem.settings.run import read_run
from rem.training.checkpoints import load_checkpoint, load_tensors
from rem.training.import_checkpoint import LAYOUT, convert, import_checkpoint
from rem.trees.couplings import extract

CPU = torch.device("cpu")


def published(types=2, dimensions=3, filters=4, channels=1, grid=2, classes=tiny.CLASSES, poses=5):
    """A random state dict of the published layout, of tiny sizes unless others are asked for."""
    draw = torch.Generator().manual_seed(0)

    def normal(*shape, scale):
        return scale * torch.randn(*shape, generator=draw)

    return {
        "conv1.weight": normal(filters, channels, 9, 9, scale=0.1),
        "conv1.bias": normal(filters, scale=0.1),
        "primaryCaps.caps_poses.weight": normal(types * dimensions, filters, 9, 9, scale=0.1),
        "primaryCaps.caps_poses.bias": normal(types * dimensions, scale=0.1),
        "classCaps.weight": normal(types, grid, grid, classes, poses, dimensions, scale=1.0),
        "classCaps.routing_bias": normal(classes, 1, 1, poses, 1, scale=0.3),
    }


def shape_of(tensor):
    return ", ".join(map(str, tensor.shape))


def squashed(s, dim):
    square = (s**2).sum(dim, keepdim=True)
    return square / (1 + square) * s / torch.sqrt(square + 1e-6)


def textbook(weights, images):
    """Lengths (B, J) and couplings (B, T, M, N, J) by broadcast votes, three iterations."""
    weights = {name: value.double() for name, value in weights.items()}
    x = F.relu(F.conv2d(images.double(), weights["conv1.weight"], weights["conv1.bias"]))
    x = F.conv2d(x, weights["primaryCaps.caps_poses.weight"], weights["primaryCaps.caps_poses.bias"], stride=2)
    types, rows, columns, _, _, dimensions = weights["classCaps.weight"].shape
    u = squashed(x.reshape(-1, types, dimensions, rows, columns), dim=2)  # (B, T, P, M, N)
    votes = torch.einsum("tmnjdp,btpmn->btmnjd", weights["classCaps.weight"], u)
    bias = weights["classCaps.routing_bias"][:, 0, 0, :, 0]
    logits = torch.zeros(votes.shape[:-1], dtype=torch.float64)
    for _ in range(3):
        couplings = logits.softmax(dim=-1)
        v = squashed((couplings[..., None] * votes).sum((1, 2, 3)) + bias, dim=-1)  # (B, J, D)
        logits = logits + torch.einsum("btmnjd,bjd->btmnj", votes, v)
    return v.norm(dim=-1), couplings


@pytest.fixture
def file(tmp_path):
    torch.save(published(), tmp_path / "theirs.pt")
    return tmp_path / "theirs.pt"


@pytest.mark.parametrize("sizes", [{}, {"types": 4, "dimensions": 8, "filters": 6, "poses": 16}])
def test_the_imported_network_is_theirs(sizes):
    weights, images = published(**sizes), torch.randn(6, 1, tiny.SIZE, tiny.SIZE)
    model, run = convert(weights, tiny.run(), "theirs.pt")
    with torch.no_grad():
        lengths, _, couplings = model(images)
    expected_lengths, expected = textbook(weights, images)
    assert expected.std() > 0.01  # the routing is not uniform
    torch.testing.assert_close(lengths.double(), expected_lengths, atol=1e-5, rtol=0)
    torch.testing.assert_close(couplings.double(), expected.flatten(1, 3).transpose(1, 2), atol=1e-5, rtol=0)
    assert run.network.primary_types == sizes.get("types", 2)
    assert run.network.class_dimensions == sizes.get("poses", 5)


def test_the_papers_size_is_taken_as_it_is():
    data = {"size": 28, "classes": 10}
    weights = published(types=32, dimensions=8, filters=256, grid=6, classes=10, poses=16)
    assert {name: tuple(value.shape) for name, value in weights.items()} == {
        "conv1.weight": (256, 1, 9, 9),
        "conv1.bias": (256,),
        "primaryCaps.caps_poses.weight": (256, 256, 9, 9),
        "primaryCaps.caps_poses.bias": (256,),
        "classCaps.weight": (32, 6, 6, 10, 16, 8),
        "classCaps.routing_bias": (10, 1, 1, 16, 1),
    }
    model, _ = convert(weights, tiny.run(data=data), "theirs.pt")
    assert sum(parameter.numel() for parameter in model.parameters()) == 6_804_384


def test_an_import_leaves_what_training_leaves(file, tmp_path):
    folder = tmp_path / "seed42"
    import_checkpoint(file, tiny.run(), folder, 7)
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"run.yaml", "history.csv", "first.pt", "best.pt", "early.pt", "last.pt", "epochs/epoch0007.pt"}
    _, run, epoch = load_checkpoint(folder / "best.pt", CPU)
    assert run == read_run(folder / "run.yaml")
    assert run == tiny.run(network={"convolution_channels": 4, "class_dimensions": 5})
    assert epoch == 7
    assert "theirs.pt, sha256:" in load_tensors(folder / "last.pt", CPU)["provenance"]["imported"]
    assert pd.read_csv(folder / "history.csv").empty
    with pytest.raises(RemError, match="has a network already"):
        import_checkpoint(file, tiny.run(), folder, 7)


def test_couplings_of_an_import_are_those_of_their_network(file, tmp_path, prepared):
    import_checkpoint(file, tiny.run(), tmp_path / "seed42", 0)
    extract(tmp_path / "seed42/best.pt", prepared, "test", 11, tmp_path / "best.test.h5", CPU)
    assert (tmp_path / "best.test.h5").exists()


@pytest.mark.parametrize("key", LAYOUT)
def test_a_missing_tensor_is_named(key):
    weights = published()
    del weights[key]
    with pytest.raises(RemError, match=re.escape(f"theirs.pt has no {key};")):
        convert(weights, tiny.run(), "theirs.pt")


@pytest.mark.parametrize("key", LAYOUT)
def test_a_tensor_of_another_shape_is_named_with_both_shapes(key):
    weights = published()
    weights[key] = weights[key][None]
    right = {"conv1.weight": "F, 1, 9, 9", "classCaps.weight": "T, 2, 2, 3, D, P"}.get(key, shape_of(published()[key]))
    with pytest.raises(RemError) as raised:
        convert(weights, tiny.run(), "theirs.pt")
    assert f"{key} has the shape ({shape_of(weights[key])})" in str(raised.value)
    assert str(raised.value).endswith(f"it must be ({right}).")


@pytest.mark.parametrize(
    ("sizes", "key"), [({"classes": 4}, "classCaps"), ({"grid": 3}, "classCaps"), ({"channels": 3}, "conv1")]
)
def test_networks_for_other_images_are_refused(sizes, key):
    with pytest.raises(RemError, match=rf"theirs\.pt: {key}\.weight has the shape .* data.size 19 and data.classes 3"):
        convert(published(**sizes), tiny.run(), "theirs.pt")


def test_what_is_left_out_is_told(capsys):
    convert(published() | {"decoder.fc1.weight": torch.zeros(2)}, tiny.run(), "theirs.pt")
    assert "theirs.pt: decoder.fc1.weight left out" in capsys.readouterr().err


@pytest.mark.parametrize("content", [{"epoch": 3}, [torch.zeros(2)], {"state_dict": published()}])
def test_other_files_of_tensors_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(RemError, match=r"other\.pt is not a state dict"):
        import_checkpoint(tmp_path / "other.pt", tiny.run(), tmp_path / "run", 0)
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(RemError, match=r"none\.pt is missing; give the file with the network's state dict\.$"):
        import_checkpoint(tmp_path / "none.pt", tiny.run(), tmp_path / "run", 0)


def test_code_in_a_file_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "network.pt")
    with pytest.raises(RemError, match=r"network\.pt is not a file of tensors"):
        import_checkpoint(tmp_path / "network.pt", tiny.run(), tmp_path / "run", 0)

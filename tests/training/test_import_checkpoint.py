"""Import of published checkpoints: against a forward pass of their layout, written from the equations alone."""

import os
import re

import pandas as pd
import pytest
import tiny
import torch
import torch.nn.functional as F
from torch.nn.utils import prune

from rem.errors import RemError
from rem.settings.run import Run, read_run
from rem.training.checkpoints import load_checkpoint, load_tensors
from rem.training.import_checkpoint import LAYOUT, convert, import_checkpoint, unwrapped
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


@pytest.mark.parametrize("variant", ["blocks", "structured"])
def test_an_import_as_a_variant_that_removes_parts_is_refused(file, tmp_path, variant):
    with pytest.raises(RemError, match=f"{variant} removes .* name a --variant without connections and structure"):
        import_checkpoint(file, tiny.run(variant), tmp_path / "seed42", 0)
    assert not (tmp_path / "seed42").exists()


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


@pytest.mark.parametrize(
    "content", [{}, {"epoch": 3}, [torch.zeros(2)], {"state_dict": {"epoch": 3}}, {0: torch.zeros(2)}]
)
def test_other_files_of_tensors_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(RemError, match=r"other\.pt is not a state dict"):
        import_checkpoint(tmp_path / "other.pt", tiny.run(), tmp_path / "run", 0)
    assert not (tmp_path / "run").exists()


def renamed(weights, change):
    return {change(name): value for name, value in weights.items()}


class TheirNetwork(torch.nn.Module):
    """Their layers' names, with room for what wraps and prunes them."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 4, 9)
        self.primaryCaps = torch.nn.Module()
        self.primaryCaps.caps_poses = torch.nn.Conv2d(4, 6, 9)
        self.classCaps = torch.nn.Module()
        for name in ("weight", "routing_bias"):
            self.classCaps.register_parameter(name, torch.nn.Parameter(published()[f"classCaps.{name}"]))
        self.load_state_dict(published())


WRAPPED = {
    "as it is": lambda: published(),
    "DataParallel": lambda: torch.nn.DataParallel(TheirNetwork()).state_dict(),
    "compile": lambda: torch.compile(TheirNetwork()).state_dict(),
    "DataParallel of compile": lambda: torch.nn.DataParallel(torch.compile(TheirNetwork())).state_dict(),
    "compile of DataParallel": lambda: torch.compile(torch.nn.DataParallel(TheirNetwork())).state_dict(),
    "a compiled layer": lambda: renamed(
        published(), lambda name: name.replace("primaryCaps.", "primaryCaps._orig_mod.")
    ),
    "state_dict": lambda: {"state_dict": published(), "epoch": 3, "optimizer": {"state": {}}},
    "model": lambda: {"model": published()},
    "net of DataParallel": lambda: {"net": renamed(published(), "module.{}".format), "acc": 99.1},
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_a_state_dict_is_found_whatever_wraps_it(kind):
    found = unwrapped(WRAPPED[kind](), "theirs.pt")
    assert found.keys() == LAYOUT.keys()
    assert all(torch.equal(found[name], value) for name, value in published().items())


def test_what_lies_beside_a_state_dict_is_told(capsys):
    unwrapped(WRAPPED["state_dict"](), "theirs.pt")
    assert capsys.readouterr().err == "theirs.pt: the state dict is the entry state_dict; epoch, optimizer left out\n"


def test_two_networks_in_one_file_are_refused():
    with pytest.raises(RemError, match=r"theirs\.pt holds several state dicts \(model, net\); save one of them\.$"):
        unwrapped({"net": published(), "model": published()}, "theirs.pt")
    twice = published() | {"module.conv1.bias": torch.zeros(4)}
    with pytest.raises(RemError, match=r"theirs\.pt holds conv1\.bias more than once"):
        unwrapped(twice, "theirs.pt")


def test_a_network_that_torch_pruned_has_its_zeros():
    network = TheirNetwork()
    layers = [(network.conv1, "weight"), (network.primaryCaps.caps_poses, "bias"), (network.classCaps, "weight")]
    for layer, name in layers:
        prune.l1_unstructured(layer, name, amount=0.5)
    assert "classCaps.weight_orig" in network.state_dict()
    found = unwrapped(network.state_dict(), "theirs.pt")
    for layer, name in layers:
        prune.remove(layer, name)
    assert found.keys() == LAYOUT.keys()
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())
    assert (found["classCaps.weight"] == 0).double().mean() == 0.5


def test_a_mask_of_another_shape_is_refused():
    weights = published()
    weights["conv1.bias_orig"], weights["conv1.bias_mask"] = weights.pop("conv1.bias"), torch.ones(1)
    with pytest.raises(RemError, match=r"conv1\.bias_mask has another shape than conv1\.bias_orig"):
        unwrapped(weights, "theirs.pt")


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted_and_told(precision, capsys):
    weights = {name: value.to(precision) for name, value in published().items()}
    found = unwrapped(weights, "theirs.pt")
    assert all(torch.equal(found[name], value.float()) for name, value in weights.items())
    assert {value.dtype for value in found.values()} == {torch.float32}
    name = str(precision).removeprefix("torch.")
    assert capsys.readouterr().err == f"theirs.pt: weights converted from {name} to float32\n"


def test_float32_is_left_as_it_is_and_nothing_is_told(capsys):
    unwrapped(published(), "theirs.pt")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", [torch.zeros(4, dtype=torch.int8), torch.zeros(4).to_sparse()])
def test_weights_that_are_no_plain_numbers_are_refused(value):
    with pytest.raises(RemError, match=r"conv1\.bias is not a dense tensor of floating point numbers"):
        unwrapped(published() | {"conv1.bias": value}, "theirs.pt")


def test_weights_that_are_not_finite_are_counted_by_name():
    weights = published()
    weights["conv1.bias"][:3] = torch.tensor([float("nan"), float("inf"), float("-inf")])
    weights["classCaps.weight"] = weights["classCaps.weight"].double()
    weights["classCaps.weight"][0, 0, 0, 0, 0, 0] = 1e300  # infinite in float32
    weights["decoder.bias"] = torch.tensor([float("nan")])  # not of the network
    with pytest.raises(RemError) as raised:
        unwrapped(weights, "theirs.pt")
    assert str(raised.value) == (
        "theirs.pt has weights that are NaN or infinite: classCaps.weight (1 of 360), conv1.bias (3 of 4); "
        "import a sound checkpoint."
    )


def test_a_wrapped_file_is_imported_as_the_plain_one(tmp_path):
    wrapped = {"net": {f"module._orig_mod.{name}": value.double() for name, value in published().items()}, "epoch": 3}
    for name, content in (("plain", published()), ("wrapped", wrapped)):
        torch.save(content, tmp_path / f"{name}.pt")
        import_checkpoint(tmp_path / f"{name}.pt", tiny.run(), tmp_path / name, 0)
    plain, other = (load_tensors(tmp_path / name / "last.pt", CPU)["model"] for name in ("plain", "wrapped"))
    assert all(torch.equal(plain[name], other[name]) for name in plain | other)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(RemError, match=r"none\.pt is missing; give the file with the network's state dict\.$"):
        import_checkpoint(tmp_path / "none.pt", tiny.run(), tmp_path / "run", 0)


class Code:
    """What a pickle of it executes when it is loaded without care."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (self.trace,)


@pytest.mark.parametrize("wrap", [lambda code: code, lambda code: published() | {"args": code}])
def test_code_in_a_file_is_refused_and_not_executed(tmp_path, wrap):
    torch.save(wrap(Code(str(tmp_path / "executed"))), tmp_path / "network.pt")
    with pytest.raises(
        RemError, match=r"network\.pt is not a file of tensors: it is damaged, or holds what could be code"
    ):
        import_checkpoint(tmp_path / "network.pt", tiny.run(), tmp_path / "run", 0)
    assert not (tmp_path / "executed").exists()


def test_memory_that_runs_out_is_not_called_damage(file, tmp_path, monkeypatch):
    def load(*_, **__):
        raise MemoryError

    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(RemError, match="memory ran out") as raised:
        import_checkpoint(file, tiny.run(), tmp_path / "run", 0)
    assert "damaged" not in str(raised.value)


def test_settings_for_a_backbone_are_left_out_of_the_run(file):
    views = {
        "backbone": "resnet18",
        "weights": "pretrained",
        "input_size": 64,
        "views": 4,
        "convolution_channels": None,
    }
    asked = tiny.run()
    asked = asked.model_copy(update={"network": asked.network.model_copy(update=views)})
    _, run = convert(published(), asked, "theirs.pt")
    assert read_again(run) == run


def read_again(run):
    """As its file is read, with all settings checked."""
    return Run.model_validate(run.model_dump())


def test_a_whole_network_in_a_file_is_refused_without_torchs_advice(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "network.pt")
    with pytest.raises(RemError, match=r"save the network's state dict alone") as raised:
        import_checkpoint(tmp_path / "network.pt", tiny.run(), tmp_path / "run", 0)
    assert "weights_only" not in str(raised.value)

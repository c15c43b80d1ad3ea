"""A network as a file for other programs: equal outputs for batches of any size, or no file."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from rem.data.batches import load_split
from rem.errors import RemError
from rem.networks.build import build
from rem.networks.capsnet import CapsNet
from rem.pruning.compaction import compact, pack
from rem.settings.run import Run
from rem.training.checkpoints import load_checkpoint, save_checkpoint
from rem.training.export import Unrolled, export_checkpoint

CPU = torch.device("cpu")
KEPT = torch.arange(8).unsqueeze(1) == torch.tensor([0, 2, 2])  # (I, J); a type and two other capsules are dead


def saved(path: Path, run: Run, change: Callable[[CapsNet], CapsNet] = lambda model: model) -> CapsNet:
    """A network of these settings in evaluation mode, and its checkpoint."""
    torch.manual_seed(1)
    model = change(build(run, CPU).eval())
    save_checkpoint(path, model.state_dict() if model.computed is None else pack(model), run, 3)
    return load_checkpoint(path).model


def without(kept: Tensor) -> Callable[[CapsNet], CapsNet]:
    """What leaves a network these connections alone."""

    def change(model: CapsNet) -> CapsNet:
        model.keep(kept)
        return model

    return change


DECODER = {"decoder": {"hidden": [5], "weight": 0.1, "pixels": "raw"}}
NETWORKS = {
    "whole": lambda path: saved(path, tiny.run("baseline", **DECODER)),
    "connected": lambda path: saved(path, tiny.run("blocks", **DECODER), without(KEPT)),
    "all connected": lambda path: saved(path, tiny.run("blocks")),
    "compact": lambda path: saved(path, tiny.run("rem"), lambda model: compact(without(KEPT)(model))),
}


def read_onnx(path: Path) -> tuple[Callable[[Tensor], list[Tensor]], dict[str, str]]:
    """What another program sees of an ONNX file: the function, and what is said of it."""
    session = sys.modules["onnxruntime"].InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["lengths", "poses", "couplings"]
    run = session.run
    return lambda images: [torch.tensor(one) for one in run(None, {"images": images.numpy()})], (
        session.get_modelmeta().custom_metadata_map
    )


def read_torchscript(path: Path) -> tuple[Callable[[Tensor], list[Tensor]], dict[str, str]]:
    """The same of a TorchScript file."""
    files = {"rem.json": ""}
    network = torch.jit.load(str(path), _extra_files=files)
    return network, json.loads(files["rem.json"])


READ = {"onnx": read_onnx, "torchscript": read_torchscript}


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize(("form", "kind"), [*(("torchscript", kind) for kind in NETWORKS), ("onnx", "connected")])
def test_the_file_is_the_network_for_batches_of_any_size(form, kind, prepared, tmp_path):
    if form == "onnx":
        pytest.importorskip("onnxscript", reason="packages of the extra `export`")
        pytest.importorskip("onnxruntime", reason="packages of the extra `export`")
    model = NETWORKS[kind](tmp_path / "last.pt")
    costs = export_checkpoint(tmp_path / "last.pt", prepared, tmp_path / "file", form)
    network, told = READ[form](tmp_path / "file")
    images, _ = load_split(prepared, "test", tiny.run())
    for count in (1, 2, 7):
        seen = images[:count] + torch.randn(count, 1, tiny.SIZE, tiny.SIZE)
        for found, expected in zip(network(seen), model(seen), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert json.loads(told["mean"]) == [0.4]
    assert json.loads(told["std"]) == [0.25]
    assert json.loads(told["class_names"]) == ["top", "middle", "bottom"]
    assert told["checkpoint"].startswith("last.pt, sha256:")
    assert costs["network"].tolist() == ["original", form]
    assert costs["bytes"].tolist() == [(tmp_path / name).stat().st_size for name in ("last.pt", "file")]
    assert costs["difference"].max() < 1e-6
    assert (costs[["image_ms", "batch_ms"]] > 0).all(axis=None)
    assert str(tiny.ROOT).encode() not in (tmp_path / "file").read_bytes()


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_the_input_is_what_the_file_says(prepared, tmp_path):
    """(pixel / 255 - mean) / std of the middle of an image, worked out from the pixels."""
    model = NETWORKS["whole"](tmp_path / "last.pt")
    export_checkpoint(tmp_path / "last.pt", prepared, tmp_path / "file", "torchscript")
    network, told = read_torchscript(tmp_path / "file")
    assert told["images"] == (
        "float32 (batch, 1, 19, 19): the middle 19 x 19 pixels, each channel (pixel / 255 - mean) / std"
    )
    with h5py.File(prepared) as file:
        pixels = file["test/images"][:5, :, 1:20, 1:20]
    mean, std = json.loads(told["mean"])[0], json.loads(told["std"])[0]
    seen = torch.tensor((pixels / 255 - mean) / std, dtype=torch.float32)
    images, _ = load_split(prepared, "test", tiny.run())
    torch.testing.assert_close(network(seen)[0], model(images[:5])[0], atol=1e-6, rtol=0)


def test_a_matrix_that_is_gone_has_no_place_in_the_file(tmp_path):
    """Of 24 matrices W_ij (4, 3) four places are left to each of three classes, as many as the second has."""
    kept = torch.zeros(8, 3, dtype=torch.bool)
    kept[:4, 1] = kept[0] = True
    model = saved(tmp_path / "last.pt", tiny.run("blocks"), without(kept))
    held = Unrolled(model).state_dict()
    before = sum(value.numel() for name, value in model.state_dict().items() if name != "connections")
    assert before - sum(value.numel() for value in held.values()) == (24 - 3 * 4) * 12


def test_a_file_whose_outputs_would_differ_is_not_written(prepared, tmp_path):
    model = NETWORKS["whole"](tmp_path / "last.pt")
    with torch.no_grad():
        model.weight[0, 0, 0, 0] = torch.nan
    save_checkpoint(tmp_path / "last.pt", model.state_dict(), tiny.run("baseline", **DECODER), 3)
    with pytest.raises(RemError, match=r"last\.pt gives other outputs as torchscript, by up to inf on 16 test images"):
        export_checkpoint(tmp_path / "last.pt", prepared, tmp_path / "file", "torchscript")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "prepared.h5"]


def test_a_checkpoint_is_not_written_over_by_a_file(prepared, tmp_path):
    NETWORKS["whole"](tmp_path / "last.pt")
    with pytest.raises(RemError, match=r"last\.pt is the checkpoint to export; name another file"):
        export_checkpoint(tmp_path / "last.pt", prepared, tmp_path / "last.pt", "torchscript")


def test_feature_maps_are_no_images(prepared, tmp_path):
    NETWORKS["whole"](tmp_path / "last.pt")
    with h5py.File(prepared, "a") as file:
        file["test/features"] = np.zeros((18, 2, 512, 1, 1), np.float16)
    with pytest.raises(RemError, match=r"prepared\.h5 holds a backbone's feature maps; name the prepared images"):
        export_checkpoint(tmp_path / "last.pt", prepared, tmp_path / "file", "torchscript")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_what_cannot_be_checked_is_not_written(package, prepared, tmp_path, monkeypatch):
    NETWORKS["whole"](tmp_path / "last.pt")
    for name in ("onnx", "onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, None if name == package else sys)
    with pytest.raises(RemError, match=f"to write and check ONNX, {package} is needed, which cannot be imported"):
        export_checkpoint(tmp_path / "last.pt", prepared, tmp_path / "file", "onnx")
    assert not (tmp_path / "file").exists()

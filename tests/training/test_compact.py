"""A checkpoint made compact: every later step reads it as the original, or it is not written."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tiny
import torch

from rem.errors import RemError
from rem.networks.build import build
from rem.networks.capsnet import CapsNet
from rem.settings.run import Run
from rem.tables.costs import write_compact
from rem.training.checkpoints import load_checkpoint, load_tensors, save_checkpoint
from rem.training.compact import compact_checkpoint
from rem.trees.couplings import extract

CPU = torch.device("cpu")
RUNS = {
    "connected": tiny.run("blocks", decoder={"hidden": [5], "weight": 0.1, "pixels": "raw"}),
    "plain": tiny.run("rem"),
}
KEPT = torch.arange(8).unsqueeze(1) == torch.tensor([0, 2, 2])  # (I, J), of the first of two types; 1 and 3 are dead


def saved(path: Path, run: Run) -> CapsNet:
    """A network in which one type, two capsules of the other and a channel are dead, and its checkpoint."""
    torch.manual_seed(1)
    model = build(run, CPU).eval()
    model.keep(KEPT)
    with torch.no_grad():
        model.convolution.weight[0] = 0
    save_checkpoint(path, model.state_dict(), run, 3)
    return model


@pytest.fixture(params=RUNS)
def original(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, CapsNet]:
    """The checkpoint of a network with dead parts, and the network."""
    return tmp_path / "last.pt", saved(tmp_path / "last.pt", RUNS[request.param])


def test_a_compact_checkpoint_is_loaded_like_any_other(original, prepared, tmp_path):
    path, model = original
    compact_checkpoint(path, prepared, tmp_path / "compact.pt", CPU)
    before, found = load_checkpoint(path, CPU), load_checkpoint(tmp_path / "compact.pt", CPU)
    assert (found.run, found.epoch) == (before.run, 3)
    images = torch.randn(5, 1, tiny.SIZE, tiny.SIZE)
    for one, other in zip(found.model(images), model(images), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert not found.model.training
    assert found.model.primary.weight.shape == (3, 1, 9, 9)
    assert (found.model.decoder is None) == (model.decoder is None)
    content = load_tensors(tmp_path / "compact.pt", CPU)
    assert content["model"]["weight"].shape == (3, 4, 3)  # as many matrices as connections
    assert content["provenance"]["compacted"].startswith("last.pt, sha256:")


def test_couplings_of_a_compact_checkpoint_are_those_of_the_original(original, prepared, tmp_path):
    path, _ = original
    compact_checkpoint(path, prepared, tmp_path / "compact.pt", CPU)
    for each in (path, tmp_path / "compact.pt"):
        extract(each, prepared, "test", 8, each.with_suffix(".h5"), CPU)
    with h5py.File(path.with_suffix(".h5")) as before, h5py.File(tmp_path / "compact.h5") as after:
        for name in ("couplings", "strongest", "predicted", "lengths", "class_mean"):
            np.testing.assert_allclose(after[name][:], before[name][:], atol=1e-6, rtol=0)


def test_a_later_step_saves_a_compact_network_as_any_other(original, prepared, tmp_path):
    compact_checkpoint(original[0], prepared, tmp_path / "compact.pt", CPU)
    model, run, epoch = load_checkpoint(tmp_path / "compact.pt", CPU)
    save_checkpoint(tmp_path / "again.pt", model.state_dict(), run, epoch)
    again, images = load_checkpoint(tmp_path / "again.pt", CPU).model, torch.randn(2, 1, tiny.SIZE, tiny.SIZE)
    assert all(map(torch.equal, again(images), model(images)))


def test_the_costs_are_of_what_is_left(original, prepared, tmp_path):
    path, model = original
    costs = compact_checkpoint(path, prepared, tmp_path / "compact.pt", CPU).set_index("network")
    before, after = costs.loc["original"], costs.loc["compact"]
    counted = ["channels", "types", "capsules", "matrices"]
    assert before[counted].tolist() == [2, 2, 8, 24]
    assert after[counted].tolist() == [1, 1, 2, 3]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert before["parameters"] == parameters
    gone = 82 + (2 * 2 - 1) * 3 * 81 + 3 + 21 * 12  # a channel, weights and biases of the second convolution, 21 W_ij
    assert after["parameters"] == parameters - gone
    assert [before["bytes"], after["bytes"]] == [path.stat().st_size, (tmp_path / "compact.pt").stat().st_size]
    first, second = 81 * (tiny.SIZE - 8) ** 2, 81 * 3 * 4  # a channel of either, a type of the second
    more = 1 if model.connections is not None else 3  # the dead type's two, which a connected network never computes
    assert before["multiply_adds"] - after["multiply_adds"] >= first + more * second
    assert (costs[["image_ms", "batch_ms"]] > 0).all(axis=None)


def test_a_network_whose_outputs_would_differ_is_refused_and_nothing_is_written(prepared, tmp_path):
    model = saved(tmp_path / "last.pt", RUNS["plain"])
    with torch.no_grad():
        model.primary.bias[-1] = torch.inf  # of the dead type: its votes are not zero, but no numbers
    save_checkpoint(tmp_path / "last.pt", model.state_dict(), RUNS["plain"], 3)
    with pytest.raises(RemError, match=r"last\.pt gives other outputs without what is dead in it, by up to inf on"):
        write_compact(tmp_path / "last.pt", prepared, tmp_path / "compact.pt", CPU)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.pt", "prepared.h5"]


def test_a_checkpoint_is_not_written_over_by_its_compact_form(prepared, tmp_path):
    saved(tmp_path / "last.pt", RUNS["plain"])
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(RemError, match=r"last\.pt is the checkpoint to compact; name another file"):
        compact_checkpoint(tmp_path / "last.pt", prepared, tmp_path / "last.pt", CPU)
    assert (tmp_path / "last.pt").read_bytes() == before

"""Checkpoints: what is saved comes back, and damaged or hostile files are refused."""

import json
import os
import pickle
import re
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import tiny
import torch

from rem.errors import RemError
from rem.networks.build import build
from rem.training.checkpoints import load_checkpoint, load_tensors, save_checkpoint, save_tensors
from rem.training.import_checkpoint import import_checkpoint

CPU = torch.device("cpu")


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(1)
    save_checkpoint(tmp_path / "net.pt", build(tiny.run("rem"), CPU).state_dict(), tiny.run("rem"), 7)
    return tmp_path / "net.pt"


def test_a_checkpoint_comes_back_as_it_was(checkpoint):
    torch.manual_seed(1)
    expected = build(tiny.run("rem"), CPU).state_dict()
    model, run, epoch = load_checkpoint(checkpoint, CPU)
    assert run == tiny.run("rem")
    assert epoch == 7
    assert not model.training
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())


def test_a_checkpoint_says_where_it_comes_from(checkpoint):
    content = load_tensors(checkpoint, CPU)
    assert json.loads(content["run"])["dataset"] == "thirds"
    assert {"revision", "python", "torch", "numpy"} <= content["provenance"].keys()


def test_the_network_has_the_sizes_of_its_run():
    model = build(tiny.run(), CPU)
    assert model.weight.shape == (8, tiny.CLASSES, 4, 3)
    assert model.convolution.weight.shape == (2, 1, 9, 9)
    assert build(tiny.run(network={"primary_types": 5}), CPU).weight.shape[0] == 20
    assert build(tiny.run(network={"routing_iterations": 1}), CPU).iterations == 1


def assert_refused(path, read):
    """One sentence that names the file."""
    with pytest.raises(RemError) as raised:
        read(path, CPU)
    assert str(raised.value).startswith(f"{path} is not a whole checkpoint (")
    assert str(raised.value).endswith("; delete it and train again.")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_cut_file_is_refused(checkpoint, share):
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(share * len(content))])
    assert_refused(checkpoint, load_checkpoint)


def test_a_missing_file_and_a_file_of_another_kind_are_refused(tmp_path):
    with pytest.raises(RemError, match=r"none\.pt is missing; train the network first\.$"):
        load_checkpoint(tmp_path / "none.pt", torch.device("cpu"))
    (tmp_path / "text.pt").write_text("not a network", encoding="utf-8")
    assert_refused(tmp_path / "text.pt", load_checkpoint)


def test_a_flipped_bit_never_passes_for_the_network(tmp_path):
    save_tensors(tmp_path / "a.pt", {"weight": torch.arange(30.0), "name": "a"})
    content = (tmp_path / "a.pt").read_bytes()
    refused = 0
    for place in range(0, len(content), 3):
        (tmp_path / "a.pt").write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            found = load_tensors(tmp_path / "a.pt", CPU)
            assert torch.equal(found["weight"], torch.arange(30.0))  # the bit was in no content, but between
            assert found["name"] == "a"
        except RemError:
            refused += 1
    assert refused > len(content) / 6


def test_the_same_network_is_the_same_file(checkpoint, tmp_path):
    content = load_tensors(checkpoint, CPU)
    save_tensors(tmp_path / "other.pt", content)
    assert (tmp_path / "other.pt").read_bytes() == checkpoint.read_bytes()


class Trap:
    """Unpickled, it would make the file `sprung`."""

    def __init__(self, sprung):
        self.sprung = sprung

    def __reduce__(self):
        return open, (str(self.sprung), "w")


def calls(function, *arguments):
    """What unpickles to a call."""

    class Called:
        def __reduce__(self):
            return function, arguments

    return Called()


TRAPS = {
    "open": lambda sprung: Trap(sprung),
    "os.system": lambda sprung: calls(os.system, f"touch {sprung}"),
    "eval": lambda sprung: calls(eval, f"open({str(sprung)!r}, 'w')"),
    "exec": lambda sprung: calls(exec, f"open({str(sprung)!r}, 'w')"),
    "subprocess": lambda sprung: calls(subprocess.Popen, ["touch", str(sprung)]),
    "getattr": lambda sprung: calls(getattr, calls(__import__, "os"), "system"),
    "torch": lambda sprung: calls(torch.load, calls(open, str(sprung), "w")),
    "within": lambda sprung: {"weight": [torch.zeros(3), OrderedDict(a=Trap(sprung))]},
}


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize("form", ["zip", "old zip", "plain pickle", "pickle 4"])
def test_code_in_a_file_is_refused_and_not_run(tmp_path, trap, form):
    content = {"model": TRAPS[trap](tmp_path / "sprung"), "epoch": 1}
    if form.endswith("zip"):
        torch.save(content, tmp_path / "trap.pt", _use_new_zipfile_serialization=form == "zip")
        assert zipfile.is_zipfile(tmp_path / "trap.pt") == (form == "zip")
    else:
        (tmp_path / "trap.pt").write_bytes(pickle.dumps(content, protocol=4 if form == "pickle 4" else 2))
    assert_refused(tmp_path / "trap.pt", load_checkpoint)
    with pytest.raises(RemError, match=r"trap\.pt is not a file of tensors"):
        import_checkpoint(tmp_path / "trap.pt", tiny.run(), tmp_path / "run", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["trap.pt"]


def test_the_trap_would_spring_without_that_care(tmp_path):
    torch.save({"model": Trap(tmp_path / "sprung")}, tmp_path / "trap.pt")
    torch.load(tmp_path / "trap.pt", weights_only=False)
    assert (tmp_path / "sprung").exists()


def test_an_interrupted_write_keeps_the_old_checkpoint(checkpoint, monkeypatch):
    before = checkpoint.read_bytes()

    def killed(path, content):
        path.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        save_tensors(checkpoint, {"epoch": 8})
    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_damaged_byte_is_refused(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"epoch", b"\xffpoch"))
    assert_refused(checkpoint, load_checkpoint)


@pytest.mark.parametrize("content", [{"model": {}}, {"run": "{}", "model": {}, "epoch": 1}, 3])
def test_a_file_of_tensors_that_is_no_checkpoint_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(RemError, match=re.escape(str(tmp_path / "net.pt"))):
        load_checkpoint(tmp_path / "net.pt", CPU)


def test_a_checkpoint_of_settings_that_were_others_says_which(checkpoint, tmp_path):
    content = load_tensors(checkpoint, torch.device("cpu"))
    settings = json.loads(content["run"])
    del settings["network"]["routing_iterations"]
    save_tensors(tmp_path / "old.pt", content | {"run": json.dumps(settings)})
    with pytest.raises(RemError) as raised:
        load_checkpoint(tmp_path / "old.pt")
    said = str(raised.value)
    assert said.startswith(f"{tmp_path / 'old.pt'} is of another version, whose settings were others: key network.")
    assert said.endswith("is missing. Read it by the version that wrote it, or train the network again.")

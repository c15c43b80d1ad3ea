"""A training goes on from its own state and from no other's."""

import shutil

import pytest
import tiny
import torch

from rem.errors import RemError
from rem.files import code
from rem.training.resume import StateFile

CPU = torch.device("cpu")


@pytest.fixture
def kept(prepared, tmp_path):
    """A run's state file, written."""
    file = StateFile(tmp_path, tiny.run(), [prepared], CPU)
    file.write({"epoch": 3})
    return file


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, which may be edited, in the place of this one."""
    shutil.copytree(code.PACKAGE, tmp_path / "rem", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "rem")
    for function in (code.modules, code.digest):
        function.cache_clear()
    yield tmp_path / "rem"
    for function in (code.modules, code.digest):
        function.cache_clear()


def test_the_state_comes_back_to_the_same_training(kept, prepared, tmp_path):
    assert StateFile(tmp_path, tiny.run(), [prepared], CPU).read()["epoch"] == 3
    kept.remove()
    assert kept.read() is None


def test_the_state_of_a_gpu_is_neither_gone_on_from_nor_lost_where_it_has_vanished(kept, prepared, tmp_path):
    kept.identity["device"] = "cuda"
    kept.write({"epoch": 3})
    with pytest.raises(RemError, match=r"state\.pt is of a training on cuda, not cpu; set device to cuda and see"):
        StateFile(tmp_path, tiny.run(), [prepared], CPU).read()
    assert kept.path.exists()


def test_the_state_of_other_settings_or_data_is_not_taken_up(kept, prepared, tmp_path, capsys):
    assert StateFile(tmp_path, tiny.run(seed=43), [prepared], CPU).read() is None
    tiny.write_prepared(prepared, tiny.COUNTS | {"val": 25})
    assert StateFile(tmp_path, tiny.run(), [prepared], CPU).read() is None
    told = [
        line.removeprefix(f"{tmp_path / 'state.pt'} belongs to other ") for line in capsys.readouterr().err.splitlines()
    ]
    assert told == ["settings: starting over", "data: starting over"]


@pytest.mark.parametrize("module", ["training/train", "networks/build", "networks/routing", "pruning/threshold"])
def test_the_state_of_other_code_is_not_taken_up(package, kept, prepared, tmp_path, capsys, module):
    with (package / f"{module}.py").open("a") as file:
        file.write("# edited\n")
    code.digest.cache_clear()  # as in a process of its own
    assert StateFile(tmp_path, tiny.run(), [prepared], CPU).read() is None
    assert "belongs to other code: starting over" in capsys.readouterr().err


def test_a_training_whose_code_was_edited_meanwhile_is_not_taken_for_the_new_codes(package, prepared, tmp_path):
    file = StateFile(tmp_path, tiny.run(), [prepared], CPU)
    file.require_same_code()
    (package / "networks/build.py").write_text("# another\n", encoding="utf-8")
    with pytest.raises(RemError, match=r"was trained; undo the edit and give the same command again to keep"):
        file.require_same_code()


def test_of_a_damaged_state_it_is_said_what_would_be_lost(kept, prepared, tmp_path):
    kept.path.write_bytes(kept.path.read_bytes()[:-40])
    with pytest.raises(
        RemError, match=r"not a whole checkpoint \(.*\); .* from the first epoch: the epochs it held are lost"
    ):
        StateFile(tmp_path, tiny.run(), [prepared], CPU).read()

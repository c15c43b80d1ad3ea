"""A training goes on from its own state and from no other's."""

import re

import pytest
import tiny
import torch

import rem.state
from rem.files import RemError
from rem.state import CODE, StateFile

CPU = torch.device("cpu")


@pytest.fixture
def kept(prepared, tmp_path):
    """A run's state file, written."""
    file = StateFile(tmp_path, tiny.run(), [prepared], CPU)
    file.write({"epoch": 3})
    return file


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """The modules' copies, of which one may be edited."""
    copies = [tmp_path / path.name for path in rem.state._modules()]
    for copy, path in zip(copies, rem.state._modules(), strict=True):
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(rem.state, "_modules", lambda: copies)
    return copies


def test_the_state_comes_back_to_the_same_training(kept, prepared, tmp_path):
    assert StateFile(tmp_path, tiny.run(), [prepared], CPU).read()["epoch"] == 3
    kept.remove()
    assert kept.read() is None


def test_the_state_of_a_gpu_is_neither_gone_on_from_nor_lost_where_it_has_vanished(kept, prepared, tmp_path):
    kept.origin["device"] = "cuda"
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


@pytest.mark.parametrize("which", range(len(CODE)))
def test_the_state_of_other_code_is_not_taken_up(edited, kept, prepared, tmp_path, capsys, which):
    edited[which].write_text(edited[which].read_text() + "# edited\n")
    assert StateFile(tmp_path, tiny.run(), [prepared], CPU).read() is None
    assert "belongs to other code: starting over" in capsys.readouterr().err


def test_a_training_whose_code_was_edited_meanwhile_is_not_taken_for_the_new_codes(edited, prepared, tmp_path):
    file = StateFile(tmp_path, tiny.run(), [prepared], CPU)
    file.require_same_code()
    edited[0].write_text("# another\n")
    with pytest.raises(RemError, match=r"was trained; undo the edit and give the same command again to keep"):
        file.require_same_code()


def test_the_code_is_what_the_rule_lists():
    rule = (tiny.ROOT / "workflow/rules/train.smk").read_text()
    (listed,) = re.findall(r"code=modules\((.*)\)", rule)
    assert tuple(re.findall(r'"(\w+)"', listed)) == CODE

"""Files are whole or absent, and an unreadable one is named in one sentence."""

import h5py
import numpy as np
import pytest

from rem.files import RemError, open_hdf5, whole


def test_a_finished_block_leaves_the_file_and_nothing_else(tmp_path):
    with whole(tmp_path / "a.csv") as partial:
        partial.write_text("new")
        assert partial.parent == tmp_path  # so that the renaming never crosses file systems
        assert not (tmp_path / "a.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "new"


def test_missing_parents_are_made(tmp_path):
    with whole(tmp_path / "deep" / "er" / "a.csv") as partial:
        partial.write_text("new")
    assert (tmp_path / "deep" / "er" / "a.csv").read_text() == "new"


def half_written(path, error):
    with whole(path) as partial:
        partial.write_text("ne")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_block_leaves_no_file(tmp_path, error):
    with pytest.raises(error):
        half_written(tmp_path / "a.csv", error)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_block_leaves_the_old_file_as_it_was(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(ValueError):
        half_written(tmp_path / "a.csv", ValueError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_a_finished_block_replaces_the_old_file(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with whole(str(tmp_path / "a.csv")) as partial:
        partial.write_text("new")
    assert (tmp_path / "a.csv").read_text() == "new"


def test_a_block_that_writes_nothing_is_no_success(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "a.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_hdf5_is_read_only_and_closed_after_the_block(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(3)
    with open_hdf5(tmp_path / "a.h5") as file:
        assert file["x"][:].tolist() == [0, 1, 2]
        assert file.mode == "r"
    assert not file


def empty(path):
    path.touch()


def cut(path):
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(3000)
    path.write_bytes(path.read_bytes()[:-500])


def text(path):
    path.write_text("dataset,accuracy\n")


@pytest.mark.parametrize("damage", [empty, cut, text])
def test_an_unreadable_hdf5_file_is_named_in_one_sentence(tmp_path, damage):
    damage(tmp_path / "a.h5")
    with pytest.raises(RemError) as raised, open_hdf5(tmp_path / "a.h5"):
        pass
    sentence = str(raised.value)
    assert sentence.startswith(f"{tmp_path / 'a.h5'} is not a readable HDF5 file (")
    assert sentence.endswith("delete it and run the command that makes it again.")
    assert "\n" not in sentence


def test_a_missing_hdf5_file_is_called_missing_and_not_damaged(tmp_path):
    with pytest.raises(RemError, match=r"^\S+/a\.h5 is missing; run the command that makes it\.$"):
        open_hdf5(tmp_path / "a.h5").__enter__()


def test_errors_of_the_block_are_not_taken_for_unreadable_files(tmp_path):
    h5py.File(tmp_path / "a.h5", "w").close()
    with pytest.raises(OSError, match="disk full"), open_hdf5(tmp_path / "a.h5"):
        raise OSError("disk full")

"""HDF5 files are sealed, and an unreadable one is named in one sentence."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from rem.errors import RemError
from rem.files.hdf5 import open_hdf5, whole_hdf5

ROOT = Path(__file__).parents[2]


def test_hdf5_on_a_full_disk_is_named_and_nothing_is_left(tmp_path):
    code = """
import resource, signal, sys, numpy
from pathlib import Path
from rem.errors import RemError
from rem.files.hdf5 import whole_hdf5
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
import rem.errors
rem.errors.UNWRITABLE[27] = "make room"  # the limit's error, in the place of a full disk's
try:
    with whole_hdf5(Path(sys.argv[1])) as file:
        for name in "abc":
            file.create_dataset(name, data=numpy.arange(5000), chunks=(100,), compression="gzip")
            file.attrs[name] = "long" * 100
except RemError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.h5"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")  # HDF5 by itself crashes
    assert done.stdout.startswith(f"{tmp_path / 'a.h5'} cannot be written: file too large; make room")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def sealed(tmp_path):
    with whole_hdf5(tmp_path / "a.h5") as file:
        file["x"], file.attrs["name"] = np.arange(30), "a name"
    return tmp_path / "a.h5"


def test_a_flipped_byte_anywhere_in_an_hdf5_file_is_named(sealed):
    content = sealed.read_bytes()
    for place in {*range(0, len(content), 37), len(content) - 1}:
        sealed.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        with pytest.raises(RemError, match=r"a\.h5 is not a readable HDF5 file \(.*\); delete it"), open_hdf5(sealed):
            pass
    sealed.write_bytes(content)
    with open_hdf5(sealed) as file:
        assert file["x"][:].tolist() == list(range(30))


def test_the_same_content_is_the_same_hdf5_file(sealed, tmp_path):
    with whole_hdf5(tmp_path / "b.h5") as file:
        file["x"], file.attrs["name"] = np.arange(30), "a name"
    assert (tmp_path / "b.h5").read_bytes() == sealed.read_bytes()


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
    path.write_text("dataset,accuracy\n", encoding="utf-8")


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

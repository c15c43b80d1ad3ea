"""What is said of a file that cannot be read: only where its content is at fault may the advice cost the file."""

import errno
import os
import subprocess
import sys

import h5py
import pytest
import torch

from rem.errors import RemError, unreadable
from rem.files.hdf5 import open_hdf5, whole_hdf5
from rem.training.checkpoints import load_tensors, save_tensors

CPU = torch.device("cpu")
NOW = [OSError(number, os.strerror(number)) for number in (errno.EACCES, errno.EAGAIN, errno.EIO, errno.EMFILE)]
NOW += [OSError(errno.ENOLCK, "No locks available"), OSError(errno.ESTALE, "Stale file handle")]
MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]


def fails(error):
    def read(*_, **__):
        raise error

    return read


@pytest.fixture
def checkpoint(tmp_path):
    save_tensors(tmp_path / "state.pt", {"epoch": 3})
    return tmp_path / "state.pt"


@pytest.fixture
def couplings(tmp_path):
    with whole_hdf5(tmp_path / "couplings.h5") as file:
        file["couplings"] = [0.1]
    return tmp_path / "couplings.h5"


@pytest.mark.parametrize("error", [*NOW, *MEMORY], ids=repr)
def test_a_checkpoint_that_cannot_be_read_now_is_kept(checkpoint, monkeypatch, error):
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", fails(error))
        with pytest.raises(RemError, match="then give the same command again") as told:
            load_tensors(checkpoint, CPU)
    assert "delete" not in str(told.value)
    assert load_tensors(checkpoint, CPU) == {"epoch": 3}


@pytest.mark.parametrize("error", [*NOW, MEMORY[0], MEMORY[3]], ids=repr)
def test_couplings_that_cannot_be_read_now_are_kept(couplings, monkeypatch, error):
    monkeypatch.setattr(h5py, "File", fails(error))
    with pytest.raises(RemError, match="then give the same command again") as told, open_hdf5(couplings):
        pass
    assert "delete" not in str(told.value)


def test_what_is_damaged_may_be_deleted(checkpoint, couplings):
    for path in (checkpoint, couplings):
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RemError, match=r"state\.pt is not a whole checkpoint \(.*\); delete it and train again\."):
        load_tensors(checkpoint, CPU)
    with (
        pytest.raises(RemError, match=r"couplings\.h5 is not a readable HDF5 file .*; delete it"),
        open_hdf5(couplings),
    ):
        pass


def test_a_file_that_a_notebook_has_open_for_writing_is_read_once_that_is_closed(couplings):
    hold = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, couplings]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as notebook:
        assert notebook.stdout.readline() == "open\n"
        with pytest.raises(RemError, match="close the program that has it open for writing"), open_hdf5(couplings):
            pass
        notebook.communicate()
    with open_hdf5(couplings) as file:
        assert file["couplings"][:].tolist() == pytest.approx([0.1])


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (PermissionError(errno.EACCES, ""), "permission denied); make it readable"),
        (OSError(errno.EMFILE, ""), "too many open files); raise the limit on open files (ulimit -n)"),
        (OSError(errno.EIO, ""), "input/output error); see that its disk works"),
        (FileNotFoundError(errno.ENOENT, ""), "no such file or directory); bring it back"),
    ],
)
def test_the_advice_is_that_of_the_cause(tmp_path, error, advice):
    path = tmp_path / "state.pt"
    assert str(unreadable(path, error, "is damaged", "delete it")) == (
        f"{path} cannot be read now ({advice}, then give the same command again."
    )


@pytest.mark.parametrize("error", [OSError(errno.EINVAL, "Invalid argument"), EOFError()], ids=repr)
def test_a_file_that_has_been_cut_short_is_called_so(tmp_path, error):
    path = tmp_path / "state.pt"
    assert str(unreadable(path, error, "is damaged", "delete it")) == (
        f"{path} is damaged (it has been cut short); delete it."
    )

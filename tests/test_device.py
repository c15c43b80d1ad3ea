"""The device that is chosen, and the memory that is kept."""

from types import SimpleNamespace

import pytest
import torch

from rem.device import MMAP_MAX, TRIM_THRESHOLD, choose_device
from rem.files import RemError


def test_auto_is_a_gpu_only_where_there_is_one(monkeypatch):
    for present, expected in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=present: found)
        assert choose_device("auto", torch.get_num_threads()).type == expected
        assert choose_device("cpu", torch.get_num_threads()).type == "cpu"


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RemError, match="no GPU can be used; set device to auto or cpu"):
        choose_device("cuda", torch.get_num_threads())


@pytest.mark.parametrize("gnu", [True, False])
def test_the_c_library_is_asked_to_keep_memory_where_it_can(monkeypatch, gnu):
    asked = []
    library = SimpleNamespace(mallopt=lambda *option: asked.append(option)) if gnu else SimpleNamespace()
    monkeypatch.setattr("rem.device.ctypes.CDLL", lambda name: library)
    choose_device("cpu", torch.get_num_threads())
    assert [option for option, _ in asked] == ([MMAP_MAX, TRIM_THRESHOLD] if gnu else [])

"""The device that is chosen, and the memory that is kept."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rem.errors import RemError
from rem.training.device import MMAP_MAX, TRIM_THRESHOLD, choose_device
from rem.training.gpus import VISIBLE


def test_auto_is_a_gpu_only_where_there_is_one(monkeypatch):
    for present, expected in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=present: found)
        assert choose_device("auto", torch.get_num_threads()).type == expected
        assert choose_device("cpu", torch.get_num_threads()).type == "cpu"


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RemError, match="no GPU can be used; set device to auto or cpu"):
        choose_device("cuda", torch.get_num_threads())


def test_of_several_gpus_the_process_sees_the_one_it_took(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("rem.training.gpus.held", [])
    monkeypatch.setenv(VISIBLE, "2,5")
    shown = lambda: len(os.environ[VISIBLE].split(","))  # noqa: E731
    monkeypatch.setattr(torch.cuda, "device_count", shown)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: shown() == 1)  # asked only once the card is chosen
    assert choose_device("cpu", torch.get_num_threads()).type == "cpu"
    assert os.environ[VISIBLE] == "2,5"
    assert choose_device("cuda", torch.get_num_threads()) == torch.device("cuda")
    assert os.environ[VISIBLE] == "2"


def test_a_card_that_can_be_chosen_no_more_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("rem.training.gpus.held", [])
    monkeypatch.setenv(VISIBLE, "0,1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)  # CUDA has started, and heeds the variable no more
    with pytest.raises(RemError, match="set CUDA_VISIBLE_DEVICES to the one card of this process"):
        choose_device("auto", torch.get_num_threads())


@pytest.mark.parametrize("gnu", [True, False])
def test_the_c_library_is_asked_to_keep_memory_where_it_can(monkeypatch, gnu):
    asked = []
    library = SimpleNamespace(mallopt=lambda *option: asked.append(option)) if gnu else SimpleNamespace()
    monkeypatch.setattr("rem.training.device.ctypes.CDLL", lambda name: library)
    choose_device("cpu", torch.get_num_threads())
    assert [option for option, _ in asked] == ([MMAP_MAX, TRIM_THRESHOLD] if gnu else [])


HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[never]" in HUGE_PAGES.read_text(encoding="utf-8"),
    reason="this kernel gives no huge pages",
)
def test_large_tensors_lie_in_huge_pages():
    script = """
import torch
from rem.training.device import choose_device
choose_device("cpu", 1)
tensor = torch.ones(16 * 2**20)
lines = open("/proc/self/smaps").read().splitlines()
print(sum(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 32 * 1024  # of the tensor's 64 MB

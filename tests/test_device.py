"""The device that is chosen, and the memory that is kept."""

import subprocess
import sys

import pytest
import torch

from rem.device import choose_device
from rem.files import RemError

FAULTS = """
import resource, sys, torch
from rem.device import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(16 << 20)  # 64 MB, given back at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def test_auto_is_a_gpu_only_where_there_is_one(monkeypatch):
    for present, expected in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=present: found)
        assert choose_device("auto", torch.get_num_threads()).type == expected
        assert choose_device("cpu", torch.get_num_threads()).type == "cpu"


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RemError, match="no GPU can be used; set device to auto or cpu"):
        choose_device("cuda", torch.get_num_threads())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults and mallopt are Linux's")
def test_memory_that_was_given_back_is_not_fetched_again():
    def faults(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("kept") < 0.01 * faults("given back")

"""Where tensors live, how many threads work on them, and how the process takes memory for them."""

import ctypes
import os

import torch

from rem.errors import RemError
from rem.training.gpus import VISIBLE, take_card

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # parameters of mallopt(3)


def choose_device(name: str, threads: int) -> torch.device:
    """The device of this process, its threads and its memory set up.

    Of several GPUs the process takes one until it ends (`rem.training.gpus`), and sees no other.

    Args:
        name: auto (a GPU where there is one), cpu or cuda.
        threads: of the CPU.

    Raises:
        RemError: a GPU is asked for and there is none, or one of several cannot be taken.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    keep_memory()
    # Counting asks the driver alone; the question whether a GPU is available starts CUDA, which fixes what it shows.
    if name != "cpu" and take_card(torch.cuda.device_count()) and torch.cuda.device_count() > 1:
        raise RemError(
            f"torch can count GPUs here only by starting CUDA; set {VISIBLE} to the one card of this process."
        )
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise RemError("device is cuda but no GPU can be used; set device to auto or cpu.")
    return torch.device(name)


def keep_memory() -> None:
    """Have large tensors lie in huge pages, and the C library keep for the next batch what they give back.

    Otherwise memory goes back to the kernel with every large tensor and is handed out anew, a page of 4 KB at a time,
    which takes a quarter of a training step of the paper's network. Without huge pages the kept memory is often handed
    out anew all the same, for a piece that is used again must hold the padding of its alignment too. Without effect
    where the kernel has no huge pages, and where the C library is not GNU's.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # PyTorch looks when it first takes memory for a tensor
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(MMAP_MAX, 0)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)

"""Where tensors live, how many threads work on them, and how the process takes memory for them."""

import ctypes

import torch

from rem.files import RemError

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # parameters of mallopt(3)


def choose_device(name: str, threads: int) -> torch.device:
    """The device of this process, its threads and its memory set up.

    Args:
        name: auto (a GPU where there is one), cpu or cuda.
        threads: of the CPU.

    Raises:
        RemError: a GPU is asked for and there is none.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    keep_memory()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise RemError("device is cuda but no GPU can be used; set device to auto or cpu.")
    return torch.device(name)


def keep_memory() -> None:
    """Have the C library keep the memory that tensors give back, for the next batch.

    Otherwise it goes back to the kernel with every large tensor and is handed out anew, page by page, which can take
    a sixth of a training step of the paper's network. Without effect where the C library is not GNU's.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(MMAP_MAX, 0)
        library.mallopt(TRIM_THRESHOLD, 2**31 - 1)

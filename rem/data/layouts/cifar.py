"""CIFAR10's official binary archive."""

from pathlib import Path

import numpy as np

from rem.data.archives import open_files
from rem.data.contents import AGAIN, Labelled
from rem.errors import RemError

CIFAR_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
CIFAR_TEST = "test_batch.bin"
CIFAR_RECORD = 1 + 3 * 32 * 32  # label, then the red, green and blue planes


def read_cifar(archive: Path) -> tuple[Labelled, Labelled]:
    """The parts in CIFAR10's binary archive."""
    files = open_files(archive).holding(CIFAR_TEST)

    def records(name: str) -> np.ndarray:
        if name not in files.names:
            raise RemError(f"{archive} lacks {name}; it must be the official binary archive{AGAIN}")
        content = np.frombuffer(files.read(name), np.uint8)
        if len(content) % CIFAR_RECORD:
            raise RemError(f"{archive}: {name} is no whole number of images{AGAIN}")
        return content.reshape(-1, CIFAR_RECORD)

    both = np.concatenate([records(name) for name in CIFAR_TRAIN]), records(CIFAR_TEST)
    train, test = (Labelled(part[:, 1:].reshape(-1, 3, 32, 32), part[:, 0]) for part in both)
    return train, test

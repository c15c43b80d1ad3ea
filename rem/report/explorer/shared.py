"""Which images share a tree, at every K that the page shows: among the test images, and with the training images."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rem.data.batches import stream_training_batches
from rem.errors import RemError
from rem.networks.capsnet import CapsNet
from rem.settings.run import Run
from rem.trees import quantizer
from rem.trees.entropy import dictionary
from rem.trees.training_trees import routed_images, training_trees, words

MOST = 2**16  # images that a page can number


def tree_numbers(couplings: np.ndarray, predicted: np.ndarray, levels: Sequence[int], cells: bool) -> np.ndarray:
    """The place of each image's tree among those of its predicted class, the most frequent first, at every K.

    Args:
        couplings: (N, I) float32, to the predicted class.
        predicted: (N,).
        levels: every K, L of them.
        cells: whether the quantizer has cells.

    Returns:
        (L, N) uint16.

    Raises:
        RemError: there are more images than the page can number.
    """
    if len(couplings) > MOST:
        raise RemError(f"{len(couplings):,} test images are more than the {MOST:,} that the page can show.")
    found = np.empty((len(levels), len(couplings)), np.uint16)
    for row, level in zip(found, levels, strict=True):
        keys = quantizer.keys(couplings, level, cells)
        for label in np.unique(predicted):
            row[predicted == label] = dictionary(keys[predicted == label]).members
    return found


def training_counts(
    model: CapsNet,
    run: Run,
    prepared: Path,
    couplings: np.ndarray,
    predicted: np.ndarray,
    levels: Sequence[int],
    cells: bool,
) -> np.ndarray:
    """How many training images have each test image's key and predicted class, at every K.

    It routes the training images as `rem probe` does.

    Args:
        model: the network.
        run: its settings.
        prepared: the HDF5 file of its dataset.
        couplings: (N, I) float32, of the test images.
        predicted: (N,), of the test images.
        levels: every K, L of them.
        cells: whether the quantizer has cells.

    Returns:
        (L, N) uint16; 65,535 stands for as many and more.
    """
    device = torch.device("cpu")
    batches = functools.partial(stream_training_batches, prepared, run.data, run.training.batch_size, device)
    trees = training_trees(
        lambda: (pixels for pixels, _ in batches()),
        functools.partial(routed_images, model),
        run.data.classes,
        levels,
        cells,
    )
    found = [
        trees.times(level, words(quantizer.keys(couplings, level, cells), predicted)).clip(max=MOST - 1)
        for level in levels
    ]
    return np.array(found).astype(np.uint16)

"""Which images share a tree: the numbers are those of the dictionaries, the counts those of the training images."""

import numpy as np
import pytest
import torch

from rem.data.batches import load_split
from rem.errors import RemError
from rem.report.explorer import shared
from rem.report.explorer.shared import training_counts, tree_numbers
from rem.training.checkpoints import load_checkpoint
from rem.trees import quantizer

LEVELS = [3, 7, 11]


def test_a_tree_s_number_is_its_place_by_frequency_among_those_of_its_class():
    couplings = np.array([[0.1, 0.9], [0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.4, 0.6], [0.6, 0.4]], np.float32)
    predicted = np.array([0, 0, 0, 1, 1, 0])
    assert tree_numbers(couplings, predicted, [11], False).tolist() == [[1, 0, 0, 0, 1, 0]]
    assert tree_numbers(couplings, predicted, [2], False).tolist() == [[1, 0, 0, 0, 0, 0]]  # 0.4 and 0.6 as 0 and 1


def test_the_training_images_with_an_image_s_key_and_class_are_those_that_a_loop_finds(sample_run):
    folder, prepared = sample_run / "results/sample", sample_run / "data/prepared/sample/mnist.h5"
    model, run, _ = load_checkpoint(folder / "models/mnist/rem/seed42/last.pt", torch.device("cpu"))

    def trees_of(split):
        with torch.no_grad():
            batches = load_split(prepared, split, run)[0].split(run.training.batch_size)
            lengths, _, couplings = (torch.cat(parts) for parts in zip(*map(model, batches), strict=True))
        predicted = lengths.argmax(dim=1)
        return couplings[torch.arange(len(predicted)), predicted].numpy(), predicted.numpy()

    (couplings, predicted), (trained, classes) = trees_of("test"), trees_of("train")
    found = training_counts(model, run, prepared, couplings, predicted, LEVELS, False)
    for row, level in zip(found, LEVELS, strict=True):
        known = [(label, *key) for label, key in zip(classes, quantizer.keys(trained, level), strict=True)]
        own = [(label, *key) for label, key in zip(predicted, quantizer.keys(couplings, level), strict=True)]
        assert row.tolist() == [known.count(one) for one in own]
    assert found.any()
    assert not found.all()


def test_more_images_than_can_be_numbered_are_refused(monkeypatch):
    monkeypatch.setattr(shared, "MOST", 2)
    with pytest.raises(RemError, match="3 test images are more than the 2 that the page can show"):
        tree_numbers(np.zeros((3, 2), np.float32), np.zeros(3, int), [7], False)

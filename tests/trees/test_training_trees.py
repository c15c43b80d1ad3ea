"""What is gathered of the training images: static trees, modal keys, and how often a key occurs."""

import numpy as np
import torch

from rem.trees.training_trees import training_trees, words

COUPLINGS = torch.randn(9, 3, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=1)  # (N, J, I)


def gathered(couplings, predicted, levels=(4,), batch=2):
    predicted = torch.tensor(predicted)
    return training_trees(
        lambda: torch.arange(len(couplings)).split(batch),
        lambda images: (couplings[images], predicted[images]),
        couplings.shape[1],
        levels,
    )


def test_with_one_image_a_class_the_static_tree_is_the_images_own():
    trees = gathered(COUPLINGS[:3], [2, 0, 1])
    for image, label in enumerate([2, 0, 1]):
        assert torch.equal(trees.class_mean[label], COUPLINGS[image, label])
        assert torch.equal(trees.modal[4][label], (COUPLINGS[image, label] * 3).round() / 3)
        assert torch.equal(trees.latest[label], COUPLINGS[image])


def test_the_modal_key_is_the_most_frequent_one_and_of_equal_ones_the_first():
    couplings = COUPLINGS[[0, 1, 1, 2, 3, 4]]
    trees = gathered(couplings, [0, 0, 0, 0, 1, 1])
    assert torch.equal(trees.modal[4][0], (COUPLINGS[1, 0] * 3).round() / 3)
    assert torch.equal(trees.modal[4][1], (COUPLINGS[3, 1] * 3).round() / 3)
    assert trees.modal_share[4] == np.mean([2 / 4, 1 / 2])


def test_a_class_that_nobody_is_predicted_as_is_coupled_uniformly():
    trees = gathered(COUPLINGS, [0] * 9)
    for tree in (trees.class_mean[1], trees.modal[4][1], trees.latest[2][0]):
        assert torch.equal(tree, torch.full((4,), 1 / 3))


def test_a_key_counts_with_its_class():
    """The same key of two classes is two words, and one that no training image has occurs 0 times."""
    keys = np.array([[0, 1], [0, 1], [2, 2]], np.uint8)
    one, other, third = words(keys, np.array([0, 1, 0]))
    assert len({one, other, third}) == 3
    trees = gathered(COUPLINGS[[0, 0, 1]], [0, 0, 1])
    own = words((COUPLINGS[:2, 0] * 3).round().byte().numpy(), np.array([0, 0]))
    assert trees.times(4, own).tolist() == [2, 0]


def test_the_batches_change_nothing():
    one, other = (gathered(COUPLINGS, [0, 1, 2] * 3, batch=size) for size in (4, 9))
    assert torch.allclose(one.class_mean, other.class_mean)
    assert torch.allclose(one.overall_mean, other.overall_mean)
    assert torch.equal(one.latest, other.latest)
    assert torch.equal(one.modal[4], other.modal[4])

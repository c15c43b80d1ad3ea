"""The strongest path down from the predicted class, in cases worked out by hand."""

import numpy as np
import torch

from rem.networks.network import LowerLayer
from rem.trees.parents import strongest_path, with_parents, without_parents

TOP = torch.tensor([[[0.6, 0.5, 0.1], [0.4, 0.5, 0.9]]]).repeat(2, 1, 1)  # two images, two classes, three capsules
LENGTHS = torch.tensor([[0.5, 0.9, 0.3], [0.9, 0.4, 0.2]])
MIDDLE = torch.tensor([[[0.7, 0.2, 0.1, 0.5], [0.2, 0.7, 0.2, 0.25], [0.1, 0.1, 0.7, 0.25]]])  # (L, M, N)


def path(predicted, *layers):
    """The parents of each layer and the couplings of their children, as lists."""
    found = strongest_path(TOP, torch.tensor(predicted), layers)
    return [(parent.tolist(), own.tolist()) for parent, own in found]


def layer(couplings=MIDDLE, lengths=LENGTHS, parts=None):
    return LowerLayer(couplings.repeat(2, 1, 1, 1), lengths, parts)


def test_the_parent_is_the_capsule_that_gives_its_class_the_longest_vote():
    """c |u| to class 0: 0.3, 0.45, 0.03 of the first image, 0.54, 0.2, 0.02 of the second."""
    ((parents, couplings),) = path([0, 0], layer())
    assert parents == [1, 0]
    assert couplings == MIDDLE[0, [1, 0]].tolist()
    other = layer(lengths=torch.tensor([[0.3, 0.5, 0.9], [0.2, 0.9, 0.4]]))
    assert path([0, 0], other)[0][0] == [1, 1]  # 0.18, 0.25, 0.09 and 0.12, 0.45, 0.04
    assert path([1, 1], other)[0][0] == [2, 1]  # 0.12, 0.25, 0.81 and 0.08, 0.45, 0.36


def test_a_capsule_that_no_routing_made_is_no_parent():
    """The class capsules' second child has the longest vote, but is of no routed layer."""
    ((parents, couplings),) = path([0, 0], layer(MIDDLE[:, :2], LENGTHS[:, :2], torch.tensor([0, -1, 1])))
    assert parents == [0, 0]
    assert couplings == MIDDLE[0, [0, 0]].tolist()


def test_a_capsule_of_the_second_place_is_counted_behind_those_of_the_first():
    """Three places of one capsule, four children each, every coupling 1 but for what tells the places apart."""
    places = MIDDLE.transpose(0, 1)  # (3, 1, 4)
    ((parents, couplings),) = path([0, 0], layer(places))
    assert parents == [1, 0]
    assert couplings == MIDDLE[0, [1, 0]].tolist()


def test_the_walk_goes_on_from_the_parent_and_not_from_the_class():
    """Of capsule 1 the children send 0.2, 0.07, 0.2, 0.15, of capsule 0: 0.7, 0.02, 0.1, 0.3."""
    lengths = torch.tensor([[1.0, 0.1, 0.9, 0.6]] * 2)
    lowest = torch.arange(8.0).view(1, 4, 2)
    middle, low = path([0, 0], layer(), layer(lowest, lengths))
    assert middle[0] == [1, 0]
    assert low == ([0, 0], lowest[0, [0, 0]].tolist())
    strong = torch.tensor([[0.1, 0.9, 0.1, 0.1]] * 2)
    assert path([0, 0], layer(), layer(lowest, strong))[1][0] == [1, 1]  # 0.63 of capsule 1, 0.18 of capsule 0


def test_children_that_differ_from_parent_to_parent_are_the_capsules_that_are_named():
    """Each middle capsule has four children of its own among twelve: those of the second begin with the fifth."""
    windows = torch.arange(12).view(3, 4)
    lowest = torch.arange(24.0).view(1, 12, 2)
    middle, low = path([0, 0], layer(), layer(lowest, torch.ones(2, 12), windows))
    assert middle[0] == [1, 0]
    assert low == ([5, 0], lowest[0, [5, 0]].tolist())  # 0.7 is the second child of the second and first of the first


def test_a_parent_is_a_part_of_the_key_and_comes_out_again():
    keys, parents = np.array([[3, 1], [3, 1], [0, 2]], np.uint8), np.array([70_000, 1, 0])
    together = with_parents(keys, parents)
    assert together.dtype == np.uint8
    assert len(np.unique(together, axis=0)) == 3
    assert [part.tolist() for part in without_parents(together)] == [keys.tolist(), parents.tolist()]
    assert with_parents(keys, None) is keys

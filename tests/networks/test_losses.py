"""The margin loss, and the losses of the couplings."""

import math

import numpy as np
import pytest
import reference
import torch
from tensors import random_tensor

from rem.networks.losses import coupling_entropy, margin_loss, margin_losses, tree_divergence


def lengths_and_labels(batch: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random lengths in (0, 1) and labels."""
    draw = np.random.default_rng(10 * batch + classes)
    return torch.tensor(draw.random((batch, classes))), torch.tensor(draw.integers(classes, size=batch))


SHAPES = [(1, 2), (5, 3), (16, 10)]


@pytest.mark.parametrize(("batch", "classes"), SHAPES)
def test_agrees_with_the_reference_image_by_image(batch: int, classes: int):
    lengths, labels = lengths_and_labels(batch, classes)
    expected = [reference.margin_loss(x, y) for x, y in zip(lengths.tolist(), labels.tolist(), strict=True)]
    assert margin_losses(lengths, labels).tolist() == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(("batch", "classes"), SHAPES)
def test_the_loss_is_summed_over_classes_and_averaged_over_the_batch(batch: int, classes: int):
    lengths, labels = lengths_and_labels(batch, classes)
    losses = [reference.margin_loss(x, y) for x, y in zip(lengths.tolist(), labels.tolist(), strict=True)]
    loss = margin_loss(lengths, labels)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(sum(losses) / batch, abs=1e-14)


def test_lengths_beyond_the_margins_cost_nothing():
    lengths = torch.tensor([[0.95, 0.05, 0.1], [0.0, 0.9, 0.02]], dtype=torch.float64)
    assert margin_loss(lengths, torch.tensor([0, 1])).item() == 0.0


def test_gradient_by_finite_differences():
    lengths, labels = lengths_and_labels(4, 5)
    lengths.requires_grad_()
    margin_loss(lengths, labels).backward()
    step = 1e-6
    for b in range(4):
        for j in range(5):
            x = lengths[b].tolist()
            above = reference.margin_loss([*x[:j], x[j] + step, *x[j + 1 :]], int(labels[b]))
            below = reference.margin_loss([*x[:j], x[j] - step, *x[j + 1 :]], int(labels[b]))
            assert lengths.grad[b, j].item() == pytest.approx((above - below) / (2 * step) / 4, abs=1e-8)


def test_relabelling_the_classes_changes_nothing():
    lengths, labels = lengths_and_labels(8, 6)
    new_name = torch.tensor([3, 5, 0, 1, 4, 2])  # class j is called new_name[j]
    relabelled = torch.empty_like(lengths)
    relabelled[:, new_name] = lengths
    torch.testing.assert_close(margin_losses(relabelled, new_name[labels]), margin_losses(lengths, labels))


def test_reordering_the_images_changes_nothing():
    lengths, labels = lengths_and_labels(8, 6)
    torch.testing.assert_close(margin_loss(lengths.flip(0), labels.flip(0)), margin_loss(lengths, labels))


# Losses of the couplings


@pytest.fixture
def trees():
    """Couplings and trees, (B, J, I) each: 3 images, 4 classes, 5 capsules."""
    return (random_tensor(3, 4, 5).softmax(dim=1), (2 * random_tensor(3, 4, 5, seed=1)).softmax(dim=1))


def test_the_entropy_of_couplings_is_that_of_each_capsule_over_its_most(trees):
    couplings, _ = trees
    each = [-sum(c * math.log(c) for c in image[:, i].tolist()) for image in couplings for i in range(5)]
    assert float(coupling_entropy(couplings)) == pytest.approx(sum(each) / 15 / math.log(4))
    assert float(coupling_entropy(torch.full((2, 4, 5), 0.25))) == pytest.approx(1)
    assert float(coupling_entropy(torch.eye(4)[None])) == pytest.approx(0, abs=1e-6)


def test_the_divergence_from_a_tree_is_kullback_and_leiblers(trees):
    couplings, wanted = trees
    each = [
        sum(t * math.log(t / c) for t, c in zip(tree[:, i].tolist(), image[:, i].tolist(), strict=True))
        for image, tree in zip(couplings, wanted, strict=True)
        for i in range(5)
    ]
    assert float(tree_divergence(couplings, wanted)) == pytest.approx(sum(each) / 15)
    assert float(tree_divergence(couplings, couplings)) == pytest.approx(0, abs=1e-12)


def test_losses_of_one_hot_couplings_and_trees_have_finite_gradients():
    couplings = torch.eye(3)[None].requires_grad_()
    (coupling_entropy(couplings) + tree_divergence(couplings, torch.eye(3)[None])).backward()
    assert couplings.grad.isfinite().all()


def test_no_gradient_flows_into_the_tree_that_is_wanted(trees):
    couplings, wanted = (one.requires_grad_() for one in trees)
    tree_divergence(couplings, wanted).backward()
    assert wanted.grad is None
    assert couplings.grad.abs().max() > 0

"""The textbook form that rem is measured against computes the same numbers."""

import numpy as np
import tiny
import torch

from benchmarks import sides, textbook
from rem.networks.build import build
from rem.networks.losses import margin_loss
from rem.networks.routing import route


def test_the_textbook_routes_alike():
    draw = torch.Generator().manual_seed(0)
    weight, poses = torch.randn(7, 3, 4, 5, generator=draw), torch.randn(2, 7, 5, generator=draw)
    bias = torch.full((3, 4), 0.1)
    own, other = route(weight, poses, bias, 3), textbook.route(weight, poses, bias, 3)
    torch.testing.assert_close(own[0], other[0])
    torch.testing.assert_close(own[1].transpose(1, 2), other[1])


def test_the_textbooks_network_has_the_same_loss_and_gradients():
    model = build(tiny.run(), torch.device("cpu"))
    other = textbook.TextbookCapsNet(model)
    images, labels = torch.randn(4, 1, tiny.SIZE, tiny.SIZE), torch.arange(4) % tiny.CLASSES
    losses = [margin_loss(model(images)[0], labels), textbook.margin_loss(other(images)[0], labels)]
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    for name, parameter in other.named_parameters():
        torch.testing.assert_close(model.get_parameter(name).grad, parameter.grad, rtol=1e-4, atol=1e-6)


def test_the_textbooks_search_finds_the_largest_threshold_that_holds():
    training = textbook.TextbookTraining(textbook.TextbookCapsNet(build(tiny.run(), torch.device("cpu"))), 0.1)
    before = [weight.clone() for weight in training.weights]
    smallest = torch.cat([weight.abs().flatten() for weight in before]).sort().values[:100]

    def loss(batches: list) -> float:  # grows by one with each of the 100 smallest weights that is gone, past 40
        kept = sum(int((weight != 0).sum()) for weight in training.weights)
        return max(0, sum(weight.numel() for weight in before) - kept - 40)

    training.loss = loss
    threshold, passes = training.search([])
    assert passes < 40
    assert smallest[39] < threshold <= smallest[40]
    assert all(torch.equal(one, other) for one, other in zip(training.weights, before, strict=True))


def test_the_textbooks_entropy_is_rems():
    couplings, predicted = sides.keys(200, 6)
    assert np.isclose(sides.textbook_entropy(couplings, predicted), sides.rem_entropy(couplings, predicted))

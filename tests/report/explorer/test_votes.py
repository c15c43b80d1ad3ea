"""Votes of a byte each: they give the class lengths that the network itself gives, to two decimals."""

import numpy as np
import torch

from rem.networks.capsnet import CapsNet
from rem.report.explorer.votes import Stored, stored_votes
from rem.trees.interventions import delete


def test_lengths_from_stored_votes_are_those_of_the_network_also_without_some_capsules():
    torch.manual_seed(0)
    network = CapsNet(1, 19, 3, convolution_channels=4, primary_types=3).eval()
    images = torch.rand(4, 1, 19, 19)
    kept = stored_votes(network, images)

    def without(couplings):
        return delete(couplings, couplings.amax(dim=1), 0.5)

    with torch.no_grad():
        whole, changed = network(images)[0], network(images, change=without)[0]
    np.testing.assert_allclose(lengths(kept, kept.couplings), whole, atol=0.005)
    np.testing.assert_allclose(lengths(kept, without(torch.from_numpy(kept.couplings)).numpy()), changed, atol=0.005)
    assert kept.votes.dtype == np.int8


def lengths(stored: Stored, couplings: np.ndarray) -> np.ndarray:
    """|v_j| with these couplings (M, J, I) in the place of their own (Eq. 2, 3), as the page does it: (M, J)."""
    seen = stored.votes * stored.scale[:, None, None, None]
    square = ((couplings[..., None] * seen).sum(axis=2) + stored.bias).__pow__(2).sum(axis=-1)
    return square / (1 + square) * np.sqrt(square / (square + 1e-6))

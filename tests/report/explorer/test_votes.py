"""Votes of a byte each: they give the class lengths that the network itself gives, to two decimals."""

import numpy as np
import torch

from rem.networks.capsnet import CapsNet
from rem.report.explorer.votes import lengths, stored_votes
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

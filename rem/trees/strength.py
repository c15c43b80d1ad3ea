"""How strong couplings are, and how stable from image to image: numbers that no quantizer makes.

Couplings are (N, J, I): N images, J classes, I primary capsules. All of it reads tensors of any device.
"""

import math

import numpy as np
import torch
from torch import Tensor

from rem.networks.routing import centred_logits


def strongest_coupling(couplings: Tensor) -> Tensor:
    """The mean over primary capsules of max_j c_ij, an image: 1/J where nothing is decided, 1 where everything is.

    >>> rem.strongest_coupling(torch.tensor([[[0.9, 0.5], [0.1, 0.5]]]))  # one image, two classes, two capsules
    tensor([0.7000])

    Args:
        couplings: (N, J, I).

    Returns:
        (N,); over the capsules that are connected to any class.
    """
    strongest = couplings.amax(dim=1)  # (N, I)
    return strongest.sum(dim=1) / (strongest > 0).sum(dim=1).clamp_min(1)


def polarization(couplings: Tensor) -> Tensor:
    """The mean over primary capsules of 1 - H(c_i) / log J, an image: 0 where c_ij = 1/J, 1 where every c_i is one-hot.

    The T-score of gamma-capsules.

    >>> rem.polarization(torch.tensor([[[1.0, 0.5], [0.0, 0.5]]]))
    tensor([0.5000])

    From Peer, Stabinger and Rodríguez-Sánchez (2018), https://arxiv.org/abs/1812.09707.

    Args:
        couplings: (N, J, I).

    Returns:
        (N,); over the capsules that are connected to any class.
    """
    entropy = torch.special.entr(couplings).sum(dim=1)  # (N, I), in nats
    there = (couplings > 0).any(dim=1)  # (N, I)
    return ((1 - entropy / math.log(couplings.shape[1])) * there).sum(dim=1) / there.sum(dim=1).clamp_min(1)


FLAT = 1e-5  # logits that spread less are flat, but for float32's rounding


class Instability:
    """rho, from couplings that come batch by batch: see `instability`; with connections (I, J), of those alone."""

    def __init__(self, classes: int, capsules: int, connections: Tensor | None = None) -> None:
        self.connections = connections
        self.capsules = (
            torch.full((classes,), capsules) if connections is None else connections.sum(dim=0).cpu()
        )  # (J,)
        self.images = torch.zeros(classes, dtype=torch.float64)
        self.sums = torch.zeros(2, classes, capsules, dtype=torch.float64)  # of x and of x^2

    def add(self, couplings: Tensor, predicted: Tensor) -> None:
        """Take in couplings (B, J, I) of images predicted as those classes (B,)."""
        rows = torch.arange(len(predicted), device=predicted.device)
        own = centred_logits(couplings.detach(), self.connections)[rows, predicted].double().cpu()  # (B, I)
        predicted = predicted.cpu()
        self.images += torch.bincount(predicted, minlength=len(self.images))
        for sums, values in zip(self.sums, (own, own.square()), strict=True):
            sums.index_add_(0, predicted, values)

    def rho(self) -> float:
        """As `instability`; NaN where the logits spread by less than `FLAT`."""
        count = self.images.unsqueeze(1)  # (J, 1)
        sums, squares = self.sums
        within = (squares - sums.square() / count.clamp_min(1)).sum()
        entries = (self.images * self.capsules).sum().clamp_min(1)
        total = squares.sum() - sums.sum().square() / entries
        return float(within / total) if total > FLAT**2 * entries else math.nan


def instability(couplings: Tensor, predicted: Tensor) -> float:
    """rho: the share of the spread of trees that is from image to image of one class.

    Of an image, x_i is the logit b_ij of its predicted class j, less the mean over the classes. rho is the variance of
    x_i over the images of a class, with capsule and class fixed, over the variance of all x_i. 0: each class has one
    tree. 1: to know the class and the capsule says nothing. Multiplying all logits by a number changes nothing.

    >>> trees = torch.tensor([[[0.6, 0.3], [0.4, 0.7]], [[0.2, 0.5], [0.8, 0.5]]])  # two images, classes and capsules
    >>> rem.instability(trees[[0, 0, 1]], torch.tensor([0, 0, 1]))  # the images of a class are alike
    0.0

    Args:
        couplings: (N, J, I); where that of a capsule and a class is 0 in every image they are not connected, and rho is
            over the connections.
        predicted: (N,), the images' predicted classes.
    """
    connections = (couplings > 0).any(dim=0).t()  # (I, J)
    found = Instability(*couplings.shape[1:], None if connections.all() else connections)
    found.add(couplings, predicted)
    return found.rho()


class CapsuleEntropy:
    """The mean entropy of a single capsule's level, from keys that come batch by batch.

    (1/I) sum_i H(q_K(c_ij) | y = j) in bits, averaged over the classes j. It is bounded by log2 K and not by the number
    of images, so that other numbers of images do not change what it can be.
    """

    def __init__(self, classes: int, capsules: int, levels: int) -> None:
        self.counts = np.zeros((classes, capsules, levels), np.int64)

    def add(self, keys: np.ndarray, predicted: np.ndarray) -> None:
        """Take in keys (B, I) of images predicted as those classes (B,)."""
        _, capsules, levels = self.counts.shape
        where = (predicted[:, None] * capsules + np.arange(capsules)) * levels + keys  # (B, I)
        self.counts += np.bincount(where.ravel(), minlength=self.counts.size).reshape(self.counts.shape)

    def bits(self) -> float:
        """The mean over capsules and over classes; a class that nobody predicted counts as 0."""
        share = self.counts / np.maximum(self.counts.sum(axis=2, keepdims=True), 1)
        return float(-(share * np.log2(np.where(share > 0, share, 1))).sum(axis=2).mean())

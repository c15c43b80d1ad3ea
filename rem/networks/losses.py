"""The losses of Sabour et al. (2017): the margin loss, Eq. 4 there, and the squared error of reconstructions.

And those of the couplings, which ask for strong and static trees by themselves.

S. Sabour, N. Frosst, G. E. Hinton: Dynamic Routing Between Capsules, NeurIPS 2017, https://arxiv.org/abs/1710.09829.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

PRESENT = 0.9  # m+: a present class's capsule should be at least this long
ABSENT = 0.1  # m-: an absent class's capsule should be at most this long
ABSENT_WEIGHT = 0.5  # lambda: so that early training does not shrink every capsule


def margin_losses(lengths: Tensor, labels: Tensor) -> Tensor:
    """Each image's margin loss, summed over the classes.

    T_j max(0, m+ - |v_j|)^2 + lambda (1 - T_j) max(0, |v_j| - m-)^2, with T_j = 1 for the image's class.

    Args:
        lengths: (B, J), |v_j|.
        labels: (B,), class indices.

    Returns:
        (B,) losses.
    """
    target = functional.one_hot(labels, lengths.shape[1]).to(lengths.dtype)  # (B, J)
    present = torch.relu(PRESENT - lengths).square()
    absent = torch.relu(lengths - ABSENT).square()
    return (target * present + ABSENT_WEIGHT * (1 - target) * absent).sum(dim=1)  # (B,)


def margin_loss(lengths: Tensor, labels: Tensor) -> Tensor:
    """The mean over the batch of `margin_losses`: a scalar, of lengths (B, J) and labels (B,).

    >>> rem.margin_loss(torch.tensor([[0.8, 0.3, 0.05]]), torch.tensor([0]))  # (0.9 - 0.8)^2 + 0.5 (0.3 - 0.1)^2
    tensor(0.0300)

    From Sabour et al. (2017), Eq. 4, https://arxiv.org/abs/1710.09829.
    """
    return margin_losses(lengths, labels).mean()


def reconstruction_losses(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Each image's sum of squared errors over channels and pixels: (B, C, S, S) twice to (B,)."""
    return (reconstructions - images).square().flatten(1).sum(dim=1)


def coupling_entropy(couplings: Tensor) -> Tensor:
    """The mean over images and capsules of H(c_i) / log J, a scalar: 1 where c_ij = 1/J, 0 where every c_i is one-hot.

    Of couplings (B, J, I).
    """
    return torch.special.entr(_above_zero(couplings)).sum(dim=1).mean() / math.log(couplings.shape[1])


def tree_divergence(couplings: Tensor, trees: Tensor) -> Tensor:
    """The mean over images and capsules of KL(T_i || c_i) in nats, a scalar: 0 where each image has its tree T.

    Args:
        couplings: (B, J, I), c of each image.
        trees: (B, J, I), the T that each is drawn to, as constants.
    """
    trees = trees.detach()
    surprise = -torch.special.xlogy(trees, _above_zero(couplings))  # (B, J, I)
    return (surprise - torch.special.entr(trees)).sum(dim=1).mean()


def _above_zero(couplings: Tensor) -> Tensor:
    """With the smallest normal number in the place of 0, where the logarithm has no gradient."""
    return couplings.clamp_min(torch.finfo(couplings.dtype).tiny)

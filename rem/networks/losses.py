"""The losses of Sabour et al. (2017): the margin loss, Eq. 4 there, and the squared error of reconstructions.

S. Sabour, N. Frosst, G. E. Hinton: Dynamic Routing Between Capsules, NeurIPS 2017, https://arxiv.org/abs/1710.09829.
"""

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

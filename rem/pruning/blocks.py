"""The transformation matrices W_ij as wholes: how they are shrunk while training, and what a connection is worth."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rem.networks.capsnet import CapsNet
from rem.networks.routing import votes
from rem.pruning.lobster import gradient_of


def block_norms(weight: Tensor) -> Tensor:
    """|W_ij|_F of every connection: (I, J, D, P) to (I, J)."""
    return torch.linalg.vector_norm(weight, dim=(2, 3))


@torch.no_grad()
def group_lobster(weight: nn.Parameter, penalty: float) -> None:
    """LOBSTER (Eq. 16) on matrices, in place: W_ij <- W_ij (1 - lambda ReLU(1 - |dL/dW_ij|_F / g0)).

    g0 is the median of |dL/dW_ij|_F over the matrices that are not zero, so that half of them are shrunk, those that
    the loss feels least. To be called between the backward pass and the optimiser's step.

    Args:
        weight: (I, J, D, P), with its gradient.
        penalty: lambda.

    Raises:
        RemError: it has no gradient.
    """
    sensitivity = block_norms(gradient_of(weight))  # (I, J)
    scale = sensitivity[block_norms(weight) > 0].median()
    insensitive = (1 - sensitivity / scale).nan_to_num_(1).relu_()  # where every gradient is 0 the loss feels none
    weight.mul_(1 - penalty * insensitive[:, :, None, None])


@torch.no_grad()
def group_lasso(weight: nn.Parameter, penalty: float) -> None:
    """The step of the group lasso's penalty sum_ij |W_ij|_F, in place: every matrix is shortened by the same length.

    W_ij <- W_ij ReLU(1 - lambda m / |W_ij|_F), where m is the mean norm of the matrices that are not zero, so that
    lambda takes as much off their norms as it does off the weights' in plain shrinkage.

    Args:
        weight: (I, J, D, P).
        penalty: lambda.
    """
    norms = block_norms(weight)  # (I, J)
    mean = norms[norms > 0].mean()
    weight.mul_((1 - penalty * mean / norms).relu_().nan_to_num_(0)[:, :, None, None])


REGULARIZERS = {"group-lobster": group_lobster, "group-lasso": group_lasso}


@torch.no_grad()
def coupled_votes(model: CapsNet, stems: Iterable[Tensor]) -> Tensor:
    """What a connection carries, (I, J): the mean over images of c_ij |u_{j|i}|.

    Args:
        model: the network.
        stems: batches of what its `stem` returns.
    """
    total, images = torch.zeros_like(model.weight[:, :, 0, 0], dtype=torch.float64), 0
    for stem in stems:
        primary = model.primary_capsules(stem)
        with torch.autocast(primary.device.type, enabled=False):
            _, _, couplings = model.route(primary)  # (B, J, I)
            lengths = torch.linalg.vector_norm(votes(model.weight, primary), dim=3)  # (B, J, I)
        total += (couplings * lengths).sum(dim=0).t()
        images += len(primary)
    return total / images

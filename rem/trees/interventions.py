"""What can stand in place of the couplings that the routing found: the same ones softer or harder, or none of its own.

Couplings are (..., J, I), J classes and I primary capsules; a primary capsule's couplings sum to 1 over the classes.
Where a coupling is 0 there is no connection, and none is made.
"""

import math

import torch
from torch import Tensor

from rem.errors import RemError


def temper(couplings: Tensor, tau: float) -> Tensor:
    """softmax_j(b_ij / tau), of couplings that are softmax_j(b_ij): above 1 softer, below 1 harder.

    The logits need not be known: log c_ij is b_ij up to a number of each primary capsule's own, which no softmax feels.

    >>> rem.temper(torch.tensor([[0.8], [0.2]]), tau=2)  # sqrt(0.8) and sqrt(0.2), over their sum
    tensor([[0.6667],
            [0.3333]])

    Args:
        couplings: (..., J, I), of the last iteration.
        tau: 1 leaves them, infinity gives every class the same.

    Raises:
        RemError: tau is not above 0.
    """
    if not tau > 0:
        raise RemError(f"tau is {tau:g}; a temperature is above 0.")
    if tau == 1:
        return couplings
    if math.isinf(tau):
        there = (couplings > 0).to(couplings.dtype)
        return there / there.sum(dim=-2, keepdim=True).clamp_min(1)
    return (couplings.log() / tau).softmax(dim=-2).nan_to_num()  # a capsule without any connection has none


def one_hot(couplings: Tensor) -> Tensor:
    """Every primary capsule to the class that it is coupled to most: c_ij = 1 there, 0 elsewhere; (..., J, I)."""
    strongest = couplings.argmax(dim=-2, keepdim=True)
    return torch.zeros_like(couplings).scatter_(-2, strongest, 1.0) * (couplings > 0)


def delete(couplings: Tensor, score: Tensor, share: float) -> Tensor:
    """The couplings without those primary capsules that score highest.

    Args:
        couplings: (B, J, I).
        score: (B, I).
        share: of the capsules to delete, rounded to a whole number of them.
    """
    capsules = couplings.shape[-1]
    chosen = score.topk(round(share * capsules), dim=1).indices  # (B, share * I)
    kept = torch.ones_like(score).scatter_(1, chosen, 0.0)  # (B, I)
    return couplings * kept.unsqueeze(1)

"""Self-attention routing (Efficient-CapsNet, Mazzia et al., 2021): the more votes a vote agrees with, the stronger.

V. Mazzia, F. Salvetti, M. Chiaberge: Efficient-CapsNet: capsule network with self-attention routing, Scientific Reports
11, 2021, https://arxiv.org/abs/2101.12491.
"""

import math

import torch
from torch import Tensor

from rem.networks.network import Change, Routed, Routing
from rem.networks.routing import shares, votes
from rem.networks.routings.dynamic import drawn_matrices

EPSILON = 1e-12  # under the root of a norm, so that its gradient exists at zero


def parameters(capsules: int, classes: int, dimensions: int, inputs: int) -> dict[str, Tensor]:
    """W_ij (I, J, D, P), drawn, and the prior B (J, I), at first 0."""
    weight = drawn_matrices(capsules, classes, dimensions, inputs)
    return {"weight": weight, "routing_prior": torch.zeros(classes, capsules)}


def squash_exponential(s: Tensor) -> Tensor:
    """v = (1 - exp(-|s|)) s / |s| over the last dimension: their squash, steeper at 0 than Eq. 3."""
    length = (s.square().sum(dim=-1, keepdim=True) + EPSILON).sqrt()
    return (1 - (-length).exp()) * s / length


def route(poses: Tensor, iterations: int, change: Change | None, weight: Tensor, routing_prior: Tensor) -> Routed:
    """Lengths |v_j| (B, J), poses (B, J, D) and couplings (B, J, I) of primary capsules (B, I, P).

    c_i = softmax_j(sum_k u_{j|i} . u_{j|k} / sqrt(D)), k over the primary capsules, and
    v_j = squash(sum_i (c_ij + B_ij) u_{j|i}). The couplings are those before the prior, which no image changes; they
    sum to 1 over the classes, with the prior they need not. They carry their gradient. There are no iterations.
    """
    seen = votes(weight, poses)  # (B, J, I, D)
    agreement = (seen * seen.sum(dim=2, keepdim=True)).sum(dim=3)  # (B, J, I)
    couplings = shares(agreement / math.sqrt(seen.shape[3]))
    used = couplings if change is None else change(couplings)
    class_poses = squash_exponential(((used + routing_prior).unsqueeze(3) * seen).sum(dim=2))
    return torch.linalg.vector_norm(class_poses, dim=-1), class_poses, couplings


def terms(poses: Tensor, weight: Tensor, routing_prior: Tensor) -> Tensor:
    """The votes u_{j|i}, (B, J, I, D)."""
    return votes(weight, poses)


def of_sums(
    sums: Tensor, poses: Tensor, iterations: int, weight: Tensor, routing_prior: Tensor
) -> tuple[Tensor, Tensor]:
    """v_j = squash(s_j + sum_i B_ij u_{j|i}) and |v_j| of sums (B, J, L, D)."""
    prior = (routing_prior.unsqueeze(2) * votes(weight, poses)).sum(dim=2, keepdim=True)  # (B, J, 1, D)
    class_poses = squash_exponential(sums + prior)
    return torch.linalg.vector_norm(class_poses, dim=-1), class_poses


ROUTING = Routing(parameters, route, terms, of_sums)

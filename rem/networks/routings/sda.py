"""Scaled-distance agreement, the routing of gamma-capsules: the closer a vote to a class capsule, the stronger.

D. Peer, S. Stabinger, A. Rodriguez-Sanchez: Increasing the adversarial robustness and explainability of capsule
networks with gamma-capsules, 2018, https://arxiv.org/abs/1812.09707.
"""

import math

import torch
from torch import Tensor

from rem.networks.network import Change, Routed, Routing
from rem.networks.routing import shares, squash, votes
from rem.networks.routings.dynamic import of_sums, parameters

LIKELY = 0.9  # the coupling to a class at half the distance of all others
EPSILON = 1e-12  # under the root of a norm, so that its gradient exists at zero


def bounded_votes(weight: Tensor, poses: Tensor) -> Tensor:
    """u_{j|i} = W_ij u_i min(1, |u_i| / |W_ij u_i|): no vote is longer than its capsule, (B, J, I, D)."""
    seen = votes(weight, poses)  # (B, J, I, D)
    longest = torch.linalg.vector_norm(poses, dim=2)[:, None, :, None]  # (B, 1, I, 1)
    length = (seen.square().sum(dim=3, keepdim=True) + EPSILON).sqrt()  # (B, J, I, 1)
    return seen * (longest / length).clamp(max=1)


def scaled_distances(seen: Tensor, class_poses: Tensor) -> Tensor:
    """b_ij = t_i |v_j - u_{j|i}| with t_i = (log(0.9 (J - 1)) - log(1 - 0.9)) / (-0.5 mean_j |v_j - u_{j|i}|).

    t_i is such that a class at half a distance has a coupling of 0.9 where all others are at that distance, for which
    the mean is taken. It is over the classes of one capsule and image; that of the authors' code is over a whole batch,
    whose images would depend on each other.

    Args:
        seen: (B, J, I, D), the votes.
        class_poses: (B, J, D), v_j.

    Returns:
        (B, J, I).
    """
    distance = ((class_poses.unsqueeze(2) - seen).square().sum(dim=3) + EPSILON).sqrt()  # (B, J, I)
    classes = seen.shape[1]
    scale = (math.log(LIKELY * (classes - 1)) - math.log(1 - LIKELY)) / -0.5
    return scale * distance / distance.mean(dim=1, keepdim=True).clamp_min(EPSILON)


def route(poses: Tensor, iterations: int, change: Change | None, weight: Tensor, routing_bias: Tensor) -> Routed:
    """Lengths |v_j| (B, J), poses (B, J, D) and couplings (B, J, I) of primary capsules (B, I, P).

    c_i = softmax_j(b_ij), b_ij = 0 at first; v_j = squash(sum_i c_ij u_{j|i} + bias_j); then b_ij as `scaled_distances`
    has it, which is not added to the b_ij before. Couplings sum to 1 over the classes; gradients flow through all
    iterations, without which such a network hardly learns (docs/own-network.md).
    """
    seen, bias = bounded_votes(weight, poses), routing_bias
    couplings = shares(torch.zeros_like(seen[..., 0]))  # (B, J, I)
    for _ in range(iterations - 1):
        class_poses = squash((couplings.unsqueeze(3) * seen).sum(dim=2) + bias)  # (B, J, D)
        couplings = shares(scaled_distances(seen, class_poses))
    used = couplings if change is None else change(couplings)
    class_poses = squash((used.unsqueeze(3) * seen).sum(dim=2) + bias)
    return torch.linalg.vector_norm(class_poses, dim=-1), class_poses, couplings


def terms(poses: Tensor, weight: Tensor, routing_bias: Tensor) -> Tensor:
    """The bounded votes, (B, J, I, D)."""
    return bounded_votes(weight, poses)


ROUTING = Routing(parameters, route, terms, of_sums, iterates=True)

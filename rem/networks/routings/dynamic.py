"""Dynamic routing (Sabour et al., 2017), the paper's: Eq. 1 to 5 of `rem.networks.routing`.

S. Sabour, N. Frosst, G. E. Hinton: Dynamic Routing Between Capsules, NeurIPS 2017, https://arxiv.org/abs/1710.09829.
"""

import torch
from torch import Tensor

from rem.networks import routing
from rem.networks.network import Change, Routed, Routing


def drawn_matrices(capsules: int, classes: int, dimensions: int, inputs: int) -> Tensor:
    """W_ij (I, J, D, P) of a standard deviation of 0.1."""
    return torch.randn(capsules, classes, dimensions, inputs) * 0.1


def parameters(capsules: int, classes: int, dimensions: int, inputs: int) -> dict[str, Tensor]:
    """W_ij (I, J, D, P), drawn, and the routing bias (J, D), at first 0.1."""
    return {
        "weight": drawn_matrices(capsules, classes, dimensions, inputs),
        "routing_bias": torch.full((classes, dimensions), 0.1),
    }


def route(poses: Tensor, iterations: int, change: Change | None, weight: Tensor, routing_bias: Tensor) -> Routed:
    """Lengths |v_j| (B, J), poses (B, J, D) and couplings (B, J, I) of primary capsules (B, I, P).

    Couplings sum to 1 over the classes and are constants to the gradient, as `rem.networks.routing.route` has it.
    """
    class_poses, couplings = routing.route(weight, poses, routing_bias, iterations, change)
    return torch.linalg.vector_norm(class_poses, dim=-1), class_poses, couplings


def terms(poses: Tensor, weight: Tensor, routing_bias: Tensor) -> Tensor:
    """The votes u_{j|i}, (B, J, I, D)."""
    return routing.votes(weight, poses)


def of_sums(
    sums: Tensor, poses: Tensor, iterations: int, weight: Tensor, routing_bias: Tensor
) -> tuple[Tensor, Tensor]:
    """v_j = squash(s_j + bias_j) and |v_j| of sums (B, J, L, D)."""
    class_poses = routing.squash(sums + routing_bias.unsqueeze(1))
    return class_poses.norm(dim=-1), class_poses


def agreement(poses: Tensor, class_poses: Tensor, weight: Tensor, routing_bias: Tensor) -> Tensor:
    """v_j . u_{j|i} (B, J, I) of class poses (B, J, D)."""
    weight = weight.permute(1, 3, 0, 2).flatten(1, 2)  # (J, P*I, D)
    agreeing = routing.agreement(weight, poses.transpose(1, 2).contiguous(), class_poses.transpose(0, 1))  # (J, B, I)
    return agreeing.transpose(0, 1)


ROUTING = Routing(parameters, route, terms, of_sums, iterates=True, agreement=agreement)

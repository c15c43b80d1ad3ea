"""The routing of DeepCaps' last cell (Rajasegaran et al., 2019): capsules of a grid by votes that a convolution makes.

J. Rajasegaran and others: DeepCaps: Going Deeper with Capsule Networks, CVPR 2019, https://arxiv.org/abs/1904.09546.

Shapes: B images, I types of capsules of P dimensions and J of D, on a grid (M, N). Their 3D convolution moves by one
capsule at a time in depth, so that it is a 2D convolution of each type by itself, with the same kernels for all types.
"""

import torch
from torch import Tensor
from torch.nn import functional

from rem.networks.routing import squash


def spatial_votes(weight: Tensor, grid: Tensor) -> Tensor:
    """V_s: what each type s says of all capsules of the next grid from a window around each place.

    Args:
        weight: (J, D, P, K, K), K odd, the kernels.
        grid: (B, I, P, M, N).

    Returns:
        (B, I, J, D, M, N).
    """
    kernels = weight.flatten(0, 1)  # (J*D, P, K, K)
    said = functional.conv2d(grid.flatten(0, 1), kernels, padding=weight.shape[-1] // 2)  # (B*I, J*D, M, N)
    return said.unflatten(1, weight.shape[:2]).unflatten(0, grid.shape[:2])


def spatial_coupling(logits: Tensor) -> Tensor:
    """k_pqrs = exp(b_pqrs) / sum_xyz exp(b_xyzs): a softmax over all places and types of the next grid together.

    (B, I, J, M, N) to (B, I, J, M, N), for each type s of the I.
    """
    return logits.flatten(2).softmax(dim=2).view_as(logits)


def spatial_poses(couplings: Tensor, votes: Tensor, bias: Tensor) -> Tensor:
    """v_pqr = squash(sum_s k_pqrs V_pqrs + bias_r), each capsule squashed by itself.

    Args:
        couplings: (B, I, J, M, N), k.
        votes: (B, I, J, D, M, N), V.
        bias: (J, D).

    Returns:
        (B, J, D, M, N).
    """
    sums = (couplings.unsqueeze(3) * votes).sum(dim=1) + bias[:, :, None, None]  # (B, J, D, M, N)
    return squash(sums.movedim(2, -1)).movedim(-1, 2)


def route_in_space(votes: Tensor, bias: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Route the types of one grid to those of the next: b_pqrs = 0 at first, and v_pqr . V_pqrs is added each time.

    Gradients flow through all iterations, as in the authors' code.

    Args:
        votes: (B, I, J, D, M, N), of `spatial_votes`.
        bias: (J, D), added in every iteration.
        iterations: t.

    Returns:
        The poses (B, J, D, M, N), and the couplings (B, I, J, M, N) of the last iteration.
    """
    logits = torch.zeros_like(votes[:, :, :, 0])  # (B, I, J, M, N)
    for _ in range(iterations - 1):
        poses = spatial_poses(spatial_coupling(logits), votes, bias)
        logits = logits + (poses.unsqueeze(1) * votes).sum(dim=3)
    couplings = spatial_coupling(logits)
    return spatial_poses(couplings, votes, bias), couplings

"""Dynamic routing: Eq. 1 to 5 of the paper.

S. Sabour, N. Frosst, G. E. Hinton: Dynamic Routing Between Capsules, NeurIPS 2017, https://arxiv.org/abs/1710.09829.

Shapes: B images, I primary capsules of P dimensions, J classes with capsules of D dimensions. Inside the
routing the class comes first, (J, B, ...), so that a class's share of every step is one matrix product, and the
primary capsules come last, (B, P, I), so that what is done to each of them runs along memory.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from rem.errors import RemError

FLOATS_AT_ONCE = 2**20  # of intermediate results in the routing
EPSILON = 1e-6  # inside the squash's norm, so that its gradient exists at zero


def squash(s: Tensor) -> Tensor:
    """Eq. 3: v = |s|^2 / (1 + |s|^2) * s / |s| over the last dimension, with |s| = sqrt(s.s + 1e-6) below."""
    square = s.square().sum(dim=-1, keepdim=True)
    return square / (1 + square) * s / (square + EPSILON).sqrt()


def votes(weight: Tensor, poses: Tensor) -> Tensor:
    """Eq. 1: u_{j|i} = W_ij u_i.

    Args:
        weight: (I, J, D, P), the transformation matrices W_ij.
        poses: (B, I, P), the primary capsules u_i.

    Returns:
        (B, J, I, D).
    """
    capsules, classes, dimensions, _ = weight.shape
    products = torch.bmm(poses.transpose(0, 1), weight.flatten(1, 2).transpose(1, 2))  # (I, B, J*D)
    return products.view(capsules, -1, classes, dimensions).permute(1, 2, 0, 3).contiguous()  # (B, J, I, D)


def coupling(logits: Tensor) -> Tensor:
    """Eq. 4: c_ij = exp(b_ij) / sum_k exp(b_ik), a softmax over the classes j; (J, B, I) to (J, B, I)."""
    return logits.softmax(dim=0)


def shares(logits: Tensor) -> Tensor:
    """softmax_j of (B, J, I), as the routings beside Eq. 4 have it; what rounds to 0 is the smallest normal number.

    A coupling of 0 would say that there is no connection.
    """
    return logits.softmax(dim=1).clamp_min(torch.finfo(logits.dtype).tiny)


def centred_logits(couplings: Tensor, connections: Tensor | None = None) -> Tensor:
    """b_ij - mean_k b_ik, the logits without what the softmax (Eq. 4) does not see; (B, J, I) to (B, J, I).

    log c_ij is b_ij but for a number that all classes j share, so couplings suffice; one of 0 counts as the smallest
    normal number. With connections (I, J), means are over those of a capsule, and what is not connected has 0.
    """
    logits = couplings.clamp(min=torch.finfo(couplings.dtype).tiny).log()
    if connections is None:
        return logits - logits.mean(dim=1, keepdim=True)
    there = connections.t().to(logits.dtype)  # (J, I)
    mean = (logits * there).sum(dim=1, keepdim=True) / there.sum(dim=0).clamp_min(1)
    return (logits - mean) * there


def squared_spread(couplings: Tensor, connections: Tensor | None = None) -> Tensor:
    """The mean square of an image's `centred_logits`, over the connections alone; (B, J, I) to (B,)."""
    squares = centred_logits(couplings, connections).square().mean(dim=(1, 2))
    return squares if connections is None else squares / connections.float().mean()


def require_iterations(iterations: int) -> None:
    """Raises RemError where t is below 1."""
    if iterations < 1:
        raise RemError(f"t is {iterations}; a routing has at least one iteration.")


def weighted_votes(couplings: Tensor, weight: Tensor, poses: Tensor) -> Tensor:
    """Eq. 2: s_j = sum_i c_ij u_{j|i}, as one matrix product a class, which never holds the votes W_ij u_i.

    Args:
        couplings: (J, B, I).
        weight: (J, P*I, D), W_ij laid out by class.
        poses: (B, P, I), the primary capsules u_i.

    Returns:
        (J, B, D).
    """
    s = [
        torch.bmm(_weighted(couplings[classes], poses).flatten(2), weight[classes])  # (G, B, P*I) @ (G, P*I, D)
        for classes in _groups(len(weight), poses)
    ]
    return torch.cat(s)


def agreement(weight: Tensor, poses: Tensor, class_poses: Tensor) -> Tensor:
    """Eq. 5: the a_ij = v_j . W_ij u_i that are added to the logits; (J, P*I, D), (B, P, I), (J, B, D) to (J, B, I)."""
    a = [
        _back_projected(class_poses[classes], weight[classes], poses).mul_(poses).sum(dim=2)  # (W_ij^T v_j) . u_i
        for classes in _groups(len(weight), poses)
    ]
    return torch.cat(a)


def _groups(classes: int, poses: Tensor) -> Iterator[slice]:
    """The classes, so many at a time that what is held per class and pose stays in a core's cache.

    In a graph that is exported, which is of batches of any size, all of them at once.
    """
    exported = torch.compiler.is_exporting() or torch.jit.is_tracing()
    size = classes if exported else max(1, FLOATS_AT_ONCE // max(1, poses.numel()))
    return (slice(start, start + size) for start in range(0, classes, size))


def _weighted(couplings: Tensor, poses: Tensor) -> Tensor:
    """c_ij u_i: (G, B, I) and (B, P, I) to (G, B, P, I)."""
    return couplings.unsqueeze(2) * poses


def _back_projected(class_poses: Tensor, weight: Tensor, poses: Tensor) -> Tensor:
    """W_ij^T v_j: (G, B, D) @ (G, D, P*I) to (G, B, P, I), the shape of the `poses` for G classes."""
    return torch.bmm(class_poses, weight.transpose(1, 2)).view(len(weight), *poses.shape)


class WeightedVotes(torch.autograd.Function):
    """`weighted_votes` with the couplings as constants: its gradient computes c_ij u_i anew, and so stores nothing."""

    @staticmethod
    def forward(ctx: FunctionCtx, couplings: Tensor, weight: Tensor, poses: Tensor) -> Tensor:
        """The weighted votes (J, B, D)."""
        ctx.save_for_backward(couplings, weight, poses)
        return weighted_votes(couplings, weight, poses)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        """From dL/ds_j (J, B, D): dL/dW_ij = c_ij dL/ds_j u_i^T and dL/du_i = sum_j c_ij W_ij^T dL/ds_j."""
        couplings, weight, poses = ctx.saved_tensors
        weight_gradient, poses_gradient = torch.empty_like(weight), torch.zeros_like(poses)
        for classes in _groups(len(weight), poses):
            weighted = _weighted(couplings[classes], poses).flatten(2)  # (G, B, P*I)
            weight_gradient[classes] = torch.bmm(weighted.transpose(1, 2), gradient[classes])  # (G, P*I, D)
            seen = _back_projected(gradient[classes], weight[classes], poses)  # (G, B, P, I)
            poses_gradient += seen.mul_(couplings[classes].unsqueeze(2)).sum(dim=0)
        return None, weight_gradient, poses_gradient


def route(
    weight: Tensor,
    poses: Tensor,
    bias: Tensor,
    iterations: int = 3,
    change: Callable[[Tensor], Tensor] | None = None,
    differentiable: bool = False,
) -> tuple[Tensor, Tensor]:
    """Dynamic routing: Eq. 1 to 5, iterated.

    Gradients flow through the last iteration only, with its couplings as constants: the paper's
    protocol detaches the votes from all iterations before.

    >>> weight, poses, bias = torch.randn(4, 3, 16, 8), torch.randn(2, 4, 8), torch.zeros(3, 16)
    >>> class_poses, couplings = rem.route(weight, poses, bias, iterations=3)
    >>> class_poses.shape, couplings.shape
    (torch.Size([2, 3, 16]), torch.Size([2, 3, 4]))

    From Sabour et al. (2017), https://arxiv.org/abs/1710.09829.

    Args:
        weight: (I, J, D, P), the transformation matrices W_ij.
        poses: (B, I, P), the primary capsules u_i.
        bias: (J, D), the trainable routing bias, added to s_j in every iteration.
        iterations: t.
        change: what is done to the couplings (B, J, I) of the last iteration before they weigh the votes: a quantizer
            (Eq. 7), a temperature, an intervention; None leaves them.
        differentiable: whether the couplings that are returned carry a gradient, for a loss of theirs: that of their
            logits, with the class capsules of the iterations before as constants. The class capsules have none of it.

    Returns:
        The class capsules v (B, J, D), and the couplings c (B, J, I) of the last iteration
        before any `change`.

    Raises:
        RemError: t is below 1.
    """
    require_iterations(iterations)
    weight = weight.permute(1, 3, 0, 2).flatten(1, 2)  # (J, P*I, D)
    poses = poses.transpose(1, 2).contiguous()  # (B, P, I)
    bias = bias.unsqueeze(1)  # (J, 1, D)
    with torch.no_grad():
        logits = poses.new_zeros(len(weight), poses.shape[0], poses.shape[2])  # (J, B, I)
        seen = poses.new_zeros(len(weight), poses.shape[0], weight.shape[2])  # (J, B, D), the sum of all v_j so far
        for _ in range(iterations - 1):
            s = weighted_votes(coupling(logits), weight, poses)  # (J, B, D)
            class_poses = squash(s + bias)
            logits += agreement(weight, poses, class_poses)  # Eq. 5
            seen += class_poses
        couplings = coupling(logits)
    used = couplings if change is None else change(couplings.transpose(0, 1)).transpose(0, 1)
    weigh = WeightedVotes.apply if torch.is_grad_enabled() else weighted_votes  # the former is in no exported graph
    s = weigh(used, weight, poses)
    if differentiable:  # the agreement is linear in v_j, so that one with their sum is all logits
        couplings = coupling((_back_projected(seen, weight, poses) * poses).sum(dim=2))
    return squash(s + bias).transpose(0, 1), couplings.transpose(0, 1)


def route_living(
    weight: Tensor,
    poses: Tensor,
    bias: Tensor,
    iterations: int,
    change: Callable[[Tensor], Tensor] | None,
    differentiable: bool,
    living: Tensor,
    elsewhere: float,
) -> tuple[Tensor, Tensor]:
    """What `route` returns, by routing the capsules `living` (L,) alone, where every W_ij of the others is zero.

    Those vote 0 whatever they see, and have the couplings `elsewhere`: 1/J, since their logits stay 0, or 0, where they
    are out of the routing. The other arguments are as of `route`.
    """

    def spread(couplings: Tensor) -> Tensor:
        """(B, J, L) to (B, J, I)."""
        every = couplings.new_full((*couplings.shape[:2], len(weight)), elsewhere)
        return every.index_copy(2, living, couplings)

    changed = None if change is None else lambda couplings: change(spread(couplings))[:, :, living]
    class_poses, couplings = route(weight[living], poses[:, living], bias, iterations, changed, differentiable)
    return class_poses, spread(couplings)

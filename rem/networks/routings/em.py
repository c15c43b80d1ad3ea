"""EM routing (Hinton et al., 2018), of vectors: class capsules are the Gaussians that the votes are clustered into.

G. E. Hinton, S. Sabour, N. Frosst: Matrix capsules with EM routing, ICLR 2018,
https://openreview.net/forum?id=HJWLfGWRb. There a pose is a 4x4 matrix that is multiplied by one; here it is a vector
that is multiplied by W_ij, as in all networks of this project. Clustering reads a pose as a vector there too. And there
a cost goes with the sum of what a class is given; here with its share, for of hundreds of capsules that sum saturates
every activation, and nothing is learned.
"""

import torch
from torch import Tensor

from rem.networks.network import Change, Routed, Routing
from rem.networks.routing import shares, votes
from rem.networks.routings.dynamic import drawn_matrices

EPSILON = 1e-6  # added to variances, and the least that is divided by


def parameters(capsules: int, classes: int, dimensions: int, inputs: int) -> dict[str, Tensor]:
    """W_ij (I, J, D, P), drawn, and beta_u and beta_a (J,), at first 0."""
    weight = drawn_matrices(capsules, classes, dimensions, inputs)
    return {"weight": weight, "routing_beta_u": torch.zeros(classes), "routing_beta_a": torch.zeros(classes)}


def maximized(
    given: Tensor, seen: Tensor, beta_u: Tensor, beta_a: Tensor, inverse: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The M-step: the Gaussian of each class, and how active it is.

    mu_j = sum_i r_ij u_{j|i} / sum_i r_ij, sigma_j^2 the same of (u_{j|i} - mu_j)^2, and a_j of `activation`.

    Args:
        given: (B, J, I), r_ij = c_ij a_i.
        seen: (B, J, I, D), the votes.
        beta_u, beta_a: (J,).
        inverse: lambda.

    Returns:
        mu (B, J, D), sigma^2 (B, J, D) and a (B, J).
    """
    total = given.sum(dim=2, keepdim=True)  # (B, J, 1)
    weights = (given / total.clamp_min(EPSILON)).unsqueeze(3)  # (B, J, I, 1)
    mean = (weights * seen).sum(dim=2, keepdim=True)  # (B, J, 1, D)
    variance = (weights * (seen - mean).square()).sum(dim=2, keepdim=True) + EPSILON
    active = activation(total, variance, beta_u, beta_a, inverse)  # (B, J, 1)
    return mean.squeeze(2), variance.squeeze(2), active.squeeze(2)


def activation(total: Tensor, variance: Tensor, beta_u: Tensor, beta_a: Tensor, inverse: float) -> Tensor:
    """a_j = sigmoid(lambda (beta_a - sum_d (beta_u + log sigma_jd) sum_i r_ij / sum_ik r_ik)).

    Args:
        total: (B, J, L), sum_i r_ij of L kinds of couplings.
        variance: (B, J, L, D), sigma^2.
        beta_u, beta_a: (J,).
        inverse: lambda.

    Returns:
        (B, J, L).
    """
    share = total / total.sum(dim=1, keepdim=True).clamp_min(EPSILON)  # (B, J, L)
    cost = ((beta_u[:, None, None] + 0.5 * variance.log()) * share.unsqueeze(3)).sum(dim=3)  # (B, J, L)
    return (inverse * (beta_a.unsqueeze(1) - cost)).sigmoid()


def expected(seen: Tensor, mean: Tensor, variance: Tensor, active: Tensor) -> Tensor:
    """The E-step: c_ij = a_j N(u_{j|i}; mu_j, sigma_j^2) / sum_k the same, (B, J, I)."""
    mean, variance = mean.unsqueeze(2), variance.unsqueeze(2)  # (B, J, 1, D)
    density = -0.5 * ((seen - mean).square() / variance + variance.log()).sum(dim=3)  # (B, J, I), but for 2 pi
    return shares(density + active.clamp_min(torch.finfo(active.dtype).tiny).log().unsqueeze(2))


def route(
    poses: Tensor,
    iterations: int,
    change: Change | None,
    weight: Tensor,
    routing_beta_u: Tensor,
    routing_beta_a: Tensor,
) -> Routed:
    """Activations a_j (B, J) as lengths, poses mu_j (B, J, D) and couplings (B, J, I) of primary capsules (B, I, P).

    c_ij = 1/J at first; then M-step and E-step in turn, an M-step last, with lambda = 1 - 0.95^t in iteration t.
    A primary capsule is as active as it is long. Couplings sum to 1 over the classes; gradients flow through all
    iterations.
    """
    seen = votes(weight, poses)  # (B, J, I, D)
    present = torch.linalg.vector_norm(poses, dim=2).unsqueeze(1)  # (B, 1, I)
    couplings = torch.full_like(seen[..., 0], 1 / seen.shape[1])  # (B, J, I)
    for t in range(1, iterations):
        found = maximized(couplings * present, seen, routing_beta_u, routing_beta_a, 1 - 0.95**t)
        couplings = expected(seen, *found)
    used = couplings if change is None else change(couplings)
    mean, _, active = maximized(used * present, seen, routing_beta_u, routing_beta_a, 1 - 0.95**iterations)
    return active, mean, couplings


def terms(poses: Tensor, weight: Tensor, routing_beta_u: Tensor, routing_beta_a: Tensor) -> Tensor:
    """What the moments of the Gaussians are sums of, a_i times 1, u_{j|i} and u_{j|i}^2: (B, J, I, 1 + 2D), in float64.

    There a small variance is left where a square is taken from the mean of the squares.
    """
    seen = votes(weight, poses).double()  # (B, J, I, D)
    present = torch.linalg.vector_norm(poses, dim=2)[:, None, :, None].double()  # (B, 1, I, 1)
    return torch.cat([torch.ones_like(seen[..., :1]), seen, seen.square()], dim=3) * present


def of_sums(
    sums: Tensor, poses: Tensor, iterations: int, weight: Tensor, routing_beta_u: Tensor, routing_beta_a: Tensor
) -> tuple[Tensor, Tensor]:
    """a_j and mu_j of the sums (B, J, L, 1 + 2D) that a last M-step goes by."""
    total = sums[..., :1]  # (B, J, L, 1)
    mean, square = (sums[..., 1:] / total.clamp_min(EPSILON)).chunk(2, dim=3)  # (B, J, L, D) each
    variance = (square - mean.square()).clamp_min(0) + EPSILON
    active = activation(total.squeeze(3), variance, routing_beta_u, routing_beta_a, 1 - 0.95**iterations)
    return active.to(poses.dtype), mean.to(poses.dtype)


ROUTING = Routing(parameters, route, terms, of_sums, iterates=True)

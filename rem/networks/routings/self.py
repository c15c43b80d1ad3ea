"""Self-routing (Hahn et al., 2019): each capsule decides by itself, from its pose, without any agreement.

T. Hahn, M. Pyeon, G. Kim: Self-Routing Capsule Networks, NeurIPS 2019,
https://papers.nips.cc/paper/2019/hash/e46bc064f8e92ac2c404b9871b2a4ef2-Abstract.html. As in their last layer there are
no votes: what is trained for a connection is one row W_ij, that tells the coupling.
"""

import torch
from torch import Tensor

from rem.networks.network import Change, Routed, Routing
from rem.networks.routing import shares
from rem.networks.routings.dynamic import drawn_matrices

EPSILON = 1e-12  # the least that is divided by


def parameters(capsules: int, classes: int, dimensions: int, inputs: int) -> dict[str, Tensor]:
    """W_ij (I, J, 1, P), drawn (theirs begin as 0), and the bias b_ij (I, J), at first 0."""
    weight = drawn_matrices(capsules, classes, 1, inputs)
    return {"weight": weight, "routing_bias": torch.zeros(capsules, classes)}


def route(poses: Tensor, iterations: int, change: Change | None, weight: Tensor, routing_bias: Tensor) -> Routed:
    """Activations (B, J) as lengths, poses (B, J, P) and couplings (B, J, I) of primary capsules (B, I, P).

    c_i = softmax_j(W_ij u_i + b_ij); a_j = sum_i c_ij a_i / sum_i a_i, where a_i = |u_i|, so that the a_j sum to 1; and
    v_j = sum_i c_ij a_i u_i / sum_i c_ij a_i, for a layer without votes has no poses of its own. Couplings sum to 1
    over the classes and carry their gradient, the only way by which W_ij is trained. There are no iterations.
    """
    logits = torch.einsum("ijp,bip->bji", weight.squeeze(2), poses) + routing_bias.t()  # (B, J, I)
    couplings = shares(logits)
    used = couplings if change is None else change(couplings)
    present = torch.linalg.vector_norm(poses, dim=2)  # (B, I)
    given = used * present.unsqueeze(1)  # (B, J, I)
    total = given.sum(dim=2)  # (B, J)
    lengths = total / present.sum(dim=1, keepdim=True).clamp_min(EPSILON)
    return lengths, given @ poses / total.clamp_min(EPSILON).unsqueeze(2), couplings


def terms(poses: Tensor, weight: Tensor, routing_bias: Tensor) -> Tensor:
    """a_i and, behind it, a_i u_i, the same for every class: (B, J, I, 1 + P)."""
    present = torch.linalg.vector_norm(poses, dim=2, keepdim=True)  # (B, I, 1)
    given = torch.cat([present, present * poses], dim=2)  # (B, I, 1 + P)
    return given.unsqueeze(1).expand(-1, weight.shape[1], -1, -1)


def of_sums(
    sums: Tensor, poses: Tensor, iterations: int, weight: Tensor, routing_bias: Tensor
) -> tuple[Tensor, Tensor]:
    """a_j and v_j of sums (B, J, L, 1 + P)."""
    present = torch.linalg.vector_norm(poses, dim=2).sum(dim=1)  # (B,)
    total = sums[..., :1]  # (B, J, L, 1)
    lengths = total.squeeze(3) / present.clamp_min(EPSILON)[:, None, None]
    return lengths, sums[..., 1:] / total.clamp_min(EPSILON)


ROUTING = Routing(parameters, route, terms, of_sums)

"""Routing over the connections that are there, from primary capsules i to classes j: the work goes with their number.

Those of each class are gathered beside each other. As many places are held for every class as the one with most needs,
n; a place left over has a vote of 0, and nobody reads its coupling. The batch comes last, (J, n, B), so that to gather
is to copy rows.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rem.networks.routing import route, route_living, squash


class Gathered:
    """Where each connection lies, when those of a class lie together.

    Args:
        connections: (I, J), whether capsule i is connected to class j; at least one is.

    Attributes:
        capsule: (J, n), the capsule i of each place.
        there: (J, n), whether the place holds a connection.
    """

    def __init__(self, connections: Tensor) -> None:
        capsules, classes = connections.shape
        of_class, of_capsule = int(connections.sum(dim=0).amax()), int(connections.sum(dim=1).amax())  # n, m
        label, capsule = connections.t().nonzero(as_tuple=True)  # (E,) each
        place = label * of_class + _rank(label)  # (E,), among the J*n
        slot = _rank(capsule) * capsules + capsule  # (E,), among the m*I
        self.shape = capsules, classes
        self.edge = label * capsules + capsule  # (E,), among the J*I
        self.place = place
        self.capsule = capsule.new_zeros(classes * of_class).index_copy_(0, place, capsule)
        self.capsule = self.capsule.view(classes, -1)
        self.there = torch.zeros_like(self.capsule, dtype=torch.bool)
        self.there.view(-1)[place] = True
        # For the softmax, those of a capsule beneath each other: m of them at most.
        self.place_of_slot = capsule.new_zeros(of_capsule * capsules).index_copy_(0, slot, place)
        self.empty = torch.ones_like(self.place_of_slot, dtype=torch.bool).index_fill_(0, slot, False)
        self.slot_of_place = slot.new_full((self.capsule.numel(),), int(slot[0])).index_copy_(0, place, slot)

    def weight(self, weight: Tensor) -> Tensor:
        """W_ij (I, J, D, P) of the connections: (J, n*P, D), 0 where a place holds none."""
        label = torch.arange(len(self.capsule), device=weight.device).unsqueeze(1)  # (J, 1)
        own = weight[self.capsule, label] * self.there[:, :, None, None]  # (J, n, D, P)
        return own.transpose(2, 3).flatten(1, 2)

    def poses(self, poses: Tensor) -> Tensor:
        """u_i (B, I, P) of each place: (J, n, P, B)."""
        rows = poses.permute(1, 2, 0).contiguous()  # (I, P, B)
        return rows.index_select(0, self.capsule.view(-1)).view(*self.capsule.shape, *rows.shape[1:])

    def coupling(self, logits: Tensor) -> Tensor:
        """c_ij = m_ij exp(b_ij) / sum_k m_ik exp(b_ik), Eq. 4 over a capsule's connections: (J, n, B) to (J, n, B)."""
        slots = logits.flatten(0, 1).index_select(0, self.place_of_slot)  # (m*I, B)
        slots = slots.masked_fill_(self.empty.unsqueeze(1), -torch.inf).view(-1, self.shape[0], slots.shape[1])
        couplings = slots.softmax(dim=0).flatten(0, 1)  # (m*I, B), NaN where a capsule has no connection
        return couplings.index_select(0, self.slot_of_place).view(logits.shape)

    def spread(self, couplings: Tensor) -> Tensor:
        """All couplings, 0 where there is no connection: (J, n, B) to (B, J, I)."""
        capsules, classes = self.shape
        every = couplings.new_zeros(classes * capsules, couplings.shape[2])
        every.index_copy_(0, self.edge, couplings.flatten(0, 1).index_select(0, self.place))
        return every.view(classes, capsules, -1).permute(2, 0, 1)

    def gather(self, couplings: Tensor) -> Tensor:
        """The couplings of each place, of all: (B, J, I) to (J, n, B)."""
        label = torch.arange(len(self.capsule), device=couplings.device).unsqueeze(1)  # (J, 1)
        return couplings.permute(1, 2, 0)[label, self.capsule]


def strongest(score: Tensor, kept: Tensor, count: int, keep_one: bool) -> Tensor:
    """The `count` connections of highest score among those that are kept, as a mask (I, J).

    Args:
        score: (I, J), of every connection.
        kept: (I, J), those to choose from.
        count: at least as many as capsules have connections, where each keeps one.
        keep_one: whether every capsule's best comes before all others.
    """
    score = score.masked_fill(~kept, -torch.inf)
    if keep_one:
        score = score.masked_fill(best(score, kept), torch.inf)
    chosen = torch.zeros_like(kept)
    chosen.view(-1)[score.flatten().topk(count).indices] = True
    return chosen & kept


def best(score: Tensor, kept: Tensor) -> Tensor:
    """Of each capsule the connection of highest score, (I, J), where it has any."""
    among = score.where(kept, -torch.inf)
    return torch.zeros_like(kept).scatter_(1, among.argmax(dim=1, keepdim=True), True) & kept


def draw(capsules: int, classes: int, count: int, keep_one: bool, generator: torch.Generator) -> Tensor:
    """So many connections drawn by lot, (I, J); the other arguments as of `strongest`."""
    lot = torch.rand(capsules, classes, generator=generator)
    return strongest(lot, torch.ones(capsules, classes, dtype=torch.bool), count, keep_one)


def _rank(group: Tensor) -> Tensor:
    """The place of each entry among those of its group, in their order: (E,) to (E,)."""
    order = group.argsort(stable=True)
    sizes = group.bincount()
    starts = (sizes.cumsum(0) - sizes)[group[order]]
    return torch.empty_like(group).index_copy_(0, order, torch.arange(len(group), device=group.device) - starts)


def route_connected(
    weight: Tensor,
    poses: Tensor,
    bias: Tensor,
    iterations: int,
    change: Callable[[Tensor], Tensor] | None,
    connections: Tensor,
) -> tuple[Tensor, Tensor]:
    """Dynamic routing, as `rem.networks.routing.route` has it, over some connections alone.

    What is not connected has a coupling of exactly 0. (Eq. 15 of the paper leaves it exp(0) / sum_k exp(b_ik), since a
    W_ij of zeros gives a logit of 0.) A capsule with one connection has a coupling of 1 there.

    Args:
        weight: (I, J, D, P), the transformation matrices W_ij.
        poses: (B, I, P), the primary capsules u_i.
        bias: (J, D), the routing bias.
        iterations: t.
        change: what is done to the couplings (B, J, I) of the last iteration, or None.
        connections: (I, J), whether capsule i is connected to class j; at least one is. With all of them this is
            `route`, bit for bit.

    Returns:
        The class capsules v (B, J, D), and the couplings c (B, J, I) of the last iteration before any `change`.
    """
    if connections.all():
        return route(weight, poses, bias, iterations, change)
    living = connections.any(dim=1)  # (I,)
    if connections[living].all():  # whole capsules are gone, and nothing else
        return route_living(weight, poses, bias, iterations, change, False, living.nonzero().squeeze(1), 0.0)
    layout = Gathered(connections)
    return route_gathered(layout, layout.weight(weight), poses, bias, iterations, change)


def route_gathered(
    layout: Gathered,
    weight: Tensor,
    poses: Tensor,
    bias: Tensor,
    iterations: int,
    change: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """What `route_connected` returns, where the connections have their places already.

    Args:
        layout: their places.
        weight: (J, n*P, D), as `layout` has it.
        poses: (B, I, P), as of `route_connected`.
        bias: of that too.
        iterations: t.
        change: of that too.
    """
    poses = layout.poses(poses)  # (J, n, P, B)
    bias = bias.unsqueeze(2)  # (J, D, 1)

    def class_poses(couplings: Tensor) -> Tensor:
        s = weight.transpose(1, 2).bmm((couplings.unsqueeze(2) * poses).flatten(1, 2))  # Eq. 2, (J, D, B)
        return squash((s + bias).transpose(1, 2))  # (J, B, D)

    with torch.no_grad():
        logits = poses.new_zeros(*poses.shape[:2], poses.shape[3])  # (J, n, B)
        for _ in range(iterations - 1):
            seen = weight.bmm(class_poses(layout.coupling(logits)).transpose(1, 2))  # W_ij^T v_j, (J, n*P, B)
            logits += seen.view(poses.shape).mul_(poses).sum(dim=2)  # Eq. 5
        couplings = layout.coupling(logits)
        every = layout.spread(couplings)  # (B, J, I)
        used = couplings if change is None else layout.gather(change(every))
    return class_poses(used).transpose(0, 1), every

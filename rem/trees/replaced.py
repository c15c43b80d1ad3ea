"""What a network makes of other couplings in place of its own, in the last iteration of its routing."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rem.networks.network import Network
from rem.trees.quantizer import fraction, quantize

IMAGES_AT_ONCE = 16  # whose votes are held


def lengths_at_levels(model: Network, primary: Tensor, levels: Tensor, cells: bool) -> tuple[Tensor, Tensor]:
    """The couplings, and the lengths with them quantized at many K (Eq. 7).

    Args:
        model: the network.
        primary: of its `primary_capsules`, for B images.
        levels: (L,), the K.
        cells: whether the quantizer has cells.

    Returns:
        The couplings (B, J, I), and the lengths (L + 1, B, J) at each K and, last, unquantized.
    """
    lengths, poses, couplings = model.route(primary)
    if not _has_votes(model, primary):
        at_levels = [model.route(primary, change=lambda own, k=k: quantize(own, k, cells))[0] for k in levels.tolist()]
        return couplings, torch.stack([*at_levels, lengths])
    at_levels = [
        quantized_poses(own, model.votes(one), model.class_poses, levels, cells)
        for own, one in zip(couplings.split(IMAGES_AT_ONCE), primary.split(IMAGES_AT_ONCE), strict=True)
    ]
    return couplings, torch.cat([torch.cat(at_levels, dim=1), poses.unsqueeze(0)]).norm(dim=-1)


def quantized_poses(
    couplings: Tensor, votes: Tensor, class_poses: Callable[[Tensor], Tensor], levels: Tensor, cells: bool = False
) -> Tensor:
    """The class capsules v_j with the couplings of the last iteration quantized at many K (Eq. 7, 2, 3) at once.

    Here the votes are held, for they serve all K. Images go one at a time, so that an image's indices at all K stay in
    a core's cache; the numerators of the centres weigh the votes, and the sum is divided by what they share, for s_j is
    linear in the couplings.

    Args:
        couplings: (B, J, I), of `route`.
        votes: (B, J, I, D), of `votes`.
        class_poses: what makes v_j of sums of votes (B, J, L, D).
        levels: (L,), the K.
        cells: whether the quantizer has cells.

    Returns:
        (L, B, J, D).
    """
    levels = levels.view(-1, 1)  # (L, 1)
    s = []
    for own, seen in zip(couplings, votes, strict=True):
        numerators, denominators = fraction(own.unsqueeze(1), levels, cells)  # (J, L, I), (L, 1)
        s.append(torch.bmm(numerators, seen) / denominators)  # (J, L, I) @ (J, I, D) -> (J, L, D)
    return class_poses(torch.stack(s)).movedim(2, 0)  # (B, J, L, D) -> (L, B, J, D)


def with_couplings(model: Network, primary: Tensor, changed: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The lengths (L, B, J) and poses (L, B, J, D) under L kinds of couplings (B, J, I) each in place of its own.

    Few images' votes are held at a time, for they serve all kinds.
    """
    if not _has_votes(model, primary):
        lengths, poses, _ = zip(*[model.route(primary, change=lambda _, one=one: one) for one in changed], strict=True)
        return torch.stack(lengths), torch.stack(poses)
    made = []
    for start in range(0, len(primary), IMAGES_AT_ONCE):
        rows = slice(start, start + IMAGES_AT_ONCE)
        own = torch.stack([one[rows] for one in changed], dim=2)  # (b, J, L, I)
        made.append(model.class_poses(own @ model.votes(primary[rows])))  # (b, J, L, D)
    poses = torch.cat(made).movedim(2, 0)
    return poses.norm(dim=-1), poses


def _has_votes(model: Network, primary: Tensor) -> bool:
    return model.votes(primary[:1]) is not None

"""What a network makes of other couplings in place of its own, in the last iteration of its routing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rem.networks.network import Network
from rem.trees.quantizer import fraction, quantize

IMAGES_AT_ONCE = 16  # whose terms are held


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
    lengths, _, couplings = model.route(primary)
    if model.terms(primary[:1]) is None:
        at_levels = [model.route(primary, change=lambda own, k=k: quantize(own, k, cells))[0] for k in levels.tolist()]
        return couplings, torch.stack([*at_levels, lengths])
    at_levels = []
    for own, some in zip(couplings.split(IMAGES_AT_ONCE), primary.split(IMAGES_AT_ONCE), strict=True):
        sums = sums_at_levels(own, model.terms(some), levels, cells)  # (b, J, L, S)
        at_levels.append(model.of_sums(sums, some)[0].movedim(2, 0))  # (L, b, J)
    return couplings, torch.cat([torch.cat(at_levels, dim=1), lengths.unsqueeze(0)])


def sums_at_levels(couplings: Tensor, terms: Tensor, levels: Tensor, cells: bool = False) -> Tensor:
    """sum_i q_K(c_ij) terms_ij, with the couplings of the last iteration quantized at many K (Eq. 7, 2) at once.

    Here the terms are held, for they serve all K. Images go one at a time, so that an image's indices at all K stay in
    a core's cache; the numerators of the centres weigh the terms, and the sum is divided by what they share.

    Args:
        couplings: (B, J, I), of `Network.route`.
        terms: (B, J, I, S), of `Network.terms`.
        levels: (L,), the K.
        cells: whether the quantizer has cells.

    Returns:
        (B, J, L, S).
    """
    levels = levels.view(-1, 1)  # (L, 1)
    sums = []
    for own, weighed in zip(couplings, terms, strict=True):
        numerators, denominators = fraction(own.unsqueeze(1), levels, cells)  # (J, L, I), (L, 1)
        sums.append(torch.bmm(numerators.to(weighed.dtype), weighed) / denominators)  # (J, L, I) @ (J, I, S)
    return torch.stack(sums)


def with_couplings(model: Network, primary: Tensor, changed: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The lengths (L, B, J) and poses (L, B, J, D) under L kinds of couplings (B, J, I) each in place of its own.

    Few images' terms are held at a time, for they serve all kinds.
    """
    if model.terms(primary[:1]) is None:
        lengths, poses, _ = zip(*[model.route(primary, change=lambda _, one=one: one) for one in changed], strict=True)
        return torch.stack(lengths), torch.stack(poses)
    lengths, poses = [], []
    for start in range(0, len(primary), IMAGES_AT_ONCE):
        rows = slice(start, start + IMAGES_AT_ONCE)
        terms = model.terms(primary[rows])  # (b, J, I, S)
        own = torch.stack([one[rows] for one in changed], dim=2).to(terms.dtype)  # (b, J, L, I)
        found = model.of_sums(own @ terms, primary[rows])  # (b, J, L), (b, J, L, D)
        lengths.append(found[0])
        poses.append(found[1])
    return torch.cat(lengths).movedim(2, 0), torch.cat(poses).movedim(2, 0)

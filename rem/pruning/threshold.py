"""How far to prune after an epoch (section 3.3): the search for the threshold of magnitudes, or of connections."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from rem.errors import RemError
from rem.networks.capsnet import CapsNet
from rem.networks.connections import best
from rem.pruning.masks import Masks, count_zeros

STRIDE = 16  # a threshold is first searched on every 16th validation batch
SHARE = 1 / 128  # of the weights, to which that search is exact


def threshold_for_sparsity(masks: Masks, sparsity: float) -> float:
    """The threshold of magnitude pruning: below it lie as many weights as make up a sparsity.

    Args:
        masks: of the network to prune.
        sparsity: zeros / parameters of all prunable layers, as a fraction.

    Returns:
        T, 0 where the network is that sparse already, infinity where every weight that may be pruned must go.
    """
    zeros, parameters = count_zeros(masks.model)
    magnitudes = masks.magnitudes()
    magnitudes = magnitudes[magnitudes > 0]
    more = round(sparsity * parameters) - zeros
    if more <= 0:
        return 0.0
    return float(magnitudes.kthvalue(more + 1).values) if more < len(magnitudes) else math.inf


def crossing_threshold(magnitudes: Tensor, excess: Callable[[float, int], float], resolution: float = 0.0) -> float:
    """The largest T such that zeroing the magnitudes below T keeps the loss within its bound, where there is one.

    Searches on the number of distinct magnitudes pruned, first on a few of the validation batches, then from where that
    ended on all of them, which alone decide. Where the loss grows with the number of pruned weights the answer is exact
    to the resolution; elsewhere it is a T at which the loss crosses the bound, to the resolution.

    Args:
        magnitudes: (n,), of the weights that may be pruned.
        excess: (T, stride) -> by how much the loss of every stride-th batch exceeds its bound with all magnitudes below
            T zeroed, a mean over those batches.
        resolution: the share of the distinct magnitudes to which the search is exact; 0: to one.

    Returns:
        T, one of the magnitudes, or infinity where every weight can go and the resolution is one weight.
    """
    candidates = torch.cat([magnitudes.unique(), magnitudes.new_tensor([math.inf])])  # ascending; the first prunes none
    end = len(candidates)
    fine, coarse = (max(1, int(share * end)) for share in (resolution, max(resolution, SHARE)))
    start, slope = _crossing(lambda place: excess(float(candidates[place]), STRIDE), end, coarse, end / 2)
    place, _ = _crossing(lambda place: excess(float(candidates[place]), 1), end, fine, start + coarse / 2, slope)
    return float(candidates[place])


def _crossing(
    excess: Callable[[int], float], end: int, tolerance: int, place: float, slope: float | None = None
) -> tuple[int, float | None]:
    """Where the excess crosses 0, by regula falsi in its Illinois variant.

    Until there is a place on either side, steps along the slope, twice as far each time, or halves what is left. From
    the fifth probe on every second one halves it too, so that a loss that wavers or bends cannot hold it up.

    Args:
        excess: at a place; 0 has none and `end` has some, unasked.
        end: the number of places.
        tolerance: the most by which the place found may lie below one with an excess.
        place: the first to try.
        slope: of the excess, about there.

    Returns:
        The place, without excess, and the slope about it, if known.
    """
    low, high, below, above = 0, end, math.nan, math.nan  # below and above: the excess at low and at high
    held_before, probes, step = None, 0, tolerance
    while high - low > tolerance:
        place = min(max(round(place), low + tolerance), high - tolerance)
        value, probes = excess(place), probes + 1
        held = value <= 0
        if held:
            low, below = place, value
            above /= 2 if held_before else 1  # Illinois: an end that stays counts half
        else:
            high, above = place, value
            below /= 2 if held_before is False else 1
        held_before = held
        bracketed = math.isfinite(above - below)
        if bracketed:
            slope = (above - below) / (high - low)
        if bracketed and (probes <= 3 or probes % 2):
            place = low - below / slope
        elif slope and not bracketed and math.isfinite(value):
            step = max(2 * step, abs(value) / slope)
            place += step if held else -step
        else:
            place = (low + high) / 2
    return low, slope


@torch.no_grad()
def search_threshold(masks: Masks, losses: Callable[[int], Iterable[Tensor]], resolution: float = 0.0) -> float:
    """Find an epoch's threshold: pruning below it keeps the validation loss within the loss before pruning.

    The next candidate, to the resolution, would exceed that loss. The weights are left as they were. A probe stops as
    soon as its partial sum of losses, none of which is negative, exceeds the bound.

    >>> network = rem.CapsNet(convolution_channels=8, primary_types=1)
    >>> masks, validation = rem.Masks(network), [(torch.rand(8, 1, 28, 28), torch.arange(8))]
    >>> def losses(stride):
    ...     return (rem.margin_loss(network(images)[0], labels)[None] for images, labels in validation[::stride])
    >>> masks.prune(rem.search_threshold(masks, losses))

    From Renzulli et al. (2022), section 3.3, https://arxiv.org/abs/2204.01298.

    Args:
        masks: of the network to prune.
        losses: evaluates the network as it stands on every stride-th batch of the validation split, each call on the
            same batches in the same order: yields the losses of the images of a batch, (B,).
        resolution: of `crossing_threshold`.

    Returns:
        T of `crossing_threshold` for the sum of those losses, the unpruned sum being the bound.

    Raises:
        RemError: `losses` yields no batch, or another number of them in a later call.
    """
    weights = masks.weights
    saved = {name: weight.clone() for name, weight in weights.items()}

    def zero_below(threshold: float) -> None:
        for name, weight in weights.items():
            weight.copy_(saved[name] * (saved[name].abs() >= threshold))

    try:
        return _harmless(masks.magnitudes(), zero_below, losses, resolution)
    finally:
        zero_below(0.0)


@torch.no_grad()
def search_connections(
    model: CapsNet,
    score: Tensor,
    there: Tensor,
    losses: Callable[[int], Iterable[Tensor]],
    keep_one: bool,
    resolution: float = 0.0,
) -> Tensor:
    """Find which connections an epoch leaves: to remove the others keeps the validation loss where it was.

    Those of lowest score go, as many as `search_threshold` finds for weights, but never the strongest of all, for a
    network routes over at least one. The network is left as it was.

    Args:
        model: the network.
        score: (I, J), 0 or more, of every connection.
        there: (I, J), which connections there are; one at least.
        losses: of `search_threshold`.
        keep_one: whether every capsule keeps its best one.
        resolution: of `crossing_threshold`.

    Returns:
        (I, J), those that are left.
    """
    removable = there & ~(best(score, there) if keep_one else score == score[there].max())
    saved = model.weight.clone()

    def left(threshold: float) -> Tensor:
        return there & (~removable | (score >= threshold))

    def keep(threshold: float) -> None:
        model.weight.copy_(saved)
        model.keep(left(threshold))

    try:
        return left(_harmless(score[removable], keep, losses, resolution))
    finally:
        keep(0.0)


def _harmless(
    magnitudes: Tensor,
    remove_below: Callable[[float], None],
    losses: Callable[[int], Iterable[Tensor]],
    resolution: float,
) -> float:
    """The T of `crossing_threshold` for the sum of `losses` once what lies below T is removed, as 0 removes nothing."""
    whole = [float(batch.double().sum()) for batch in losses(1)]
    if not whole:
        raise RemError("losses yields no batch; a threshold is searched on one at least.")

    def excess(threshold: float, stride: int) -> float:
        remove_below(threshold)
        before, pruned = whole[::stride], 0.0
        bound, done = sum(before), 0
        for done, batch in enumerate(losses(stride), start=1):
            pruned += float(batch.double().sum())
            if pruned > bound:
                return (pruned - sum(before[:done])) / done
        if done != len(before):
            raise RemError(
                f"losses yields {done} batches in place of {len(before)}; every call must yield the same batches anew."
            )
        return (pruned - bound) / len(before)

    return crossing_threshold(magnitudes, excess, resolution)

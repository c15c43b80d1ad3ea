"""LOBSTER: loss-based sensitivity regularization and the threshold that prunes (Eq. 16, section 3.3).

Prunable layers are both convolutions and the class capsules. Their biases, the routing bias
included, are penalized but never set to zero by the threshold.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from rem.capsnet import CapsNet
from rem.files import RemError


@torch.no_grad()
def penalize(parameters: Iterable[nn.Parameter], penalty: float) -> None:
    """The last term of Eq. 16, in place: theta <- theta - lambda * theta * ReLU(1 - |dL/dtheta|).

    To be called between the backward pass and the optimiser's step.

    Args:
        parameters: with their gradients in `.grad`.
        penalty: lambda.

    Raises:
        RemError: a parameter has no gradient, so that its sensitivity is unknown.
    """
    for parameter in parameters:
        if parameter.grad is None:
            raise RemError("a prunable parameter has no gradient; call penalize after loss.backward().")
        parameter.sub_(penalty * parameter * torch.relu(1 - parameter.grad.abs()))


def prunable_weights(model: CapsNet) -> dict[str, nn.Parameter]:
    """The weights that the threshold may set to zero, by layer."""
    return {
        "convolution": model.convolution.weight,
        "primary": model.primary.weight,
        "class": model.weight,
    }


def prunable_parameters(model: CapsNet) -> list[nn.Parameter]:
    """All parameters of the prunable layers: the weights and every bias."""
    return [
        *prunable_weights(model).values(),
        model.convolution.bias,
        model.primary.bias,
        model.routing_bias,
    ]


class Masks:
    """Which weights of a network are pruned, and stay so.

    `kept` maps a layer's name to a boolean tensor of its weight's shape, False where pruned.
    """

    def __init__(self, model: CapsNet) -> None:
        self.model = model
        self.kept = {name: torch.ones_like(w, dtype=torch.bool) for name, w in prunable_weights(model).items()}

    @torch.no_grad()
    def apply(self) -> None:
        """Set the pruned weights to zero; to be called after every optimiser step."""
        for name, weight in prunable_weights(self.model).items():
            weight.mul_(self.kept[name])

    def prune(self, threshold: float) -> None:
        """Prune, for good, every prunable weight of magnitude below `threshold`."""
        for name, weight in prunable_weights(self.model).items():
            self.kept[name] &= weight.detach().abs() >= threshold
        self.apply()

    def magnitudes(self) -> Tensor:
        """The magnitudes of all weights that are not pruned yet, in one dimension."""
        weights = prunable_weights(self.model)
        return torch.cat([weights[name].detach()[kept].abs() for name, kept in self.kept.items()])

    def sparsity(self) -> float:
        """Zeros / parameters of the prunable layers, as a fraction."""
        return sparsity(self.model)["all"]


def sparsity(model: CapsNet) -> dict[str, float]:
    """Shares of zeros, as fractions.

    Returns:
        `all`: zeros / parameters of the prunable layers, biases included; `convolution`, `primary`,
        `class`: of each layer's weight; `class_blocks`: of W_ij blocks that are wholly zero, on
        which Eq. 15 rests.
    """
    zeros = {name: (weight == 0) for name, weight in prunable_weights(model).items()}
    parameters = prunable_parameters(model)
    share = {name: float(zero.float().mean()) for name, zero in zeros.items()}
    share["class_blocks"] = float(zeros["class"].flatten(2).all(dim=2).float().mean())
    share["all"] = sum(int((p == 0).sum()) for p in parameters) / sum(p.numel() for p in parameters)
    return share


def largest_threshold(magnitudes: Tensor, loss_below: Callable[[float, float], float], bound: float) -> float:
    """The largest T such that zeroing the magnitudes below T keeps the loss within `bound`.

    Bisects on the number of distinct magnitudes pruned, so some log2(n) losses are asked for. Where
    the loss grows with the number of pruned weights the answer is exact to one weight; elsewhere it
    is a T at which the loss crosses the bound.

    Args:
        magnitudes: (n,), of the weights that may be pruned.
        loss_below: (T, bound) -> loss with all magnitudes below T zeroed; where that exceeds the
            bound, any value above the bound will do.
        bound: loss that may not be exceeded.

    Returns:
        T, one of the magnitudes, or infinity where every weight can go.
    """
    candidates = torch.cat([magnitudes.unique(), magnitudes.new_tensor([math.inf])])  # ascending; the first prunes none
    holds, fails = 0, len(candidates)
    while fails - holds > 1:
        middle = (holds + fails) // 2
        if loss_below(float(candidates[middle]), bound) <= bound:
            holds = middle
        else:
            fails = middle
    return float(candidates[holds])


@torch.no_grad()
def search(masks: Masks, losses: Callable[[], Iterable[Tensor]]) -> float:
    """The threshold to prune with after an epoch: the largest that does not worsen the validation loss.

    Leaves the weights as they were. A probe stops as soon as its partial sum of losses, none of
    which is negative, exceeds the bound; it does so early if the first batches are the hardest.

    Args:
        masks: of the network to prune.
        losses: evaluates the network as it stands on the validation split, each call on the same
            batches in the same order: yields the losses of the images of a batch, (B,).

    Returns:
        T of `largest_threshold` for the sum of those losses, the unpruned sum being the bound.
    """
    weights = prunable_weights(masks.model)
    saved = {name: weight.clone() for name, weight in weights.items()}

    def loss_below(threshold: float, bound: float) -> float:
        for name, weight in weights.items():
            weight.copy_(saved[name] * (saved[name].abs() >= threshold))
        total = 0.0
        for batch in losses():
            total += float(batch.double().sum())
            if total > bound:
                break
        return total

    try:
        unpruned = loss_below(0.0, math.inf)
        return largest_threshold(masks.magnitudes(), loss_below, unpruned)
    finally:
        for name, weight in weights.items():
            weight.copy_(saved[name])

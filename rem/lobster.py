"""Pruning while training: LOBSTER (Eq. 16), the threshold search (section 3.3), and what they are compared with.

Prunable layers are the convolutions and the class capsules; a backbone, frozen or trained, is none.
Their biases, the routing bias included, are shrunk but never set to zero by a threshold.
"""

import math
from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor, nn

from rem.capsnet import CapsNet
from rem.files import RemError


@torch.no_grad()
def lobster(parameters: Iterable[nn.Parameter], penalty: float) -> None:
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
            raise RemError("a prunable parameter has no gradient; call lobster after loss.backward().")
        parameter.sub_(penalty * parameter * torch.relu(1 - parameter.grad.abs()))


@torch.no_grad()
def weight_decay(parameters: Iterable[nn.Parameter], penalty: float) -> None:
    """Eq. 16 without its sensitivity, in place: theta <- theta - lambda * theta, plain L2 shrinkage."""
    for parameter in parameters:
        parameter.mul_(1 - penalty)


REGULARIZERS = {"lobster": lobster, "weight-decay": weight_decay}


def prunable_layers(model: CapsNet) -> dict[str, tuple[nn.Parameter, nn.Parameter]]:
    """The weight, which a threshold may set to zero, and the bias of every prunable layer."""
    layers = {"primary": (model.primary.weight, model.primary.bias), "class": (model.weight, model.routing_bias)}
    if model.convolution is not None:
        layers = {"convolution": (model.convolution.weight, model.convolution.bias)} | layers
    return layers


class Masks:
    """Which weights of a network are pruned, and stay so.

    Args:
        model: the network.
        layers: the names of the layers that may be pruned, where the network has them.

    Attributes:
        weights: the weights of those layers, by layer.
        parameters: their weights and biases.
        kept: per layer a boolean tensor of its weight's shape, False where pruned.
    """

    def __init__(self, model: CapsNet, layers: Collection[str]) -> None:
        chosen = {name: layer for name, layer in prunable_layers(model).items() if name in layers}
        self.model = model
        self.weights = {name: weight for name, (weight, _) in chosen.items()}
        self.parameters = [parameter for layer in chosen.values() for parameter in layer]
        self.kept = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in self.weights.items()}

    @torch.no_grad()
    def apply(self) -> None:
        """Set the pruned weights to zero; to be called after every optimiser step."""
        for name, weight in self.weights.items():
            weight.mul_(self.kept[name])

    def prune(self, threshold: float) -> None:
        """Prune, for good, every weight of magnitude below `threshold`."""
        for name, weight in self.weights.items():
            self.kept[name] &= weight.detach().abs() >= threshold
        self.apply()

    def magnitudes(self) -> Tensor:
        """The magnitudes of all weights that are not pruned yet, in one dimension."""
        return torch.cat([self.weights[name].detach()[kept].abs() for name, kept in self.kept.items()])

    def sparsity(self) -> float:
        """Zeros / parameters of all prunable layers of the network, as a fraction."""
        return sparsity(self.model)["all"]


def sparsity(model: CapsNet) -> dict[str, float]:
    """Shares of zeros, as fractions.

    Returns:
        `all`: zeros / parameters of the prunable layers, biases included; `convolution`, `primary`,
        `class`: of each layer's weight; `class_blocks`: of W_ij blocks that are wholly zero, on
        which Eq. 15 rests.
    """
    layers = prunable_layers(model)
    share = {name: float((weight == 0).float().mean()) for name, (weight, _) in layers.items()}
    share["class_blocks"] = float((model.weight == 0).flatten(2).all(dim=2).float().mean())
    zeros, parameters = _count(model)
    share["all"] = zeros / parameters
    return share


def _count(model: CapsNet) -> tuple[int, int]:
    """Zeros and parameters of the prunable layers, biases included."""
    parameters = [parameter for layer in prunable_layers(model).values() for parameter in layer]
    return sum(int((p == 0).sum()) for p in parameters), sum(p.numel() for p in parameters)


def threshold_at(masks: Masks, sparsity: float) -> float:
    """The threshold of magnitude pruning: below it lie as many weights as make up a sparsity.

    Args:
        masks: of the network to prune.
        sparsity: zeros / parameters of all prunable layers, as a fraction.

    Returns:
        T, 0 where the network is that sparse already, infinity where every weight that may be pruned must go.
    """
    zeros, parameters = _count(masks.model)
    magnitudes = masks.magnitudes()
    magnitudes = magnitudes[magnitudes > 0]
    more = round(sparsity * parameters) - zeros
    if more <= 0:
        return 0.0
    return float(magnitudes.kthvalue(more + 1).values) if more < len(magnitudes) else math.inf


def largest_threshold(
    magnitudes: Tensor, loss_below: Callable[[float, float], float], bound: float, resolution: float = 0.0
) -> float:
    """The largest T such that zeroing the magnitudes below T keeps the loss within `bound`.

    Bisects on the number of distinct magnitudes pruned, so some log2(n) losses are asked for. Where
    the loss grows with the number of pruned weights the answer is exact to the resolution; elsewhere it
    is a T at which the loss crosses the bound.

    Args:
        magnitudes: (n,), of the weights that may be pruned.
        loss_below: (T, bound) -> loss with all magnitudes below T zeroed; where that exceeds the
            bound, any value above the bound will do.
        bound: loss that may not be exceeded.
        resolution: the share of the magnitudes to which the search is exact; 0: to one.

    Returns:
        T, one of the magnitudes, or infinity where every weight can go.
    """
    candidates = torch.cat([magnitudes.unique(), magnitudes.new_tensor([math.inf])])  # ascending; the first prunes none
    holds, fails = 0, len(candidates)
    while fails - holds > max(1, int(resolution * len(candidates))):
        middle = (holds + fails) // 2
        if loss_below(float(candidates[middle]), bound) <= bound:
            holds = middle
        else:
            fails = middle
    return float(candidates[holds])


@torch.no_grad()
def search(masks: Masks, losses: Callable[[], Iterable[Tensor]], resolution: float = 0.0) -> float:
    """The threshold to prune with after an epoch: the largest that does not worsen the validation loss.

    Leaves the weights as they were. A probe stops as soon as its partial sum of losses, none of
    which is negative, exceeds the bound.

    Args:
        masks: of the network to prune.
        losses: evaluates the network as it stands on the validation split, each call on the same
            batches in the same order: yields the losses of the images of a batch, (B,).
        resolution: of `largest_threshold`.

    Returns:
        T of `largest_threshold` for the sum of those losses, the unpruned sum being the bound.
    """
    weights = masks.weights
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
        return largest_threshold(masks.magnitudes(), loss_below, unpruned, resolution)
    finally:
        for name, weight in weights.items():
            weight.copy_(saved[name])

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

STRIDES = (16, 4, 1)  # the threshold is searched on every 16th validation batch, on every 4th, and on all
STEP = 1 / 1024  # share of the weights by which that search first steps aside


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
        insensitive = parameter.grad.abs().neg_().add_(1).relu_()  # ReLU(1 - |dL/dtheta|)
        parameter.addcmul_(parameter, insensitive, value=-penalty)


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


def largest_threshold(magnitudes: Tensor, holds: Callable[[float, int], bool], resolution: float = 0.0) -> float:
    """The largest T such that zeroing the magnitudes below T keeps the loss within its bound.

    Bisects on the number of distinct magnitudes pruned, first on a few of the validation batches, then from where that
    ended on more, and last on all of them, which alone decide. Where the loss grows with the number of pruned weights
    the answer is exact to the resolution; elsewhere it is a T at which the loss crosses the bound, to the resolution.

    Args:
        magnitudes: (n,), of the weights that may be pruned.
        holds: (T, stride) -> whether the loss of every stride-th batch keeps within its bound with all magnitudes
            below T zeroed.
        resolution: the share of the magnitudes to which the search is exact; 0: to one.

    Returns:
        T, one of the magnitudes, or infinity where every weight can go.
    """
    candidates = torch.cat([magnitudes.unique(), magnitudes.new_tensor([math.inf])])  # ascending; the first prunes none
    end = len(candidates)
    step = max(1, int(max(resolution, STEP) * end))

    def probe(stride: int) -> Callable[[int], bool]:
        return lambda place: holds(float(candidates[place]), stride)

    place = _crossing(probe(STRIDES[0]), 0, end, end, step)
    for stride in STRIDES[1:]:
        tolerance = max(1, int(resolution * end)) if stride == 1 else step
        place = _crossing(probe(stride), place, step, end, tolerance)
    return float(candidates[place])


def _crossing(holds: Callable[[int], bool], guess: int, step: int, end: int, tolerance: int) -> int:
    """A place that holds, at the most `tolerance` below one that does not; 0 holds and `end` does not, unasked.

    Looks from the guess outwards, twice as far each time, until it is between two places, and bisects from there.
    """
    low, high, place = 0, end, guess or step
    while low < place < high:
        if holds(place):
            low, place = place, place + step
        else:
            high, place = place, place - step
        step *= 2
    while high - low > tolerance:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


@torch.no_grad()
def search(masks: Masks, losses: Callable[[int], Iterable[Tensor]], resolution: float = 0.0) -> float:
    """The threshold to prune with after an epoch: the largest that does not worsen the validation loss.

    Leaves the weights as they were. A probe stops as soon as its partial sum of losses, none of
    which is negative, exceeds the bound.

    Args:
        masks: of the network to prune.
        losses: evaluates the network as it stands on every stride-th batch of the validation split, each call on the
            same batches in the same order: yields the losses of the images of a batch, (B,).
        resolution: of `largest_threshold`.

    Returns:
        T of `largest_threshold` for the sum of those losses, the unpruned sum being the bound.
    """
    weights = masks.weights
    saved = {name: weight.clone() for name, weight in weights.items()}
    unpruned = [float(batch.double().sum()) for batch in losses(1)]
    bounds = {stride: sum(unpruned[::stride]) for stride in STRIDES}

    def holds(threshold: float, stride: int) -> bool:
        for name, weight in weights.items():
            weight.copy_(saved[name] * (saved[name].abs() >= threshold))
        total = 0.0
        for batch in losses(stride):
            total += float(batch.double().sum())
            if total > bounds[stride]:
                return False
        return True

    try:
        return largest_threshold(masks.magnitudes(), holds, resolution)
    finally:
        for name, weight in weights.items():
            weight.copy_(saved[name])

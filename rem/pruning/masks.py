"""Which weights of a network may be pruned, which are, and how many.

Prunable layers are the convolutions and the class capsules; a backbone, frozen or trained, is none.
Their biases, the routing bias included, are shrunk but never set to zero by a threshold.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from rem.networks.capsnet import CapsNet

LAYERS = ("convolution", "primary", "class")  # all that may be pruned


def prunable_layers(model: CapsNet) -> dict[str, tuple[nn.Parameter, nn.Parameter]]:
    """The weight, which a threshold may set to zero, and the bias of every prunable layer."""
    layers = {"primary": (model.primary.weight, model.primary.bias), "class": (model.weight, model.routing_bias)}
    if model.convolution is not None:
        layers = {"convolution": (model.convolution.weight, model.convolution.bias)} | layers
    return layers


class Masks:
    """Which weights of a network are pruned, and stay so.

    >>> masks = rem.Masks(rem.CapsNet())
    >>> masks.prune(threshold=0.01)
    >>> masks.sparsity() > 0
    True

    From Renzulli et al. (2022), section 3.3, https://arxiv.org/abs/2204.01298.

    Args:
        model: the network.
        layers: the names of the layers that may be pruned, where the network has them; all, where none are given.

    Attributes:
        weights: the weights of those layers, by layer.
        parameters: their weights and biases.
        kept: per layer a boolean tensor of its weight's shape, False where pruned.
    """

    def __init__(self, model: CapsNet, layers: Collection[str] = LAYERS) -> None:
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

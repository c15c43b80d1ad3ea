"""Which weights of a network may be pruned, which are, and how many.

Prunable layers are those that the network says (`prunable_layers`). Their biases, the routing bias included, are
shrunk but never set to zero by a threshold.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from rem.errors import RemError
from rem.networks.network import Network

LAYERS = ("convolution", "primary", "class")  # the kinds of all that may be pruned


class Masks:
    """Which weights of a network are pruned, and stay so.

    >>> masks = rem.Masks(rem.CapsNet())
    >>> masks.prune(threshold=0.01)
    >>> masks.sparsity() > 0
    True

    From Renzulli et al. (2022), section 3.3, https://arxiv.org/abs/2204.01298.

    Args:
        model: the network.
        layers: the kinds of layers that may be pruned, where the network has them; all, where none are given.

    Raises:
        RemError: the network has none of them.

    Attributes:
        weights: the weights of those layers, by layer.
        parameters: their weights and biases.
        kept: per layer a boolean tensor of its weight's shape, False where pruned.
    """

    def __init__(self, model: Network, layers: Collection[str] = LAYERS) -> None:
        chosen = {name: layer for name, layer in model.prunable_layers().items() if name.partition(".")[0] in layers}
        if not chosen:
            own = sorted({name.partition(".")[0] for name in model.prunable_layers()})
            raise RemError(
                f"none of the network's layers can be pruned as {' or '.join(layers)}; let pruning.layers name what it "
                f"has: {', '.join(own) or 'none'}."
            )
        self.model = model
        self.weights = {name: weight for name, (weight, *_) in chosen.items()}
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


def sparsity(model: Network) -> dict[str, float]:
    """Shares of zeros, as fractions.

    Returns:
        `all`: zeros / parameters of the prunable layers, biases included; of each layer's weight by its name, of a
        CapsNet `convolution`, `primary`, `class`; where there are W_ij, `class_blocks`: of those that are wholly zero,
        on which Eq. 15 rests.
    """
    layers = model.prunable_layers()
    share = {name: float((weight == 0).float().mean()) for name, (weight, *_) in layers.items()}
    if model.matrices is not None:
        share["class_blocks"] = float((model.matrices == 0).flatten(2).all(dim=2).float().mean())
    zeros, parameters = count_zeros(model)
    share["all"] = zeros / parameters
    return share


def count_zeros(model: Network) -> tuple[int, int]:
    """Zeros and parameters of the prunable layers, biases included."""
    parameters = [parameter for layer in model.prunable_layers().values() for parameter in layer]
    return sum(int((p == 0).sum()) for p in parameters), sum(p.numel() for p in parameters)

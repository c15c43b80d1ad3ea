"""A loss of the couplings: strong trees, and one tree a class."""

import torch
from torch import Tensor

from rem.networks.losses import coupling_entropy, tree_divergence
from rem.settings.pruning import Sharpening


class ClassTrees:
    """A moving average of the trees of each class's images, to which their trees are drawn.

    Args:
        asked: the settings.
        classes: J.
        capsules: I.
        device: where the couplings are.

    Attributes:
        trees: (J, J, I), T_y of each class y, c_ij = 1/J at first.
    """

    def __init__(self, asked: Sharpening, classes: int, capsules: int, device: torch.device) -> None:
        self.asked = asked
        self.trees = torch.full((classes, classes, capsules), 1 / classes, device=device)

    def loss(self, couplings: Tensor, labels: Tensor) -> Tensor:
        """alpha mean_i H(c_i) / log J + beta mean_i KL(T_yi || c_i) of a batch, which then is taken into the trees.

        Args:
            couplings: (B, J, I), with their gradient.
            labels: (B,), y of each image.
        """
        asked = self.asked
        loss = asked.strength * coupling_entropy(couplings)
        loss = loss + asked.stability * tree_divergence(couplings, self.trees[labels])
        for label in labels.unique():
            own = couplings.detach()[labels == label].mean(dim=0)  # (J, I)
            self.trees[label] = asked.memory * self.trees[label] + (1 - asked.memory) * own
        return loss

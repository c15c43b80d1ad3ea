"""Gamma-CapsNet (Peer et al., 2018): a layer of capsules between the primary ones and the classes.

D. Peer, S. Stabinger, A. Rodriguez-Sanchez: Increasing the adversarial robustness and explainability of capsule
networks with gamma-capsules, 2018, https://arxiv.org/abs/1812.09707.
"""

from torch import Tensor, nn

from rem.networks.capsnet import CapsNet
from rem.networks.class_capsules import RoutedNetwork
from rem.networks.network import LowerLayer, Routing
from rem.networks.routings.sda import ROUTING as SDA


class GammaCapsNet(RoutedNetwork):
    """A CapsNet whose class capsules are no classes yet: they are routed once more, to those of the classes.

    `couplings` are those of the last layer, so that I is the number of middle capsules. Sizes are those of the
    authors' code unless others are given.

    Args:
        channels: of the images.
        size: side of the images in pixels.
        classes: J.
        convolution_channels: of the first convolution.
        primary_types: T, of the primary capsules.
        primary_dimensions: P, of a primary and of a middle capsule.
        middle_capsules: I.
        class_dimensions: D, of a class capsule.
        iterations: t, of a routing that has some, in both layers.
        routing: the `ROUTING` of a module of `rem.networks.routings`, in both layers.

    Raises:
        RemError: the images are too small.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        *,
        convolution_channels: int = 256,
        primary_types: int = 32,
        primary_dimensions: int = 8,
        middle_capsules: int = 32,
        class_dimensions: int = 16,
        iterations: int = 3,
        routing: Routing = SDA,
    ) -> None:
        super().__init__(iterations, routing)
        self.below = CapsNet(
            channels,
            size,
            middle_capsules,
            convolution_channels=convolution_channels,
            primary_types=primary_types,
            primary_dimensions=primary_dimensions,
            class_dimensions=primary_dimensions,
            iterations=iterations,
            routing=routing,
        )
        self.add_class_capsules(middle_capsules, classes, class_dimensions, primary_dimensions)

    def primary_capsules(self, stem: Tensor) -> Tensor:
        """Images (B, C, S, S) to the poses of the middle capsules (B, I, P)."""
        return self.below(stem)[1]

    def lower_layers(self, stem: Tensor) -> list[LowerLayer]:
        """The couplings of the primary capsules to the middle ones."""
        _, poses, couplings = self.below(stem)
        return [LowerLayer(couplings.unsqueeze(1), poses.norm(dim=2))]

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """As `Network.prunable_layers`: the convolutions and both layers of capsules, the first as `class.below`."""
        below = self.below.prunable_layers()
        return below | {"class.below": below["class"]} | super().prunable_layers()

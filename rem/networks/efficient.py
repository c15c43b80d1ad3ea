"""Efficient-CapsNet (Mazzia et al., 2021): few primary capsules, each of which sees the whole image.

V. Mazzia, F. Salvetti, M. Chiaberge: Efficient-CapsNet: capsule network with self-attention routing, Scientific Reports
11, 2021, https://arxiv.org/abs/2101.12491.
"""

import torch
from torch import Tensor, nn

from rem.errors import RemError
from rem.networks.class_capsules import RoutedNetwork
from rem.networks.network import Routing
from rem.networks.routings.attention import ROUTING as ATTENTION
from rem.networks.routings.attention import squash_exponential

KERNELS = (5, 3, 3, 3)  # of the convolutions, the last of stride 2
WIDTHS = (1, 2, 2, 4)  # channels, in those of the first
PRIMARY = 9  # side of the depthwise convolution that makes the primary capsules
SMALLEST = 27  # side of an image that these leave anything of


class EfficientCapsNet(RoutedNetwork):
    """Four convolutions, a depthwise one for the primary capsules, and class capsules by attention; as theirs on MNIST.

    A convolution of width 4F makes 4F/P primary capsules at each place of a 9x9 window; on 28x28 there is one place.

    >>> network = EfficientCapsNet()
    >>> sum(parameter.numel() for parameter in network.parameters())
    161824

    Args:
        channels: of the images.
        size: side of the images in pixels.
        classes: J.
        convolution_channels: F, of the first convolution.
        primary_dimensions: P; 4F must be a multiple of it.
        class_dimensions: D.
        iterations: t, of a routing that has some.
        routing: the `ROUTING` of a module of `rem.networks.routings`.

    Raises:
        RemError: the images are too small, or P does not divide 4F.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        *,
        convolution_channels: int = 32,
        primary_dimensions: int = 8,
        class_dimensions: int = 16,
        iterations: int = 3,
        routing: Routing = ATTENTION,
    ) -> None:
        super().__init__(iterations, routing)
        if size < SMALLEST:
            raise RemError(
                f"images of {size} pixels are too small for an Efficient-CapsNet; data.size must be >= {SMALLEST}."
            )
        widths = [width * convolution_channels for width in WIDTHS]
        if widths[-1] % primary_dimensions:
            raise RemError(
                f"{widths[-1]} channels, 4 x network.convolution_channels, make no whole number of capsules of "
                f"{primary_dimensions} dimensions; let network.primary_dimensions divide them."
            )
        self.dimensions = primary_dimensions
        strides = [1] * (len(KERNELS) - 1) + [2]
        shapes = zip([channels, *widths[:-1]], widths, KERNELS, strides, strict=True)
        self.convolutions = nn.ModuleList(nn.Conv2d(*shape) for shape in shapes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for width in widths)
        self.primary = nn.Conv2d(widths[-1], widths[-1], PRIMARY, groups=widths[-1])
        places = ((size - sum(KERNELS[:-1]) + 3 - KERNELS[-1]) // 2 + 1 - PRIMARY + 1) ** 2
        self.add_class_capsules(
            widths[-1] // primary_dimensions * places, classes, class_dimensions, primary_dimensions
        )

    def primary_capsules(self, stem: Tensor) -> Tensor:
        """Images (B, C, S, S) to the squashed poses u_i (B, I, P)."""
        features = stem
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = norm(torch.relu(convolution(features)))
        features = self.primary(features).to(self.weight.dtype)  # (B, 4F, M, N); lower under autocast
        grouped = features.unflatten(1, (-1, self.dimensions))  # (B, T, P, M, N)
        return squash_exponential(grouped.movedim(2, -1).flatten(1, 3))

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """As `Network.prunable_layers`: every convolution and the class capsules; normalisations are none."""
        layers = {
            f"convolution.{number}": (layer.weight, layer.bias) for number, layer in enumerate(self.convolutions, 1)
        }
        return layers | {"primary": (self.primary.weight, self.primary.bias)} | super().prunable_layers()

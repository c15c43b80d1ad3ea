"""A convolutional capsule network: a middle layer whose capsules each see a window of the primary ones.

As the convolutional layers of matrix capsules (Hinton et al., 2018, https://openreview.net/forum?id=HJWLfGWRb): the
matrices are the same at every place, and each place is routed by itself. Here is one such layer, and poses are vectors.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rem.errors import RemError
from rem.networks.capsnet import KERNEL, STRIDE
from rem.networks.class_capsules import RoutedNetwork
from rem.networks.network import LowerLayer, Routed, Routing
from rem.networks.routing import squash
from rem.networks.routings.em import ROUTING as EM

WINDOW = 3  # side of what a middle capsule sees of the grid of primary capsules
SMALLEST = 21  # side of an image of which a window is left


class ConvCapsNet(RoutedNetwork):
    """A CapsNet's convolutions, middle capsules of 3x3 windows of the primary ones, and class capsules of all of those.

    `couplings` are those of the last layer. Capsule i is (place, type), the type fastest.

    Args:
        channels: of the images.
        size: side of the images in pixels.
        classes: J.
        convolution_channels: of the first convolution.
        primary_types: T, of the primary capsules.
        primary_dimensions: P, of a primary and of a middle capsule.
        middle_capsules: at each place.
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
        routing: Routing = EM,
    ) -> None:
        super().__init__(iterations, routing)
        if size < SMALLEST:
            raise RemError(
                f"images of {size} pixels are too small for a convolutional CapsNet; data.size must be >= {SMALLEST}."
            )
        self.dimensions = primary_dimensions
        self.convolution = nn.Conv2d(channels, convolution_channels, KERNEL)
        self.primary = nn.Conv2d(convolution_channels, primary_types * primary_dimensions, KERNEL, stride=STRIDE)
        self.middle = RoutedNetwork(iterations, routing)
        self.middle.add_class_capsules(
            primary_types * WINDOW**2, middle_capsules, primary_dimensions, primary_dimensions
        )
        places = ((size - 2 * KERNEL + 1) // STRIDE + 1 - WINDOW + 1) ** 2
        self.add_class_capsules(places * middle_capsules, classes, class_dimensions, primary_dimensions)

    def primary_capsules(self, stem: Tensor) -> Tensor:
        """Images (B, C, S, S) to the poses of the middle capsules (B, I, P)."""
        return self._routed_windows(stem)[1].unflatten(0, (len(stem), -1)).flatten(1, 2)

    def lower_layers(self, stem: Tensor) -> list[LowerLayer]:
        """The couplings of the primary capsules of a window, (type, row, column), to the middle ones of its place."""
        _, poses, couplings = (one.unflatten(0, (len(stem), -1)) for one in self._routed_windows(stem))
        return [LowerLayer(couplings, poses.norm(dim=3).flatten(1))]

    def _routed_windows(self, stem: Tensor) -> Routed:
        """What the middle layer's `route` returns of all L windows of all images: (B*L, ...)."""
        features = self.primary(torch.relu(self.convolution(stem))).to(self.weight.dtype)  # lower under autocast
        grid = squash(features.unflatten(1, (-1, self.dimensions)).movedim(2, -1)).movedim(-1, 2)  # (B, T, P, M, N)
        windows = functional.unfold(grid.flatten(1, 2), WINDOW)  # (B, T*P*9, L)
        seen = windows.unflatten(1, (-1, self.dimensions, WINDOW**2)).permute(0, 4, 1, 3, 2)  # (B, L, T, 9, P)
        with torch.autocast(stem.device.type, enabled=False):
            return self.middle.route(seen.flatten(2, 3).flatten(0, 1))

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """As `Network.prunable_layers`: the convolutions and both layers of capsules, the first as `class.middle`."""
        convolutions = {"convolution": self.convolution, "primary": self.primary}
        layers = {name: (layer.weight, layer.bias) for name, layer in convolutions.items()}
        return layers | {"class.middle": self.middle.prunable_layers()["class"]} | super().prunable_layers()

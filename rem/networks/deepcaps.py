"""DeepCaps (Rajasegaran et al., 2019): cells of convolutional capsules with skip connections, then class capsules.

J. Rajasegaran and others: DeepCaps: Going Deeper with Capsule Networks, CVPR 2019, https://arxiv.org/abs/1904.09546.
"""

import math

import torch
from torch import Tensor, nn

from rem.errors import RemError
from rem.networks.class_capsules import RoutedNetwork
from rem.networks.network import LowerLayer, Routing
from rem.networks.routing import squash
from rem.networks.routings.dynamic import ROUTING as DYNAMIC
from rem.networks.spatial_routing import route_in_space, spatial_votes

KERNEL = 3  # side of all convolutions
CELLS = 4  # each halves the grid; the last one routes
GAIN = 3  # at which lengths pass a layer about as they are: a squash shrinks short ones ever more


class ConvCaps(nn.Conv2d):
    """Capsules of a 3x3 window of the grid before: a convolution without bias, and the squash of each capsule."""

    def __init__(self, channels: int, types: int, dimensions: int, stride: int = 1) -> None:
        super().__init__(channels, types * dimensions, KERNEL, stride, KERNEL // 2, bias=False)
        self.dimensions = dimensions
        nn.init.normal_(self.weight, std=GAIN / math.sqrt(channels * KERNEL**2))

    def forward(self, grid: Tensor) -> Tensor:
        """(B, C, M, N) to (B, T*P, M', N'), the P channels of a capsule together."""
        capsules = (
            super().forward(grid).to(self.weight.dtype).unflatten(1, (-1, self.dimensions))
        )  # lower under autocast
        return squash(capsules.movedim(2, -1)).movedim(-1, 2).flatten(1, 2)


class SpatialCaps(nn.Module):
    """As many types of capsules of as many dimensions again, by the routing of `rem.networks.spatial_routing`."""

    def __init__(self, types: int, dimensions: int, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        drawn = torch.randn(types, dimensions, dimensions, KERNEL, KERNEL)
        self.weight = nn.Parameter(drawn * math.sqrt(2 / (dimensions * KERNEL**2)))
        self.routing_bias = nn.Parameter(torch.full((types, dimensions), 0.1))

    def forward(self, grid: Tensor) -> Tensor:
        """(B, T*P, M, N) to the same."""
        return self.route(grid)[0].flatten(1, 2)

    def route(self, grid: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T*P, M, N) to what `route_in_space` returns: poses (B, T, P, M, N) and couplings (B, T, T, M, N)."""
        with torch.autocast(grid.device.type, enabled=False):
            votes = spatial_votes(self.weight, grid.unflatten(1, (-1, self.weight.shape[2])))
            return route_in_space(votes, self.routing_bias, self.iterations)


class Cell(nn.Module):
    """A layer of stride 2, two more behind it, and beside those two a `skip`, whose capsules are added to theirs."""

    def __init__(self, channels: int, types: int, dimensions: int, skip: nn.Module) -> None:
        super().__init__()
        self.first = ConvCaps(channels, types, dimensions, stride=2)
        self.second, self.third = (ConvCaps(types * dimensions, types, dimensions) for _ in range(2))
        self.skip = skip

    def forward(self, grid: Tensor) -> Tensor:
        """(B, C, M, N) to (B, T*P, M / 2, N / 2), rounded up."""
        halved = self.first(grid)
        return self.third(self.second(halved)) + self.skip(halved)


class DeepCaps(RoutedNetwork):
    """A convolution, four cells of convolutional capsules, and class capsules of those of the last two cells.

    The first cell's capsules have half the dimensions of the others'. The last cell's skip is routed, by its own
    routing whatever `routing` is. `couplings` are those of the class capsules; capsule i is (type, row, column) of
    the last cell and then of the one before, the column fastest. Sizes are those of the authors' code unless others
    are given.

    Args:
        channels: of the images.
        size: side of the images in pixels.
        classes: J.
        convolution_channels: of the convolution.
        primary_types: T, of capsules at each place of a cell.
        primary_dimensions: P, of a capsule; it must be even.
        class_dimensions: D, of a class capsule.
        iterations: t, of a routing that has some, and of the last cell's.
        routing: the `ROUTING` of a module of `rem.networks.routings`, for the class capsules.

    Raises:
        RemError: P is odd.
    """

    def __init__(
        self,
        channels: int = 1,
        size: int = 28,
        classes: int = 10,
        *,
        convolution_channels: int = 128,
        primary_types: int = 32,
        primary_dimensions: int = 8,
        class_dimensions: int = 32,
        iterations: int = 3,
        routing: Routing = DYNAMIC,
    ) -> None:
        super().__init__(iterations, routing)
        if primary_dimensions % 2:
            raise RemError(
                f"capsules of {primary_dimensions} dimensions have no half, which those of the first cell of a "
                "DeepCaps have; network.primary_dimensions must be even."
            )
        self.dimensions = primary_dimensions
        self.convolution = nn.Conv2d(channels, convolution_channels, KERNEL, padding=KERNEL // 2)
        self.norm = nn.BatchNorm2d(convolution_channels)
        self.cells = nn.ModuleList()
        inputs, sides = convolution_channels, [size]
        for number in range(1, CELLS + 1):
            dimensions = primary_dimensions if number > 1 else primary_dimensions // 2
            width = primary_types * dimensions
            if number < CELLS:
                skip = ConvCaps(width, primary_types, dimensions)
            else:
                skip = SpatialCaps(primary_types, dimensions, iterations)
            self.cells.append(Cell(inputs, primary_types, dimensions, skip))
            inputs = width
            sides.append(-(-sides[-1] // 2))
        capsules = primary_types * (sides[-1] ** 2 + sides[-2] ** 2)
        self.add_class_capsules(capsules, classes, class_dimensions, primary_dimensions)

    def primary_capsules(self, stem: Tensor) -> Tensor:
        """Images (B, C, S, S) to the poses u_i of the last two cells (B, I, P)."""
        return self._shown(*self._grids(stem)[-2:])

    def lower_layers(self, stem: Tensor) -> list[LowerLayer]:
        """The couplings of the types of the last cell to its capsules of all places together, over which they sum to 1.

        The capsules of the cell before are no parents: no routing makes them.
        """
        *_, before, last = self._grids(stem)
        cell = self.cells[-1]
        couplings = cell.skip.route(cell.first(before))[1]  # (B, T, T, M, N)
        couplings = couplings.movedim(1, -1).flatten(1, 3).unsqueeze(1)  # (B, 1, T*M*N, T)
        poses = self._shown(before, last)
        parts = torch.arange(poses.shape[1], device=stem.device)
        routed = couplings.shape[2]
        return [LowerLayer(couplings, poses[:, :routed].norm(dim=2), torch.where(parts < routed, parts, -1))]

    def _grids(self, stem: Tensor) -> list[Tensor]:
        """What the convolution and each of the cells return, (B, C, M, N) each."""
        grids = [self.norm(torch.relu(self.convolution(stem)))]
        for cell in self.cells:
            grids.append(cell(grids[-1]))
        return grids

    def _shown(self, before: Tensor, last: Tensor) -> Tensor:
        """The capsules (B, I, P) of the grids (B, T*P, M, N) of the last two cells, those of the last one first."""
        shown = [grid.unflatten(1, (-1, self.dimensions)) for grid in (last, before)]  # (B, T, P, M, N)
        return torch.cat([grid.movedim(2, -1).flatten(1, 3) for grid in shown], dim=1)

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """As `Network.prunable_layers`: the cells' layers as `primary`, the routed one as `class.cell`; no norm."""
        layers = {"convolution": (self.convolution.weight, self.convolution.bias)}
        for number, cell in enumerate(self.cells, 1):
            layers |= {f"primary.{number}.{name}": tuple(layer.parameters()) for name, layer in cell.named_children()}
        routed = layers.pop(f"primary.{CELLS}.skip")
        return layers | {"class.cell": routed} | super().prunable_layers()

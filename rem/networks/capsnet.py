"""The Capsule Network of Sabour et al. (2017), routed by `rem.networks.routing` (paper, Figure 2).

S. Sabour, N. Frosst, G. E. Hinton: Dynamic Routing Between Capsules, NeurIPS 2017, https://arxiv.org/abs/1710.09829.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rem.errors import RemError
from rem.networks.backbone import Backbone
from rem.networks.class_capsules import RoutedNetwork
from rem.networks.connections import route_connected
from rem.networks.decoder import Decoder
from rem.networks.network import Change, Routed, Routing
from rem.networks.routing import route, route_living, squash
from rem.networks.routings.dynamic import ROUTING as DYNAMIC

KERNEL = 9  # side of both convolutions
STRIDE = 2  # of the second one


class CapsNet(RoutedNetwork):
    """Conv 9x9, PrimaryCaps (conv 9x9 of stride 2), class capsules by routing (paper, Figure 2).

    The sizes are those of Sabour et al. and of the paper on MNIST unless others are given. A backbone takes the first
    convolution's place: `convolution` is None then, else `backbone` is. Primary capsule i is (type, row, column), the
    column fastest; channel type * P + p of the second convolution holds dimension p of the capsules of that type.
    From Sabour et al. (2017), https://arxiv.org/abs/1710.09829.

    >>> network = rem.CapsNet(channels=1, size=28, classes=10)
    >>> lengths, poses, couplings = network(torch.zeros(2, 1, 28, 28))
    >>> lengths.shape, poses.shape, couplings.shape
    (torch.Size([2, 10]), torch.Size([2, 10, 16]), torch.Size([2, 10, 1152]))

    Args:
        channels: of the images.
        size: side of the images in pixels.
        classes: J.
        convolution_channels: of the first convolution.
        primary_types: T.
        primary_dimensions: P, of a primary capsule's pose u_i.
        class_dimensions: D, of a class capsule's pose v_j.
        iterations: t, of the routing.
        backbone: what takes the first convolution's place.
        hidden: sizes of the decoder's hidden layers; None: `decoder` is None.
        connected: whether `connections` (I, J), a part of the state, says which capsule is connected to which class,
            at first each to all; else it is None, and they are. Of dynamic routing alone.
        routing: the `ROUTING` of a module of `rem.networks.routings`; dynamic unless another is given.

    Attributes:
        computed: the numbers of the primary capsules that the second convolution holds, in its order; the others'
            poses are 0. None: all, as of every network that `rem.pruning.compaction.compact` has not made.
        living: of a network so made that is not `connected`, the numbers of the capsules that are routed; None: all.

    Raises:
        RemError: the images are too small for the two convolutions, or for the backbone.
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
        class_dimensions: int = 16,
        iterations: int = 3,
        backbone: Backbone | None = None,
        hidden: Sequence[int] | None = None,
        connected: bool = False,
        routing: Routing = DYNAMIC,
    ) -> None:
        super().__init__(iterations, routing)
        self.dimensions = primary_dimensions
        self.backbone, self.convolution, self.decoder = backbone, None, None
        if backbone is not None:
            features, side = backbone.channels, backbone.side(size)
        else:
            features, side = convolution_channels, size - KERNEL + 1
            if side < KERNEL:
                raise RemError(
                    f"images of {size} pixels are too small for two 9x9 convolutions; data.size must be >= 17."
                )
            self.convolution = nn.Conv2d(channels, features, KERNEL)
        self.primary = nn.Conv2d(features, primary_types * self.dimensions, KERNEL, stride=STRIDE)
        capsules = primary_types * ((side - KERNEL) // STRIDE + 1) ** 2
        self.add_class_capsules(capsules, classes, class_dimensions, self.dimensions)
        if connected:
            self.connections = torch.ones(capsules, classes, dtype=torch.bool)
        self.register_buffer("computed", None)
        self.register_buffer("living", None)
        if hidden is not None:  # last: the other weights are drawn as without it
            self.decoder = Decoder(classes, class_dimensions, hidden, channels, size)

    @torch.no_grad()
    def keep(self, connections: Tensor) -> None:
        """Set every W_ij but those of the connections (I, J) to zero, and route over those alone if `connected`."""
        self.weight.mul_(connections[:, :, None, None])
        if self.connections is not None:
            self.connections.copy_(connections)

    def primary_capsules(self, stem: Tensor) -> Tensor:
        """The squashed poses u_i: what `stem` returns to (B, I, P)."""
        maps, computed = self._maps(stem)
        maps = maps.to(self.weight.dtype)  # (B, T*P, M, N); lower under autocast
        grouped = maps.unflatten(1, (-1, self.dimensions))  # (B, T, P, M, N)
        poses = squash(grouped.movedim(2, -1).flatten(1, 3))  # (B, I, P)
        if computed is None:
            return poses
        return poses.new_zeros(poses.shape[0], len(self.weight), self.dimensions).index_copy(1, computed, poses)

    def _maps(self, stem: Tensor) -> tuple[Tensor, Tensor | None]:
        """The second convolution (B, T*P, M, N) of what `stem` returns, and the capsules' numbers in it; None: all.

        Of a `connected` network, types that have lost all connections and channels of the first convolution whose
        weights and bias are zero are not computed, in training too: no output depends on them, and no gradient is
        theirs.
        """
        first, second = self.convolution, self.primary
        if self.connections is None or self.computed is not None:
            return second(stem if self.backbone else torch.relu_(first(stem))), self.computed
        types = second.out_channels // self.dimensions
        living = self.connections.view(types, -1).any(dim=1)  # (T,)
        rows = living.repeat_interleave(self.dimensions)  # (T*P,)
        weight, bias = _rows(second.weight, rows), _rows(second.bias, rows)
        features = stem
        if not self.backbone:
            shown = (first.weight != 0).flatten(1).any(dim=1) | (first.bias != 0)  # (F,)
            features = torch.relu_(F.conv2d(stem, _rows(first.weight, shown), _rows(first.bias, shown)))
            weight = weight if shown.all() else weight[:, shown]
        computed = living.repeat_interleave(len(self.weight) // types).nonzero().squeeze(1)
        return F.conv2d(features, weight, bias, STRIDE), None if living.all() else computed

    def route(
        self,
        primary: Tensor,
        *,
        iterations: int | None = None,
        change: Change | None = None,
        differentiable: bool = False,
    ) -> Routed:
        """Route primary capsules (B, I, P), as `Network.route` says.

        Args:
            primary: the poses u_i.
            iterations: t; None: the network's own.
            change: of `Network.route`.
            differentiable: of `rem.networks.routing.route`; of dynamic routing, and a network that is not `connected`.
        """
        if self.routing != DYNAMIC:
            return super().route(primary, iterations=iterations, change=change)
        arguments = self.weight, primary, self.routing_bias, self.rounds(iterations), change
        if self.connections is not None:
            poses, couplings = route_connected(*arguments, self.connections)
        elif self.living is not None:
            poses, couplings = route_living(*arguments, differentiable, self.living, 1 / self.weight.shape[1])
        else:
            poses, couplings = route(*arguments, differentiable)
        return torch.linalg.vector_norm(poses, dim=-1), poses, couplings

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """As `Network.prunable_layers`: the convolutions and the class capsules; a backbone, frozen or not, is none."""
        layers = {"primary": (self.primary.weight, self.primary.bias)} | super().prunable_layers()
        if self.convolution is not None:
            layers = {"convolution": (self.convolution.weight, self.convolution.bias)} | layers
        return layers


def _rows(parameter: Tensor, there: Tensor) -> Tensor:
    """A layer's parameter at the channels that are there; itself where all are."""
    return parameter if there.all() else parameter[there]

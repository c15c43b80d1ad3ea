"""What everything behind the couplings asks of a network, whichever it is and however it routes.

Shapes: B images, I capsules that are routed, of P dimensions, J classes with capsules of D dimensions.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)  # what `pruning.layers` calls convolution in any network
Change = Callable[[Tensor], Tensor]  # of couplings (B, J, I), before they weigh the votes
Routed = tuple[Tensor, Tensor, Tensor]  # lengths (B, J), poses (B, J, D), couplings (B, J, I)


class Routing(NamedTuple):
    """One of `rem/networks/routings/`.

    Attributes:
        parameters: I, J, D and P to what the routing trains, by name, as it is at first; `weight` is one of them.
        route: (primary capsules (B, I, P), t, change, and those parameters by their names) to what `Network.route`
            returns.
        terms: (primary capsules, and those parameters) to what `Network.terms` returns.
        of_sums: (sums, primary capsules, t, and those parameters) to what `Network.of_sums` returns.
        iterates: whether t matters.
        agreement: (primary capsules, class poses, and those parameters) to what `Network.agreement` returns, of a
            routing whose class capsules are squash(sum_i c_ij u_{j|i} + routing_bias_j).
    """

    parameters: Callable[[int, int, int, int], dict[str, Tensor]]
    route: Callable[..., Routed]
    terms: Callable[..., Tensor]
    of_sums: Callable[..., tuple[Tensor, Tensor]]
    iterates: bool = False
    agreement: Callable[..., Tensor] | None = None


class LowerLayer(NamedTuple):
    """A routed layer below that of the class capsules, of B images.

    At each of L places (1 where there are none) N children share their votes out among M capsules. So a child's
    couplings sum to 1 over M. Capsule l * M + m of the layer is the m-th of place l.

    >>> below = rem.CapsNet(channels=1, size=28, classes=6)  # six middle capsules, each a child of every class
    >>> _, poses, couplings = below(torch.zeros(2, 1, 28, 28))
    >>> layer = rem.LowerLayer(couplings.unsqueeze(1), poses.norm(dim=2))
    >>> layer.couplings.shape, layer.lengths.shape
    (torch.Size([2, 1, 6, 1152]), torch.Size([2, 6]))

    Attributes:
        couplings: (B, L, M, N).
        lengths: (B, L*M), |u| of its capsules, as the layer above is given them.
        parts: which capsule of this layer each child of the layer above is, -1 where it is none: (N',) for the N'
            children that its capsules have in common, or (M', N') where each of its M' has others. None: child i is
            capsule i.
    """

    couplings: Tensor
    lengths: Tensor
    parts: Tensor | None = None


class Network(nn.Module):
    """Images to lengths, poses and couplings, in two steps: to what is routed, and from that to the class capsules.

    A network of one's own has `primary_capsules` and `route`; the rest has defaults (docs/own-network.md).

    >>> class Even(rem.Network):
    ...     def route(self, primary, *, change=None):
    ...         poses = primary.flatten(1).unsqueeze(1).repeat(1, 2, 1)
    ...         return poses.norm(dim=2), poses, torch.full((len(poses), 2, 1), 0.5)
    >>> lengths, poses, couplings = Even()(torch.zeros(3, 1, 4, 4))
    >>> lengths.shape, poses.shape, couplings.shape
    (torch.Size([3, 2]), torch.Size([3, 2, 16]), torch.Size([3, 2, 1]))

    Attributes:
        capsules: I, of the layer whose couplings are measured.
        classes: J.
        backbone, decoder: layers before and behind it; None: there are none.
        iterations: t, of the routing; None: it has no iterations that could be fewer or more.
        connections: (I, J), which capsule is connected to which class; None: each to all.
    """

    capsules: int
    classes: int

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.decoder, self.iterations = None, None, None
        self.register_buffer("connections", None)

    def stem(self, images: Tensor) -> Tensor:
        """What no pruning changes: the backbone's features, or the images (B, C, S, S) themselves."""
        return self.backbone(images) if self.backbone else images

    def primary_capsules(self, stem: Tensor) -> Tensor:
        """What is routed, (B, ...), of what `stem` returns; that itself where nothing else is said."""
        return stem

    def route(self, primary: Tensor, *, change: Change | None = None) -> Routed:
        """Route what `primary_capsules` returns.

        Args:
            primary: of B images.
            change: what is done to the couplings (B, J, I) of the last iteration before they weigh the votes: a
                quantizer (Eq. 7), a temperature, an intervention; None leaves them.

        Returns:
            The lengths (B, J), by which classes are told, the poses (B, J, D), and the couplings (B, J, I) before any
            `change`. They sum to 1 over the classes.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method route.")

    def lower_layers(self, stem: Tensor) -> list[LowerLayer]:
        """The routed layers below that of the class capsules, from there downwards, of what `stem` returns."""
        return []

    def head(self, stem: Tensor, **options: object) -> Routed:
        """What `route` returns of what `stem` returns, with options of `route`; never under autocast."""
        primary = self.primary_capsules(stem)
        with torch.autocast(primary.device.type, enabled=False):
            return self.route(primary, **options)

    def forward(self, images: Tensor, change: Change | None = None, **options: object) -> Routed:
        """Route a batch of images (B, C, S, S); returns what `route` returns."""
        return self.head(self.stem(images), change=change, **options)

    def terms(self, primary: Tensor) -> Tensor | None:
        """What couplings weigh, (B, J, I, S), so that `of_sums` of sum_i c_ij terms_ij is the rest of `route`.

        For dynamic routing these are the votes. None: `route` itself is the only way from couplings to class capsules.
        """
        return None

    def of_sums(self, sums: Tensor, primary: Tensor) -> tuple[Tensor, Tensor]:
        """The lengths (B, J, L) and poses (B, J, L, D) of L kinds of weighted sums (B, J, L, S) of `terms`."""
        raise NotImplementedError(f"{type(self).__name__} has no terms.")

    def agreement(self, primary: Tensor, poses: Tensor) -> Tensor | None:
        """v_j . u_{j|i} (B, J, I) of class poses (B, J, D), where those are the squash of summed votes; else None."""
        return None

    @property
    def matrices(self) -> nn.Parameter | None:
        """The matrices W_ij of all connections, (I, J, D, P); None: there are none."""
        return None

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """The weight, which a threshold may set to zero, and further parameters of every prunable layer.

        A name begins with `convolution`, `primary` or `class`, as `pruning.layers` has them; a dot and more may follow.
        Where nothing else is said, of what requires a gradient, but for backbone and decoder: convolutions and linear
        layers as `convolution`, every other parameter of two dimensions or more as `class`.
        """
        layers: dict[str, tuple[nn.Parameter, ...]] = {}
        for owner, module in self.named_modules():
            trained = [(name, one) for name, one in module.named_parameters(recurse=False) if one.requires_grad]
            own = {f"{owner}.{name}".lstrip("."): value for name, value in trained}
            if isinstance(module, CONVOLUTIONS):
                layers |= {f"convolution.{owner}": tuple(own.values())} if module.weight.requires_grad else {}
            else:
                layers |= {f"class.{name}": (value,) for name, value in own.items() if value.dim() > 1}
        beside = {id(value) for part in (self.backbone, self.decoder) if part for value in part.parameters()}
        return {name: values for name, values in layers.items() if id(values[0]) not in beside}

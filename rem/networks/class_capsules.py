"""Class capsules by one of `rem/networks/routings/`: the matrices W_ij, and the routing."""

from torch import Tensor, nn

from rem.networks.network import Change, Network, Routed, Routing
from rem.networks.routing import agreement, squash, votes
from rem.networks.routings.dynamic import ROUTING as DYNAMIC


class RoutedNetwork(Network):
    """A network whose primary capsules (B, I, P) are routed to class capsules; a subclass makes the primary capsules.

    Args:
        iterations: t, of the routing.
        routing: the `ROUTING` of a module of `rem.networks.routings`.
    """

    weight: nn.Parameter

    def __init__(self, iterations: int, routing: Routing = DYNAMIC) -> None:
        super().__init__()
        self.routing, self.asked = routing, iterations
        self.iterations = iterations if routing.iterates else None

    def add_class_capsules(self, capsules: int, classes: int, dimensions: int, inputs: int) -> None:
        """Draw what the routing trains, for I capsules of P dimensions (`inputs`) and J classes of D (`dimensions`)."""
        drawn = self.routing.parameters(capsules, classes, dimensions, inputs)
        self.routed = tuple(drawn)
        for name, value in drawn.items():
            self.register_parameter(name, nn.Parameter(value))

    @property
    def capsules(self) -> int:
        """I."""
        return self.weight.shape[0]

    @property
    def classes(self) -> int:
        """J."""
        return self.weight.shape[1]

    @property
    def matrices(self) -> nn.Parameter:
        """The W_ij, (I, J, D, P)."""
        return self.weight

    def route(self, primary: Tensor, *, iterations: int | None = None, change: Change | None = None) -> Routed:
        """As `Network.route`, in t `iterations`; None: the network's own."""
        own = {name: getattr(self, name) for name in self.routed}
        return self.routing.route(primary, iterations or self.asked, change, **own)

    def votes(self, primary: Tensor) -> Tensor | None:
        """As `Network.votes`."""
        return votes(self.weight, primary) if self.routing.sums else None

    def class_poses(self, sums: Tensor) -> Tensor:
        """squash(s_j + bias_j) of sums (..., J, L, D), as `Network.class_poses`."""
        return squash(sums + self.routing_bias.unsqueeze(1))

    def agreement(self, primary: Tensor, poses: Tensor) -> Tensor | None:
        """As `Network.agreement`."""
        if not self.routing.sums:
            return None
        weight = self.weight.permute(1, 3, 0, 2).flatten(1, 2)  # (J, P*I, D)
        agreeing = agreement(weight, primary.transpose(1, 2).contiguous(), poses.transpose(0, 1))  # (J, B, I)
        return agreeing.transpose(0, 1)

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """As `Network.prunable_layers`: here the class capsules alone, W_ij and what else the routing trains."""
        return {"class": tuple(getattr(self, name) for name in self.routed)}

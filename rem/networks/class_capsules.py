"""Class capsules by one of `rem/networks/routings/`: the matrices W_ij, and the routing."""

from torch import Tensor, nn

from rem.networks.network import Change, Network, Routed, Routing
from rem.networks.routing import require_iterations
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
        """As `Network.route`, in t `iterations`; None: the network's own. Raises as `rounds`."""
        return self.routing.route(primary, self.rounds(iterations), change, **self._trained())

    def rounds(self, iterations: int | None) -> int:
        """How often to route; raises RemError below 1. None: the network's own t."""
        if iterations is None:
            return self.asked
        require_iterations(iterations)
        return iterations

    def terms(self, primary: Tensor) -> Tensor:
        """As `Network.terms`."""
        return self.routing.terms(primary, **self._trained())

    def of_sums(self, sums: Tensor, primary: Tensor) -> tuple[Tensor, Tensor]:
        """As `Network.of_sums`."""
        return self.routing.of_sums(sums, primary, self.asked, **self._trained())

    def agreement(self, primary: Tensor, poses: Tensor) -> Tensor | None:
        """As `Network.agreement`."""
        return self.routing.agreement(primary, poses, **self._trained()) if self.routing.agreement else None

    def _trained(self) -> dict[str, nn.Parameter]:
        """What the routing trains, by name."""
        return {name: getattr(self, name) for name in self.routed}

    def prunable_layers(self) -> dict[str, tuple[nn.Parameter, ...]]:
        """As `Network.prunable_layers`: here the class capsules alone, W_ij and what else the routing trains."""
        return {"class": tuple(getattr(self, name) for name in self.routed)}

"""No routing: c_ij = 1/J whatever the image. The control that every other routing is held against.

All else is as in dynamic routing, of which it is the first iteration. Such a network is a sum of votes, and what
another routing is worth is what it adds.
"""

from torch import Tensor

from rem.networks.network import Change, Routed, Routing
from rem.networks.routings.dynamic import agreement, of_sums, parameters, terms
from rem.networks.routings.dynamic import route as dynamic_route


def route(poses: Tensor, iterations: int, change: Change | None, weight: Tensor, routing_bias: Tensor) -> Routed:
    """v_j = squash(sum_i 1/J u_{j|i} + bias_j): as `rem.networks.routings.dynamic.route`, of one iteration always."""
    return dynamic_route(poses, 1, change, weight, routing_bias)


ROUTING = Routing(parameters, route, terms, of_sums, agreement=agreement)

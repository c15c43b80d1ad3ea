"""How weights are shrunk while training: LOBSTER (Eq. 16), and what it is compared with.

E. Tartaglione, A. Bragagnolo, A. Fiandrotti, M. Grangetto: LOss-Based SensiTivity rEgulaRization: towards deep sparse
neural networks, 2020, https://arxiv.org/abs/2011.09905.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rem.errors import RemError


@torch.no_grad()
def lobster(parameters: Iterable[nn.Parameter], penalty: float) -> None:
    """Eq. 16, its last term, in place: theta <- theta - lambda * theta * ReLU(1 - |dL/dtheta|).

    To be called between the backward pass and the optimiser's step.

    >>> theta = torch.nn.Parameter(torch.tensor([2.0, 2.0]))
    >>> theta.grad = torch.tensor([0.0, 3.0])  # the loss feels the second alone
    >>> rem.lobster([theta], penalty=0.1)
    >>> theta.data
    tensor([1.8000, 2.0000])

    From Tartaglione et al. (2020), https://arxiv.org/abs/2011.09905.

    Args:
        parameters: with their gradients in `.grad`.
        penalty: lambda.

    Raises:
        RemError: a parameter has no gradient, so that its sensitivity is unknown.
    """
    for parameter in parameters:
        parameter.addcmul_(parameter, _insensitive(parameter), value=-penalty)


@torch.no_grad()
def insensitivity(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The mean of Eq. 16's ReLU(1 - |dL/dtheta|) over all weights of some parameters, a scalar in float64.

    It is 1 where the loss feels none of them, and Eq. 16 is plain weight decay then.

    Raises:
        RemError: as `lobster`.
    """
    parameters = list(parameters)
    sums = [_insensitive(parameter).mean().double() * parameter.numel() for parameter in parameters]
    return sum(sums) / sum(parameter.numel() for parameter in parameters)


def _insensitive(parameter: nn.Parameter) -> Tensor:
    """ReLU(1 - |dL/dtheta|), of the parameter's shape."""
    return gradient_of(parameter).abs().neg_().add_(1).relu_()


def gradient_of(parameter: nn.Parameter) -> Tensor:
    """dL/dtheta; raises RemError where there is none, so that the sensitivity is unknown."""
    if parameter.grad is None:
        raise RemError("a prunable parameter has no gradient; call lobster after loss.backward().")
    return parameter.grad


@torch.no_grad()
def weight_decay(parameters: Iterable[nn.Parameter], penalty: float) -> None:
    """Plain L2 shrinkage, which is Eq. 16 without its sensitivity, in place: theta <- theta - lambda * theta."""
    for parameter in parameters:
        parameter.mul_(1 - penalty)


REGULARIZERS = {"lobster": lobster, "weight-decay": weight_decay}

"""How weights are shrunk while training: LOBSTER (Eq. 16), and what it is compared with.

E. Tartaglione, A. Bragagnolo, A. Fiandrotti, M. Grangetto: LOss-Based SensiTivity rEgulaRization: towards deep sparse
neural networks, 2020, https://arxiv.org/abs/2011.09905.
"""

from collections.abc import Iterable

import torch
from torch import nn

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
        if parameter.grad is None:
            raise RemError("a prunable parameter has no gradient; call lobster after loss.backward().")
        insensitive = parameter.grad.abs().neg_().add_(1).relu_()  # ReLU(1 - |dL/dtheta|)
        parameter.addcmul_(parameter, insensitive, value=-penalty)


@torch.no_grad()
def weight_decay(parameters: Iterable[nn.Parameter], penalty: float) -> None:
    """Plain L2 shrinkage, which is Eq. 16 without its sensitivity, in place: theta <- theta - lambda * theta."""
    for parameter in parameters:
        parameter.mul_(1 - penalty)


REGULARIZERS = {"lobster": lobster, "weight-decay": weight_decay}

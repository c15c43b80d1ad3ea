"""Adam (Kingma and Ba, 2015), by torch's own fused step.

`torch.optim.Adam` imports torch's compiler when it is made, for which every training would wait two seconds without
compiling anything. The function behind it, which is called here with the same values, does not.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """Adam's two moments of each parameter that is trained, and its step.

    Args:
        parameters: of the network; those that require no gradient stay as they are.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.steps = [torch.zeros((), device=parameter.device) for parameter in self.parameters]

    def backward(self, loss: Tensor) -> None:
        """The gradients of a loss in place of those before; 0 of a parameter that it does not depend on."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter by its gradient."""
        adam(
            self.parameters,
            [parameter.grad for parameter in self.parameters],
            self.means,
            self.squares,
            [],
            self.steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=0,
            eps=1e-8,
            maximize=False,
        )

    def state(self) -> dict[str, Any]:
        """All that the next step depends on but the parameters."""
        return {"means": self.means, "squares": self.squares, "steps": self.steps}

    def resume(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.means, self.squares, self.steps = state["means"], state["squares"], state["steps"]

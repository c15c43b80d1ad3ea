"""What was first not finite in an epoch: the loss, or which weights."""

import torch
from torch import Tensor, nn

from rem.errors import RemError
from rem.settings.run import Run


class Watch:
    """Follows the loss and every parameter from step to step, without waiting for the device.

    Args:
        model: the network in training.
    """

    def __init__(self, model: nn.Module) -> None:
        self.parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.steps: list[Tensor] = []  # of the loss, and of each parameter after the step, (1 + parameters,)

    def add(self, loss: Tensor) -> None:
        """Take in a step, after the optimiser's: its loss, a scalar."""
        sums = [parameter.detach().sum() for parameter in self.parameters.values()]  # finite where its weights are
        self.steps.append(torch.stack([loss.detach(), *sums]))

    def told(self, loss: float, run: Run, epoch: int, images: Tensor) -> RemError:
        """The sentence that ends a training whose loss is not finite.

        Args:
            loss: of training or validation.
            run: the settings.
            epoch: how many epochs were sound.
            images: the training images, or their feature maps.
        """
        what, remedy = self.first() or "the validation loss", "lower training.learning_rate, and it trains anew"
        if images.is_floating_point() and not images.isfinite().all():
            what, remedy = "a feature map that was read", "make the file of them again"
        return RemError(
            f"the loss of {run.dataset}, {run.variant}, seed {run.seed} is {loss} in epoch {epoch + 1}; not finite was "
            f"first {what}; {remedy}."
        )

    def first(self) -> str:
        """What was first not finite, and at which step: empty where all of it is finite."""
        finite = torch.stack(self.steps).isfinite()  # (steps, 1 + parameters)
        bad = (~finite).any(dim=1).nonzero()
        if not len(bad):
            return ""
        step = int(bad[0])
        names = [name for name, good in zip(self.parameters, finite[step, 1:].tolist(), strict=True) if not good]
        what = f"the weights {' and '.join(names)}" if finite[step, 0] else "the loss, of weights that are finite,"
        return f"{what} at step {step + 1} of {len(self.steps)}"

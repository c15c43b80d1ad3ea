"""The dose of a pruning: the sum of lambda over the optimiser's steps, by which schedules of any length compare.

A weight that the loss does not feel shrinks by exp(-dose), however many steps that takes (Eq. 16).
"""

from rem.errors import RemError
from rem.settings.run import Run


def steps_per_epoch(run: Run, images: int) -> int:
    """The optimiser's steps in an epoch of so many training images; the last batch may be smaller."""
    return -(-images // run.training.batch_size)


def penalty_in(run: Run, epoch: int, steps: int) -> float:
    """lambda in an epoch.

    Where the settings give a dose, the first epoch's lambda is such that the dose is reached after the last of
    `training.epochs`. A training that patience ends earlier has had less.

    Args:
        run: the settings.
        epoch: from 0.
        steps: of an epoch, of `steps_per_epoch`.

    Returns:
        lambda, 0 for a network that is not pruned.

    Raises:
        RemError: the dose is more than so many steps can give.
    """
    return _first_penalty(run, steps) * run.pruning.penalty_decay**epoch if run.pruning else 0.0


def _first_penalty(run: Run, steps: int) -> float:
    pruning = run.pruning
    first = pruning.penalty
    if first is None:
        first = pruning.dose / (steps * sum(pruning.penalty_decay**each for each in range(run.training.epochs)))
        if first > 1:
            raise RemError(
                f"pruning.dose is {pruning.dose}, which with {steps} step(s) an epoch makes a penalty of {first:.4g}, "
                "above 1; lower it, or train for more epochs."
            )
    return first


def dose_after(run: Run, epochs: int, steps: int) -> float:
    """The sum of lambda over all steps of the first `epochs` epochs of `steps` steps; 0 for a network not pruned."""
    if run.pruning is None:
        return 0.0
    first = _first_penalty(run, steps)
    return steps * sum(first * run.pruning.penalty_decay**epoch for epoch in range(epochs))

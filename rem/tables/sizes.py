"""Networks that differ in their channels and types alone, found by their settings."""

from rem.settings.run import Run
from rem.tables.measurements import Results


def began_with(results: Results, run: Run, channels: int, types: int) -> str | None:
    """The variant that is as a run in all else, but began with so many channels and types, and keeps them.

    Where tables show another checkpoint of it, that is no difference: what is removed in training is shown at the last.

    Args:
        results: of the networks that are searched.
        run: of the network that it is held against.
        channels: of the first convolution.
        types: of primary capsules.

    Returns:
        The first such variant of the run's dataset; None if there is none.
    """
    sizes = {"convolution_channels": channels, "primary_types": types}
    wanted = run.model_copy(update={"structure": None, "network": run.network.model_copy(update=sizes)})
    for other in results.of(run.dataset):
        named = {"variant": other.variant, "seed": other.seed, "checkpoint": other.checkpoint}
        if other == wanted.model_copy(update=named):
            return other.variant
    return None

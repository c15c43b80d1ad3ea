"""Networks that differ in one thing alone, found by their settings: controls, and what they are held against."""

from collections.abc import Collection

from rem.settings.run import Run
from rem.tables.measurements import Results


def alike(results: Results, run: Run, apart: Collection[str]) -> list[Run]:
    """The networks of a run's dataset whose settings are the run's, but for variant, seed and the sections `apart`."""
    free = {"variant", "seed", *apart}
    return [
        other
        for other in results.of(run.dataset)
        if other == run.model_copy(update={name: getattr(other, name) for name in free})
    ]


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
    return next((other.variant for other in alike(results, wanted, {"checkpoint"})), None)

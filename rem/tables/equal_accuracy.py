"""Transfer accuracy of two trainings at equal accuracy on the images that they are trained for."""

from typing import NamedTuple

import numpy as np
import pandas as pd

COURSE = ["dataset", "variant", "seed", "epoch", "accuracy", "transfer_accuracy"]  # of the CSVs of `rem accuracies`


class Transferred(NamedTuple):
    """Transfer accuracies in %, averaged over the accuracies from `low` to `high` that both trainings pass through."""

    value: float
    reference: float
    low: float
    high: float


def at_equal_accuracy(course: pd.DataFrame, reference: pd.DataFrame) -> Transferred | None:
    """Two trainings' transfer accuracies, averaged over the accuracies that both pass through; None where none is.

    A training's transfer accuracy at an accuracy is interpolated linearly between the epochs that reached a higher
    accuracy than any before: so it is that of the network when it first was as accurate.

    Args:
        course: columns epoch, accuracy and transfer_accuracy.
        reference: the same of the other.
    """
    lines = [_records(frame) for frame in (course, reference)]
    low, high = max(line[0][0] for line in lines), min(line[0][-1] for line in lines)
    if low >= high:
        return None
    corners = np.unique(np.concatenate([[low, high], *(line[0] for line in lines)]))
    corners = corners[(corners >= low) & (corners <= high)]
    means = (np.trapezoid(np.interp(corners, *line), corners) / (high - low) for line in lines)
    return Transferred(*map(float, means), float(low), float(high))


def by_seed(courses: pd.DataFrame, variant: str, baseline: str) -> pd.DataFrame:
    """Two variants of a dataset at equal accuracy: `Transferred` as columns, of every seed that has both.

    Args:
        courses: of one dataset, with the columns `COURSE`.
        variant: whose transfer accuracies are `value`.
        baseline: whose are `reference`.
    """
    of = dict(iter(courses.groupby(["seed", "variant"])))
    seeds = [seed for seed, own in of if own == variant and (seed, baseline) in of]
    found = {seed: at_equal_accuracy(of[seed, variant], of[seed, baseline]) for seed in seeds}
    found = {seed: means for seed, means in found.items() if means}
    return pd.DataFrame([*found.values()], [*found], Transferred._fields)


def _records(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and transfer accuracy of the epochs that were more accurate than all before."""
    frame = frame.sort_values("epoch")
    accuracy = frame["accuracy"].to_numpy(float)
    first = np.concatenate([[True], accuracy[1:] > np.maximum.accumulate(accuracy)[:-1]])
    return accuracy[first], frame["transfer_accuracy"].to_numpy(float)[first]

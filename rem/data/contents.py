"""What a source holds: its images, computed as they are asked for, and their labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rem.data.images import Images

AGAIN = "; delete it and fetch it again."


class Labelled(NamedTuple):
    """The training or the test images of a source."""

    images: Images  # (N, C, H, W) uint8
    labels: np.ndarray  # (N,)
    pose: np.ndarray | None = None  # (N, P) float32, where the source knows it


class Contents(NamedTuple):
    """All that a source holds; `train` is None of a source of test images alone."""

    train: Labelled | None
    test: Labelled
    class_names: Sequence[str]
    pose_columns: Sequence[str] = ()  # names of the P columns of a pose

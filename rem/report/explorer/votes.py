"""The votes of a few images, from which the page computes class lengths anew when couplings change."""

from typing import NamedTuple

import numpy as np
import torch

from rem.networks.capsnet import CapsNet
from rem.networks.routing import votes

STEPS = 127  # of an int8 to either side of 0


class Stored(NamedTuple):
    """Votes of M images, rounded to a byte each, and all their couplings.

    Attributes:
        votes: (M, J, I, D) int8, in steps of `scale`.
        scale: (M,) the size of a step of each image.
        couplings: (M, J, I) float32, of the last iteration.
        bias: (J, D) the routing bias.
    """

    votes: np.ndarray
    scale: np.ndarray
    couplings: np.ndarray
    bias: np.ndarray


@torch.no_grad()
def stored_votes(model: CapsNet, images: torch.Tensor) -> Stored:
    """Route images (M, C, S, S), normalised, and keep their votes."""
    _, _, couplings = model(images)
    found = votes(model.weight, model.primary_capsules(model.stem(images))).numpy()  # (M, J, I, D)
    scale = np.abs(found).max(axis=(1, 2, 3)).clip(min=np.finfo(np.float32).tiny) / STEPS
    rounded = np.rint(found / scale[:, None, None, None]).astype(np.int8)
    return Stored(rounded, scale, couplings.numpy(), model.routing_bias.numpy())

"""The parse tree of an image: its predicted class and, of several routed layers, the strongest path down from it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from rem.networks.network import LowerLayer


def own_column(couplings: Tensor, predicted: Tensor) -> Tensor:
    """c_{-j} of each image's predicted class j: (B, J, I) and (B,) to (B, I)."""
    return couplings[torch.arange(len(predicted), device=predicted.device), predicted]


def strongest_path(couplings: Tensor, top: Tensor, layers: Sequence[LowerLayer]) -> Iterator[tuple[Tensor, Tensor]]:
    """Section 3.1 layer by layer: the strongest part of the predicted class, its own strongest part, and so on down.

    A capsule's strongest part is the child i with the largest c_i |u_i| among those that a routing below has made. It
    is the parent in the layer below, where the image's tree goes on with the couplings of that parent's children.

    Args:
        couplings: (B, J, I), of the class capsules.
        top: (B,), the predicted classes.
        layers: the routed layers below, from there downwards.

    Yields:
        Of each layer the parent (B,), a number of one of its capsules, and the couplings (B, N) of its children.
    """
    parent = top
    for layer in layers:
        children, own = couplings.shape[1:], own_column(couplings, parent)  # (B, N)
        parts = torch.arange(children[1], device=own.device) if layer.parts is None else layer.parts
        parts = parts.expand(children)[parent]  # (B, N), the number of each child in this layer
        sent = own * layer.lengths.gather(1, parts.clamp_min(0))
        best = torch.where(parts < 0, -1, sent).argmax(dim=1, keepdim=True)  # (B, 1)
        parent = parts.gather(1, best).squeeze(1)
        couplings = layer.couplings.flatten(1, 2)  # (B, L*M, N)
        yield parent, own_column(couplings, parent)


def with_parents(keys: np.ndarray, parents: np.ndarray | None) -> np.ndarray:
    """The keys (N, I) uint8 of a layer with the parents (N,) in front, as 4 bytes each; of no parents, as they are."""
    return keys if parents is None else np.hstack([parents.astype(">u4")[:, None].view(np.uint8), keys])


def without_parents(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `with_parents` was made of: keys (N, I) and parents (N,)."""
    return keys[:, 4:], np.ascontiguousarray(keys[:, :4]).view(">u4")[:, 0].astype(np.int64)

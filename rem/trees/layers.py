"""The routed layers in a file of `rem couplings`: 1 is that of the class capsules, 2 the one below it, and so on."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h5py
import numpy as np
from torch import Tensor

from rem.networks.network import LowerLayer
from rem.settings.stamp import run_of
from rem.trees.parents import strongest_path
from rem.trees.strength import strongest_coupling

NEAR = 0.01  # of 1/J, within which a coupling counts as nearly uniform
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}  # how couplings are stored


class Layer(NamedTuple):
    """What the parse trees of one layer are read from.

    Attributes:
        number: 1 is the layer of the class capsules.
        couplings: (N, I), of the children of each image's parent to it.
        parents: (N,), those; None of layer 1, whose parents are the predicted classes.
        capsules: among how many capsules a child's couplings are shared out: J, of layer 1.
        strongest: (N,), the mean of max_j c_ij over all children of the layer.
        near_uniform_share: of the couplings, those within `NEAR` of 1 / `capsules`.
    """

    number: int
    couplings: h5py.Dataset
    parents: np.ndarray | None
    capsules: int
    strongest: np.ndarray
    near_uniform_share: float


def write_lower_layers(
    file: h5py.File, rows: slice, count: int, couplings: Tensor, predicted: Tensor, layers: Sequence[LowerLayer]
) -> None:
    """Write what a batch of images has in the routed layers below that of the class capsules.

    A layer has a group `layers/<number>` of `couplings` float32 (N, I), those of the children of each image's parent;
    `parent` int64 (N,), by `strongest_path`; `strongest` float32 (N,), the mean over all children of the layer of their
    largest coupling; `near_uniform` float32 (N,), the share of the `couplings` within `NEAR` of 1/M; and the attribute
    `capsules`, M: among how many a child's couplings are shared out.

    Args:
        file: to write to; a layer's datasets are made with its first batch.
        rows: which of the images these are.
        count: N, of all images.
        couplings: (B, J, I), of the class capsules.
        predicted: (B,), the predicted classes.
        layers: of the network.
    """
    paths = strongest_path(couplings, predicted, layers)
    for number, (layer, (parent, own)) in enumerate(zip(layers, paths, strict=True), 2):
        capsules, group = layer.couplings.shape[2], file.require_group(f"layers/{number}")
        if not len(group):
            group.create_dataset("couplings", (count, own.shape[1]), "f4", chunks=own.shape, **PACKED)
            group.create_dataset("parent", (count,), "i8")
            group.create_dataset("strongest", (count,), "f4")
            group.create_dataset("near_uniform", (count,), "f4")
            group.attrs["capsules"] = capsules
        group["couplings"][rows] = own.cpu()
        group["parent"][rows] = parent.cpu()
        group["strongest"][rows] = strongest_coupling(layer.couplings.movedim(2, 1).flatten(2)).cpu()  # of (B, M, L*N)
        group["near_uniform"][rows] = ((own - 1 / capsules).abs() <= NEAR).float().mean(dim=1).cpu()


def read_layers(file: h5py.File) -> Iterator[Layer]:
    """The routed layers in a file of `rem couplings`, that of the class capsules first."""
    strongest, share = file["strongest"][:], file.attrs["near_uniform_share"]
    yield Layer(1, file["couplings"], None, run_of(file).data.classes, strongest, share)
    for number in range(2, len(file.get("layers", ())) + 2):
        group = file[f"layers/{number}"]
        found = group["couplings"], group["parent"][:], int(group.attrs["capsules"]), group["strongest"][:]
        yield Layer(number, *found, float(group["near_uniform"][:].mean(dtype=float)))

"""What the decoder of a trained network draws when one dimension of a class capsule is moved (Figure 8)."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.hdf5 import open_hdf5, whole_hdf5
from rem.networks.decoder import perturb
from rem.networks.network import Network
from rem.reconstruction.equivariance import PROPERTIES, equivariance
from rem.reconstruction.stack import FrozenPoses
from rem.settings.run import Run
from rem.settings.stamp import stamp
from rem.training.checkpoints import Checkpoint, load_checkpoint

OFFSETS = np.linspace(-0.25, 0.25, 11).round(2).astype(np.float32)  # those of Sabour et al. and of Figure 8


def write_perturbed(
    checkpoint: Path,
    prepared: Path,
    drawn: int,
    measured: int,
    folder: Path,
    device: torch.device,
    architecture: str | None = None,
) -> None:
    """Move each dimension of test images' predicted poses: write what the decoder draws, and how consistently it moves.

    The images are correctly classified ones: the first of every class in the order of the test split, then the
    second of every class, and so on.

    `perturbations.h5` holds, for N drawn images, D dimensions and O offsets:
        `reconstructions` float32 (N, D, O, C, S, S) and `images` float32 (N, C, S, S), in [0, 1];
        `label`, `predicted` int64 (N,); `offsets` float32 (O,);
        attributes: `class_names`, `run`, `provenance`.

    `equivariance.csv` has a row a class and dimension: dataset, variant, seed, class, images (n of that class),
    dimension, property (the one of `PROPERTIES` that it moves most consistently), consistency, monotony, moved, chance.
    A class's capsule has dimensions of its own, so images of different classes are not measured together.

    Args:
        checkpoint: of a network with decoder, trained with it or stacked on it.
        prepared: the dataset's HDF5 file.
        drawn: how many images are drawn; those there are, where the network classifies fewer correctly.
        measured: how many are measured, likewise.
        folder: where to write.
        device: where to compute.
        architecture: of `load_checkpoint`.

    Raises:
        RemError: the network has no decoder, or classifies no image correctly.
    """
    model, run, _ = _with_decoder(checkpoint, device, architecture)
    test = FrozenPoses(model, run, prepared, "test", device)
    chosen = _first_of_each_class(test)
    if not len(chosen):
        raise RemError(f"{checkpoint} classifies no test image correctly; train the network for longer.")
    with open_hdf5(prepared) as file:
        class_names = file.attrs["class_names"]
    with whole_hdf5(folder / "perturbations.h5") as file:
        own = chosen[:drawn]
        file["reconstructions"] = _perturbed(model, test, own)
        file["images"] = test.images[own].cpu().numpy().astype(np.float32) / 255
        file["label"], file["predicted"] = test.labels[own].cpu().numpy(), test.predicted[own].cpu().numpy()
        file["offsets"] = OFFSETS
        stamp(file, run, class_names=class_names)
    with whole(folder / "equivariance.csv") as partial:
        pd.DataFrame(_equivariances(model, run, test, chosen[:measured])).to_csv(partial, index=False)


def _equivariances(model: Network, run: Run, test: FrozenPoses, chosen: Tensor) -> list[dict[str, object]]:
    """A row a class and dimension of the pose."""
    rows = []
    for class_ in test.labels[chosen].unique().tolist():
        own = chosen[test.labels[chosen] == class_]
        found = equivariance(_perturbed(model, test, own), OFFSETS)
        key = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed, "class": class_, "images": len(own)}
        for dimension, (best, *measures) in enumerate(zip(*found, strict=True)):
            named = dict(zip(found._fields[1:], measures, strict=True))
            rows.append(key | {"dimension": dimension, "property": PROPERTIES[best]} | named)
    return rows


def _perturbed(model: Network, test: FrozenPoses, chosen: Tensor) -> np.ndarray:
    """What the decoder draws of these images' predicted poses, moved: (N, D, O, C, S, S)."""
    offsets = torch.from_numpy(OFFSETS).to(test.poses.device)
    return perturb(model.decoder, test.poses[chosen], test.predicted[chosen], offsets).cpu().numpy()


def _with_decoder(checkpoint: Path, device: torch.device, architecture: str | None) -> Checkpoint:
    loaded = load_checkpoint(checkpoint, device, architecture)
    if loaded.model.decoder is None:
        raise RemError(f"{checkpoint} has no decoder; put one on it first (rem stack-decoder).")
    return loaded


def _first_of_each_class(split: FrozenPoses) -> Tensor:
    """Positions of the correctly classified images: the first of every class, the second of every class, ..."""
    correct = (split.predicted == split.labels).nonzero()[:, 0]  # ascending
    labels, classes = split.labels[correct], split.poses.shape[1]
    turn = one_hot(labels, classes).cumsum(dim=0).gather(1, labels[:, None])[:, 0]  # how many of its class so far
    return correct[torch.argsort(turn * classes + labels)]

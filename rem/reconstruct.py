"""Reconstructions by a trained network that stays as it is: a decoder stacked on it, its poses perturbed (Figure 8)."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import one_hot
from tqdm import tqdm

from rem.batches import centre, eval_batches, load_split, normalize, reconstruction_targets
from rem.capsnet import CapsNet
from rem.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from rem.decoder import Decoder, perturb
from rem.equivariance import PROPERTIES, equivariance
from rem.files import RemError, open_hdf5, whole, whole_hdf5
from rem.losses import reconstruction_losses
from rem.provenance import record
from rem.settings import Run, Stacked

OFFSETS = np.linspace(-0.25, 0.25, 11).round(2).astype(np.float32)  # those of Sabour et al. and of Figure 8


class Poses:
    """What a frozen network makes of a split, once and without augmentation.

    Attributes:
        images: (N, C, S, S) uint8, as the network saw them before normalisation.
        labels, predicted: (N,).
        poses: (N, J, D), v_j.
    """

    @torch.no_grad()
    def __init__(self, model: CapsNet, run: Run, prepared: Path, split: str, device: torch.device) -> None:
        data, loaded = run.data, load_split(prepared, split).to(device)
        batches = eval_batches(loaded, run.training.batch_size, data.size, data.mean, data.std)
        lengths, poses = zip(*[model(images)[:2] for images, _ in batches], strict=True)
        self.images, self.labels = centre(loaded.images, data.size), loaded.labels
        self.predicted, self.poses = torch.cat(lengths).argmax(dim=1), torch.cat(poses)

    def losses(self, model: CapsNet, run: Run, index: Tensor, shown: Tensor) -> Tensor:
        """Reconstruction losses (B,) of the images at `index` (B,), each from the pose of a class `shown` (B,)."""
        data = run.data
        seen = normalize(self.images[index], data.mean, data.std)
        targets = reconstruction_targets(seen, run.decoder.pixels, data.mean, data.std)
        return reconstruction_losses(model.decoder(self.poses[index], shown), targets)


def stack(checkpoint: Path, prepared: Path, settings: Stacked, target: Path, device: torch.device) -> None:
    """Train a decoder on the training images' class poses and write it with the unchanged network to `target`.

    The target is a checkpoint like any other, whose run has `decoder`. The decoder sees the label's pose in training;
    the validation loss that is told epoch by epoch is from the prediction's.
    """
    model, run, epoch = load_checkpoint(checkpoint, device)
    run = run.model_copy(update={"decoder": settings.decoder})
    data, dimensions = run.data, run.network.class_dimensions
    train, validation = (Poses(model, run, prepared, split, device) for split in ("train", "val"))
    torch.manual_seed(run.seed)
    model.decoder = Decoder(data.classes, dimensions, run.decoder.hidden, data.channels, data.size).to(device)
    optimizer = torch.optim.Adam(model.decoder.parameters(), lr=settings.learning_rate, fused=True)
    generator = torch.Generator().manual_seed(run.seed)
    for number in range(1, settings.epochs + 1):
        total = 0.0
        for index in torch.randperm(len(train.labels), generator=generator).to(device).split(settings.batch_size):
            losses = train.losses(model, run, index, train.labels[index])
            optimizer.zero_grad()
            (run.decoder.weight * losses.mean()).backward()
            optimizer.step()
            total += float(losses.detach().double().sum())
        with torch.no_grad():
            every = torch.arange(len(validation.labels), device=device).split(settings.batch_size)
            held_out = torch.cat([validation.losses(model, run, i, validation.predicted[i]) for i in every]).mean()
        tqdm.write(
            f"{run.dataset} {run.variant} seed {run.seed}  decoder epoch {number}/{settings.epochs}  squared error of "
            f"an image {total / len(train.labels):.3f}, validation {held_out:.3f}",
            file=sys.stderr,
        )
    save_checkpoint(target, model.state_dict(), run, epoch, stacked=settings.model_dump_json())


def write_perturbations(checkpoint: Path, prepared: Path, images: int, target: Path, device: torch.device) -> None:
    """Move each dimension of test images' predicted poses and write what the decoder draws.

    The images are correctly classified ones: the first of every class in the order of the test split, then the
    second of every class, and so on. The HDF5 file holds, for N images, D dimensions and O offsets:
        `reconstructions` float32 (N, D, O, C, S, S) and `images` float32 (N, C, S, S), in [0, 1];
        `label`, `predicted` int64 (N,); `offsets` float32 (O,);
        attributes: `class_names`, `run`, `provenance`.

    Args:
        checkpoint: of a network with decoder, trained with it or stacked on it.
        prepared: the dataset's HDF5 file.
        images: how many; those there are, where the network classifies fewer correctly.
        target: where to write.
        device: where to compute.

    Raises:
        RemError: the network has no decoder, or classifies no image correctly.
    """
    model, run, _ = _with_decoder(checkpoint, device)
    test = Poses(model, run, prepared, "test", device)
    chosen = _first_of_each_class(test)[:images]
    if not len(chosen):
        raise RemError(f"{checkpoint} classifies no test image correctly; train the network for longer.")
    drawn = perturb(model.decoder, test.poses[chosen], test.predicted[chosen], torch.from_numpy(OFFSETS).to(device))
    with open_hdf5(prepared) as file:
        class_names = file.attrs["class_names"]
    with whole_hdf5(target) as file:
        file["reconstructions"] = drawn.cpu().numpy()
        file["images"] = test.images[chosen].cpu().numpy().astype(np.float32) / 255
        file["label"], file["predicted"] = test.labels[chosen].cpu().numpy(), test.predicted[chosen].cpu().numpy()
        file["offsets"] = OFFSETS
        record(file, run, class_names=class_names)


def write_equivariance(checkpoint: Path, prepared: Path, images: int, target: Path, device: torch.device) -> None:
    """Measure how the dimensions of each class's pose move the reconstruction, and write a row each.

    Columns: dataset, variant, seed, class, images (n of that class), dimension, property (the one of
    `rem.equivariance.PROPERTIES` that it moves most consistently), consistency, monotony, moved, chance. A class's
    capsule has dimensions of its own, so images of different classes are not measured together.

    Args:
        checkpoint: of a network with decoder, trained with it or stacked on it.
        prepared: the dataset's HDF5 file.
        images: how many, chosen as for `write_perturbations`; those there are, where a class has fewer.
        target: where to write.
        device: where to compute.

    Raises:
        RemError: the network has no decoder.
    """
    model, run, _ = _with_decoder(checkpoint, device)
    test = Poses(model, run, prepared, "test", device)
    chosen = _first_of_each_class(test)[:images]
    offsets = torch.from_numpy(OFFSETS).to(device)
    rows = []
    for class_ in test.labels[chosen].unique().tolist():
        own = chosen[test.labels[chosen] == class_]
        drawn = perturb(model.decoder, test.poses[own], test.predicted[own], offsets).cpu().numpy()
        found = equivariance(drawn, OFFSETS)
        key = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed, "class": class_, "images": len(own)}
        for dimension, (best, *measures) in enumerate(zip(*found, strict=True)):
            named = dict(zip(found._fields[1:], measures, strict=True))
            rows.append(key | {"dimension": dimension, "property": PROPERTIES[best]} | named)
    with whole(target) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False)


def _with_decoder(checkpoint: Path, device: torch.device) -> Checkpoint:
    loaded = load_checkpoint(checkpoint, device)
    if loaded.model.decoder is None:
        raise RemError(f"{checkpoint} has no decoder; put one on it first (rem decoder).")
    return loaded


def _first_of_each_class(split: Poses) -> Tensor:
    """Positions of the correctly classified images: the first of every class, the second of every class, ..."""
    correct = (split.predicted == split.labels).nonzero()[:, 0]  # ascending
    labels, classes = split.labels[correct], split.poses.shape[1]
    turn = one_hot(labels, classes).cumsum(dim=0).gather(1, labels[:, None])[:, 0]  # how many of its class so far
    return correct[torch.argsort(turn * classes + labels)]

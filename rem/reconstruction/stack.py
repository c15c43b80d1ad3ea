"""A decoder trained on top of a network that stays as it is."""

import math
import sys
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from rem.data.augment import centre, normalize, reconstruction_targets
from rem.data.batches import placed_batches, read_images
from rem.errors import RemError
from rem.networks.decoder import Decoder
from rem.networks.losses import reconstruction_losses
from rem.networks.network import Network
from rem.settings.run import Run, StackedDecoder
from rem.training.adam import Adam
from rem.training.checkpoints import load_checkpoint, save_checkpoint


class FrozenPoses:
    """What a frozen network makes of a split, once and without augmentation.

    Attributes:
        images: (N, C, S, S) uint8, as the network saw them before normalisation.
        labels, predicted: (N,).
        poses: (N, J, D), v_j.
    """

    @torch.no_grad()
    def __init__(self, model: Network, run: Run, prepared: Path, split: str, device: torch.device) -> None:
        data, batch = run.data, run.training.batch_size
        if split == "train" and data.view == "place":
            self.images, self.labels = map(torch.cat, zip(*placed_batches(prepared, data, batch, device), strict=True))
        else:
            loaded = read_images(prepared, split, data).to(device)
            self.images, self.labels = centre(loaded.images, data.size), loaded.labels
        batches = (normalize(images, data.mean, data.std) for images in self.images.split(batch))
        lengths, poses = zip(*[model(images)[:2] for images in batches], strict=True)
        self.predicted, self.poses = torch.cat(lengths).argmax(dim=1), torch.cat(poses)

    def losses(self, model: Network, run: Run, index: Tensor, shown: Tensor) -> Tensor:
        """Reconstruction losses (B,) of the images at `index` (B,), each from the pose of a class `shown` (B,)."""
        data = run.data
        seen = normalize(self.images[index], data.mean, data.std)
        targets = reconstruction_targets(seen, run.decoder.pixels, data.mean, data.std)
        return reconstruction_losses(model.decoder(self.poses[index], shown), targets)


def stack(
    checkpoint: Path,
    prepared: Path,
    settings: StackedDecoder,
    target: Path,
    device: torch.device,
    architecture: str | None = None,
) -> None:
    """Train a decoder on the training images' class poses and write it with the unchanged network to `target`.

    The target is a checkpoint like any other, whose run has `decoder` and sees images, not feature maps of them. The
    decoder sees the label's pose in training; the validation loss that is told epoch by epoch is from the prediction's.
    `architecture` is that of `load_checkpoint`.

    Raises:
        RemError: the loss is not finite.
    """
    model, run, epoch = load_checkpoint(checkpoint, device, architecture)
    network = run.network.model_copy(update={"views": None})
    run = run.model_copy(update={"decoder": settings.decoder, "network": network})
    data = run.data
    train, validation = (FrozenPoses(model, run, prepared, split, device) for split in ("train", "val"))
    torch.manual_seed(run.seed)
    model.decoder = Decoder(data.classes, train.poses.shape[2], run.decoder.hidden, data.channels, data.size).to(device)
    optimizer = Adam(model.decoder.parameters())
    generator = torch.Generator().manual_seed(run.seed)
    for number in range(1, settings.epochs + 1):
        total = 0.0
        for index in torch.randperm(len(train.labels), generator=generator).to(device).split(settings.batch_size):
            losses = train.losses(model, run, index, train.labels[index])
            optimizer.backward(run.decoder.weight * losses.mean())
            optimizer.step(settings.learning_rate)
            total += float(losses.detach().double().sum())
        if not math.isfinite(total):
            raise RemError(
                f"the loss of the decoder on {checkpoint} is {total} in epoch {number}; lower "
                "stacked_decoder.learning_rate, then give the same command again."
            )
        with torch.no_grad():
            every = torch.arange(len(validation.labels), device=device).split(settings.batch_size)
            held_out = torch.cat([validation.losses(model, run, i, validation.predicted[i]) for i in every]).mean()
        tqdm.write(
            f"{run.dataset} {run.variant} seed {run.seed}  decoder epoch {number}/{settings.epochs}  squared error of "
            f"an image {total / len(train.labels):.3f}, validation {held_out:.3f}",
            file=sys.stderr,
        )
    save_checkpoint(target, model.state_dict(), run, epoch, stacked=settings.model_dump_json())

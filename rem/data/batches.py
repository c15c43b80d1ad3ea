"""Batches of a prepared dataset: a split in memory, augmented a whole batch at a time.

All chance comes from a CPU generator, so a seed gives the same batches on any device.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from rem.data.augment import augment, centre, normalize, send
from rem.data.streams import Stream
from rem.errors import RemError
from rem.files.hdf5 import open_hdf5
from rem.settings.images import Augment, Data, Jitter
from rem.settings.run import Run

UNCHANGED = Augment(padding=0, flip=False, rotation=0.0, jitter=Jitter(brightness=0.0, contrast=0.0, saturation=0.0))


@dataclass(frozen=True)
class Split:
    """The images and labels of a split; in the images' place it may have their feature maps, V views of each."""

    images: Tensor  # (N, C, H, W) uint8, or (N, V, C, M, M) float16, the image as it is first
    labels: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """The split on a device."""
        return Split(self.images.to(device), self.labels.to(device))


@contextmanager
def open_prepared(path: Path, data: Data) -> Iterator[h5py.File]:
    """Open a prepared HDF5 file for reading, which must not say that it was prepared by other settings than these.

    Raises:
        RemError: as `open_hdf5`, or the file was prepared by other settings.
    """
    with open_hdf5(path) as file:
        if told := other_settings(file, data):
            raise RemError(
                f"{path} was prepared by other `data` settings than those asked for: {told}; prepare it by these, or "
                "give the file that was."
            )
        yield file


def other_settings(file: h5py.File, data: Data) -> str:
    """By what a prepared file was prepared that is not so in these settings, in words; empty where there is nothing.

    The folder of one's own images may be another: it may have been moved.
    """
    has, wanted = (json.loads(text) for text in (file.attrs.get("settings", "{}"), data.model_dump_json()))
    other = [key for key in wanted | has if has and key != "folder" and has.get(key) != wanted.get(key)]
    return ", ".join(f"{key} {json.dumps(has.get(key))}, not {json.dumps(wanted.get(key))}" for key in other)


def read_split(path: Path, split: str, data: Data) -> Split:
    """A split (train, val, test or transfer) of an HDF5 file that was prepared by these settings.

    Raises:
        RemError: as `open_prepared`, or the file has no such split.
    """
    with open_prepared(path, data) as file:
        return split_of(file, split)


def read_images(path: Path, split: str, data: Data) -> Split:
    """`read_split` of a file that must have images; raises RemError where it has their feature maps."""
    found = read_split(path, split, data)
    if found.images.ndim == 5:
        raise not_images(path)
    return found


def not_images(path: Path) -> RemError:
    """What to raise where a file has a backbone's feature maps, and images are needed."""
    return RemError(f"{path} holds a backbone's feature maps; name the prepared images that they are of.")


def split_of(file: h5py.File, split: str) -> Split:
    """`read_split` of a file that is open."""
    group = find_split(file, split)
    labels = torch.from_numpy(group["labels"][:]).long()
    if "features" not in group:
        return Split(torch.from_numpy(group["images"][:]), labels)
    kept = group["features"]  # larger than memory may be: read where it is looked at
    mapped = np.memmap(file.filename, kept.dtype, "c", kept.id.get_offset(), kept.shape)
    return Split(torch.from_numpy(mapped), labels)


def load_split(path: str | Path, split: str, run: Run) -> tuple[Tensor, Tensor]:
    """A split as the network of a run sees it outside training: the middle of every image, normalised; and the labels.

    >>> network, run, epoch = rem.load("results/sample/models/mnist/rem/seed42/last.pt")
    >>> images, labels = rem.load_split("data/prepared/sample/mnist.h5", "test", run)
    >>> lengths, poses, couplings = network(images[:2])

    Args:
        path: the prepared HDF5 file of the run's dataset.
        split: train, val, test or transfer.
        run: whose settings say how large images are and how they are normalised.

    Returns:
        Images (N, C, size, size) float32 and labels (N,) int64.

    Raises:
        RemError: as `read_split`; the images are smaller than the network's; or the file has feature maps.
    """
    data = run.data
    found = read_images(Path(path), split, data)
    return normalize(centre(found.images, data.size), data.mean, data.std), found.labels


def find_split(file: h5py.File, split: str) -> h5py.Group:
    """The `images` and `labels` of a split; raises RemError where the file has no such split."""
    if split not in file:
        there = ", ".join(file)
        raise RemError(f"{file.filename} has no split {split!r}, only {there}; name one of these.")
    return file[split]


def epoch_batches(
    split: Split,
    batch_size: int,
    size: int,
    settings: Augment,
    mean: Sequence[float],
    std: Sequence[float],
    generator: torch.Generator,
) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of training batches in random order, the last one smaller: float32 (B, C, size, size), int64 (B,)."""
    order = torch.randperm(len(split), generator=generator)
    for index in send(order, split.images.device).split(batch_size):
        if split.images.ndim == 5:
            views = torch.randint(split.images.shape[1], (len(index),), generator=generator)
            yield split.images[index, send(views, index.device)].float(), split.labels[index]
            continue
        images = augment(split.images[index], size, settings, generator)
        yield normalize(images, mean, std), split.labels[index]


def eval_batches(
    split: Split, batch_size: int, size: int, mean: Sequence[float], std: Sequence[float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """The middle of every image, in order: float32 (B, C, size, size), int64 (B,)."""
    for images, labels in zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True):
        if images.ndim == 5:
            yield images[:, 0].float(), labels
        else:
            yield normalize(centre(images, size), mean, std), labels


def stream_batches(
    path: Path, split: str, data: Data, batch_size: int, device: torch.device | str
) -> Iterator[tuple[Tensor, Tensor]]:
    """What `eval_batches` gives for that split, read a batch at a time, so that memory does not grow with its images.

    Raises:
        RemError: as `read_split`.
    """
    with open_prepared(path, data) as file:
        group = find_split(file, split)
        for start in range(0, len(group["labels"]), batch_size):
            rows = slice(start, start + batch_size)
            images = group["features"][rows, :1] if "features" in group else group["images"][rows]
            images, labels = torch.from_numpy(images), torch.from_numpy(group["labels"][rows])
            block = Split(images, labels.long()).to(device)
            yield from eval_batches(block, batch_size, data.size, data.mean, data.std)


def stream_training_batches(
    path: Path, data: Data, batch_size: int, device: torch.device | str
) -> Iterator[tuple[Tensor, Tensor]]:
    """The training images in order, as `stream_batches` gives those of other splits: not augmented.

    Those of `view: place` are each put at a random place, the same whenever they are read.

    Raises:
        RemError: as `read_split`.
    """
    if data.view != "place":
        yield from stream_batches(path, "train", data, batch_size, device)
        return
    for placed, labels in placed_batches(path, data, batch_size, device):
        yield normalize(placed, data.mean, data.std), labels


def placed_batches(
    path: Path, data: Data, batch_size: int, device: torch.device | str
) -> Iterator[tuple[Tensor, Tensor]]:
    """The training images of `view: place` on their canvas, uint8, as `stream_training_batches` places them."""
    drawn = np.random.SeedSequence((data.split_seed, Stream.TRAIN_PLACES_ONCE))
    generator = torch.Generator().manual_seed(int(drawn.generate_state(1)[0]))
    with open_prepared(path, data) as file:
        group = find_split(file, "train")
        for start in range(0, len(group["labels"]), batch_size):
            rows = slice(start, start + batch_size)
            images, labels = (torch.from_numpy(group[name][rows]) for name in ("images", "labels"))
            yield augment(images.to(device), data.size, UNCHANGED, generator), labels.long().to(device)

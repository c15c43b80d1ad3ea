"""Batches of a prepared dataset: a split in memory, augmented a whole batch at a time.

All chance comes from a CPU generator, so a seed gives the same batches on any device.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import h5py
import torch
import torch.nn.functional as F
from torch import Tensor

from rem.files import RemError, open_hdf5
from rem.settings import Augment

GREY = (0.299, 0.587, 0.114)  # lightness of red, green, blue (ITU-R BT.601)


@dataclass(frozen=True)
class Split:
    """The images and labels of a split."""

    images: Tensor  # (N, C, H, W) uint8
    labels: Tensor  # (N,) int64

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Split":
        """The split on a device."""
        return Split(self.images.to(device), self.labels.to(device))


def load_split(path: str | Path, split: str) -> Split:
    """A split (train, val, test or transfer) of a prepared HDF5 file.

    Raises:
        RemError: the file is missing, damaged, or has no such split.
    """
    with open_hdf5(path) as file:
        group = find_split(file, split)
        return Split(torch.from_numpy(group["images"][:]), torch.from_numpy(group["labels"][:]).long())


def find_split(file: h5py.File, split: str) -> h5py.Group:
    """The `images` and `labels` of a split; raises RemError where the file has no such split."""
    if split not in file:
        raise RemError(f"{file.filename} has no split {split!r}, only {', '.join(file)}; prepare it again.")
    return file[split]


def augment(images: Tensor, size: int, settings: Augment, generator: torch.Generator) -> Tensor:
    """Random changes, drawn for each image: a crop after padding, a flip, a rotation, a jitter of the colours.

    Images smaller than `size` (`view: place`) are padded by `size - H` and `size - W` on each side, so that a crop
    shows the whole image at a random place.

    Args:
        images: uint8 (B, C, H, W).
        size: side of the crop.
        settings: what is done, and how strongly.
        generator: of the CPU.

    Returns:
        (B, C, size, size): uint8, or with rotation or jitter float32 in [0, 1].
    """
    count, channels, height, width = images.shape
    pad_rows, pad_columns = (size - side if side < size else settings.padding for side in (height, width))
    top = torch.randint(height + 2 * pad_rows - size + 1, (count, 1), generator=generator)
    left = torch.randint(width + 2 * pad_columns - size + 1, (count, 1), generator=generator)
    rows, columns = top + torch.arange(size), left + torch.arange(size)  # (B, size)
    if settings.flip:
        flipped = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(flipped, columns.flip(1), columns)
    each, channel = (torch.arange(number, device=images.device) for number in (count, channels))
    rows, columns = _send(rows, images.device)[:, None, :, None], _send(columns, images.device)[:, None, None, :]
    padded = F.pad(images, (pad_columns, pad_columns, pad_rows, pad_rows))  # (B, C, H', W')
    changed = padded[each[:, None, None, None], channel[:, None, None], rows, columns]  # (B, C, size, size)
    if settings.rotation:
        changed = _rotate(changed, settings.rotation, generator)
    return _jitter(changed, settings.jitter, generator) if settings.jitter else changed


def _rotate(images: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    """Turn each image about its middle by up to +-degrees, black where nothing was: uint8 -> float32 in [0, 1]."""
    angles = math.radians(degrees) * (2 * torch.rand(len(images), generator=generator) - 1)  # (B,)
    turns = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], dim=1).view(-1, 2, 2)
    affine = _send(F.pad(turns, (0, 1)), images.device)  # (B, 2, 3), no translation
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)  # (B, H, W, 2)
    return F.grid_sample(_unit(images), grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _jitter(images: Tensor, jitter: float, generator: torch.Generator) -> Tensor:
    """Scale each image's brightness, contrast and (if RGB) saturation by 1 +- jitter, to float32 in [0, 1]."""
    factors = 1 + jitter * (2 * torch.rand(3, len(images), 1, 1, 1, generator=generator) - 1)
    brightness, contrast, saturation = _send(factors, images.device)
    images = (_unit(images) * brightness).clamp(0, 1)
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    images = torch.lerp(mean, images, contrast).clamp(0, 1)
    if images.shape[1] == 3:
        images = torch.lerp(_grey(images), images, saturation).clamp(0, 1)
    return images


def _grey(images: Tensor) -> Tensor:
    """Lightness, (B, C, H, W) -> (B, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    return (images * _send(torch.tensor(GREY), images.device)[:, None, None]).sum(1, keepdim=True)


def centre(images: Tensor, size: int) -> Tensor:
    """The middle square of side `size`: (B, C, H, W) -> (B, C, size, size).

    Raises:
        RemError: the images are smaller, which training images of `view: place` are.
    """
    if min(images.shape[-2:]) < size:
        raise RemError(
            f"images of {images.shape[-2]}x{images.shape[-1]} have no place on {size}x{size} outside training; "
            "choose another split than train."
        )
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pixels, uint8 or float in [0, 1], less the mean and over the deviation of their channel: float32, same shape."""
    shift, scale = (_send(torch.tensor(values), images.device)[:, None, None] for values in (mean, std))
    return (_unit(images) - shift) / scale


def reconstruction_targets(
    images: Tensor, pixels: Literal["raw", "normalized"], mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """What reconstructions of normalized images are compared with: themselves, or their raw pixels in [0, 1]."""
    if pixels == "normalized":
        return images
    shift, scale = (_send(torch.tensor(values), images.device)[:, None, None] for values in (mean, std))
    return (images * scale + shift).clamp(0, 1)


def _unit(images: Tensor) -> Tensor:
    """Pixels in [0, 1], of uint8 or of pixels in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _send(values: Tensor, device: torch.device) -> Tensor:
    """Values of the CPU on a device; a GPU takes them in its turn, and nothing waits for that."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


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
    for index in _send(order, split.images.device).split(batch_size):
        images = augment(split.images[index], size, settings, generator)
        yield normalize(images, mean, std), split.labels[index]


def eval_batches(
    split: Split, batch_size: int, size: int, mean: Sequence[float], std: Sequence[float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """The middle of every image, in order: float32 (B, C, size, size), int64 (B,)."""
    for images, labels in zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True):
        yield normalize(centre(images, size), mean, std), labels


def stream_batches(
    path: str | Path,
    split: str,
    batch_size: int,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device | str,
) -> Iterator[tuple[Tensor, Tensor]]:
    """What `eval_batches` gives for that split, read a batch at a time, so that memory does not grow with its images.

    Raises:
        RemError: as `load_split`.
    """
    with open_hdf5(path) as file:
        group = find_split(file, split)
        for start in range(0, len(group["labels"]), batch_size):
            rows = slice(start, start + batch_size)
            images, labels = (torch.from_numpy(group[name][rows]) for name in ("images", "labels"))
            yield from eval_batches(Split(images, labels.long()).to(device), batch_size, size, mean, std)

"""What is done to a batch of pixels: crops, flips, rotations, colours, normalisation."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from rem.errors import RemError
from rem.settings.images import Augment, Jitter

GREY = (0.299, 0.587, 0.114)  # lightness of red, green, blue (ITU-R BT.601)


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
    rows, columns = send(rows, images.device)[:, None, :, None], send(columns, images.device)[:, None, None, :]
    padded = F.pad(images, (pad_columns, pad_columns, pad_rows, pad_rows))  # (B, C, H', W')
    changed = padded[each[:, None, None, None], channel[:, None, None], rows, columns]  # (B, C, size, size)
    if settings.rotation:
        changed = _rotate(changed, settings.rotation, generator)
    jitter = settings.jitter
    some = jitter.brightness or jitter.contrast or jitter.saturation
    return _jitter(changed, jitter, generator) if some else changed


def _rotate(images: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    """Turn each image about its middle by up to +-degrees, black where nothing was: uint8 -> float32 in [0, 1]."""
    angles = math.radians(degrees) * (2 * torch.rand(len(images), generator=generator) - 1)  # (B,)
    turns = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], dim=1).view(-1, 2, 2)
    affine = send(F.pad(turns, (0, 1)), images.device)  # (B, 2, 3), no translation
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)  # (B, H, W, 2)
    return F.grid_sample(_unit(images), grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _jitter(images: Tensor, jitter: Jitter, generator: torch.Generator) -> Tensor:
    """Scale each image's brightness, contrast and (if RGB) saturation by 1 +- its jitter, to float32 in [0, 1]."""
    strength = torch.tensor([jitter.brightness, jitter.contrast, jitter.saturation]).view(3, 1, 1, 1, 1)
    factors = 1 + strength * (2 * torch.rand(3, len(images), 1, 1, 1, generator=generator) - 1)
    brightness, contrast, saturation = send(factors, images.device)
    images = (_unit(images) * brightness).clamp(0, 1)
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    images = torch.lerp(mean, images, contrast).clamp(0, 1)
    if images.shape[1] == 3:
        images = torch.lerp(_grey(images), images, saturation).clamp(0, 1)
    return images


def _grey(images: Tensor) -> Tensor:
    """Lightness: of RGB (B, 3, H, W) -> (B, 1, H, W); grey images, also those of a stereo pair, are their own."""
    if images.shape[1] != 3:
        return images
    return (images * send(torch.tensor(GREY), images.device)[:, None, None]).sum(1, keepdim=True)


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
    shift, scale = (send(torch.tensor(values), images.device)[:, None, None] for values in (mean, std))
    return (_unit(images) - shift) / scale


def reconstruction_targets(
    images: Tensor, pixels: Literal["raw", "normalized"], mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """What reconstructions of normalized images are compared with: themselves, or their raw pixels in [0, 1]."""
    if pixels == "normalized":
        return images
    shift, scale = (send(torch.tensor(values), images.device)[:, None, None] for values in (mean, std))
    return (images * scale + shift).clamp(0, 1)


def _unit(images: Tensor) -> Tensor:
    """Pixels in [0, 1], of uint8 or of pixels in [0, 1]."""
    return images.float() / 255 if images.dtype == torch.uint8 else images


def send(values: Tensor, device: torch.device) -> Tensor:
    """Values of the CPU on a device; a GPU takes them in its turn, and nothing waits for that."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values

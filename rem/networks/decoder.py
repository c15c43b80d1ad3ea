"""The reconstruction network of Sabour et al. (2017), which draws an image from the pose of one class capsule."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Decoder(nn.Module):
    """Fully connected layers from the class capsules, all but one masked, to pixels: ReLU between, a sigmoid last.

    Args:
        classes: J.
        dimensions: D, of a class capsule.
        hidden: sizes of the layers between; Sabour et al. have 512 and 1024.
        channels: of the images.
        size: side of the images in pixels.
    """

    def __init__(self, classes: int, dimensions: int, hidden: Sequence[int], channels: int, size: int) -> None:
        super().__init__()
        self.classes, self.image = classes, (channels, size, size)
        sizes = [classes * dimensions, *hidden]
        layers = [layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], channels * size**2), nn.Sigmoid())

    def forward(self, poses: Tensor, shown: Tensor) -> Tensor:
        """Reconstruct from the pose of one class: the label's in training, the prediction's in testing.

        Args:
            poses: (B, J, D), v_j.
            shown: (B,), the class whose pose is shown; the others' are masked with zeros.

        Returns:
            (B, C, S, S), in (0, 1).
        """
        mask = functional.one_hot(shown, self.classes).to(poses.dtype).unsqueeze(-1)  # (B, J, 1)
        return self.layers((poses * mask).flatten(1)).unflatten(1, self.image)


@torch.no_grad()
def perturb(decoder: Decoder, poses: Tensor, shown: Tensor, offsets: Tensor) -> Tensor:
    """Reconstructions of poses of which one dimension at a time is moved (Figure 8).

    Args:
        decoder: the reconstruction network.
        poses: (N, J, D), v_j.
        shown: (N,), the class whose pose is moved and shown.
        offsets: (O,), added to one dimension after the other.

    Returns:
        (N, D, O, C, S, S), in (0, 1).
    """
    count, _, dimensions = poses.shape
    steps = offsets.view(-1, 1) * torch.eye(dimensions, device=poses.device).unsqueeze(1)  # (D, O, D)
    moved = poses[:, None, None] + steps.unsqueeze(2)  # (N, D, O, J, D); the mask leaves class `shown`
    drawn = decoder(moved.flatten(0, 2), shown.repeat_interleave(dimensions * len(offsets)))
    return drawn.unflatten(0, (count, dimensions, len(offsets)))

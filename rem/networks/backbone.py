"""ResNet-18 (He et al., 2016) below the primary capsules, as the paper has it on Tiny ImageNet."""

from collections import OrderedDict
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from rem.errors import RemError

SHRINKS = 32  # the feature map's side is the image's over this, rounded up
PADDING = 6  # zeros around the feature map: 7x7 of an image of 224 pixels becomes 19x19
CLASSIFIER = ("avgpool", "fc")  # what follows the last feature map


class Backbone(nn.Module):
    """ResNet-18 up to its last feature map, with zeros around it for the 9x9 convolution of the primary capsules.

    A frozen backbone has no gradients and stays in evaluation mode whatever the network around it does, so
    neither its weights nor the statistics of its batch normalisation ever move. The weights are random at first,
    torchvision's default; under the names of torchvision's state dict, `stages` takes others.

    Args:
        frozen: whether it stays as it is; else it is trained with the rest.
        input_size: side to which images are scaled first (bilinear, without anti-aliasing); None: as they are.
    """

    channels = 512  # of the last feature map

    def __init__(self, frozen: bool, input_size: int | None) -> None:
        from torchvision.models import resnet18  # here, for few networks need it and it takes a second

        super().__init__()
        layers = resnet18(weights=None).named_children()
        self.stages = nn.Sequential(OrderedDict((name, layer) for name, layer in layers if name not in CLASSIFIER))
        self.frozen, self.input_size = frozen, input_size
        self.requires_grad_(not frozen)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode, which a frozen backbone never leaves."""
        return super().train(mode and not self.frozen)

    def side(self, size: int) -> int:
        """Side of the padded feature map for images of `size` pixels.

        Raises:
            RemError: the feature map would have one pixel, over which batch normalisation has no statistics.
        """
        seen = self.input_size or size
        if seen <= SHRINKS:
            raise RemError(f"images of {seen} pixels are too small for the backbone; network.input_size must be >= 33.")
        return -(-seen // SHRINKS) + 2 * PADDING

    def forward(self, images: Tensor) -> Tensor:
        """What `features` takes, or the maps that it returned, to padded feature maps (B, 512, M, M)."""
        features = images if images.shape[1] == self.channels else self.features(images)
        return F.pad(features, (PADDING,) * 4)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S), or grey ones (B, 1, S, S) thrice, to their feature maps (B, 512, S / 32, S / 32)."""
        if self.input_size is not None:
            images = F.interpolate(images, size=(self.input_size, self.input_size), mode="bilinear")
        return self.stages(images.expand(-1, 3, -1, -1))

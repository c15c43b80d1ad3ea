"""The untrained network that the settings of a run ask for."""

from collections.abc import Sequence

import torch
from torch import nn

from rem.networks.backbone import Backbone
from rem.networks.capsnet import CapsNet
from rem.settings.run import Network, Run


def build(run: Run, device: torch.device) -> CapsNet:
    """The untrained network of a run with its decoder, if it has one, its weights drawn from the global generator.

    A backbone's are random too: `rem.training.checkpoints.load_backbone` puts the pretrained ones in their place.
    """
    data, hidden = run.data, run.decoder.hidden if run.decoder else None
    model = capsnet(run.network, data.channels, data.size, data.classes, hidden).to(device)
    if device.type == "cuda" or run.training.precision == "bfloat16":  # elsewhere it makes convolutions slower
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)
    return model


def capsnet(network: Network, channels: int, size: int, classes: int, hidden: Sequence[int] | None = None) -> CapsNet:
    """The network of these settings for images (B, channels, size, size); arguments and errors as of `CapsNet`."""
    return CapsNet(
        channels,
        size,
        classes,
        convolution_channels=network.convolution_channels,
        primary_types=network.primary_types,
        primary_dimensions=network.primary_dimensions,
        class_dimensions=network.class_dimensions,
        iterations=network.routing_iterations,
        backbone=Backbone(network.weights == "pretrained", network.input_size) if network.backbone else None,
        hidden=hidden,
    )

"""The untrained network that the settings of a run ask for."""

from collections.abc import Sequence

import torch
from torch import nn

from rem.networks.backbone import Backbone
from rem.networks.capsnet import CapsNet
from rem.networks.connections import draw
from rem.settings.run import Network, Run


def build(run: Run, device: torch.device) -> CapsNet:
    """The untrained network of a run with its decoder, if it has one, its weights drawn from the global generator.

    A backbone's are random too: `rem.training.checkpoints.load_backbone` puts the pretrained ones in their place.
    Connections that are drawn by lot are those of the run's seed.
    """
    data, hidden = run.data, run.decoder.hidden if run.decoder else None
    connected = bool(run.structure or (run.connections and run.connections.softmax == "connected"))
    model = capsnet(run.network, data.channels, data.size, data.classes, hidden, connected).to(device)
    if run.connections and run.connections.chosen_by == "lot":
        capsules, classes = model.weight.shape[:2]
        count, chance = run.connections.count(capsules, classes), torch.Generator().manual_seed(run.seed)
        model.keep(draw(capsules, classes, count, run.connections.keep_one, chance).to(device))
    if device.type == "cuda" or run.training.precision == "bfloat16":  # elsewhere it makes convolutions slower
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.to(memory_format=torch.channels_last)
    return model


def capsnet(
    network: Network,
    channels: int,
    size: int,
    classes: int,
    hidden: Sequence[int] | None = None,
    connected: bool = False,
) -> CapsNet:
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
        connected=connected,
    )

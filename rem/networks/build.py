"""The untrained network that the settings of a run ask for."""

from collections.abc import Sequence

import torch
from torch import nn

from rem.networks.backbone import Backbone
from rem.networks.capsnet import CapsNet
from rem.networks.connections import draw
from rem.networks.convcaps import ConvCapsNet
from rem.networks.decoder import Decoder
from rem.networks.deepcaps import DeepCaps
from rem.networks.efficient import EfficientCapsNet
from rem.networks.gamma import GammaCapsNet
from rem.networks.network import Network
from rem.networks.own import own_network
from rem.networks.routings import attention, dynamic, em, sda, uniform
from rem.networks.routings import self as self_routing
from rem.settings import network as settings
from rem.settings.run import Run

ROUTINGS = {  # by the name of its file, which `network.routing` has
    "attention": attention.ROUTING,
    "dynamic": dynamic.ROUTING,
    "em": em.ROUTING,
    "sda": sda.ROUTING,
    "self": self_routing.ROUTING,
    "uniform": uniform.ROUTING,
}


def build(run: Run, device: torch.device) -> Network:
    """The untrained network of a run with its decoder, if it has one, its weights drawn from the global generator.

    A backbone's are random too: `rem.training.checkpoints.load_backbone` puts the pretrained ones in their place.
    Connections that are drawn by lot are those of the run's seed.

    Raises:
        RemError: as the network's class does.
    """
    data, hidden = run.data, run.decoder.hidden if run.decoder else None
    connected = bool(run.structure or (run.connections and run.connections.softmax == "connected"))
    model = untrained(run.network, data.channels, data.size, data.classes, hidden, connected).to(device)
    if run.connections and run.connections.chosen_by == "lot":
        count, chance = run.connections.count(model.capsules, model.classes), torch.Generator().manual_seed(run.seed)
        model.keep(draw(model.capsules, model.classes, count, run.connections.keep_one, chance).to(device))
    if _channels_last(run, device):
        lay_out(model, torch.channels_last)
    return model


def lay_out(model: Network, order: torch.memory_format) -> None:
    """Lay the convolutions of a network out in memory; what is computed of images follows."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=order)


def _channels_last(run: Run, device: torch.device) -> bool:
    """Whether convolutions are faster with the channels last in memory; in float32 that was seen with AVX2 alone."""
    if device.type == "cuda" or run.training.precision == "bfloat16":
        return True
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def untrained(
    network: settings.Network,
    channels: int,
    size: int,
    classes: int,
    hidden: Sequence[int] | None = None,
    connected: bool = False,
) -> Network:
    """The network of these settings for images (B, channels, size, size), with a decoder of `hidden` layers, if any."""
    if network.architecture == "capsnet":
        return capsnet(network, channels, size, classes, hidden, connected)
    if network.is_own:
        model = own_network(network.architecture, channels, size, classes)
    else:
        sizes = _sizes(network)
        if network.architecture == "efficient":
            model = EfficientCapsNet(channels, size, classes, **sizes)
        elif network.architecture == "deepcaps":
            model = DeepCaps(channels, size, classes, **sizes, primary_types=network.primary_types)
        else:
            kind = {"gamma": GammaCapsNet, "convcaps": ConvCapsNet}[network.architecture]
            further = {"primary_types": network.primary_types, "middle_capsules": network.middle_capsules}
            model = kind(channels, size, classes, **sizes, **further)
    if hidden is not None:  # last: the other weights are drawn as without it
        model.decoder = Decoder(classes, _dimensions(model, channels, size), hidden, channels, size)
    return model


def capsnet(
    network: settings.Network,
    channels: int,
    size: int,
    classes: int,
    hidden: Sequence[int] | None = None,
    connected: bool = False,
) -> CapsNet:
    """The CapsNet of these settings for images (B, channels, size, size); arguments and errors as of `CapsNet`."""
    return CapsNet(
        channels,
        size,
        classes,
        **_sizes(network),
        primary_types=network.primary_types,
        backbone=Backbone(network.weights == "pretrained", network.input_size) if network.backbone else None,
        hidden=hidden,
        connected=connected,
    )


def _sizes(network: settings.Network) -> dict[str, object]:
    """What the settings say to every network but one's own, by the names of its arguments."""
    return {
        "convolution_channels": network.convolution_channels,
        "primary_dimensions": network.primary_dimensions,
        "class_dimensions": network.class_dimensions,
        "iterations": network.routing_iterations,
        "routing": ROUTINGS[network.routing],
    }


@torch.no_grad()
def _dimensions(model: Network, channels: int, size: int) -> int:
    """D of the poses that a network returns."""
    poses = model.eval()(torch.zeros(1, channels, size, size))[1]
    model.train()
    return poses.shape[2]

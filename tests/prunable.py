"""A network of some 500 parameters, and the images it is trained on: small enough to prune in a blink."""

import numpy as np
import tiny
import torch

from rem.networks.build import capsnet
from rem.networks.capsnet import CapsNet
from rem.networks.losses import margin_loss

PRUNABLE = ("convolution.weight", "primary.weight", "weight")
LAYERS = ("convolution", "primary", "class")
TINY = tiny.run(network={"primary_types": 1, "primary_dimensions": 2, "class_dimensions": 2}).network


def tiny_network(seed: int = 0) -> CapsNet:
    """Some 500 parameters in float64: 17x17 images, I = 1, J = 2."""
    torch.manual_seed(seed)
    return capsnet(TINY, channels=1, size=17, classes=2).double()


def labelled_images(count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Images with a bright upper (class 0) or lower half (class 1)."""
    draw = np.random.default_rng(7)
    labels = np.arange(count) % 2
    images = draw.normal(size=(count, 1, 17, 17))
    images[labels == 0, :, :8] += 2
    images[labels == 1, :, 9:] += 2
    return torch.tensor(images), torch.tensor(labels)


def loss_of(network: CapsNet) -> torch.Tensor:
    """The margin loss on those images."""
    images, labels = labelled_images()
    return margin_loss(network(images)[0], labels)


def train(network: CapsNet, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Plain steps, without pruning."""
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(network).backward()
        optimizer.step()


def weights(network: CapsNet) -> dict[str, torch.Tensor]:
    """The prunable weights."""
    return {name: parameter for name, parameter in network.named_parameters() if name in PRUNABLE}


def magnitudes_of(network: CapsNet) -> torch.Tensor:
    """|w| of all prunable weights, in one row."""
    return torch.cat([weight.detach().abs().flatten() for weight in weights(network).values()])

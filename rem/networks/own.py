"""A network of the reader's own: a class in a Python file, which `network.architecture` names as file.py:Class.

The file is run, as any code of one's own is. So it runs only where the user names it, and never because a checkpoint
does (`rem.training.checkpoints`).
"""

import importlib.util
from pathlib import Path

import torch

from rem.errors import RemError
from rem.files.notes import note_read
from rem.networks.class_capsules import RoutedNetwork
from rem.networks.network import LowerLayer, Network


def own_network(architecture: str, channels: int, size: int, classes: int) -> Network:
    """A network of the class that `architecture` names, made for such images and checked on one batch of zeros.

    The class is made as Class(channels, size, classes) and must be a `rem.Network`.

    Raises:
        RemError: the file or the class is missing, does not run, or returns what no network returns.
    """
    path, _, name = architecture.rpartition(":")
    try:
        network = _class(Path(path), name)(channels, size, classes)
        if not isinstance(network, Network):
            raise TypeError(f"{name} is no rem.Network")
        _measure(network, torch.zeros(2, channels, size, size), classes)
    except Exception as error:  # any: it is the reader's code
        told = str(error).rstrip(".") or "no reason given"
        raise RemError(
            f"network.architecture {architecture} makes no network: {type(error).__name__}, {told}; mend the file, or "
            "see docs/own-network.md."
        ) from error
    return network


def _class(path: Path, name: str) -> type:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    note_read(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@torch.no_grad()
def _measure(network: Network, images: torch.Tensor, classes: int) -> None:
    """Take I and J from what a network returns of images; raises ValueError where that is not what it must be."""
    with torch.random.fork_rng(devices=[]):
        lengths, poses, couplings = network.eval()(images)
        layers = network.lower_layers(network.stem(images))
    network.train()
    wanted = (len(images), classes)
    for what, value, dimensions in (("lengths", lengths, 2), ("poses", poses, 3), ("couplings", couplings, 3)):
        if value.dim() != dimensions or value.shape[:2] != wanted:
            raise ValueError(f"{what} have the shape {tuple(value.shape)}, which must begin with {wanted}")
    if not torch.allclose(couplings.sum(dim=1), torch.ones_like(couplings[:, 0]), atol=1e-3):
        raise ValueError("couplings of a capsule do not sum to 1 over the classes")
    if not isinstance(network, RoutedNetwork):  # which tells both
        network.capsules, network.classes = couplings.shape[2], classes
    above = couplings.shape[1:]  # of the layer above: its capsules, and the children of each
    for number, layer in enumerate(layers, 2):
        _check_layer(f"layer {number}", layer, len(images), above)
        above = layer.lengths.shape[1], layer.couplings.shape[3]


def _check_layer(what: str, layer: LowerLayer, images: int, above: tuple[int, int]) -> None:
    """Raises ValueError where a lower layer is not what it must be, below capsules with so many children."""
    shape = tuple(layer.couplings.shape)
    if len(shape) != 4 or shape[0] != images:
        raise ValueError(f"couplings of {what} have the shape {shape}, which must be ({images}, L, M, N)")
    if not torch.allclose(layer.couplings.sum(dim=2), torch.ones(1), atol=1e-3):
        raise ValueError(f"couplings of a child in {what} do not sum to 1 over the capsules of a place")
    capsules = shape[1] * shape[2]
    if tuple(layer.lengths.shape) != (images, capsules):
        raise ValueError(f"lengths of {what} have the shape {tuple(layer.lengths.shape)}, not {(images, capsules)}")
    parts = torch.arange(above[1]) if layer.parts is None else layer.parts.expand(above)
    if parts.min() < -1 or parts.max() >= capsules or (parts < 0).all(dim=-1).any():
        raise ValueError(f"parts of {what} must name one of its {capsules} capsules at least, and no others but -1")

"""A network without what is dead in it: the same outputs from fewer weights.

From outside nothing changes. Primary capsules keep their numbers, and the dead ones their couplings, so that whatever
reads a network reads a compact one.
"""

import copy

import torch
from torch import Tensor, nn

from rem.errors import RemError
from rem.networks.capsnet import CapsNet


@torch.no_grad()
def compact(model: CapsNet) -> CapsNet:
    """A copy of a network that computes the same without what cannot reach its outputs.

    A connection is dead if its W_ij is zero, a primary capsule if all its connections are, and a type of primary
    capsules if all its capsules are. A channel of the first convolution is dead if its own weights are all zero, or all
    weights by which living types see it. What it then shows everywhere, relu of its bias, goes into the second
    convolution's bias, exactly, for there is no padding. The convolutions compute living types from living channels;
    capsules that are dead are not routed. Backbone and decoder stay as they are.

    Args:
        model: any network, a compact one too.

    Raises:
        RemError: nothing is left by which the outputs could depend on the image.
    """
    model = copy.deepcopy(model)
    if model.connections is not None:
        model.keep(model.connections)
    capsules = torch.arange(len(model.weight), device=model.weight.device)
    living = matrices(model).any(dim=1)  # (I,)
    computed = capsules if model.computed is None else model.computed
    of_type = computed.view(len(model.primary.bias) // model.dimensions, -1)  # (T, M*N)
    types = living[of_type].any(dim=1).nonzero().squeeze(1)
    channels = None
    if model.convolution is not None:
        channels = _fold(model, types)
    if not len(types) or (channels is not None and not len(channels)):
        raise RemError(
            "the network has the same outputs for every image, for nothing in it leads from one to the other; compact "
            "one that was pruned less."
        )
    _cut(model, channels, types)
    model.computed = of_type[types].flatten()
    model.living = None if model.connections is not None or living.all() else capsules[living]
    return model


def matrices(model: CapsNet) -> Tensor:
    """Which W_ij are not zero, (I, J)."""
    return (model.weight != 0).flatten(2).any(dim=2)


def _fold(model: CapsNet, types: Tensor) -> Tensor:
    """The numbers of the living channels; what the others show goes into the second convolution's bias, in place."""
    first, second = model.convolution, model.primary
    constant = (first.weight == 0).flatten(1).all(dim=1)  # (F,)
    seen = (second.weight[_channels(types, model.dimensions)] != 0).any(dim=3).any(dim=2).any(dim=0)  # (F,)
    second.bias += second.weight[:, constant].sum(dim=(2, 3)) @ first.bias[constant].relu()
    return (seen & ~constant).nonzero().squeeze(1)


def _channels(types: Tensor, dimensions: int) -> Tensor:
    """The channels of the second convolution that hold these types' capsules, in order."""
    return (types.unsqueeze(1) * dimensions + torch.arange(dimensions, device=types.device)).flatten()


def _cut(model: CapsNet, channels: Tensor | None, types: Tensor) -> None:
    """Leave the convolutions these channels (None: of a backbone, all) and these types, in place."""
    _cut_layer(model.primary, _channels(types, model.dimensions), channels)
    if channels is not None:
        _cut_layer(model.convolution, channels, None)


def _cut_layer(layer: nn.Conv2d, outputs: Tensor, inputs: Tensor | None) -> None:
    weight = layer.weight[outputs] if inputs is None else layer.weight[outputs][:, inputs]
    if not layer.weight.is_contiguous():
        weight = weight.contiguous(memory_format=torch.channels_last)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(layer.bias[outputs])
    layer.out_channels, layer.in_channels = weight.shape[:2]


def pack(model: CapsNet) -> dict[str, Tensor]:
    """A compact network's state dict, in which `weight` holds those W_ij alone that are not zero.

    They are (E, D, P), and `matrices` (I, J) says which they are.
    """
    there = matrices(model)
    return model.state_dict() | {"weight": model.weight.detach()[there], "matrices": there}


@torch.no_grad()
def unpack(model: CapsNet, state: dict[str, Tensor]) -> None:
    """Give a network as it was built a compact one's layers and weights.

    Args:
        model: of the sizes of the network that was made compact.
        state: of `pack`, or the compact network's own state dict.
    """
    if "matrices" in state:
        weight = torch.zeros_like(model.weight)
        weight[state["matrices"]] = state["weight"]
        state = {name: value for name, value in state.items() if name != "matrices"} | {"weight": weight}
    device = model.weight.device
    types = torch.arange(len(state["primary.bias"]) // model.dimensions, device=device)
    channels = None if model.convolution is None else torch.arange(len(state["convolution.bias"]), device=device)
    _cut(model, channels, types)
    model.computed, model.living = state["computed"], state.get("living")
    model.load_state_dict(state)

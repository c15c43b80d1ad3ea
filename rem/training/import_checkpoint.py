"""Networks trained with the authors' code, made into runs of this project."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rem.errors import Damaged, RemError
from rem.files.atomic import whole
from rem.files.digests import checksum
from rem.files.notes import note_read
from rem.networks.build import capsnet
from rem.networks.capsnet import KERNEL, STRIDE, CapsNet
from rem.settings.run import Run
from rem.settings.sections import to_yaml
from rem.training.checkpoints import load_tensors, save_checkpoint

# Sizes by letter: F channels of the first convolution, C of the images, T primary types on a grid of M rows and N
# columns, P and D dimensions of primary and class capsules, J classes, K the convolutions' kernel.
LAYOUT = {
    "classCaps.weight": "T M N J D P",
    "conv1.weight": "F C K K",
    "conv1.bias": "F",
    "primaryCaps.caps_poses.weight": "TP F K K",
    "primaryCaps.caps_poses.bias": "TP",
    "classCaps.routing_bias": "J 1 1 D 1",
}
HOLDERS = ("state_dict", "model", "net")  # under which training scripts save a state dict beside other things
WRAPPERS = ("module", "_orig_mod")  # what DataParallel and torch.compile put into the names of tensors


def import_checkpoint(file: Path, run: Run, folder: Path, epoch: int) -> None:
    """Write a state dict of theirs as a trained run, with every file that training leaves.

    All its checkpoints hold the one network there is; `history.csv` has no row. They cannot be written to
    afterwards, which keeps Snakemake from training a network in their place.

    Args:
        file: the state dict.
        run: settings to read it by: data, classes and routing iterations are the run's, the sizes of the layers the
            file's.
        folder: of the run.
        epoch: after which it was saved, 0 where that is not known.

    Raises:
        RemError: the file is no such state dict, or one for other images or classes; the run's network is another; or
            the folder has networks.
    """
    if not run.network.is_plain:
        raise RemError(
            f"{run.variant} has network.architecture {run.network.architecture} and network.routing "
            f"{run.network.routing}, but the authors' networks have capsnet and dynamic; name such a --variant."
        )
    if run.connections or run.structure:
        raise RemError(
            f"{run.variant} removes connections or whole layers' parts while it trains, which the authors' networks "
            "have all; name a --variant without connections and structure."
        )
    if (folder / "last.pt").exists():
        raise RemError(f"{folder} has a network already; import under another variant or seed, or rename {folder}.")
    model, run = convert(unwrapped(_read(file), str(file)), run, str(file))
    origin = f"{file.name}, {checksum(file, 'sha256', unpacked=False)}"
    written = [folder / f"{name}.pt" for name in ("first", "best", "early", "last", f"epochs/epoch{epoch:04d}")]
    with whole(folder / "run.yaml") as partial:
        partial.write_text(to_yaml(run), encoding="utf-8")
    with whole(folder / "history.csv") as partial:
        partial.write_text("epoch\n", encoding="utf-8")
    for path in written:
        save_checkpoint(path, model.state_dict(), run, epoch, imported=origin)
        path.chmod(0o444)


def unwrapped(content: Any, where: str) -> dict[str, Tensor]:
    """The state dict in what a file holds: tensors by the network's own names, those of `LAYOUT` finite and float32.

    It is taken out of the entry of `HOLDERS` that it lies in, the names lose the parts of `WRAPPERS`, what torch's
    pruning keeps as a weight and its mask is multiplied, and other precisions are converted. Standard error says what
    was left out or converted.

    Args:
        content: of the file.
        where: the file, for messages.

    Raises:
        RemError: there is no state dict or more than one, two tensors have one name, a mask is not of its weight's
            shape, or a tensor of the network is not dense floating point or not finite.
    """
    content = _held(content, where)
    weights = {}
    for name, value in content.items():
        own = ".".join(part for part in name.split(".") if part not in WRAPPERS)
        if own in weights:
            raise RemError(f"{where} holds {own} more than once; save one network's state dict.")
        weights[own] = value
    weights = _pruned(weights, where)
    converted = set()
    for name in LAYOUT.keys() & weights.keys():
        value = weights[name]
        if value.layout != torch.strided or not value.is_floating_point():
            raise RemError(f"{where}: {name} is not a dense tensor of floating point numbers; save it as one.")
        if value.dtype != torch.float32:
            converted.add(str(value.dtype).removeprefix("torch."))
        weights[name] = value.float()
    if converted:
        print(f"{where}: weights converted from {' and '.join(sorted(converted))} to float32", file=sys.stderr)
    _require_finite(weights, where)
    return weights


def _held(content: Any, where: str) -> dict[str, Tensor]:
    """The content, or the one entry of it under a name of `HOLDERS`, if that maps names to tensors."""
    if isinstance(content, Mapping):
        holders = [name for name in HOLDERS if isinstance(content.get(name), Mapping)]
        if len(holders) > 1:
            raise RemError(f"{where} holds several state dicts ({', '.join(holders)}); save one of them.")
        if holders:
            others = [str(name) for name in content if name not in holders]
            left = f"; {', '.join(others)} left out" if others else ""
            print(f"{where}: the state dict is the entry {holders[0]}{left}", file=sys.stderr)
            content = content[holders[0]]
    if not isinstance(content, Mapping) or not content:
        raise RemError(f"{where} is not a state dict: it must map names to tensors, nothing else.")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise RemError(f"{where} is not a state dict: it must map names to tensors, but {name!r} is none.")
    return dict(content)


def _pruned(weights: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Weights with every pair that torch.nn.utils.prune made of one, `x_orig` and `x_mask`, as their product `x`."""
    made = {}
    for name, value in weights.items():
        own = name.removesuffix("_orig")
        mask = weights.get(f"{own}_mask")
        if own == name or mask is None:
            continue
        if mask.shape != value.shape:
            raise RemError(f"{where}: {own}_mask has another shape than {name}; save the pruned weight itself.")
        if own in weights:
            raise RemError(f"{where} holds {own} more than once; save one network's state dict.")
        made[own] = value * mask
    pairs = {f"{name}{end}" for name in made for end in ("_orig", "_mask")}
    return {name: value for name, value in weights.items() if name not in pairs} | made


def _require_finite(weights: dict[str, Tensor], where: str) -> None:
    """Raise where a tensor of the network has NaN or infinite numbers, naming each such tensor and how many it has."""
    faults = []
    for name in (name for name in LAYOUT if name in weights):
        value = weights[name]
        if bad := int((~value.isfinite()).sum()):
            faults.append(f"{name} ({bad:,} of {value.numel():,})")
    if faults:
        raise RemError(f"{where} has weights that are NaN or infinite: {', '.join(faults)}; import a sound checkpoint.")


def convert(weights: dict[str, Tensor], run: Run, where: str) -> tuple[CapsNet, Run]:
    """The network with their weights, and its run with the sizes of their layers.

    Both lay primary capsules out as types, rows, columns and the second convolution's channels as types, dimensions.

    Raises:
        RemError: a tensor is missing or has another shape; names the key and both shapes.
    """
    sizes = _sizes(weights, run, where)
    layers = {
        "backbone": None,
        "weights": None,
        "input_size": None,
        "views": None,
        "convolution_channels": sizes["F"],
        "primary_types": sizes["T"],
        "primary_dimensions": sizes["P"],
        "class_dimensions": sizes["D"],
    }
    network = run.network.model_copy(update=layers)
    run = run.model_copy(update={"network": network, "decoder": None})
    model = capsnet(network, run.data.channels, run.data.size, run.data.classes)
    model.load_state_dict(
        {
            "convolution.weight": weights["conv1.weight"],
            "convolution.bias": weights["conv1.bias"],
            "primary.weight": weights["primaryCaps.caps_poses.weight"],
            "primary.bias": weights["primaryCaps.caps_poses.bias"],
            "weight": weights["classCaps.weight"].flatten(0, 2),  # (T, M, N, J, D, P) -> (I, J, D, P)
            "routing_bias": weights["classCaps.routing_bias"][:, 0, 0, :, 0],  # (J, 1, 1, D, 1) -> (J, D)
        }
    )
    ignored = sorted(weights.keys() - LAYOUT.keys())
    if ignored:
        print(f"{where}: {', '.join(ignored)} left out, which this network does not have", file=sys.stderr)
    return model.eval(), run


def _sizes(weights: dict[str, Tensor], run: Run, where: str) -> dict[str, int]:
    """The size that each letter of `LAYOUT` stands for."""
    data = run.data
    side = (data.size - 2 * KERNEL + 1) // STRIDE + 1
    sizes = {"1": 1, "K": KERNEL, "C": data.channels, "J": data.classes, "M": side, "N": side}
    for key, letters in LAYOUT.items():
        if key not in weights:
            raise RemError(f"{where} has no {key}; the authors' networks have {', '.join(LAYOUT)}.")
        names, shape = letters.split(), tuple(weights[key].shape)
        if len(shape) == len(names):
            sizes = dict(zip(names, shape, strict=True)) | sizes  # a letter keeps what it was first
            sizes["TP"] = sizes["T"] * sizes["P"]
        expected = tuple(sizes.get(name, name) for name in names)
        if shape != expected:
            raise RemError(
                f"{where}: {key} has the shape ({', '.join(map(str, shape))}), but with data.channels {data.channels}, "
                f"data.size {data.size} and data.classes {data.classes} it must be ({', '.join(map(str, expected))})."
            )
    return sizes


def _read(file: Path) -> Any:
    """What a file of tensors and plain values holds, read without executing any code in it."""
    if not file.is_file():
        raise RemError(f"{file} is missing; give the file with the network's state dict.")
    note_read(file)
    try:
        return load_tensors(file, torch.device("cpu"))
    except Damaged as error:  # what torch says of it advises to execute the file
        raise RemError(
            f"{file} is not a file of tensors: it is damaged, or holds what could be code; save the network's "
            "state dict alone, by torch.save(network.state_dict(), ...)."
        ) from error

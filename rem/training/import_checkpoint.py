"""Networks trained with the authors' published code, made into runs of this project."""

import sys
from pathlib import Path

import torch
from torch import Tensor

from rem.errors import RemError
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


def import_checkpoint(file: Path, run: Run, folder: Path, epoch: int) -> None:
    """Write a published state dict as a trained run, with every file that training leaves.

    All its checkpoints hold the one network there is; `history.csv` has no row. They cannot be written to
    afterwards, which keeps Snakemake from training a network in their place.

    Args:
        file: the state dict.
        run: settings to read it by: data, classes and routing iterations are the run's, the sizes of the layers the
            file's.
        folder: of the run.
        epoch: after which it was saved, 0 where that is not known.

    Raises:
        RemError: the file is no such state dict, or one for other images or classes; or the folder has networks.
    """
    if (folder / "last.pt").exists():
        raise RemError(f"{folder} has a network already; delete it, or import under another variant or seed.")
    model, run = convert(_read(file), run, str(file))
    origin = f"{file.name}, {checksum(file, 'sha256', unpacked=False)}"
    written = [folder / f"{name}.pt" for name in ("first", "best", "early", "last", f"epochs/epoch{epoch:04d}")]
    with whole(folder / "run.yaml") as partial:
        partial.write_text(to_yaml(run), encoding="utf-8")
    with whole(folder / "history.csv") as partial:
        partial.write_text("epoch\n", encoding="utf-8")
    for path in written:
        save_checkpoint(path, model.state_dict(), run, epoch, imported=origin)
        path.chmod(0o444)


def convert(weights: dict[str, Tensor], run: Run, where: str) -> tuple[CapsNet, Run]:
    """The network with published weights, and its run with the sizes of their layers.

    Both lay primary capsules out as types, rows, columns and the second convolution's channels as types, dimensions.

    Raises:
        RemError: a tensor is missing or has another shape; names the key and both shapes.
    """
    sizes = _sizes(weights, run, where)
    layers = {
        "backbone": None,
        "weights": None,
        "input_size": None,
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
            raise RemError(f"{where} has no {key}; the published networks have {', '.join(LAYOUT)}.")
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


def _read(file: Path) -> dict[str, Tensor]:
    """The tensors of a state dict, read without executing any code in it."""
    if not file.is_file():
        raise RemError(f"{file} is missing; give the file with the network's state dict.")
    note_read(file)
    try:
        weights = load_tensors(file, torch.device("cpu"))
    except RemError as error:
        reason = str(error.__cause__).strip().split("\n")[0]
        raise RemError(f"{file} is not a file of tensors ({reason}); save the network's state dict.") from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise RemError(f"{file} is not a state dict: it must map names to tensors, nothing else.")
    return weights

"""Trained networks on disk."""

import io
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError

from rem.errors import RemError, unreadable
from rem.files.atomic import whole
from rem.files.digests import checksum
from rem.files.notes import note_read
from rem.files.provenance import provenance
from rem.networks.backbone import Backbone
from rem.networks.build import build
from rem.networks.network import Network
from rem.networks.weights import WEIGHTS, weights_file
from rem.pruning.compaction import unpack
from rem.settings.run import Run
from rem.settings.sections import told

UNREADABLE = (OSError, MemoryError, RuntimeError, EOFError, LookupError, ValueError)
UNREADABLE += (pickle.UnpicklingError, zipfile.BadZipFile, zlib.error)


class Checkpoint(NamedTuple):
    """A network, the run it belongs to, and the epoch (from 1) after which it was saved."""

    model: Network
    run: Run
    epoch: int


def load_backbone(model: Network, run: Run, path: Path | None) -> None:
    """Give an untrained network's backbone the ImageNet weights, where its run asks for them.

    Args:
        model: of `build`.
        run: its settings.
        path: the file that `rem fetch` brought; None: there is none.

    Raises:
        RemError: the file is missing, wrong or not asked for.
    """
    name = run.network.backbone
    if run.network.weights != "pretrained":
        if path is not None:
            raise RemError(f"network.weights is {run.network.weights or 'null'}: leave {path} out, or set pretrained.")
        return
    if path is None:
        raise RemError(
            f"network.weights is pretrained, but no weights are given: get them with `rem fetch {name} "
            f"{weights_file(name)}` and name the file as --backbone-weights, or set network.weights to none."
        )
    load_stages(model.backbone, name, path)


def load_stages(backbone: Backbone, name: str, path: Path) -> None:
    """Give a backbone the ImageNet weights of its name; raises RemError where `path` is not their file."""
    official = WEIGHTS[name]
    if checksum(path, "sha256", unpacked=False) != official.digest:
        raise RemError(f"{path} is not {official.file} ({official.digest}); delete it and fetch it again.")
    note_read(path)
    weights = load_tensors(path, next(backbone.parameters()).device)
    backbone.stages.load_state_dict({key: value for key, value in weights.items() if not key.startswith("fc.")})


def save_checkpoint(path: Path, weights: dict[str, Any], run: Run, epoch: int, **further: str) -> None:
    """Write a network's state dict with its settings, provenance and what else is to be said of where it is from.

    The state dict is complete, a frozen backbone's 45 MB and the decoder included: reading it needs no other file.
    """
    content = {"model": weights, "run": run.model_dump_json(), "epoch": epoch, "provenance": provenance() | further}
    save_tensors(path, content)


def load_checkpoint(
    path: str | Path, device: torch.device | str = "cpu", architecture: str | None = None
) -> Checkpoint:
    """Read a network, in evaluation mode, with the settings of its run and the epoch after which it was saved.

    >>> network, run, epoch = rem.load("results/sample/models/mnist/rem/seed42/last.pt")
    >>> run.dataset, run.variant, run.seed
    ('mnist', 'rem', 42)

    Args:
        path: of the checkpoint.
        device: where the network is to be.
        architecture: of a network of one's own its `network.architecture`, whose file is run. A checkpoint names it
            too, but makes nothing run by itself.

    Raises:
        RemError: the file is missing or not a whole checkpoint, or is of a network of one's own that is not named.
    """
    path, device = Path(path), torch.device(device)
    content = load_tensors(path, device)
    note_read(path)
    try:
        run = Run.model_validate_json(content["run"])
        if run.network.is_own and run.network.architecture != architecture:
            raise RemError(
                f"{path} is of the network {run.network.architecture}, and a checkpoint runs no code; name it as "
                f"--architecture {run.network.architecture} where the command has that, or as rem.load's architecture."
            )
        model = build(run, device)
        if "computed" in content["model"]:
            unpack(model, content["model"])
        else:
            model.load_state_dict(content["model"])
        return Checkpoint(model.eval(), run, content["epoch"])
    except ValidationError as error:
        raise RemError(
            f"{path} is of another version, whose settings were others: {told(Run, error)} Read it by the version that "
            "wrote it, or train the network again."
        ) from error
    except (MemoryError, LookupError, TypeError, ValueError, RuntimeError) as error:
        remedy = "read it by the version that wrote it, or train the network again"
        raise unreadable(path, error, "holds no network of this version", remedy) from error


def save_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write plain values and tensors, whole or not at all; the same content is the same bytes."""
    packed = io.BytesIO()  # of a file torch would keep the name, which is that of a process
    torch.save(content, packed)
    with whole(path) as partial:
        partial.write_bytes(packed.getbuffer())


def load_tensors(path: Path, device: torch.device, remedy: str = "delete it and train again") -> dict[str, Any]:
    """Read what `save` wrote, without executing any code in it; `remedy` is what to do where it is damaged.

    Raises:
        RemError: the file is missing, damaged or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise RemError(f"{path} is missing; train the network first.")
    try:
        _check_sums(path)
        return torch.load(path, map_location=device, weights_only=True)
    except UNREADABLE as error:
        raise unreadable(path, error, "is not a whole checkpoint", remedy) from error


def _check_sums(path: Path) -> None:
    """Raise where a part of a zip, which PyTorch writes, is not what its checksum is of; PyTorch does not look."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise OSError(f"the checksum of {damaged} is wrong")

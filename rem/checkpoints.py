"""Trained networks on disk."""

import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch

from rem.capsnet import CapsNet
from rem.files import RemError, whole
from rem.provenance import provenance
from rem.settings import Run


class Checkpoint(NamedTuple):
    """A network, the run it belongs to, and the epoch (from 1) after which it was saved."""

    model: CapsNet
    run: Run
    epoch: int


def build(run: Run, device: torch.device) -> CapsNet:
    """The untrained network of a run, its weights drawn from the global random generator."""
    return CapsNet(run.network, run.data.channels, run.data.size, run.data.classes).to(device)


def save_checkpoint(path: Path, weights: dict[str, Any], run: Run, epoch: int) -> None:
    """Write a network's state dict with its settings and provenance."""
    save(path, {"model": weights, "run": run.model_dump_json(), "epoch": epoch, "provenance": provenance()})


def load_checkpoint(path: Path, device: torch.device) -> Checkpoint:
    """Read a network, in evaluation mode; raises RemError where the file is not a whole checkpoint."""
    content = load(path, device)
    try:
        run = Run.model_validate_json(content["run"])
        model = build(run, device)
        model.load_state_dict(content["model"])
        return Checkpoint(model.eval(), run, content["epoch"])
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise RemError(f"{path} holds no network of this version ({reason}); delete it and train again.") from error


def save(path: Path, content: dict[str, Any]) -> None:
    """Write plain values and tensors, whole or not at all."""
    with whole(path) as partial:
        torch.save(content, partial)


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what `save` wrote, without executing any code in it.

    Raises:
        RemError: the file is missing, cut short or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise RemError(f"{path} is missing; train the network first.")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, LookupError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0]
        raise RemError(f"{path} is not a whole checkpoint ({reason}); delete it and train again.") from error

"""The file that keeps a training's state between two epochs, for the training that it is of and for no other."""

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from rem.errors import RemError
from rem.files import code
from rem.settings.run import Run
from rem.training.checkpoints import load_tensors, save_tensors

LOST = "delete it to train anew from the first epoch: the epochs it held are lost"


class StateFile:
    """`state.pt` in the folder of a run.

    Args:
        folder: of the run.
        run: the settings.
        files: all that the training reads.
        device: where it computes.
        keep_every: of the training, how many epochs lie between the networks that it keeps.
    """

    def __init__(
        self, folder: Path, run: Run, files: Sequence[Path], device: torch.device, keep_every: int = 0
    ) -> None:
        self.path, self.device, self.run = folder / "state.pt", device, run
        self.identity = {
            "settings": f"{run.model_dump_json()} {keep_every}",
            "data": _digest(files),
            "code": code.digest("train") + _own(run),
            "device": device.type,
        }

    def read(self) -> dict[str, Any] | None:
        """The state, or None where there is none, or only that of another training, which is told.

        Raises:
            RemError: it is damaged, or from another kind of device.
        """
        if not self.path.exists():
            return None
        state = load_tensors(self.path, self.device, LOST)
        identity = state.get("identity", {})
        other = [name for name, value in self.identity.items() if identity.get(name) != value]
        if other == ["device"]:  # a GPU that has vanished, for one
            raise RemError(
                f"{self.path} is of a training on {identity['device']}, not {self.device.type}; set device to "
                f"{identity['device']} and see that it works, or rename {self.path} to train anew."
            )
        if other:
            tqdm.write(f"{self.path} belongs to other {' and '.join(other)}: starting over", file=sys.stderr)
            return None
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Keep a state in the place of the one before."""
        save_tensors(self.path, state | {"identity": self.identity})

    def require_same_code(self) -> None:
        """Raise RemError where the code is not that of the beginning any more, which is what has run."""
        if code.digest_now("train") + _own(self.run) != self.identity["code"]:
            raise RemError(
                f"the code was edited while the network in {self.path.parent} was trained; undo the edit and give the "
                "same command again to keep the network, or give it as it is to train anew."
            )

    def remove(self) -> None:
        """Remove the file of a training that is done."""
        self.path.unlink()


def _own(run: Run) -> str:
    """The digest of the file of a network of one's own; empty where it is none."""
    return _digest([run.network.own_file]) if run.network.is_own else ""


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.blake2b()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()

"""How accurate a run's network was after every kept epoch: where it was trained for, and on its transfer set."""

from pathlib import Path

import pandas as pd
import torch

from rem.data.batches import stream_batches
from rem.errors import RemError
from rem.files.atomic import whole
from rem.training.checkpoints import Checkpoint, load_checkpoint


def write_accuracies(
    epochs: Path, prepared: Path, target: Path, device: torch.device, architecture: str | None = None
) -> None:
    """Write the accuracies of the networks that a training has kept, a row an epoch.

    The CSV's columns: `dataset`, `variant`, `seed`, `epoch`, and in % `accuracy` on the test split and
    `transfer_accuracy` on the transfer split. Couplings are not quantized.

    Args:
        epochs: the folder of checkpoints of `rem train --keep-every`.
        prepared: the dataset's HDF5 file.
        target: the CSV.
        device: where to compute.
        architecture: of `load_checkpoint`.

    Raises:
        RemError: the folder has no checkpoint, or a file cannot be read or has no such split.
    """
    paths = sorted(epochs.glob("*.pt"))
    if not paths:
        raise RemError(f"{epochs} has no checkpoint; train with --keep-every first (rem train).")
    rows = []
    for path in paths:
        checkpoint = load_checkpoint(path, device, architecture)
        run, epoch = checkpoint.run, checkpoint.epoch
        where = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed, "epoch": epoch}
        accuracies = {"accuracy": "test", "transfer_accuracy": "transfer"}
        rows.append(where | {name: accuracy(checkpoint, prepared, split) for name, split in accuracies.items()})
    with whole(target) as partial:
        pd.DataFrame(rows).sort_values("epoch").to_csv(partial, index=False)


@torch.inference_mode()
def accuracy(checkpoint: Checkpoint, prepared: Path, split: str) -> float:
    """A network's accuracy in % on a split, its couplings not quantized.

    Raises:
        RemError: the file cannot be read or has no such split.
    """
    model, run, _ = checkpoint
    device = next(model.parameters()).device
    correct, images = torch.zeros((), dtype=torch.int64, device=device), 0
    for pixels, labels in stream_batches(prepared, split, run.data, run.training.batch_size, device):
        correct += (model(pixels)[0].argmax(dim=1) == labels).sum()
        images += len(labels)
    return 100 * correct.item() / images

"""The training of one network from its settings to its checkpoints, which goes on where it was stopped.

rem train results/sample/models/mnist/rem/seed42/run.yaml --data data/prepared/sample/mnist.h5
"""

import shutil
import sys
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from rem.errors import RemError
from rem.files.atomic import copy_folder_whole, whole
from rem.files.csv import read_csv
from rem.settings.run import Run
from rem.training.checkpoints import save_checkpoint
from rem.training.resume import StateFile
from rem.training.trainer import Trainer


def train(
    run: Run,
    prepared: Path,
    folder: Path,
    device: torch.device,
    followed: Path | None = None,
    backbone_weights: Path | None = None,
    keep_every: int = 0,
) -> None:
    """Train a network, or go on where an interrupted training stopped.

    Writes to `folder`: `first.pt`, `best.pt`, `early.pt` and `last.pt` (after the first epoch, at the
    lowest validation loss, at the first epoch that `training.early_accuracy` describes, after the last
    epoch), `history.csv` (a row an epoch; with a decoder, `reconstruction_loss` is a training image's sum
    of squared errors) and the folder `epochs` with the checkpoints that
    `keep_every` asks for. Until then `state.pt` holds the state after the last whole epoch, which is
    gone on from where settings, data and code are the same.

    Args:
        run: the settings.
        prepared: the dataset's HDF5 file.
        folder: of the run.
        device: where to train.
        followed: `history.csv` of the run that `pruning.extent: follow` follows.
        backbone_weights: the file that `network.weights: pretrained` needs.
        keep_every: keep the first epoch's network and every so many after it in `epochs` (Figure 5); 0: none.

    Raises:
        RemError: the loss is not finite, or the code was edited meanwhile, and `state.pt` keeps the last good epoch;
            or `followed` or `backbone_weights` is not given where it is needed.
    """
    if run.pruning and run.pruning.follows and followed is None:
        raise RemError(f"pruning.follows is {run.pruning.follows}; give that run's history.csv by --followed.")
    sparsities = read_csv(followed, ["sparsity"])["sparsity"].tolist() if followed else ()
    training = Trainer(run, prepared, device, sparsities, backbone_weights)
    files = [file for file in (prepared, followed, backbone_weights) if file]
    state_file, partial_epochs = StateFile(folder, run, files, device, keep_every), folder / "epochs.partial"
    if run.features:
        tqdm.write(f"kept views of each training image: {run.features.views}; augment draws no others", file=sys.stderr)
    if state := state_file.read():
        training.resume(state)
        tqdm.write(f"going on after epoch {training.epoch}", file=sys.stderr)
    if training.epoch == 0:
        shutil.rmtree(partial_epochs, ignore_errors=True)
    partial_epochs.mkdir(parents=True, exist_ok=True)

    progress = tqdm(total=run.training.epochs, initial=training.epoch, unit="epoch", disable=None)
    while not training.finished:
        training.run_epoch()
        if keep_every and (training.epoch - 1) % keep_every == 0:
            kept = partial_epochs / f"epoch{training.epoch:04d}.pt"
            save_checkpoint(kept, training.model.state_dict(), run, training.epoch)
        state_file.write(training.state())
        tqdm.write(_line(run, training.history[-1], *training.seconds), file=sys.stderr)
        progress.update()
    progress.close()

    state_file.require_same_code()
    for name, kept in training.kept.items():
        save_checkpoint(folder / f"{name}.pt", kept["model"], run, kept["epoch"])
    save_checkpoint(folder / "last.pt", training.model.state_dict(), run, training.epoch)
    with whole(folder / "history.csv") as partial:
        pd.DataFrame(training.history).to_csv(partial, index=False)
    copy_folder_whole(partial_epochs, folder / "epochs")
    state_file.remove()
    shutil.rmtree(partial_epochs)  # only now: a run that is killed before starts from the state, and needs them


def _line(run: Run, row: dict[str, float], trained: float, searched: float) -> str:
    return (
        f"{run.dataset} {run.variant} seed {run.seed}  epoch {row['epoch']}/{run.training.epochs}  "
        f"train loss {row['train_loss']:.4f} accuracy {row['train_accuracy']:.2f}%  "
        f"validation loss {row['validation_loss']:.4f} accuracy {row['validation_accuracy']:.2f}%  "
        f"sparsity {row['sparsity']:.2f}%  {trained:.1f} s + search {searched:.1f} s"
    )

"""Training of one network: Adam on the margin loss, with LOBSTER pruning where the run asks for it."""

import copy
import math
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from rem.batches import Split, epoch_batches, eval_batches, load_split
from rem.checkpoints import build, load, save, save_checkpoint
from rem.files import RemError, whole
from rem.lobster import Masks, penalize, prunable_parameters, search
from rem.losses import margin_loss, margin_losses
from rem.settings import Run


class Training:
    """The state of a run between two epochs, and the step from one to the next.

    Args:
        run: the settings.
        prepared: the dataset's HDF5 file.
        device: where to train.
    """

    def __init__(self, run: Run, prepared: Path, device: torch.device) -> None:
        self.run = run
        self.train = load_split(prepared, "train").to(device)
        self.validation = load_split(prepared, "val").to(device)
        torch.manual_seed(run.seed)
        self.model = build(run, device)
        self.masks = Masks(self.model) if run.lobster else None
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=run.training.learning_rate)
        self.generator = torch.Generator().manual_seed(run.seed)
        self.history: list[dict[str, float]] = []
        self.first: dict[str, Tensor] = {}
        self.best: dict[str, Tensor] = {}

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, of the lowest validation loss."""
        return 1 + min(range(self.epoch), key=lambda index: self.history[index]["validation_loss"])

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or the validation loss has not improved for `patience` epochs."""
        schedule = self.run.training
        return self.epoch >= schedule.epochs or (self.epoch > 0 and self.epoch - self.best_epoch >= schedule.patience)

    def run_epoch(self) -> None:
        """Train for one epoch, prune, validate, and add a row to the history.

        Raises:
            RemError: the loss or a weight is not finite any more.
        """
        schedule, lobster = self.run.training, self.run.lobster
        rate = schedule.learning_rate * schedule.learning_rate_decay**self.epoch
        penalty = lobster.penalty * lobster.penalty_decay**self.epoch if lobster else 0.0
        start = time.perf_counter()
        train_loss, train_accuracy = self._fit(rate, penalty)
        self._require_finite(train_loss)
        trained = time.perf_counter()
        threshold = self._prune() if self.masks else 0.0
        pruned = time.perf_counter()
        losses, correct = self._evaluate()
        self._require_finite(float(losses.mean()))
        row = {
            "epoch": self.epoch + 1,
            "learning_rate": rate,
            "penalty": penalty,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "validation_loss": float(losses.mean()),
            "validation_accuracy": 100 * float(correct.double().mean()),
            "threshold": threshold,
            "sparsity": 100 * self.masks.sparsity() if self.masks else 0.0,
            "training_seconds": trained - start,
            "search_seconds": pruned - trained,
        }
        self.history.append(row)
        if self.epoch == 1:
            self.first = copy.deepcopy(self.model.state_dict())
        if self.best_epoch == self.epoch:
            self.best = copy.deepcopy(self.model.state_dict())

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise RemError(
                f"the loss of {self.run.dataset}, {self.run.variant}, seed {self.run.seed} is {loss} in epoch "
                f"{self.epoch + 1}; lower training.learning_rate and train again (state.pt in the run's folder "
                "keeps the epochs before)."
            )

    def _fit(self, rate: float, penalty: float) -> tuple[float, float]:
        """One pass over the training images: the mean loss and the accuracy in %."""
        data, parameters = self.run.data, prunable_parameters(self.model)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss_sum = torch.zeros((), dtype=torch.float64, device=self.train.images.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.train.images.device)
        self.model.train()
        for images, labels in epoch_batches(
            self.train, self.run.training.batch_size, data.size, self.run.augment, data.mean, data.std, self.generator
        ):
            lengths, _, _ = self.model(images)
            loss = margin_loss(lengths, labels)
            self.optimizer.zero_grad()
            loss.backward()
            if self.masks:
                penalize(parameters, penalty)
            self.optimizer.step()
            if self.masks:
                self.masks.apply()
            loss_sum += loss.detach() * len(labels)
            correct += (lengths.argmax(dim=1) == labels).sum()
        count = len(self.train.labels)
        return float(loss_sum) / count, 100 * float(correct) / count

    def _prune(self) -> float:
        """Search the threshold on the validation split, hardest images first, and prune with it."""
        losses, _ = self._evaluate()
        order = losses.argsort(descending=True, stable=True)
        hardest = Split(self.validation.images[order], self.validation.labels[order])
        threshold = search(self.masks, lambda: (batch for batch, _ in self._validate(hardest)))
        self.masks.prune(threshold)
        return threshold

    def _evaluate(self) -> tuple[Tensor, Tensor]:
        """Each validation image's margin loss (N,) and whether it is classified correctly (N,)."""
        losses, correct = zip(*self._validate(self.validation), strict=True)
        return torch.cat(losses), torch.cat(correct)

    @torch.no_grad()
    def _validate(self, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
        data = self.run.data
        self.model.eval()
        for images, labels in eval_batches(split, self.run.training.batch_size, data.size, data.mean, data.std):
            lengths, _, _ = self.model(images)
            yield margin_losses(lengths, labels), lengths.argmax(dim=1) == labels

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on."""
        return {
            "run": self.run.model_dump_json(),
            "model": self.model.state_dict(),
            "kept": self.masks.kept if self.masks else {},
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": self.history,
            "first": self.first,
            "best": self.best,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.history, self.first, self.best = state["history"], state["first"], state["best"]
        if self.masks:
            self.masks.kept = state["kept"]


def train(run: Run, prepared: Path, folder: Path, device: torch.device) -> None:
    """Train a network, or go on where an interrupted training stopped.

    Writes to `folder`: `first.pt`, `best.pt` and `last.pt` (after the first epoch, at the lowest
    validation loss, after the last epoch), `history.csv` (a row an epoch) and the folder `epochs`
    with the checkpoints that `training.keep_every` asks for. Until then `state.pt` holds the state
    after the last whole epoch.

    Raises:
        RemError: the loss is not finite; `state.pt` keeps the last good epoch.
    """
    training = Training(run, prepared, device)
    state_file, partial_epochs = folder / "state.pt", folder / "epochs.partial"
    if state_file.exists():
        state = load(state_file, device)
        if state["run"] == run.model_dump_json():
            training.resume(state)
            tqdm.write(f"going on after epoch {training.epoch}", file=sys.stderr)
        else:
            tqdm.write(f"{state_file} belongs to other settings: starting over", file=sys.stderr)
    if training.epoch == 0:
        shutil.rmtree(partial_epochs, ignore_errors=True)
    partial_epochs.mkdir(parents=True, exist_ok=True)

    progress = tqdm(total=run.training.epochs, initial=training.epoch, unit="epoch", disable=None)
    while not training.finished:
        training.run_epoch()
        if run.training.keep_every and (training.epoch - 1) % run.training.keep_every == 0:
            kept = partial_epochs / f"epoch{training.epoch:04d}.pt"
            save_checkpoint(kept, training.model.state_dict(), run, training.epoch)
        save(state_file, training.state())
        tqdm.write(_line(run, training.history[-1]), file=sys.stderr)
        progress.update()
    progress.close()

    save_checkpoint(folder / "first.pt", training.first, run, 1)
    save_checkpoint(folder / "best.pt", training.best, run, training.best_epoch)
    save_checkpoint(folder / "last.pt", training.model.state_dict(), run, training.epoch)
    with whole(folder / "history.csv") as partial:
        pd.DataFrame(training.history).to_csv(partial, index=False)
    shutil.rmtree(folder / "epochs", ignore_errors=True)
    shutil.copytree(partial_epochs, folder / "epochs")
    state_file.unlink()
    shutil.rmtree(partial_epochs)  # only now: a run that is killed before starts from the state, and needs them


def _line(run: Run, row: dict[str, float]) -> str:
    return (
        f"{run.dataset} {run.variant} seed {run.seed}  epoch {row['epoch']}/{run.training.epochs}  "
        f"train loss {row['train_loss']:.4f} accuracy {row['train_accuracy']:.2f}%  "
        f"validation loss {row['validation_loss']:.4f} accuracy {row['validation_accuracy']:.2f}%  "
        f"sparsity {row['sparsity']:.2f}%  {row['training_seconds']:.1f} s + search {row['search_seconds']:.1f} s"
    )

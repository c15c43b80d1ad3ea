"""One network in training: Adam on the margin loss, with LOBSTER pruning and a decoder where the run asks for them.

A decoder adds its weighted reconstruction loss to what is minimized. The validation loss, by which the best epoch
and the pruning threshold are chosen, is the margin loss alone in every run.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rem.data.augment import reconstruction_targets
from rem.data.batches import epoch_batches, eval_batches, open_prepared, split_of
from rem.networks.build import build
from rem.networks.connections import strongest
from rem.networks.losses import margin_loss, margin_losses, reconstruction_losses
from rem.networks.routing import squared_spread
from rem.pruning.blocks import REGULARIZERS as GROUP_REGULARIZERS
from rem.pruning.blocks import block_norms, coupled_votes
from rem.pruning.dose import dose_after, penalty_in, steps_per_epoch
from rem.pruning.lobster import REGULARIZERS, insensitivity
from rem.pruning.masks import Masks, sparsity
from rem.pruning.structure import Kept
from rem.pruning.threshold import search_connections, search_threshold, threshold_for_sparsity
from rem.settings.run import Run
from rem.training.adam import Adam
from rem.training.checkpoints import load_backbone
from rem.training.features import require_features
from rem.training.finite import Watch
from rem.training.sharpening import ClassTrees

SENSED_EVERY = 16  # steps between those at which the sensitivity is measured, from the first of each epoch


class Trainer:
    """The state of a run between two epochs, and the step from one to the next.

    Args:
        run: the settings.
        prepared: the dataset's HDF5 file.
        device: where to train.
        followed: sparsity in % after each epoch of the run that `pruning.extent: follow` follows.
        backbone_weights: the file that `network.weights: pretrained` needs.
    """

    def __init__(
        self,
        run: Run,
        prepared: Path,
        device: torch.device,
        followed: Sequence[float] = (),
        backbone_weights: Path | None = None,
    ) -> None:
        self.run, self.followed = run, followed
        with open_prepared(prepared, run.data) as file:  # once, for it is read through each time
            require_features(file, run)
            self.train, self.validation = (split_of(file, name).to(device) for name in ("train", "val"))
        torch.manual_seed(run.seed)
        self.model = build(run, device)
        load_backbone(self.model, run, backbone_weights)
        self.masks = Masks(self.model, run.pruning.layers) if run.pruning else None
        self.prunable = (self.masks or Masks(self.model)).parameters
        capsules, classes = self.model.capsules, self.model.classes
        self.sharpening = ClassTrees(run.sharpening, classes, capsules, device) if run.sharpening else None
        self.options = {"differentiable": True} if run.sharpening else {}  # of the network while it trains
        self.connected = block_norms(self.model.weight) > 0 if run.connections else None  # (I, J); none comes back
        self.structure = Kept(self.model, run.structure) if run.structure else None
        self.optimizer = Adam(self.model.parameters())
        half = run.training.precision == "bfloat16"  # uncached: a search changes weights between two passes
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=half, cache_enabled=False)
        self.generator = torch.Generator().manual_seed(run.seed)
        self.history: list[dict[str, float]] = []
        self.kept: dict[str, dict[str, Any]] = {}  # checkpoint -> its `epoch` and `model`, but for the last
        self.seconds = 0.0, 0.0  # that the last epoch's training and search took

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    @property
    def steps(self) -> int:
        """The optimiser's steps in an epoch."""
        return steps_per_epoch(self.run, len(self.train))

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
        schedule = self.run.training
        rate = schedule.learning_rate * schedule.learning_rate_decay**self.epoch
        penalty = penalty_in(self.run, self.epoch, self.steps)
        start = time.perf_counter()
        torch.manual_seed(self.run.seed + 1_000_003 * self.epoch)  # of what a network draws, after a stop the same
        fitted, insensitive = self._fit(rate, penalty)
        self._require_finite(fitted["train_loss"])
        trained = time.perf_counter()
        threshold = self._prune()
        self._disconnect()
        if self.structure:
            self.structure.remove(self.epoch)
        pruned = time.perf_counter()
        losses, correct, spread = self._evaluate()
        self._require_finite(float(losses.mean()))
        row = {
            "epoch": self.epoch + 1,
            "learning_rate": rate,
            "penalty": penalty,
            **fitted,
            "validation_loss": float(losses.mean()),
            "validation_accuracy": 100 * float(correct.double().mean()),
            "threshold": threshold,
            "sparsity": 100 * sparsity(self.model)["all"] if self.run.removes else 0.0,
            "dose": dose_after(self.run, self.epoch + 1, self.steps),
            "insensitive": insensitive,
            "logit_spread": spread,
        }
        row |= {"connections": 100 * float(self.connected.float().mean())} if self.connected is not None else {}
        self.history.append(row)
        self.seconds = trained - start, pruned - trained
        self._keep()

    def _keep(self) -> None:
        """Take the network as it stands for the checkpoints that it is, so far."""
        accuracies = [row["validation_accuracy"] for row in self.history]
        now = {
            "first": self.epoch == 1,
            "best": self.best_epoch == self.epoch,
            "early": max(accuracies[:-1], default=-1) < min(self.run.training.early_accuracy, accuracies[-1]),
        }
        for name in (name for name, holds in now.items() if holds):
            self.kept[name] = {"epoch": self.epoch, "model": copy.deepcopy(self.model.state_dict())}

    def _require_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise self.watch.told(loss, self.run, self.epoch, self.train.images)

    def _fit(self, rate: float, penalty: float) -> tuple[dict[str, float], float]:
        """One pass over the training images: means of the losses with the accuracy in %, and the insensitivity.

        That is the mean of Eq. 16's ReLU(1 - |dL/dtheta|) over the prunable parameters and every 16th step.
        """
        data, pruning, decoder, masks = self.run.data, self.run.pruning, self.run.decoder, self.masks
        sums = torch.zeros(4, dtype=torch.float64, device=self.train.images.device)  # of the losses, correct images
        sensed, self.watch = [], Watch(self.model)
        self.model.train()
        batches = epoch_batches(
            self.train, self.run.training.batch_size, data.size, self.run.augment, data.mean, data.std, self.generator
        )
        for step, (images, labels) in enumerate(batches):
            with self.autocast:
                lengths, poses, couplings = self.model(images, **self.options)
                margin = loss = margin_loss(lengths, labels)
                reconstruction = sharpening = torch.zeros_like(margin)
                if decoder:
                    targets = reconstruction_targets(images, decoder.pixels, data.mean, data.std)
                    reconstruction = reconstruction_losses(self.model.decoder(poses, labels), targets).mean()
                    loss = loss + decoder.weight * reconstruction
                if self.sharpening:
                    sharpening = self.sharpening.loss(couplings, labels)
                    loss = loss + sharpening
            self.optimizer.backward(loss)
            if step % SENSED_EVERY == 0:
                sensed.append(insensitivity(self.prunable))
            if penalty and pruning.regularizer in GROUP_REGULARIZERS:
                GROUP_REGULARIZERS[pruning.regularizer](self.model.weight, penalty)
            elif penalty:
                REGULARIZERS[pruning.regularizer](masks.parameters, penalty)
            self.optimizer.step(rate)
            if masks and pruning.extent != "none":
                masks.apply()
            if self.connected is not None:
                self.model.keep(self.connected)
            if self.structure:
                self.structure.apply()
            self.watch.add(loss)
            correct = (lengths.argmax(dim=1) == labels).double().mean()
            sums += len(labels) * torch.stack([margin.detach(), reconstruction.detach(), sharpening.detach(), correct])
        margin, reconstruction, sharpening, correct = (sums / len(self.train)).tolist()
        means = {"train_loss": margin, "train_accuracy": 100 * correct}
        means |= {"reconstruction_loss": reconstruction} if decoder else {}
        means |= {"sharpening_loss": sharpening} if self.sharpening else {}
        return means, float(torch.stack(sensed).mean())

    def _prune(self) -> float:
        """Prune below the threshold of this epoch; returns it, 0 where there is none."""
        pruning = self.run.pruning
        if pruning is None or pruning.extent == "none" or self.epoch < pruning.start:
            return 0.0
        if pruning.extent == "follow":
            had = self.followed[min(self.epoch, len(self.followed) - 1)]  # after this epoch, or after its last one
            threshold = threshold_for_sparsity(self.masks, had / 100)
        elif pruning.guard and 100 * float(self._evaluate()[1].double().mean()) < pruning.guard:
            return 0.0
        else:
            threshold = self._search()
        self.masks.prune(threshold)
        return threshold

    def _search(self) -> float:
        """The largest threshold that does not worsen the validation loss."""
        with torch.no_grad(), self.autocast:
            return search_threshold(self.masks, self._losses(self._stems()), self.run.pruning.resolution)

    def _stems(self) -> list[tuple[Tensor, Tensor]]:
        """The validation batches behind a backbone, which sees every image once, and not in every probe."""
        self.model.eval()
        return [(self.model.stem(images), labels) for images, labels in self._batches()]

    def _losses(self, stems: list[tuple[Tensor, Tensor]]) -> Callable[[int], Iterator[Tensor]]:
        """What `search_threshold` asks for."""
        return lambda stride: (margin_losses(self.model.head(stem)[0], labels) for stem, labels in stems[::stride])

    def _disconnect(self) -> None:
        """Remove the connections that this epoch removes."""
        chosen = self.run.connections
        if chosen is None or chosen.chosen_by == "lot" or (chosen.epochs is not None and self.epoch >= chosen.epochs):
            return
        with torch.no_grad(), self.autocast:
            by_coupling, searched = chosen.chosen_by == "coupling", chosen.density is None
            stems = self._stems() if by_coupling or searched else []
            score = coupled_votes(self.model, (s for s, _ in stems)) if by_coupling else block_norms(self.model.weight)
            if searched:
                losses = self._losses(stems)
                kept = search_connections(self.model, score, self.connected, losses, chosen.keep_one, chosen.resolution)
            else:
                left = chosen.count(*score.shape) / score.numel()
                count = round(score.numel() * left ** ((self.epoch + 1) / chosen.epochs))
                kept = strongest(score, self.connected, count, chosen.keep_one)
            self.connected &= kept
            self.model.keep(self.connected)

    def _evaluate(self) -> tuple[Tensor, Tensor, float]:
        """Each validation image's margin loss (N,), whether it is classified correctly (N,), and the logits' spread.

        That is the standard deviation of b_ij - mean_k b_ik over all connections in the last iteration; the mean is 0.
        """
        losses, correct, squares = zip(*self._validate(), strict=True)
        return torch.cat(losses), torch.cat(correct), float(torch.cat(squares).mean().sqrt())

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        data, batch_size = self.run.data, self.run.training.batch_size
        return eval_batches(self.validation, batch_size, data.size, data.mean, data.std)

    @torch.no_grad()
    def _validate(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Of a batch, per image (B,): the margin loss, whether it is correct, the mean square of its centred logits."""
        self.model.eval()
        for images, labels in self._batches():
            with self.autocast:
                lengths, _, couplings = self.model(images)
            squares = squared_spread(couplings, self.model.connections).double()
            yield margin_losses(lengths, labels), lengths.argmax(dim=1) == labels, squares

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on."""
        return {
            "model": self.model.state_dict(),
            "masks": self.masks.kept if self.masks else {},
            "connected": self.connected,
            "structure": (self.structure.channels, self.structure.types) if self.structure else None,
            "trees": self.sharpening.trees if self.sharpening else None,
            "optimizer": self.optimizer.state(),
            "generator": self.generator.get_state(),
            "history": self.history,
            "kept": self.kept,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.resume(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.history, self.kept = state["history"], state["kept"]
        self.connected = state["connected"]
        if self.sharpening:
            self.sharpening.trees = state["trees"]
        if self.structure:
            self.structure.channels, self.structure.types = state["structure"]
        if self.masks:
            self.masks.kept = state["masks"]

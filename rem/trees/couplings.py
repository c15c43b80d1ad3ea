"""A trained network's couplings on one split, streamed to HDF5, with the accuracy at every K."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rem.data.batches import find_split, open_prepared, stream_batches
from rem.files.hdf5 import whole_hdf5
from rem.networks.losses import margin_losses
from rem.networks.network import LowerLayer, Network
from rem.pruning.dose import dose_after, steps_per_epoch
from rem.pruning.masks import sparsity
from rem.settings.stamp import stamp
from rem.training.checkpoints import load_checkpoint
from rem.trees.layers import NEAR, PACKED, write_lower_layers
from rem.trees.parents import own_column
from rem.trees.replaced import lengths_at_levels
from rem.trees.strength import strongest_coupling


def extract(
    checkpoint: Path,
    prepared: Path,
    split: str,
    maximum_levels: int,
    target: Path,
    device: torch.device,
    cells: bool = False,
    architecture: str | None = None,
) -> None:
    """Route a split through a checkpoint once and write what the couplings of its last iteration are.

    The HDF5 file holds, for N images, I primary capsules and J classes:
        `couplings` float32 (N, I): c_{-j} of each image's predicted class j;
        `strongest` float32 (N,): the mean of max_j c_ij over the capsules i that are connected to any class;
        `predicted`, `label` int64 (N,); `lengths` float32 (N, J): |v_j|, unquantized;
        `class_mean` float32 (J, I): the mean of c_ij over the images predicted as j (section 3.1's
        reduction to I x J), NaN for a class that nobody predicted;
        `sweep/levels`, `sweep/accuracy` in %, `sweep/loss`: with the couplings quantized at each K;
        `sweep/lost`, `sweep/gained`: images that are right without quantization and wrong at K, and the reverse;
        attributes: `accuracy` in %, `loss`, `epoch`, `checkpoint`, `split`, `class_names`, `sparsity`
        (JSON, shares by layer), `dose` (the sum of lambda up to that epoch), `near_uniform_share` (of the
        `couplings`, those within 0.01 of 1/J), `cells` (whether the quantizer has cells, as `rem.trees.quantizer`
        says; what is made of the file goes by it), `run`, `provenance`;
        `layers/2` and so on, where the network has several routed layers: `rem.trees.layers.write_lower_layers`.

    Memory does not grow with N. `architecture` is that of `load_checkpoint`.
    """
    model, run, epoch = load_checkpoint(checkpoint, device, architecture)
    data, batch = run.data, run.training.batch_size
    with open_prepared(prepared, data) as file:
        class_names, count = file.attrs["class_names"], len(find_split(file, split)["labels"])
        steps = steps_per_epoch(run, len(find_split(file, "train")["labels"]))
    capsules, classes = model.capsules, model.classes
    levels = torch.arange(2, maximum_levels + 1, device=device)
    correct = torch.zeros(len(levels) + 1, dtype=torch.int64, device=device)  # the last one unquantized
    lost, gained = torch.zeros_like(correct), torch.zeros_like(correct)
    losses = torch.zeros(len(levels) + 1, dtype=torch.float64, device=device)
    sums = torch.zeros(classes, capsules, dtype=torch.float64, device=device)
    predictions = torch.zeros(classes, dtype=torch.int64, device=device)
    near = torch.zeros((), dtype=torch.int64, device=device)

    with whole_hdf5(target) as file:
        file.create_dataset("couplings", (count, capsules), "f4", chunks=(min(batch, count), capsules), **PACKED)
        file.create_dataset("strongest", (count,), "f4")
        file.create_dataset("predicted", (count,), "i8")
        file.create_dataset("label", (count,), "i8")
        file.create_dataset("lengths", (count, classes), "f4")
        batches = stream_batches(prepared, split, data, batch, device)
        done = 0
        for pixels, labels in tqdm(batches, total=-(-count // batch), unit="batch", disable=None, desc=target.stem):
            couplings, lengths, lower = _route_at(model, pixels, levels, cells)  # (B, J, I), (L+1, B, J), below
            predicted = lengths[-1].argmax(dim=1)  # (B,)
            own = own_column(couplings, predicted)  # (B, I)
            sums.index_add_(0, predicted, own.double())
            predictions += torch.bincount(predicted, minlength=classes)
            near += ((own - 1 / classes).abs() <= NEAR).sum()
            right = lengths.argmax(dim=2) == labels  # (L+1, B)
            correct += right.sum(dim=1)
            lost += (right[-1] & ~right).sum(dim=1)
            gained += (right & ~right[-1]).sum(dim=1)
            at_levels = margin_losses(lengths.flatten(0, 1), labels.repeat(len(lengths)))  # ((L+1)*B,)
            losses += at_levels.view(len(lengths), -1).double().sum(dim=1)
            rows = slice(done, done + len(labels))
            done = rows.stop
            file["couplings"][rows] = own.cpu()
            file["strongest"][rows] = strongest_coupling(couplings).cpu()
            file["predicted"][rows] = predicted.cpu()
            file["label"][rows] = labels.cpu()
            file["lengths"][rows] = lengths[-1].cpu()
            write_lower_layers(file, rows, count, couplings, predicted, lower)
        accuracy = 100 * correct.double().cpu().numpy() / count
        loss = losses.cpu().numpy() / count
        with np.errstate(invalid="ignore"):
            file["class_mean"] = (sums.cpu().numpy() / predictions.cpu().numpy()[:, None]).astype(np.float32)
        file["sweep/levels"] = levels.cpu().numpy()
        file["sweep/accuracy"] = accuracy[:-1]
        file["sweep/loss"] = loss[:-1]
        file["sweep/lost"], file["sweep/gained"] = lost[:-1].cpu().numpy(), gained[:-1].cpu().numpy()
        stamp(
            file,
            run,
            accuracy=accuracy[-1],
            loss=loss[-1],
            epoch=epoch,
            checkpoint=checkpoint.stem,
            split=split,
            class_names=class_names,
            sparsity=json.dumps(sparsity(model)),
            dose=dose_after(run, epoch, steps),
            near_uniform_share=float(near) / (count * capsules),
            cells=cells,
        )


@torch.no_grad()
def _route_at(
    model: Network, images: Tensor, levels: Tensor, cells: bool
) -> tuple[Tensor, Tensor, Sequence[LowerLayer]]:
    """The couplings (B, J, I), the lengths at each K and, last, unquantized (L+1, B, J), and the layers below."""
    stem = model.stem(images)
    return *lengths_at_levels(model, model.primary_capsules(stem), levels, cells), model.lower_layers(stem)

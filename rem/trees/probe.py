"""One network asked what its routing is worth: by other couplings in place of its own, and by how stable they are."""

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from rem.data.batches import find_split, open_prepared, stream_batches, stream_training_batches
from rem.files.atomic import whole
from rem.networks.build import build
from rem.networks.network import Network
from rem.settings.run import Run
from rem.training.checkpoints import load_checkpoint
from rem.trees.probe_kinds import COLUMNS
from rem.trees.probing import Probing, row
from rem.trees.strength import polarization, strongest_coupling
from rem.trees.training_trees import routed_images, training_trees


def probe(
    checkpoint: Path,
    prepared: Path,
    splits: Sequence[str],
    levels: Sequence[int],
    band: Sequence[int],
    cells: bool,
    target: Path,
    device: torch.device,
    architecture: str | None = None,
) -> None:
    """Write what other couplings in the last iteration would make of a network, as a CSV with `COLUMNS`.

    `probe` and `setting` say what was done, as `rem.trees.probe_kinds` describes; `metric` is one of:
        `accuracy` in %, `loss`; `images`, and of them `lost`, which the network as it is classifies rightly and the
        setting does not, and `gained`, the reverse;
        `strongest_coupling`, `polarization`, `coupling_spread` (how far c_ij lie from 1/J, root mean square) and
        `length` (|v_j| of the class that is predicted when nothing is changed): means over the images;
        `entropy` (Eq. 9, bits) at K, and `band_entropy`, its mean over the band;
        `instability` (rho); `capsule_entropy` (bits) at K;
        `share` of the images, and `modal_share` of a class's training images, in %.

    Couplings are held of a batch alone.

    Args:
        checkpoint: of the network.
        prepared: the dataset's HDF5 file.
        splits: of it, to be probed one after the other.
        levels: every K at which keys are compared with those of the training images.
        band: every K at which entropies are measured too.
        cells: whether the quantizer has cells.
        target: the CSV.
        device: to compute on.
        architecture: of `load_checkpoint`.

    Raises:
        RemError: a file is missing or damaged, or has no such split.
    """
    model, run, _ = load_checkpoint(checkpoint, device, architecture)
    data, batch = run.data, run.training.batch_size
    trees = training_trees(
        lambda: (pixels for pixels, _ in stream_training_batches(prepared, data, batch, device)),
        functools.partial(routed_images, model),
        data.classes,
        levels,
        cells,
    )
    network = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed, "checkpoint": checkpoint.stem}
    rows = []
    for split in splits:
        with open_prepared(prepared, data) as file:
            count = len(find_split(file, split)["labels"])
        first = next(stream_batches(prepared, split, data, batch, device))[0]
        rows += [network | {"split": split} | row for row in _untrained(model, run, first)]
        probing = Probing(model, trees, band, cells, count)
        batches = stream_batches(prepared, split, data, batch, device)
        for pixels, labels in tqdm(batches, total=math.ceil(count / batch), unit="batch", disable=None, desc=split):
            probing.add(pixels, labels)
        rows += [network | {"split": split} | row for row in probing.rows()]
    with whole(target) as partial:
        pd.DataFrame(rows, columns=COLUMNS).astype({"levels": "Int64"}).to_csv(partial, index=False)


@torch.no_grad()
def _untrained(model: Network, run: Run, images: Tensor) -> Iterator[dict[str, object]]:
    """How strongly the network couples a batch as it is before its first step of training."""
    torch.manual_seed(run.seed)  # as a training begins
    untrained = build(run, images.device).eval()
    if run.network.weights == "pretrained":
        untrained.backbone.load_state_dict(model.backbone.state_dict())
    couplings = untrained(images)[2]
    for metric, measure in (("strongest_coupling", strongest_coupling), ("polarization", polarization)):
        yield row(("untrained", "unchanged", None), metric, float(measure(couplings).mean()))

"""A checkpoint made compact, if its outputs stay what they were, and what it costs beside the original."""

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rem.data.batches import stream_batches
from rem.errors import RemError
from rem.files.digests import checksum
from rem.networks.capsnet import CapsNet
from rem.pruning.compaction import compact, matrices, pack
from rem.training.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from rem.training.latency import latencies

TOLERANCE = 1e-5  # of lengths, poses and couplings, none of which is above 1


@torch.no_grad()
def compact_checkpoint(checkpoint: Path, prepared: Path, target: Path, device: torch.device) -> pd.DataFrame:
    """Write a checkpoint's network without what is dead in it to `target`, a checkpoint of the same run.

    Returns:
        A row `original` and a row `compact`, in the column `network`. The others: `channels` of the first convolution,
        `types` of primary capsules that are computed, `capsules` that have a matrix, `matrices` W_ij, `parameters`,
        `bytes` of the file, `multiply_adds` an image (of convolutions and matrix products, as PyTorch counts them),
        `image_ms` that one image takes by itself, `batch_ms` that a batch takes, and its images, `batch`.

    Raises:
        RemError: the network is no CapsNet with dynamic routing, the outputs of the two differ by more than 1e-5 on a
            batch of test images, nothing is left of the network, or `target` is the checkpoint itself. Nothing is
            written then.
    """
    if target.resolve() == checkpoint.resolve():
        raise RemError(f"{target} is the checkpoint to compact; name another file to write.")
    model, run, epoch = loaded = load_checkpoint(checkpoint, device)
    data, batch = run.data, run.training.batch_size
    images, _ = next(stream_batches(prepared, "test", data, batch, device))
    smaller = equal_compact(loaded, images, checkpoint)
    origin = f"{checkpoint.name}, {checksum(checkpoint, 'sha256', unpacked=False)}"
    save_checkpoint(target, pack(smaller), run, epoch, compacted=origin)
    there = matrices(smaller)
    parts = {"original": (model, torch.ones_like(there), checkpoint), "compact": (smaller, there, target)}
    networks = [model, smaller]
    milliseconds = zip(latencies(networks, images[:1]), latencies(networks, images), strict=True)
    rows = [
        {"network": name, **size(*own[:2]), "bytes": own[2].stat().st_size}
        | {"multiply_adds": multiply_adds(own[0], images)}
        | {"image_ms": alone, "batch_ms": together, "batch": len(images)}
        for (name, own), (alone, together) in zip(parts.items(), milliseconds, strict=True)
    ]
    return pd.DataFrame(rows)


def equal_compact(loaded: Checkpoint, images: Tensor, checkpoint: Path) -> CapsNet:
    """The network of a checkpoint without what is dead in it.

    Raises:
        RemError: as `compact_checkpoint`, of the network and of its outputs on these images.
    """
    model, network = loaded.model, loaded.run.network
    if not network.is_plain:
        raise RemError(
            f"{checkpoint} has network.architecture {network.architecture} and network.routing {network.routing}; only "
            "capsnet and dynamic can be made compact, so go on with it as it is."
        )
    smaller = compact(model)
    pairs = zip(model(images), smaller(images), strict=True)
    difference = max((one - other).abs().nan_to_num(torch.inf).max() for one, other in pairs)
    if difference > TOLERANCE:
        raise RemError(
            f"{checkpoint} gives other outputs without what is dead in it, by up to {difference:.1g} on {len(images)} "
            f"test images where {TOLERANCE:g} is allowed: it has weights that are not finite, or so large that sums in "
            "another order differ; go on with the network as it is."
        )
    return smaller


def size(model: CapsNet, there: Tensor) -> dict[str, int]:
    """What a network is made of if the W_ij that are `there` (I, J) are its only ones."""
    dropped = int((~there).sum()) * model.weight[0, 0].numel()
    return {
        "channels": model.primary.in_channels,
        "types": model.primary.out_channels // model.dimensions,
        "capsules": int(there.any(dim=1).sum()),
        "matrices": int(there.sum()),
        "parameters": sum(parameter.numel() for parameter in model.parameters()) - dropped,
    }


def multiply_adds(model: CapsNet, images: Tensor) -> float:
    """Of an image, in convolutions and matrix products, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter:
        model(images)
    return counter.get_total_flops() / 2 / len(images)

"""What the explorer shows, gathered from a run's files, as long as there is room for it in the page."""

import math
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

from rem.data.batches import eval_batches, other_settings
from rem.errors import RemError
from rem.files.hdf5 import open_hdf5
from rem.networks.capsnet import KERNEL, STRIDE
from rem.report.explorer import codes
from rem.report.explorer.blocks import Collected, packed
from rem.report.explorer.datasets import SPLIT, Dataset, dataset_of, prepared_file
from rem.report.explorer.measured import Measured, Network
from rem.report.explorer.shared import training_counts, tree_numbers
from rem.report.explorer.votes import stored_votes
from rem.settings.run import Run
from rem.settings.stamp import run_of
from rem.tables.names import Names
from rem.training.checkpoints import load_checkpoint

FIRST = ("last", "first", "early", "best")  # checkpoints in the order in which they get room
CPU = torch.device("cpu")


def collect(results: Path, prepared: Path, most: int) -> Collected:
    """Gather what the page shows of `results/<name>` and of those of its experiments that have been made.

    All test images and what was measured of all networks are in it. Networks get their trees in as long as there is
    room: first every kind's first seed with its last checkpoint, then its other checkpoints, then the further seeds;
    those of the run itself before those of its experiments alone. The first of every kind gets votes too, and what its
    trees share with those of the training images. Networks of images that were prepared otherwise, as those of an
    experiment that was not made again, are left out, which is told.

    Args:
        results: the folder of the run.
        prepared: the folder of its datasets' HDF5 files.
        most: bytes that blocks may have.

    Raises:
        RemError: a file is missing or unreadable, or there are no couplings.
    """
    measured = Measured(results, SPLIT)
    files = {one: _couplings_file(results, one) for one in _in_order(measured)}
    files = {one: path for one, path in files.items() if path.is_file() and _of_these_images(path, prepared)}
    if not files:
        raise RemError(f"{results} has no couplings of the {SPLIT} images; run the workflow to its end first.")
    found = Collected(most)
    datasets = {
        name: dataset_of(found, results, prepared, [path for one, path in files.items() if one.dataset == name])
        for name in dict.fromkeys(one.dataset for one in measured.networks if one in files)
    }
    networks, kinds = [], set()
    for network, path in files.items():
        dataset, kind = datasets[network.dataset], (network.dataset, network.variant)
        with open_hdf5(path) as file:
            run = run_of(file)
            couplings, predicted, lengths = file["couplings"][:], file["predicted"][:], file["lengths"][:]
        told = _told(run, network, couplings.shape[1]) | {
            "measured": measured.at_levels(network),
            "tempered": measured.at_temperatures(network, dataset.content["shown"]),
        }
        if (
            _add_trees(found, told, dataset, couplings, predicted, lengths)
            and kind not in kinds
            and not run.network.is_own
        ):
            model = results / "models" / Path(*path.parts[-4:-1]) / f"{network.checkpoint}.pt"
            _add_routed(found, told, dataset, model, prepared_file(prepared, run), couplings, predicted)
        kinds.add(kind)
        networks.append(told)
    found.content = {"datasets": [one.content for one in datasets.values()], "networks": networks}
    return found


def _couplings_file(results: Path, network: Network) -> Path:
    folder = results / "couplings" / network.dataset / network.variant / f"seed{network.seed}"
    return folder / f"{network.checkpoint}.{SPLIT}.h5"


def _of_these_images(couplings: Path, prepared: Path) -> bool:
    """Whether couplings are of the images that lie there now; where they are not, it is told."""
    with open_hdf5(couplings) as file:
        run = run_of(file)
    with open_hdf5(prepared_file(prepared, run)) as images:
        other = other_settings(images, run.data)
    if other:
        print(f"{couplings} is of images that were prepared otherwise ({other}): left out", file=sys.stderr)
    return not other


def _in_order(measured: Measured) -> list[Network]:
    """The first seed of every kind before the others, of a seed the last checkpoint first, and the run's own first."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for one in sorted(measured.networks):
        own = seeds.setdefault((one.dataset, one.variant), [])
        if one.seed not in own:
            own.append(one.seed)

    def order(one: Network) -> tuple[int, int, bool]:
        place = FIRST.index(one.checkpoint) if one.checkpoint in FIRST else len(FIRST)
        return seeds[one.dataset, one.variant].index(one.seed), place, one not in measured.selected

    return sorted(measured.networks, key=order)


def _told(run: Run, network: Network, capsules: int) -> dict[str, object]:
    types = run.network.maps(capsules)
    rows, columns = _grid(capsules // types)
    placed = run.network.architecture == "capsnet" and run.network.backbone is None
    return network._asdict() | {
        "model": Names([run]).model(run.variant),
        "fewer": run.connections is not None,
        "grid": [types, rows, columns],
        "field": {"side": 2 * KERNEL - 1, "stride": STRIDE} if placed else None,  # pixels below a primary capsule
        "codes": None,
        "training": None,
        "votes": None,
    }


def _grid(capsules: int) -> tuple[int, int]:
    """Rows and columns of a type's primary capsules; one row where they are no square."""
    side = math.isqrt(capsules)
    return (side, side) if side**2 == capsules else (1, capsules)


def _add_trees(
    found: Collected,
    told: dict[str, object],
    dataset: Dataset,
    couplings: np.ndarray,
    predicted: np.ndarray,
    lengths: np.ndarray,
) -> bool:
    """Put in a network's couplings (N, I), trees, predictions (N,) and lengths (N, J); whether there is room."""
    trees = tree_numbers(couplings, predicted, dataset.content["shown"], dataset.content["cells"])
    blocks = {
        "codes": packed(codes.codes(couplings, dataset.cuts).T),  # a capsule after another
        "trees": packed(trees),
        "predicted": predicted.astype("<u2").tobytes(),
        "lengths": zlib.compress(np.rint(100 * lengths).clip(0, 255).astype(np.uint8).tobytes()),
    }
    if not found.has_room(*blocks.values()):
        return False
    told |= {name: found.add(block) for name, block in blocks.items()}
    return True


def _add_routed(
    found: Collected,
    told: dict[str, object],
    dataset: Dataset,
    checkpoint: Path,
    prepared: Path,
    couplings: np.ndarray,
    predicted: np.ndarray,
) -> None:
    """Put in what the network itself has to say, as room allows: votes, and the trees of the training images."""
    model, run, _ = load_checkpoint(checkpoint, CPU)
    data, shown, cells = run.data, dataset.content["shown"], dataset.content["cells"]
    counts = packed(training_counts(model, run, prepared, couplings, predicted, shown, cells))
    if found.has_room(counts):
        told["training"] = found.add(counts)
    if not run.network.is_plain:  # the page weighs votes as dynamic routing does
        return
    images = dataset.voted[prepared]
    ((pixels, _),) = eval_batches(images, len(images), data.size, data.mean, data.std)
    kept = stored_votes(model, pixels)
    votes, own = zlib.compress(kept.votes.tobytes()), zlib.compress(kept.couplings.astype("<f4").tobytes())
    if found.has_room(votes, own):
        told["votes"] = {
            "votes": found.add(votes),
            "couplings": found.add(own),
            "bias": kept.bias.tolist(),
            "scale": kept.scale.tolist(),
        }

"""What a config will fetch and how long its trainings will take here, told before anything starts.

A few steps of every kind of network are timed on random images. An epoch is so many of them as its training images
need, one pass over the validation images, and where the run searches for a threshold or for connections `SEARCH` more.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from tabulate import tabulate
from torch import Tensor

from rem.data.source_files import data_files
from rem.data.sources import SOURCES, find_source
from rem.files.download import address
from rem.networks.backbone import PADDING
from rem.networks.build import build
from rem.networks.losses import margin_loss
from rem.networks.weights import WEIGHTS, weights_file
from rem.pruning.dose import steps_per_epoch
from rem.settings.config import Config
from rem.settings.run import Run
from rem.training.adam import Adam

TIMED = 3  # steps, after one that is not
SEARCH = 5  # passes over the validation images that a search takes


class Cost(NamedTuple):
    """Seconds of a step of training, and of a pass of one batch through the network."""

    step: float
    forward: float


def told(config: Config, cores: int, mirror: str | None, device: torch.device) -> str:
    """What is still to fetch and to train of the config's target `all`, for a terminal.

    Args:
        config: the config.
        cores: trainings that run side by side.
        mirror: folder or URL prefix that takes the place of the official addresses.
        device: to train on.
    """
    lines = list(_to_fetch(config, mirror))
    runs = [run for run in config.selected() if not _models(config, run).joinpath("last.pt").is_file()]
    lines.append(f"to train: {len(runs)} of {len(config.selected())} networks")
    kinds = Counter((run.dataset, run.variant) for run in runs)
    rows, hours, unknown = [], 0.0, []
    for (dataset, variant), networks in kinds.items():
        run = next(run for run in runs if (run.dataset, run.variant) == (dataset, variant))
        seconds = training_seconds(run, device)
        if seconds is None:
            unknown.append(dataset)
            continue
        hours += networks * seconds / 3600
        rows.append([dataset, variant, networks, run.training.epochs, f"{seconds / 60:.1f}"])
    if rows:
        lines.append(tabulate(rows, ["dataset", "variant", "networks", "epochs", "minutes a network"]))
        jobs = min(cores if device.type == "cpu" else config.slots_per_gpu, len(runs))
        lines.append(f"about {hours / jobs:.1f} hours of training, {jobs} at a time; the steps behind it come on top.")
    if unknown:
        named = ", ".join(dict.fromkeys(unknown))
        lines.append(f"not told, for the number of images is known only once they are read: {named}.")
    lines.append("Stop it at any time; the same command goes on where it stopped.")
    return "\n".join(lines)


def training_seconds(run: Run, device: torch.device) -> float | None:
    """How long one network will train, all its epochs; None where its number of images is not known."""
    counted = _images(run)
    if counted is None:
        return None
    cost = _cost(run, device)
    train, validation = counted
    of_weights = run.pruning is not None and run.pruning.extent == "search"
    passes = 1 + SEARCH * (of_weights + (run.connections is not None and run.connections.density is None))
    epoch = steps_per_epoch(run, train) * cost.step
    epoch += passes * validation / run.training.batch_size * cost.forward
    return run.training.epochs * epoch


def _images(run: Run) -> tuple[int, int] | None:
    """To train on and to validate with; of viewpoints it is not known how many images have them."""
    counted = run.data.generate or (None if run.data.viewpoints else find_source(run.data.source).count)
    if counted is None or run.data.validation == "test":
        return counted
    return counted[0] - run.data.validation, run.data.validation


def _cost(run: Run, device: torch.device) -> Cost:
    model, data = build(run, device), run.data
    optimizer = Adam(model.parameters())
    shape = data.channels, data.size, data.size
    if run.features:
        shape = model.backbone.channels, *2 * [model.backbone.side(data.size) - 2 * PADDING]
    images = torch.randn(run.training.batch_size, *shape, device=device)
    labels = torch.randint(data.classes, (len(images),), device=device)

    def step() -> Tensor:
        lengths, poses, _ = model(images)
        loss = margin_loss(lengths, labels)
        if run.decoder:
            loss = loss + 0 * model.decoder(poses, labels).mean()
        optimizer.backward(loss)
        optimizer.step(run.training.learning_rate)
        return loss.detach()

    with torch.autocast(device.type, torch.bfloat16, enabled=run.training.precision == "bfloat16"):
        steps = _seconds(step)
        with torch.no_grad():
            return Cost(steps, _seconds(lambda: model(images)[0]))


def _seconds(of: Callable[[], Tensor]) -> float:
    """The mean time of `TIMED` calls; the sum of what they give is read, so that a GPU has done them."""
    float(of().sum())
    start = time.perf_counter()
    for _ in range(TIMED):
        made = of()
    float(made.sum())
    return (time.perf_counter() - start) / TIMED


def _models(config: Config, run: Run) -> Path:
    return Path(f"results/{config.name}/models/{run.dataset}/{run.variant}/seed{run.seed}")


def _to_fetch(config: Config, mirror: str | None) -> Iterator[str]:
    """A line for every source of which a file is not there yet."""
    files: dict[str, None] = {}
    for run in config.selected():
        files |= dict.fromkeys(data_files(run.data.source, run.data.folder, run.data.transfer))
        if run.network.weights == "pretrained":
            files[weights_file(run.network.backbone)] = None
    missing = Counter(Path(file).parent for file in files if not Path(file).exists())
    in_git = {Path(source.sample) for source in SOURCES.values() if source.sample}
    for folder, count in missing.items():
        if folder in in_git:
            yield f"missing, though in git: {folder}; give git checkout {folder}"
            continue
        name = folder.name
        official = WEIGHTS[name].url if name in WEIGHTS else find_source(name).url
        files_of = f"{count} {'file' if count == 1 else 'files'} of {name}"
        yield f"to fetch: {files_of} from {address(official, name, '', mirror)}"

"""The two sides of `benchmarks/speed.py`: what `rem` does and what the textbook form does, on the same inputs."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from benchmarks import textbook
from benchmarks.measure import Calls
from rem.data.batches import epoch_batches, eval_batches, read_split
from rem.data.prepare import prepare
from rem.data.source_files import data_files
from rem.networks.routing import route
from rem.settings.config import Config, read_config
from rem.settings.run import Run
from rem.training.checkpoints import load_checkpoint, load_tensors, save_checkpoint, save_tensors
from rem.training.device import choose_device
from rem.training.train import Trainer
from rem.trees import quantizer
from rem.trees.couplings import extract
from rem.trees.entropy import dictionary, entropy, mean_entropy

BATCH = 128
SHAPES = {"I 1152, J 10": (1152, 10), "I 4608, J 10": (4608, 10), "I 36, J 200": (36, 200)}
LEVELS = 128  # the largest K
VALIDATION = 2_048  # images of the sample to validate with, sixteen batches; 1,452 are left to train with
PAPERS = 54_500, 5_500  # images to train and to validate with of MNIST in full
EPOCHS = 8  # before the measured one; only the last of them prunes, for at chance nearly every weight can go
RATE, PENALTY = 1e-3, 1e-4
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Epoch:
    """What a pruned epoch took, in seconds and in passes over the validation images, and the sparsity it left.

    The seconds are those of the images that were seen, scaled to as many as MNIST in full has.
    """

    training: float
    search: float
    validation: float
    passes: float
    sparsity: float

    @property
    def seconds(self) -> float:
        """Of the whole epoch."""
        return self.training + self.search + self.validation


def paper_config() -> Config:
    """The paper's protocol."""
    return read_config([Path("config/config.yaml"), Path("config/paper.yaml")])


def paper_run(precision: str = "float32") -> Run:
    """The paper's pruned MNIST network, on the sample's images."""
    run = paper_config().run("mnist", "rem", 42)
    data = run.data.model_copy(update={"source": "mnist-sample", "validation": VALIDATION})
    training = run.training.model_copy(update={"precision": precision})
    return run.model_copy(update={"data": data, "training": training})


def write_inputs(folder: Path) -> None:
    """Write the images of an epoch, `epoch.h5`, and those of one batch, `batch.h5`; and a network that has learnt."""
    run = paper_run()
    run = run.model_copy(update={"pruning": run.pruning.model_copy(update={"start": EPOCHS - 1})})
    prepare(run.data, data_files(run.data.source, None, None), folder / "epoch.h5")
    with h5py.File(folder / "epoch.h5") as source, h5py.File(folder / "batch.h5", "w") as target:
        for split in ("train", "val", "test"):
            for name in ("images", "labels"):
                target[f"{split}/{name}"] = source[f"{split}/{name}"][:BATCH]
        target.attrs["class_names"] = source.attrs["class_names"]
    training = Trainer(run, folder / "epoch.h5", CPU)
    while training.epoch < EPOCHS:
        training.run_epoch()
    save_checkpoint(folder / "best.pt", training.model.state_dict(), run, EPOCHS)
    save_tensors(folder / "masks.pt", training.masks.kept)


def routed(capsules: int, classes: int, batch: int = BATCH) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, poses and a bias to route a batch with."""
    draw = torch.Generator().manual_seed(0)
    weight = 0.1 * torch.randn(capsules, classes, 16, 8, generator=draw)
    poses = torch.randn(batch, capsules, 8, generator=draw) / 8
    return weight.requires_grad_(), poses.requires_grad_(), torch.full((classes, 16), 0.1, requires_grad=True)


def route_and_back(how: Callable[..., tuple[Tensor, Tensor]], shape: str) -> list[Tensor]:
    """Route one of the shapes, forward and backward: the class capsules and the gradients."""
    inputs = routed(*SHAPES[shape])
    poses, _ = how(*inputs, 3)
    (poses * torch.linspace(-1, 1, poses.shape[-1])).sum().backward()
    return [poses.detach(), *(tensor.grad for tensor in inputs)]


def keys(images: int, capsules: int) -> tuple[np.ndarray, np.ndarray]:
    """Couplings (N, I) of images that share some parse trees, and their predicted classes (N,)."""
    draw = np.random.default_rng(0)
    trees = draw.random((max(1, images // 5), capsules), dtype=np.float32) ** 4
    return trees[draw.integers(len(trees), size=images)], draw.integers(10, size=images)


def rem_entropy(couplings: np.ndarray, predicted: np.ndarray) -> float:
    """Eq. 8 and 9 of couplings at 11 levels."""
    found = quantizer.keys(couplings, 11)
    return mean_entropy([entropy(dictionary(found[predicted == label]).counts) for label in range(10)])


def textbook_entropy(couplings: np.ndarray, predicted: np.ndarray) -> float:
    """The same."""
    return textbook.entropy((torch.from_numpy(couplings) * 10).round(), torch.from_numpy(predicted), 10)


def of_full_mnist(training: float, search: float, validation: float, passes: float, sparsity: float) -> Epoch:
    """An epoch on the sample as one on MNIST in full: both grow with the number of images."""
    trained, validated = PAPERS[0] / (3_500 - VALIDATION), PAPERS[1] / VALIDATION
    return Epoch(training * trained, search * validated, validation * validated, passes, sparsity)


def resumed(folder: Path, precision: str, images: str = "epoch") -> Trainer:
    """A training of rem's from that network."""
    training = Trainer(paper_run(precision), folder / f"{images}.h5", CPU)
    training.model.load_state_dict(load_checkpoint(folder / "best.pt", CPU).model.state_dict())
    training.masks.kept = load_tensors(folder / "masks.pt", CPU)
    return training


def rem_side(folder: Path) -> Calls:
    """What rem does, with its process set up as its commands set it up."""
    choose_device("cpu", os.cpu_count())
    steps = {precision: resumed(folder, precision, "batch") for precision in ("float32", "bfloat16")}
    model = load_checkpoint(folder / "best.pt", CPU).model
    tests = eval_images(folder, "test")
    couplings = keys(10_000, 1_152)

    def step(precision: str) -> None:
        steps[precision]._fit(RATE, PENALTY)

    def epoch(precision: str) -> Epoch:
        training = resumed(folder, precision)
        head, seen = training.model.head, []

        def counting(stem: Tensor, *levels: int) -> tuple[Tensor, ...]:
            seen.append(len(stem))
            return head(stem, *levels)

        start = time.perf_counter()
        training._fit(RATE, PENALTY)
        trained = time.perf_counter()
        training.model.head = counting
        training._prune()
        searched, passes = time.perf_counter(), sum(seen) / len(training.validation)
        training._evaluate()
        end = time.perf_counter()
        return of_full_mnist(trained - start, searched - trained, end - searched, passes, training.masks.sparsity())

    @torch.no_grad()
    def inference() -> None:
        for images, _ in tests:
            model(images)

    def all_levels() -> None:
        extract(folder / "best.pt", folder / "epoch.h5", "test", LEVELS, folder / "best.test.h5", CPU)

    return {
        "step": step,
        "convolutions": lambda: convolve(model),
        "route": lambda shape: len(route_and_back(route, shape)),
        "epoch": epoch,
        "inference": inference,
        "all levels": all_levels,
        "entropy": lambda: rem_entropy(*couplings),
    }


def textbook_side(folder: Path) -> Calls:
    """What the textbook form does, in PyTorch as it comes."""
    torch.set_num_threads(os.cpu_count())
    run, couplings = paper_run(), keys(10_000, 1_152)
    one = textbook_training(folder)

    def fit(training: textbook.TextbookTraining, images: str) -> None:
        split, draw = read_split(folder / f"{images}.h5", "train", run.data), torch.Generator().manual_seed(run.seed)
        for batch in epoch_batches(split, BATCH, run.data.size, run.augment, run.data.mean, run.data.std, draw):
            training.step(*batch)

    def epoch() -> Epoch:
        training, validation = textbook_training(folder), eval_images(folder, "val")
        start = time.perf_counter()
        fit(training, "epoch")
        trained = time.perf_counter()
        threshold, passes = training.search(validation)
        training.prune(threshold)
        searched = time.perf_counter()
        training.loss(validation)
        end = time.perf_counter()
        return of_full_mnist(trained - start, searched - trained, end - searched, passes, training.sparsity())

    return {
        "step": lambda: fit(one, "batch"),
        "convolutions": lambda: convolve(one.model),
        "route": lambda shape: len(route_and_back(textbook.route, shape)),
        "epoch": epoch,
        "entropy": lambda: textbook_entropy(*couplings),
    }


def textbook_training(folder: Path) -> textbook.TextbookTraining:
    """A training of the textbook's from that network."""
    model = textbook.TextbookCapsNet(load_checkpoint(folder / "best.pt", CPU).model)
    training = textbook.TextbookTraining(model, PENALTY)
    training.masks = [kept.float() for kept in load_tensors(folder / "masks.pt", CPU).values()]
    return training


@torch.no_grad()
def convolve(model: torch.nn.Module) -> None:
    """Both convolutions of a network, forward: a third of the least that a training step can take."""
    model.primary(torch.relu(model.convolution(torch.zeros(BATCH, 1, 28, 28))))


def eval_images(folder: Path, split: str) -> list[tuple[Tensor, Tensor]]:
    """Batches of a split to evaluate."""
    data = paper_run().data
    return list(eval_batches(read_split(folder / "epoch.h5", split, data), BATCH, data.size, data.mean, data.std))

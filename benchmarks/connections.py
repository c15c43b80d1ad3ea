"""What a share of the connections costs: the routing alone, and a training step of the sample's network.

Forward and backward, one thread. All take turns, a table each; the last column is the time beside all connections.

    python -m benchmarks.connections
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from tabulate import tabulate
from torch import Tensor

from rem.networks.build import build
from rem.networks.capsnet import CapsNet
from rem.networks.connections import draw, route_connected
from rem.networks.losses import margin_loss
from rem.settings.config import read_config
from rem.training.adam import Adam
from rem.training.device import choose_device

CPU = torch.device("cpu")
BATCH = 32
SHAPES = {"I 1152, J 10": (1152, 10), "I 36, J 200": (36, 200)}
DENSITIES = (1.0, 0.5, 0.2, 0.07)  # all first, few last
Timed = Callable[[], tuple[float, ...]]


class Step(NamedTuple):
    """Milliseconds of the parts of a training step, and of all of it."""

    convolutions: float
    routing: float
    backward: float
    step: float


def medians(calls: Mapping[str, Timed], rounds: int) -> dict[str, tuple[float, ...]]:
    """The medians of what calls that take turns return."""
    turns = [{name: call() for name, call in calls.items()} for _ in range(rounds + 1)][1:]  # the first warms up
    return {name: tuple(map(statistics.median, zip(*(turn[name] for turn in turns), strict=True))) for name in calls}


def lot(capsules: int, classes: int, density: float) -> Tensor:
    """Connections drawn by lot, (I, J)."""
    return draw(capsules, classes, round(density * capsules * classes), False, torch.Generator().manual_seed(0))


def in_types(types: int, capsules: int, classes: int, count: int) -> Tensor:
    """So many connections drawn by lot among two of the types of primary capsules, (I, J)."""
    connections = torch.zeros(capsules, classes, dtype=torch.bool)
    some = 2 * capsules // types
    connections[:some] = lot(some, classes, count / (some * classes))
    return connections


def routing(capsules: int, classes: int, density: float) -> Timed:
    """The routing there and back on random capsules, of 8 dimensions to 16, in 3 iterations."""
    weight, bias = 0.1 * torch.randn(capsules, classes, 16, 8), torch.full((classes, 16), 0.1)
    poses, connections = 0.3 * torch.randn(BATCH, capsules, 8), lot(capsules, classes, density)
    weight.mul_(connections[:, :, None, None])
    for tensor in (weight, poses, bias):
        tensor.requires_grad_()

    def call() -> tuple[float]:
        start = time.perf_counter()
        class_poses, _ = route_connected(weight, poses, bias, 3, None, connections)
        torch.autograd.grad(class_poses.sum(), (weight, poses, bias))
        return (1000 * (time.perf_counter() - start),)

    return call


def network(variant: str) -> CapsNet:
    """The MNIST sample's network, as it is when its training begins."""
    run = read_config([Path("config/config.yaml"), Path("config/sample.yaml")]).run("mnist", variant, 42)
    return build(run, CPU)


def training_step(connections: Tensor | None, routed: bool = True) -> Timed:
    """A step of the MNIST sample's network, or of its convolutions alone; None: without a mask of connections."""
    model = network("baseline" if connections is None else "blocks-07")
    if connections is not None:
        model.keep(connections)
    images, labels = torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    optimizer = Adam(model.parameters())

    def call() -> Step:
        times = [time.perf_counter()]
        primary = model.primary_capsules(model.stem(images))
        times.append(time.perf_counter())
        loss = margin_loss(model.route(primary)[0], labels) if routed else primary.sum()
        times.append(time.perf_counter())
        optimizer.backward(loss)
        times.append(time.perf_counter())
        optimizer.step(1e-4)
        if connections is not None:
            model.keep(connections)
        times.append(time.perf_counter())
        start, convolved, coupled, back, end = (1000 * moment for moment in times)
        return Step(convolved - start, coupled - convolved, back - coupled, end - start)

    return call


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="of which the medians are taken")
    options = parser.parse_args()
    choose_device("cpu", 1)
    torch.manual_seed(0)
    rows = []
    for name, (capsules, classes) in SHAPES.items():
        calls = {str(density): routing(capsules, classes, density) for density in DENSITIES}
        found = medians(calls, options.rounds)
        whole = found[str(DENSITIES[0])][0]
        rows += [[name, f"{100 * float(density):.0f} %", ms, ms / whole] for density, (ms,) in found.items()]
    print(tabulate(rows, ["routing", "connections", "ms", "beside all"], floatfmt=".2f", tablefmt="pipe"), end="\n\n")
    model = network("baseline")
    few = lot(model.capsules, model.classes, DENSITIES[-1])
    two = in_types(model.primary.out_channels // model.dimensions, model.capsules, model.classes, int(few.sum()))
    calls = {
        "all": training_step(None),
        "7 %, by lot": training_step(few),
        "7 %, in two types": training_step(two),
        "all, not routed": training_step(None, routed=False),
    }
    found = medians(calls, options.rounds)
    rows = [[name, *times, times[-1] / found["all"][-1]] for name, times in found.items()]
    headers = ["connections", "forward, convolutions", "forward, routing", "backward", "step (ms)", "beside all"]
    print(tabulate(rows, headers, floatfmt=".2f", tablefmt="pipe"))


if __name__ == "__main__":
    main()

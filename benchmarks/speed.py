"""How fast `rem` is against a textbook form (`benchmarks/textbook.py`), both measured in turn in one run.

The networks have the paper's size; the images are the MNIST sample. Writes `speed.csv`, a row a measurement with its
goal, and `speed.png` into the folder given.

    python -m benchmarks.speed results/bench
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch

from benchmarks import sides, textbook
from benchmarks.measure import Side, in_new_process, medians, peak_memory
from rem.figures import style
from rem.networks.losses import margin_loss
from rem.networks.routing import route
from rem.training.checkpoints import load_checkpoint

REPEATS = 5


@dataclass(frozen=True)
class Row:
    """A measurement of rem, what it is compared with, the ratio of the two, and the goal for that ratio."""

    what: str
    unit: str
    rem: float
    against: str
    other: float
    ratio: float
    goal: str
    reached: bool


def less(what: str, unit: str, own: float, against: str, other: float, times: float) -> Row:
    """A row where rem should need `times` times less than the other."""
    return Row(what, unit, own, against, other, other / own, f">= {times:g}", other / own >= times)


def within(what: str, unit: str, own: float, against: str, other: float, times: float) -> Row:
    """A row where rem should need at the most `times` times as much as the other."""
    return Row(what, unit, own, against, other, own / other, f"<= {times:g}", own / other <= times)


def check(folder: Path) -> None:
    """Both sides compute the same numbers: routing and its gradients, the loss of a step and its gradients, entropies.

    Raises:
        AssertionError: they do not, to float32's tolerance.
    """
    for shape in sides.SHAPES:
        for own, other in zip(
            sides.route_and_back(route, shape), sides.route_and_back(textbook.route, shape), strict=True
        ):
            torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-5)
    model = load_checkpoint(folder / "best.pt", sides.CPU).model
    other = textbook.TextbookCapsNet(model)
    images, labels = sides.eval_images(folder, "val")[0]
    losses = [margin_loss(model(images)[0], labels), textbook.margin_loss(other(images)[0], labels)]
    torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-6)
    for loss in losses:
        loss.backward()
    for name, parameter in other.named_parameters():
        torch.testing.assert_close(model.get_parameter(name).grad, parameter.grad, rtol=1e-2, atol=1e-5)
    couplings = sides.keys(1000, 50)
    torch.testing.assert_close(sides.rem_entropy(*couplings), sides.textbook_entropy(*couplings), rtol=1e-9, atol=0)


def steps(own: Side, other: Side) -> Iterator[Row]:
    """A training step, against the convolutions' own time and the textbook's step."""
    found = medians(
        {
            "floor": (other, "convolutions"),
            "kept": (own, "convolutions"),
            "float32": (own, "step", "float32"),
            "bfloat16": (own, "step", "bfloat16"),
            "textbook": (other, "step"),
        },
        REPEATS,
    )
    floor = "3 x the convolutions' forward time"
    yield within("training step, float32", "s", found["float32"], floor, 3 * found["floor"], 1.3)
    yield within("the same, all with memory kept", "s", found["float32"], floor, 3 * found["kept"], 1.3)
    yield less("training step, float32", "s", found["float32"], "textbook", found["textbook"], 2.3)
    yield less("training step, bfloat16", "s", found["bfloat16"], "textbook, float32", found["textbook"], 4.5)


def routings(own: Side, other: Side) -> Iterator[Row]:
    """Routing, forward and backward: time and memory."""
    for shape in sides.SHAPES:
        found = medians({"rem": (own, "route", shape), "textbook": (other, "route", shape)}, REPEATS)
        yield less(f"routing, {shape}", "s", found["rem"], "textbook", found["textbook"], 8)
        memory = [in_new_process(memory_of_routing, name, shape) for name in ("rem", "textbook")]
        yield less(f"memory of routing, {shape}", "MB", memory[0], "textbook", memory[1], 3)


def memory_of_routing(side: str, shape: str) -> float:
    """Peak memory of routing there and back, in MB; for a new process, in which nothing lies about."""
    how = {"rem": route, "textbook": textbook.route}[side]
    inputs = sides.routed(*sides.SHAPES[shape])

    def there_and_back() -> None:
        poses, _ = how(*inputs, 3)
        poses.sum().backward()

    return peak_memory(there_and_back)


def epochs(own: Side, other: Side) -> Iterator[Row]:
    """A pruned epoch, its seconds scaled to MNIST in full: training, threshold search, validation."""
    book = other.ask("epoch")[1]
    for precision, times in (("float32", 5), ("bfloat16", 8)):
        epoch = own.ask("epoch", precision)[1]
        if precision == "float32":
            yield less("passes of a threshold search", "passes", epoch.passes, "textbook", book.passes, 8)
            yield within("threshold search", "s", epoch.search, "the epoch's training", epoch.training, 0.15)
            yield within("sparsity after it", "%", 100 * epoch.sparsity, "textbook", 100 * book.sparsity, 1.02)
        yield less(f"pruned epoch, {precision}", "s", epoch.seconds, "textbook, float32", book.seconds, times)


def analyses(own: Side, other: Side) -> Iterator[Row]:
    """Couplings at all K, and entropies."""
    found = medians({"inference": (own, "inference"), "all": (own, "all levels")}, 1)
    yield within("couplings and accuracy, K 2 to 128", "s", found["all"], "plain inference", found["inference"], 1.5)
    found = medians({"rem": (own, "entropy")}, REPEATS)
    yield within("entropy of 10,000 x 1,152", "s", found["rem"], "", 0.2, 1)
    yield less("entropy of 10,000 x 1,152", "s", found["rem"], "textbook", other.ask("entropy")[0], 50)


def draw(rows: pd.DataFrame, target: Path) -> None:
    """How far each measurement is from its goal: 1 is just reached, above it is better."""
    goal = rows["goal"].str.split().str[-1].astype(float)
    upwards = rows["goal"].str.startswith(">")
    margin = (rows["ratio"] / goal).where(upwards, goal / rows["ratio"])
    figure, axes = plt.subplots(figsize=(style.PAGE, 0.26 * len(rows) + 0.6), layout="constrained")
    colours = [style.BLUE if reached else style.VERMILION for reached in rows["reached"]]
    axes.barh(range(len(rows)), margin - 1, left=1, color=colours, height=0.6)
    axes.axvline(1, color="0.2", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_yticks(range(len(rows)), rows["what"] + " / " + rows["against"].replace("", "0.2 s"))
    axes.invert_yaxis()
    for place, row in enumerate(rows.itertuples()):
        text = f" {row.ratio:.2f} ({row.goal}) "
        axes.annotate(text, (max(margin[place], 1), place), va="center", fontsize=style.SMALL)
    axes.set_xlabel("times better than the goal")
    axes.set_xlim(right=3 * max(1, margin.max()))  # room for the longest bar's text
    figure.savefig(target, dpi=200)


def main() -> None:
    """Measure everything and write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    target = parser.parse_args().folder
    target.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides.write_inputs(folder)
        check(folder)
        pair = Side(sides.rem_side, folder), Side(sides.textbook_side, folder)
        for measure in (steps, routings, epochs, analyses):
            for row in measure(*pair):
                print(
                    f"{row.what}: {row.rem:.3f} {row.unit}; {row.other:.3f} {row.against}; {row.ratio:.2f} {row.goal}"
                )
                rows.append(asdict(row))
        for side in pair:
            side.close()
    table = pd.DataFrame(rows)
    table.to_csv(target / "speed.csv", index=False, float_format="%.4g")
    draw(table, target / "speed.png")


if __name__ == "__main__":
    main()

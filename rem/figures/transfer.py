"""Accuracy on the transfer set against that on the images trained for, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rem.errors import RemError
from rem.figures.style import COLUMN, looks, mark, panel_title, save_figure
from rem.files.csv import read_csv
from rem.settings.run import read_run
from rem.tables.equal_accuracy import COURSE
from rem.tables.names import Names

CAPTION = "Accuracy on the transfer set against that on the test set, epoch by epoch: the networks of Table 7."


def draw(accuracies_csvs: Sequence[Path], run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw transfer accuracy against test accuracy, a line a network and a mark an epoch.

    Args:
        accuracies_csvs: of `rem accuracies`, one a run.
        run_yamls: `run.yaml` of every run, by which datasets and networks are named.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file cannot be read or lacks a column, or there is no epoch.
    """
    frame = pd.concat([read_csv(path, COURSE) for path in accuracies_csvs], ignore_index=True)
    if frame.empty:
        raise RemError(f"no epoch in {', '.join(map(str, accuracies_csvs))}; make them again.")
    save_figure(transfer_of(frame, Names(map(read_run, run_yamls))), target_stem)


def transfer_of(frame: pd.DataFrame, names: Names) -> Figure:
    """A panel a dataset, in it a line a network, from its first epoch, which is ringed, to its last.

    Args:
        frame: rows of the files of `rem accuracies`.
        names: of its datasets and networks.
    """
    datasets, shown = list(frame["dataset"].unique()), looks(frame["variant"])
    figure = Figure(figsize=(COLUMN * min(len(datasets), 2), 3.2), layout="constrained")
    panels = figure.subplots(1, len(datasets), squeeze=False)[0]
    for panel, dataset in zip(panels, datasets, strict=True):
        own = frame[frame["dataset"] == dataset].sort_values("epoch")
        for (variant, _), course in own.groupby(["variant", "seed"], sort=False):
            look = shown[variant]
            style = mark(look) | {"linestyle": "-", "linewidth": 0.8, "markersize": 3, "color": look.colour}
            panel.plot(course["accuracy"], course["transfer_accuracy"], gid=variant, **style)
            first = course.iloc[0]
            panel.plot(first["accuracy"], first["transfer_accuracy"], "o", markersize=7, fillstyle="none", color="0.4")
        images = names.transfer(dataset)
        transferred = [f"transferred to {images.title}"] if images else []
        panel.set_title(panel_title(names.dataset(dataset), 2 * len(datasets), *transferred))
        panel.set(xlabel="test accuracy (%)", ylabel="transfer accuracy (%)")
    handles = [
        Line2D([], [], **mark(look), label=names.model(variant, quantized=False)) for variant, look in shown.items()
    ]
    handles.append(
        Line2D([], [], marker="o", linestyle="", markersize=7, fillstyle="none", color="0.4", label="first epoch")
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    sns.despine(figure)
    return figure

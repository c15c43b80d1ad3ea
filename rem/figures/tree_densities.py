"""Learned connections beside connections drawn by lot, as a figure."""

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from rem.errors import RemError
from rem.figures.style import BLUE, GREY, VERMILION, Look, mark, panel_grid, panel_legend, save_figure
from rem.tables.trees import DRAWN, LEARNED, WHOLE, read_trees

CAPTION = (
    "Accuracy, mean max_j c and entropy, its mean over the band of K, against the share of the connections that a "
    "network keeps: learned while it was trained, or drawn by lot before. Bars are standard deviations over seeds."
)
LOOKS = {LEARNED: Look(BLUE, "o"), DRAWN: Look(VERMILION, "s", filled=False), WHOLE: Look(GREY, "D")}
UPWARDS = {
    "accuracy": "test accuracy (%)",
    "strongest_coupling": "mean max$_j$ c",
    "band_entropy": "entropy, band (bits)",
}
SHARES = (5, 10, 20, 50, 100)  # marked along the axis


def draw(table_csv: Path, target_stem: Path) -> None:
    """Draw the `trees.csv` of `rem trees`; raises RemError if it cannot be read, lacks a column or has no network."""
    table = read_trees(table_csv)
    if table.empty:
        raise RemError(f"{table_csv} has no network; make it again.")
    save_figure(densities_of(table), target_stem)


def densities_of(table: pd.DataFrame) -> Figure:
    """A column of three panels a dataset; a mark is a variant, and its kind the colour."""
    datasets = list(table["dataset"].unique())
    figure, axes = panel_grid(datasets, 5.2, (1, 1, 1), sharex=True)
    for column, dataset in enumerate(datasets):
        own = table[table["dataset"] == dataset]
        axes[0, column].set_title(dataset)
        for panel, metric in zip(axes[:, column], UPWARDS, strict=True):
            _draw(panel, own, metric)
        axes[-1, column].set_xlabel("connections kept (%)")
    for panel, label in zip(axes[:, 0], UPWARDS.values(), strict=True):
        panel.set_ylabel(label)
    legend = [Line2D([], [], label=name, **mark(look)) for name, look in LOOKS.items()]
    panel_legend(figure, legend, datasets, 3)
    sns.despine(figure)
    return figure


def _draw(panel: Axes, own: pd.DataFrame, metric: str) -> None:
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(SHARES))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(ScalarFormatter())
    for kind, look in LOOKS.items():
        marks = own[own["kind"] == kind]
        panel.plot(marks["density"], marks[metric], gid=kind, **mark(look))
        if metric == "accuracy":
            bars = {"fmt": "none", "ecolor": look.colour, "elinewidth": 0.7}
            panel.errorbar(marks["density"], marks[metric], marks["accuracy_std"], **bars)

"""Networks and routings beside each other, as a figure."""

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rem.errors import RemError
from rem.figures.style import BLUE, PAGE, VERMILION, Look, mark, save_figure
from rem.tables.architectures import read_architectures

CAPTION = (
    "Accuracy, mean max_j c and what the routing adds over c = 1/J in place of its couplings, of networks and "
    "routings, not pruned and pruned. Bars are standard deviations over seeds."
)
LOOKS = {False: Look(BLUE, "o"), True: Look(VERMILION, "s", filled=False)}  # whether it is pruned
NAMES = {False: "not pruned", True: "pruned"}
ACROSS = {
    "accuracy": "test accuracy (%)",
    "strongest_coupling": "mean max$_j$ c",
    "over_uniform_couplings": "points over c = 1/J",
}


def draw(table_csv: Path, target_stem: Path) -> None:
    """Draw the CSV of `rem architectures`; raises RemError if it cannot be read, lacks a column or has no network."""
    table = read_architectures(table_csv)
    if table.empty:
        raise RemError(f"{table_csv} has no network; make it again.")
    save_figure(architectures_of(table), target_stem)


def architectures_of(table: pd.DataFrame) -> Figure:
    """A row of three panels a dataset; in it a line a network and routing, a mark not pruned and one pruned."""
    datasets = list(table["dataset"].unique())
    table = table.assign(network=_names(table))
    networks = list(table["network"].unique())
    size = (PAGE, 0.6 + len(datasets) * (0.55 + 0.17 * len(networks)))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(datasets), len(ACROSS), squeeze=False, sharey=True)
    for row, dataset in zip(axes, datasets, strict=True):
        own = table[table["dataset"] == dataset]
        row[0].set_title(dataset, loc="left")
        for panel, (metric, label) in zip(row, ACROSS.items(), strict=True):
            _draw(panel, own, metric, networks)
            panel.set_xlabel(label)
    axes[0, 0].set_yticks(range(len(networks)), networks)
    axes[0, 0].invert_yaxis()
    legend = [Line2D([], [], label=NAMES[pruned], **mark(look)) for pruned, look in LOOKS.items()]
    figure.legend(handles=legend, loc="outside upper center", ncols=2)
    sns.despine(figure)
    return figure


def _names(table: pd.DataFrame) -> pd.Series:
    """Of each row's network: its routing, and its architecture where that is another than capsnet."""
    files = table["architecture"].str.rpartition(":")[2]
    return table["routing"].where(files == "capsnet", files + ", " + table["routing"])


def _draw(panel: Axes, own: pd.DataFrame, metric: str, networks: list[str]) -> None:
    if metric == "over_uniform_couplings":
        panel.axvline(0, color="0.8", linewidth=0.7, zorder=0)
    for pruned, look in LOOKS.items():
        marks = own[own["pruned"] == pruned]
        places = [networks.index(name) for name in marks["network"]]
        panel.plot(marks[metric], places, gid=NAMES[pruned], **mark(look))
        if metric == "accuracy":
            bars = {"fmt": "none", "ecolor": look.colour, "elinewidth": 0.7}
            panel.errorbar(marks[metric], places, xerr=marks["accuracy_std"], **bars)

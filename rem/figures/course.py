"""How trainings went, epoch by epoch, as a figure."""

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rem.errors import RemError
from rem.figures.style import looks, panel_grid, panel_legend, save_figure
from rem.tables.course import read_course
from rem.tables.names import model_name

CAPTION = (
    "Accuracy, entropy at the shared K and over the band, sparsity and the spread of the logits, epoch by epoch, of "
    "unpruned and pruned networks. A line is a network."
)
UPWARDS = {
    "accuracy": "accuracy (%)",
    "entropy": "entropy (bits)",
    "band_entropy": "over the band (bits)",
    "sparsity": "pruned (%)",
    "logit_spread": "logit spread",
}


def draw(table_csv: Path, target_stem: Path) -> None:
    """Draw the CSV of `rem course`; raises RemError if it cannot be read, lacks a column or has no epoch."""
    table = read_course(table_csv)
    if table.empty:
        raise RemError(f"{table_csv} has no epoch; make it again.")
    save_figure(course_of(table), target_stem)


def course_of(table: pd.DataFrame) -> Figure:
    """A column of panels a dataset, a panel a measure, the epochs to the right; a line a network."""
    datasets = list(table["dataset"].unique())
    figure, axes = panel_grid(datasets, 6.5, [1] * len(UPWARDS), sharex="col")
    variants = looks(table["variant"])
    for column, dataset in enumerate(datasets):
        own = table[table["dataset"] == dataset]
        axes[0, column].set_title(f"{dataset}, K = {own['levels'].iloc[0]}")
        for panel, (measure, label) in zip(axes[:, column], UPWARDS.items(), strict=True):
            for (variant, seed), network in own.groupby(["variant", "seed"]):
                look, course = variants[variant], network.sort_values("epoch")
                line = {"color": look.colour, "marker": look.marker, "markersize": 2.5, "linewidth": 1}
                panel.plot(course["epoch"], course[measure], gid=f"{variant} {seed}", **line)
            panel.set_ylabel(label if column == 0 else None)
            panel.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            panel.margins(y=0.12)
        axes[-1, column].set_xlabel("epoch")
        axes[-1, column].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    legend = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=3, label=model_name(variant, True))
        for variant, look in variants.items()
    ]
    panel_legend(figure, legend, datasets, len(legend))
    figure.align_ylabels(axes[:, 0])
    sns.despine(figure)
    return figure

"""Figure 5 of the paper: how one pruned run went."""

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rem.errors import RemError
from rem.figures.style import COLUMN, SMALL, run_title, save_figure
from rem.files.csv import read_csv
from rem.settings.run import read_run
from rem.tables.names import Names

CAPTION = "The paper's Figure 5: entropy and accuracy of one pruned network against its sparsity, epoch by epoch."

TRAJECTORY = ("epoch", "sparsity", "accuracy", "entropy", "levels")


def draw(trajectory_csv: Path, run_yaml: Path, target_stem: Path) -> None:
    """Draw Figure 5 from a CSV with the columns epoch, sparsity (%), accuracy (%), entropy (bits) and levels (K).

    Args:
        trajectory_csv: of `rem trajectory`.
        run_yaml: the settings of the run that was followed.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file cannot be read, or the CSV is empty or lacks a column.
    """
    frame = read_csv(trajectory_csv, TRAJECTORY)
    if frame.empty:
        raise RemError(f"{trajectory_csv} has no epoch; make it again.")
    run, levels = read_run(run_yaml), frame["levels"].iloc[0]
    title = f"{Names([run]).model(run.variant)}, {levels} levels\n{run_title(run)}"
    save_figure(trajectory(frame, title), target_stem)


def trajectory(frame: pd.DataFrame, title: str) -> Figure:
    """Entropy and accuracy of one pruned run against the share of pruned parameters, a mark an epoch.

    The colour of a mark is its epoch; the first and the last are named too.

    Args:
        frame: columns epoch, sparsity (%), accuracy (%), entropy (bits).
        title: what is shown.
    """
    frame = frame.sort_values("epoch")
    figure = Figure(figsize=(COLUMN, 3.3), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    for panel, column, label in zip(
        panels, ("entropy", "accuracy"), ("routing entropy (bits)", "test accuracy (%)"), strict=True
    ):
        panel.plot(frame["sparsity"], frame[column], color="0.7", linewidth=0.9, zorder=1)
        marks = panel.scatter(
            frame["sparsity"], frame[column], c=frame["epoch"], cmap="viridis", s=22, edgecolor="0.2", linewidth=0.4
        )
        _name_ends(panel, frame, column)
        panel.set_ylabel(label)
        panel.margins(x=0.4, y=0.12)  # room for the names at both ends
        panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    panels[0].set_ylim(-0.05 * frame["entropy"].max(), max(1.08 * frame["entropy"].max(), 0.1))
    panels[0].set_title(title)
    panels[1].set_xlabel("pruned parameters (%)")
    bar = figure.colorbar(marks, ax=panels, aspect=30, pad=0.03, label="epoch")
    bar.ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    bar.outline.set_linewidth(0.5)
    sns.despine(figure)
    return figure


def _name_ends(panel: Axes, frame: pd.DataFrame, column: str) -> None:
    """Name the first epoch left of its mark and the last one right of it, where no other mark is."""
    for row, side, offset in ((0, "right", -5), (-1, "left", 5))[: len(frame)]:
        epoch, *at = frame[["epoch", "sparsity", column]].iloc[row]
        where = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": SMALL}
        panel.annotate(f"epoch {epoch:g}", at, (offset, 0), **where)

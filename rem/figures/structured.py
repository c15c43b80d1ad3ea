"""Accuracy against measured time, of networks that became small and of such as began so, as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rem.errors import RemError
from rem.figures.style import BLUE, GREY, SMALL, VERMILION, Look, mark, panel_grid, panel_legend, save_figure
from rem.files.csv import read_csv

CAPTION = (
    "Accuracy against the measured time of a batch, beside that of the whole network of the same seed: types and "
    "channels removed while training, and as few from the start. Numbers: channels and types that are left. Marks are "
    "means, bars standard deviations over seeds."
)
COLUMNS = ["dataset", "variant", "seed", "structured", "accuracy", "channels", "types", "batch_ms"]
WHOLE, REMOVED, SMALLER = "whole network", "types and channels removed", "as few from the start"
LOOKS = {REMOVED: Look(BLUE, "o"), SMALLER: Look(VERMILION, "s", filled=False), WHOLE: Look(GREY, "D")}


def draw(speed_csvs: Sequence[Path], target_stem: Path) -> None:
    """Draw the CSVs of `rem speed`, one a dataset.

    Raises:
        RemError: one cannot be read, has no network, or does not begin with the whole network.
    """
    tables = [read_csv(path, COLUMNS) for path in speed_csvs]
    for path, table in zip(speed_csvs, tables, strict=True):
        if table.empty:
            raise RemError(f"{path} has no network; make it again.")
        first, sizes = table["variant"].iloc[0], table[["channels", "types"]]
        if table["structured"].iloc[0] or (sizes.iloc[0] < sizes.max()).any():
            raise RemError(f"{first} is not the whole network, which must come first; name it first in the experiment.")
    save_figure(speeds_of([summed_up(table) for table in tables]), target_stem)


def summed_up(table: pd.DataFrame) -> pd.DataFrame:
    """A row a variant of a dataset, in their order; the first is the whole network.

    Columns: `dataset`, `kind`, `channels` and `types` that are left, and of `accuracy` and of `time`, beside that of
    the whole network of the same seed, the mean over seeds and, with `_std` behind, the standard deviation.
    """
    whole = table["variant"].iloc[0]
    times = table[table["variant"] == whole].set_index("seed")["batch_ms"]
    table = table.assign(time=table["batch_ms"] / table["seed"].map(times))
    table["kind"] = np.where(table["structured"], REMOVED, np.where(table["variant"] == whole, WHOLE, SMALLER))
    groups = table.groupby("variant", sort=False)
    spreads = groups[["accuracy", "time"]].std().add_suffix("_std")
    means = groups[["channels", "types", "accuracy", "time"]].mean()
    return pd.concat([groups[["dataset", "kind"]].first(), means, spreads], axis=1)


def speeds_of(tables: Sequence[pd.DataFrame]) -> Figure:
    """A panel a dataset; a mark is a variant, its kind the colour, and lines lead from the whole network down."""
    datasets = [table["dataset"].iloc[0] for table in tables]
    figure, axes = panel_grid(datasets, 2.7, (1,))
    for panel, dataset, table in zip(axes[0], datasets, tables, strict=True):
        panel.set_title(dataset)
        panel.set_xlabel("time of a batch, beside the whole network's")
        _draw(panel, table)
    axes[0, 0].set_ylabel("test accuracy (%)")
    legend = [Line2D([], [], label=kind, **mark(look)) for kind, look in LOOKS.items()]
    panel_legend(figure, legend, datasets, 3)
    sns.despine(figure)
    return figure


def _draw(panel: Axes, table: pd.DataFrame) -> None:
    whole = table[table["kind"] == WHOLE]
    for kind, look in LOOKS.items():
        own = table[table["kind"] == kind]
        bars = {"fmt": "none", "ecolor": look.colour, "elinewidth": 0.7}
        panel.errorbar(own["time"], own["accuracy"], own["accuracy_std"], own["time_std"], **bars)
        line = pd.concat([whole, own]).sort_values("time", ascending=False)
        style = "-" if look.filled else "--"
        panel.plot(line["time"], line["accuracy"], color=look.colour, linewidth=0.7, linestyle=style)
        panel.plot(own["time"], own["accuracy"], gid=kind, zorder=4 if look.filled else 3, **mark(look))
    for row in table[table["kind"] != SMALLER].itertuples():
        left = f"{row.channels:g}, {row.types:g}"
        beside = {"textcoords": "offset points", "ha": "right", "fontsize": SMALL - 1}
        panel.annotate(left, (row.time, row.accuracy), (-4, 4), **beside)
    panel.set_xlim(0, 1.05 * table["time"].max())

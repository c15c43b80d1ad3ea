"""Entropy and accuracy against the number of levels K."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator, ScalarFormatter
from matplotlib.transforms import blended_transform_factory

from rem.errors import RemError
from rem.figures.style import (
    GREY,
    looks,
    panel_grid,
    panel_legend,
    panel_title,
    save_figure,
    shade_unreachable,
    unreachable,
)
from rem.files.csv import read_csv
from rem.settings.run import read_run
from rem.tables.names import Names
from rem.trees.levels import read_levels

CAPTION = (
    "Entropy and accuracy against the number of levels K, and delta_K, how far 1/J lies from the nearest level edge: "
    "where that is small, entropy is large. Entropy is a property of the quantizer too."
)

SWEEP = ("dataset", "variant", "seed", "layer", "levels", "accuracy", "entropy", "entropy_ceiling")
LEVELS = ("dataset", "levels", "shared", "authors", "band", "edge_distance")

BAND = {"color": "0.2", "linestyle": "", "marker": "|", "markersize": 3, "markeredgewidth": 0.6}


def draw(sweep_csvs: Sequence[Path], levels_csvs: Sequence[Path], run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw entropy and accuracy on the test set against the number of levels K, per dataset and variant, and delta_K.

    Args:
        sweep_csvs: one of every run, with the columns dataset, variant, seed, layer, levels (K), accuracy (%), entropy
            and entropy_ceiling (Eq. 9, bits); what is drawn is layer 1, the class capsules'.
        levels_csvs: of every dataset, of `rem choose-levels`: the shared K, the authors' one, the band, and delta_K.
        run_yamls: `run.yaml` of every run, by which datasets and networks are named.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file cannot be read or lacks a column, or a dataset has no shared K.
    """
    frame = pd.concat([read_csv(path, SWEEP) for path in sweep_csvs], ignore_index=True)
    frame = frame[frame["layer"] == 1]
    if frame.empty:
        raise RemError(f"no row in {', '.join(map(str, sweep_csvs))}; make them again.")
    chosen = read_levels(levels_csvs, LEVELS, frame["dataset"].unique())
    save_figure(sweep_of(frame, chosen, Names(map(read_run, run_yamls))), target_stem)


def sweep_of(frame: pd.DataFrame, chosen: pd.DataFrame, names: Names) -> Figure:
    """Entropy and accuracy against K: lines are means over seeds, bands reach from the least to the greatest.

    Args:
        frame: rows of the `sweep.csv` files.
        chosen: rows of the `levels.csv` files.
        names: of its datasets and networks.
    """
    datasets = list(frame["dataset"].unique())
    figure, axes = panel_grid(datasets, 4.3, (3, 3, 1.2), sharex=True)
    shown = looks(frame["variant"])
    everywhere = chosen.loc[chosen["authors"], "levels"].unique()
    theirs = {"color": "0.2", "linewidth": 0.7, "linestyle": (0, (1, 1.5))}
    for column, dataset in enumerate(datasets):
        own, levels = frame[frame["dataset"] == dataset], chosen[chosen["dataset"] == dataset]
        shared, authors = (int(levels.loc[levels[name], "levels"].iloc[0]) for name in ("shared", "authors"))
        axes[0, column].set_title(panel_title(names.dataset(dataset), len(datasets), f"K = {shared}"))
        for row, metric in enumerate(("entropy", "accuracy")):
            panel = axes[row, column]
            for edge in levels.loc[levels["edge_distance"] == 0, "levels"].unique():
                panel.axvline(edge, color="0.85", linewidth=0.6, zorder=0.5)
            panel.axvline(shared, color="0.2", linewidth=0.7, zorder=0.6)
            panel.axvline(authors, **theirs, zorder=0.6)
            for width, (variant, look) in zip(np.linspace(2, 1, len(shown)), shown.items(), strict=True):
                over = own[own["variant"] == variant].groupby("levels")[metric].agg(["mean", "min", "max"])
                panel.fill_between(over.index, over["min"], over["max"], color=look.colour, alpha=0.25, linewidth=0)
                line = {"linestyle": "-" if look.filled else "--", "linewidth": width}  # equal ones stay visible
                panel.plot(over.index, over["mean"], color=look.colour, gid=variant, **line)
        first, last = own["levels"].min(), own["levels"].max()
        shade_unreachable(axes[0, column], {(first, last): own["entropy_ceiling"].max()})
        in_band = levels.loc[levels["band"], "levels"].unique()
        below = blended_transform_factory(axes[0, column].transData, axes[0, column].transAxes)
        axes[0, column].plot(in_band, np.full(len(in_band), 0.02), transform=below, **BAND)
        axes[1, column].set_ylim(0, 100)
        distance = levels.groupby("levels")["edge_distance"].first()
        axes[2, column].plot(distance.index, distance, color="0.2", linewidth=0.8)
        axes[2, column].set_yscale("log", nonpositive="clip")  # 0, an edge on 1/J, lies below the axis
        axes[2, column].set(ylim=(0.2 / last, 0.5), yticks=[0.01, 0.1])
        axes[2, column].yaxis.set_major_formatter(ScalarFormatter())
        axes[2, column].yaxis.set_minor_locator(NullLocator())
        powers = 2 ** np.arange(1, 9, 1 if len(datasets) <= 3 else 2)
        axes[2, column].set_xscale("log", base=2)
        axes[2, column].set(xlim=(first, last), xticks=powers[(powers >= first) & (powers <= last)])
        axes[2, column].xaxis.set_major_formatter(ScalarFormatter())
        axes[2, column].xaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel("routing entropy (bits)")
    axes[1, 0].set_ylabel("test accuracy (%)")
    axes[2, 0].set_ylabel("$\\delta_K$")
    figure.supxlabel("levels of the quantizer, K", fontsize=8)
    legend = [
        *(
            Line2D([], [], color=look.colour, linestyle="-" if look.filled else "--", label=names.model(variant))
            for variant, look in shown.items()
        ),
        Patch(color=GREY, alpha=0.25, label="range over seeds"),
        Line2D([], [], color="0.2", linewidth=0.7, label="shared K"),
        Line2D([], [], **theirs, label=f"the authors' K = {' or '.join(map(str, everywhere))}"),
        Line2D([], [], color="0.85", linewidth=1, label="level edge on 1/J"),
        Line2D([], [], **BAND, label="in the band: accuracy kept"),
        unreachable(),
    ]
    panel_legend(figure, legend, datasets, 4)
    sns.despine(figure)
    return figure

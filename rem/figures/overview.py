"""The README's figure: entropy and accuracy of every dataset at a glance."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rem.errors import RemError
from rem.figures.style import (
    GREY,
    LOOKS,
    SMALL,
    panel_grid,
    panel_legend,
    panel_title,
    save_figure,
    shade_unreachable,
    unreachable,
)
from rem.tables.measurements import Results, read_results
from rem.tables.names import model_name

CAPTION = "Routing entropy and accuracy on the test set of every dataset, at the K that its networks share."

MODELS = ("baseline", "rem")  # the two that the paper compares


def draw(metrics_csv: Path, run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw the README's figure: entropy and accuracy of CapsNet+Q and CapsNet+REM on every dataset of the runs.

    Couplings are quantized at the dataset's shared K; a point is a seed, a bar and the number above it the mean.

    Raises:
        RemError: as `rem.tables.measurements.read_results`, or no run is of either.
    """
    results = read_results(metrics_csv, run_yamls)
    if not {run.variant for run in results.runs} & set(MODELS):
        raise RemError(f"none of the {len(run_yamls)} runs is of a variant {' or '.join(MODELS)}; give theirs.")
    save_figure(overview_of(results), target_stem)


def overview_of(results: Results) -> Figure:
    """The overview: a column of two panels a dataset, in it the models that it has."""
    datasets = results.datasets
    figure, axes = panel_grid(datasets, 3.9)
    present = [variant for variant in MODELS if any(run.variant == variant for run in results.runs)]
    for column, dataset in enumerate(datasets):
        axes[0, column].set_title(
            panel_title(results.names.dataset(dataset), len(datasets), f"K = {results.shared[dataset]}"), pad=13
        )
        for row, metric in enumerate(("entropy", "accuracy")):
            _seeds(axes[row, column], results, dataset, metric, present)
        axes[0, column].tick_params(labelbottom=False)
    axes[0, 0].set_ylabel("routing entropy (bits)")
    axes[1, 0].set_ylabel("test accuracy (%)")
    legend = [
        Line2D([], [], color=GREY, marker="o", markersize=4, linestyle="", label="one seed"),
        Line2D([], [], color=GREY, linewidth=1.5, label="mean over seeds (number above)"),
        unreachable(),
    ]
    panel_legend(figure, legend, datasets, 3)
    return figure


def _seeds(axes: Axes, results: Results, dataset: str, metric: str, variants: Sequence[str]) -> None:
    values, ceilings = [], {}
    for place, variant in enumerate(variants):
        checkpoint = results.checkpoint(dataset, variant)
        if checkpoint is None:
            continue
        where = (dataset, variant, checkpoint, results.shared[dataset])
        points, colour = results.over_seeds(*where, metric), LOOKS[variant].colour
        jitter = 0.09 * (np.arange(len(points)) - (len(points) - 1) / 2)
        axes.scatter(place + jitter, points, s=14, color=colour, clip_on=False, zorder=3)
        axes.hlines(points.mean(), place - 0.33, place + 0.33, color=colour, linewidth=1.5)
        above = {"ha": "center", "va": "bottom", "fontsize": SMALL, "color": colour}
        axes.text(place, 1.01, f"{points.mean():.2f}", transform=axes.get_xaxis_transform(), **above)
        values.extend(points)
        if metric == "entropy":
            ceilings[place - 0.5, place + 0.5] = results.cell(*where, "entropy_ceiling")["mean"]
    axes.set_xticks(range(len(variants)), [model_name(variant, True).replace("+", "\n+") for variant in variants])
    axes.set_xlim(-0.5, len(variants) - 0.5)
    if metric == "entropy" and ceilings:
        shade_unreachable(axes, ceilings)
    elif values:
        middle, half = (max(values) + min(values)) / 2, max(1.5, 0.7 * (max(values) - min(values)))
        axes.set_ylim(max(middle - half, 0), min(middle + half, 100))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    sns.despine(ax=axes)

"""Figures that compare variants over seeds: the overview, entropy against K, and the controls of pruning."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from rem.files import RemError
from rem.results import Results, model_name, read_results, read_table
from rem.style import (
    COLUMN,
    GREY,
    LOOKS,
    PAGE,
    SMALL,
    Look,
    looks,
    panel_title,
    save,
    shade_unreachable,
    unreachable,
)

MODELS = ("baseline", "rem")  # the two that the paper compares
BY_LEVELS = ("dataset", "variant", "seed", "levels", "accuracy", "entropy", "entropy_ceiling")
LEVELS = ("dataset", "levels", "shared", "published", "edge_at_uniform")


def overview(metrics_csv: Path, run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw the README's figure: entropy and accuracy of CapsNet+Q and CapsNet+REM on every dataset of the runs.

    Couplings are quantized at the dataset's shared K; a point is a seed, a bar and the number above it the mean.

    Raises:
        RemError: as `rem.results.read_results`, or no run is of either.
    """
    results = read_results(metrics_csv, run_yamls)
    if not set(results.runs["variant"]) & set(MODELS):
        raise RemError(f"none of the {len(run_yamls)} runs is of a variant {' or '.join(MODELS)}; give theirs.")
    save(overview_of(results), target_stem)


def overview_of(results: Results) -> Figure:
    """The overview: a column of two panels a dataset, in it the models that it has."""
    datasets = results.datasets
    figure, axes = _grid(datasets, 3.9)
    present = [variant for variant in MODELS if variant in set(results.runs["variant"])]
    for column, dataset in enumerate(datasets):
        axes[0, column].set_title(panel_title(dataset, len(datasets), f"K = {results.shared[dataset]}"), pad=13)
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
    _legend(figure, legend, datasets, 3)
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


def by_levels(by_levels_csvs: Sequence[Path], levels_csvs: Sequence[Path], target_stem: Path) -> None:
    """Draw entropy and accuracy on the test set against the number of levels K, per dataset and variant.

    Args:
        by_levels_csvs: of every run, with the columns dataset, variant, seed, levels (K), accuracy (%), entropy
            and entropy_ceiling (Eq. 9, bits).
        levels_csvs: of every dataset, of `rem levels`: the shared K, the published one, and those with a level
            edge on 1/J.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file cannot be read or lacks a column, or a dataset has no shared K.
    """
    frame = pd.concat([read_table(path, BY_LEVELS) for path in by_levels_csvs], ignore_index=True)
    chosen = pd.concat([read_table(path, LEVELS) for path in levels_csvs], ignore_index=True)
    if frame.empty:
        raise RemError(f"no row in {', '.join(map(str, by_levels_csvs))}; make them again.")
    for dataset in frame["dataset"].unique():
        if not chosen.loc[chosen["dataset"] == dataset, "shared"].any():
            raise RemError(f"none of {', '.join(map(str, levels_csvs))} has a shared K of {dataset}; give its file.")
    save(by_levels_of(frame, chosen), target_stem)


def by_levels_of(frame: pd.DataFrame, chosen: pd.DataFrame) -> Figure:
    """Entropy and accuracy against K: lines are means over seeds, bands reach from the least to the greatest.

    Args:
        frame: rows of the `by_levels.csv` files.
        chosen: rows of the `levels.csv` files.
    """
    datasets = list(frame["dataset"].unique())
    figure, axes = _grid(datasets, 3.7, sharex=True)
    shown = looks(frame["variant"])
    everywhere = chosen.loc[chosen["published"], "levels"].unique()
    theirs = {"color": "0.2", "linewidth": 0.7, "linestyle": (0, (1, 1.5))}
    for column, dataset in enumerate(datasets):
        own, levels = frame[frame["dataset"] == dataset], chosen[chosen["dataset"] == dataset]
        shared, published = (int(levels.loc[levels[name], "levels"].iloc[0]) for name in ("shared", "published"))
        axes[0, column].set_title(panel_title(dataset, len(datasets), f"K = {shared}"))
        for row, metric in enumerate(("entropy", "accuracy")):
            panel = axes[row, column]
            for edge in levels.loc[levels["edge_at_uniform"], "levels"].unique():
                panel.axvline(edge, color="0.85", linewidth=0.6, zorder=0.5)
            panel.axvline(shared, color="0.2", linewidth=0.7, zorder=0.6)
            panel.axvline(published, **theirs, zorder=0.6)
            for width, (variant, look) in zip(np.linspace(2, 1, len(shown)), shown.items(), strict=True):
                over = own[own["variant"] == variant].groupby("levels")[metric].agg(["mean", "min", "max"])
                panel.fill_between(over.index, over["min"], over["max"], color=look.colour, alpha=0.25, linewidth=0)
                line = {"linestyle": "-" if look.filled else "--", "linewidth": width}  # equal ones stay visible
                panel.plot(over.index, over["mean"], color=look.colour, gid=variant, **line)
        first, last = own["levels"].min(), own["levels"].max()
        shade_unreachable(axes[0, column], {(first, last): own["entropy_ceiling"].max()})
        axes[1, column].set_ylim(0, 100)
        powers = 2 ** np.arange(1, 9, 1 if len(datasets) <= 3 else 2)
        axes[1, column].set_xscale("log", base=2)
        axes[1, column].set(xlim=(first, last), xticks=powers[(powers >= first) & (powers <= last)])
        axes[1, column].xaxis.set_major_formatter(ScalarFormatter())
        axes[1, column].xaxis.set_minor_locator(NullLocator())
        axes[0, column].tick_params(labelbottom=False)
    axes[0, 0].set_ylabel("routing entropy (bits)")
    axes[1, 0].set_ylabel("test accuracy (%)")
    figure.supxlabel("levels of the quantizer, K", fontsize=8)
    legend = [
        *(
            Line2D([], [], color=look.colour, linestyle="-" if look.filled else "--", label=model_name(variant, True))
            for variant, look in shown.items()
        ),
        Patch(color=GREY, alpha=0.25, label="range over seeds"),
        Line2D([], [], color="0.2", linewidth=0.7, label="shared K"),
        Line2D([], [], **theirs, label=f"the authors' K = {' or '.join(map(str, everywhere))}"),
        Line2D([], [], color="0.85", linewidth=1, label="level edge on 1/J"),
        unreachable(),
    ]
    _legend(figure, legend, datasets, 4)
    sns.despine(figure)
    return figure


def controls(metrics_csv: Path, run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw entropy against accuracy and against sparsity, a mark a run, for every variant of the runs.

    Entropy and accuracy are those with couplings quantized at the dataset's shared K.

    Raises:
        RemError: as `rem.results.read_results`.
    """
    save(controls_of(read_results(metrics_csv, run_yamls)), target_stem)


def controls_of(results: Results) -> Figure:
    """The controls: a column of two panels a dataset, entropy upwards in both."""
    datasets, shown = results.datasets, looks(results.runs["variant"])
    figure, axes = _grid(datasets, 4.2, sharey="col")
    for column, dataset in enumerate(datasets):
        axes[0, column].set_title(panel_title(dataset, len(datasets), f"K = {results.shared[dataset]}"))
        ceilings = []
        for variant, look in shown.items():
            checkpoint = results.checkpoint(dataset, variant)
            if checkpoint is None:
                continue
            where = (dataset, variant, checkpoint, results.shared[dataset])
            entropy = results.over_seeds(*where, "entropy")
            ceilings.append(results.cell(*where, "entropy_ceiling")["mean"])
            for row, metric in enumerate(("accuracy", "sparsity")):
                points = results.over_seeds(*where, metric).reindex(entropy.index)
                axes[row, column].plot(points, entropy, **_mark(look), zorder=3, clip_on=False, gid=variant)
        for row, label in enumerate(("test accuracy (%)", "pruned parameters (%)")):
            panel = axes[row, column]
            panel.set(xlabel=label, ylabel="routing entropy (bits)" if column == 0 else None)
            panel.margins(x=0.1)
            left, right = panel.get_xlim()
            panel.set_xlim(left, min(right, 100))
            shade_unreachable(panel, {panel.get_xlim(): max(ceilings)})
            panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    handles = [
        Line2D([], [], **_mark(look), label=model_name(variant, quantized=True)) for variant, look in shown.items()
    ]
    handles.append(unreachable())
    _legend(figure, handles, datasets, 4)
    sns.despine(figure)
    return figure


def _mark(look: Look) -> dict[str, object]:
    face = look.colour if look.filled else "white"
    return {
        "linestyle": "",
        "marker": look.marker,
        "markersize": 4.5,
        "markerfacecolor": face,
        "markeredgecolor": look.colour,
        "markeredgewidth": 0.8,
    }


def _grid(datasets: Sequence[str], height: float, **share: bool | str) -> tuple[Figure, np.ndarray]:
    """A figure of two panels a dataset, one above the other, and its axes (2, datasets)."""
    size = (COLUMN, height + 0.6) if len(datasets) == 1 else (PAGE, height)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(2, len(datasets), squeeze=False, **share)


def _legend(figure: Figure, handles: Sequence[Artist], datasets: Sequence[str], columns: int) -> None:
    figure.legend(handles=handles, loc="outside upper center", ncols=1 if len(datasets) == 1 else columns)

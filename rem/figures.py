"""Figures 4, 5 and 6 of the paper and the overview of the README, each as PNG and SVG.

Every figure is drawn for a printed column (3.4 or 7 inches wide), in colours that the colour-blind tell apart;
the same input gives the same SVG, byte for byte.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from rem.files import RemError, open_hdf5, whole
from rem.results import Results, display_name, read_results

COLUMN, PAGE = 3.4, 7.0  # inches
FLOOR = 0.5  # where the logarithmic axis of counts ends, so that a count of 1 shows
PANELS = 10  # classes a figure of couplings shows at the most
BLUE, _, _, VERMILION, *_ = sns.color_palette("colorblind")
COLOURS = {"baseline": BLUE, "rem": VERMILION}

sns.set_theme(
    context="paper",
    style="ticks",
    rc={
        "font.size": 8,
        "axes.labelsize": 8,
        "axes.titlesize": 8,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "legend.fontsize": 7.5,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "legend.frameon": False,
        "svg.hashsalt": "rem",
    },
)
mpl.use("Agg")


def figure4(couplings_first: Path, couplings_best: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 4: couplings of the unpruned model after its first and at its best epoch.

    Args:
        couplings_first: HDF5 file of `rem couplings`, with `class_mean` float (J, I) and the attribute `class_names`.
        couplings_best: the same of the best epoch.
        levels: K.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file is unreadable or has no `class_mean`, or the two differ in their number of classes.
    """
    _couplings({"after epoch 1": couplings_first, "best epoch": couplings_best}, levels, target_stem)


def figure6(couplings_q: Path, couplings_rem: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 6: couplings of CapsNet+Q and CapsNet+REM; arguments and errors as of `figure4`."""
    _couplings({"CapsNet+Q": couplings_q, "CapsNet+REM": couplings_rem}, levels, target_stem)


def figure5(trajectory_csv: Path, target_stem: Path) -> None:
    """Draw Figure 5 from a CSV with the columns epoch, sparsity (%), accuracy (%), entropy (bits).

    Raises:
        RemError: the file cannot be read, is empty or lacks a column.
    """
    try:
        frame = pd.read_csv(trajectory_csv)
    except (OSError, ValueError) as error:
        raise RemError(f"{trajectory_csv} cannot be read as CSV: {error}.") from error
    for column in ("epoch", "sparsity", "accuracy", "entropy"):
        if column not in frame or frame.empty:
            raise RemError(f"{trajectory_csv} has no values in a column {column}; make it again.")
    trajectory(frame, target_stem)


def overview(metrics_csv: Path, run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw the README's figure: entropy and accuracy of CapsNet+Q and CapsNet+REM on every selected dataset.

    Couplings are quantized at the dataset's shared K; a point is a seed, a bar the mean.

    Raises:
        RemError: as `rem.results.read_results`.
    """
    results = read_results(metrics_csv, run_yamls)
    datasets = results.datasets
    figure = Figure(figsize=(PAGE, 3.6), layout="constrained")
    axes = figure.subplots(2, len(datasets), squeeze=False)
    for column, dataset in enumerate(datasets):
        axes[0, column].set_title(f"{display_name(dataset)}\nK = {results.shared[dataset]}")
        for row, metric in enumerate(("entropy", "accuracy")):
            _seeds(axes[row, column], results, dataset, metric)
        axes[0, column].tick_params(labelbottom=False)
    axes[0, 0].set_ylabel("routing entropy (bits)")
    axes[1, 0].set_ylabel("test accuracy (%)")
    legend = [
        Line2D([], [], color="0.4", marker="o", markersize=4, linestyle="", label="one seed"),
        Line2D([], [], color="0.4", linewidth=1.5, label="mean over seeds"),
        Line2D([], [], color="0.4", linestyle=":", label="ceiling: log$_2$ of the images per class"),
    ]
    figure.legend(handles=legend, loc="outside upper center", ncols=len(legend))
    _save(figure, target_stem)


def _seeds(axes: Axes, results: Results, dataset: str, metric: str) -> None:
    values = []
    for position, (variant, colour) in enumerate(COLOURS.items()):
        checkpoint = results.checkpoint(dataset, variant)
        if checkpoint is None:
            continue
        where = (dataset, variant, checkpoint, results.shared[dataset])
        points = results.over_seeds(*where, metric)
        bar = (position - 0.3, position + 0.3)
        axes.scatter(position + 0.08 * (np.arange(len(points)) - (len(points) - 1) / 2), points, s=14, color=colour)
        axes.hlines(points.mean(), *bar, color=colour, linewidth=1.5)
        axes.annotate(f"{points.mean():.2f}", (position + 0.34, points.mean()), va="center", fontsize=7)
        values.extend(points)
        if metric == "entropy":
            ceiling = results.cell(*where, "entropy_ceiling")["mean"]
            axes.hlines(ceiling, *bar, color="0.4", linestyle=":")
            values.append(ceiling)
    axes.set_xticks(range(len(COLOURS)), ["CapsNet\n+Q", "CapsNet\n+REM"])
    axes.set_xlim(-0.5, len(COLOURS) - 0.25)
    if metric == "entropy":
        axes.set_ylim(0, 1.08 * max(values, default=1.0))
    elif values:
        middle, half = (max(values) + min(values)) / 2, max(2.5, max(values) - min(values))
        axes.set_ylim(middle - half, middle + half)
    sns.despine(ax=axes)


def trajectory(frame: pd.DataFrame, target_stem: Path) -> None:
    """Draw one pruned run from epoch to epoch: entropy and accuracy against the share of pruned parameters.

    Args:
        frame: columns epoch, sparsity (%), accuracy (%), entropy (bits).
        target_stem: `.png` and `.svg` are added to it.
    """
    frame = frame.sort_values("epoch")
    figure = Figure(figsize=(COLUMN, 2.5), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    style = {"markersize": 3, "linewidth": 1.2}
    lines = [
        *left.plot(frame["sparsity"], frame["entropy"], "o-", color=VERMILION, label="entropy", **style),
        *right.plot(frame["sparsity"], frame["accuracy"], "s--", color=BLUE, label="accuracy", **style),
    ]
    first, last = frame["epoch"].agg(["min", "max"])
    left.set_xlabel(f"pruned parameters (%), epochs {first:g} to {last:g}")
    left.set_ylabel("routing entropy (bits)", color=VERMILION)
    right.set_ylabel("test accuracy (%)", color=BLUE)
    for axes, colour in ((left, VERMILION), (right, BLUE)):
        axes.tick_params(axis="y", colors=colour)
        axes.spines["top"].set_visible(False)
    left.set_ylim(bottom=0)
    left.margins(x=0.08)
    figure.legend(handles=lines, loc="outside upper center", ncols=2)
    _save(figure, target_stem)


def level_counts(class_mean: np.ndarray, levels: int) -> np.ndarray:
    """How many primary capsules have their mean coupling at each quantization level.

    Args:
        class_mean: (J, I), mean of c_ij over the images predicted as j; a row of NaN where there are none.
        levels: K; level k has the centre k / (K - 1).

    Returns:
        Integers (J, K) whose rows sum to I, or to 0 for a class without images.
    """
    return np.stack([np.histogram(row[~np.isnan(row)], bins=_edges(levels))[0] for row in class_mean])


def _edges(levels: int) -> np.ndarray:
    return (np.arange(levels + 1) - 0.5) / (levels - 1)


def coupling_distributions(
    series: Mapping[str, np.ndarray], levels: int, class_names: Sequence[str], target_stem: Path
) -> None:
    """Draw, class by class, how many primary capsules are coupled how strongly, one model over the other.

    Args:
        series: two models' names -> class_mean (J, I).
        levels: K.
        class_names: J names.
        target_stem: `.png` and `.svg` are added to it.
    """
    classes = len(class_names)
    shown = np.unique(np.linspace(0, classes - 1, min(classes, PANELS)).round().astype(int))
    rows = -(-len(shown) // 5)
    figure = Figure(figsize=(PAGE, 0.75 + 1.15 * rows), layout="constrained")
    panels = figure.subplots(rows, min(5, len(shown)), sharex=True, sharey=True, squeeze=False)
    counts = {label: level_counts(class_mean, levels) for label, class_mean in series.items()}
    looks = ({"fill": True, "color": BLUE, "alpha": 0.5}, {"color": VERMILION, "linewidth": 1.0})
    for panel, j in zip(panels.flat, shown, strict=False):
        panel.set_title(class_names[j], pad=3)
        panel.axvline(1 / classes, color="0.3", linewidth=0.7, linestyle=":", label="1/J")
        unseen = [label for label, of_model in counts.items() if not of_model[j].any()]
        for (label, of_model), look in zip(counts.items(), looks, strict=True):
            if label not in unseen:
                panel.stairs(of_model[j], _edges(levels), baseline=FLOOR, label=label, **look)
        if unseen:
            text = "\n".join(["no image predicted", *(unseen if len(unseen) < len(counts) else [])])
            panel.text(0.98, 0.96, text, transform=panel.transAxes, ha="right", va="top", fontsize=7)
    for panel in panels.flat[len(shown) :]:
        panel.set_visible(False)
    margin = 0.5 / (levels - 1) + 0.02
    panels[0, 0].set(yscale="log", xlim=(-margin, 1 + margin), xticks=[0, 0.5, 1])
    panels[0, 0].set_ylim(bottom=FLOOR)
    for panel in panels.flat:
        panel.yaxis.set_minor_locator(NullLocator())
    sns.despine(figure)
    of = "" if len(shown) == classes else f" ({len(shown)} of {classes} classes)"
    figure.supxlabel(f"mean coupling coefficient, {levels} levels{of}", fontsize=8)
    figure.supylabel("primary capsules", fontsize=8)
    legend = {}
    for panel in panels.flat:
        handles, labels = panel.get_legend_handles_labels()
        legend |= dict(zip(labels, handles, strict=True))
    figure.legend(legend.values(), legend.keys(), loc="outside upper center", ncols=len(legend))
    _save(figure, target_stem)


def _couplings(files: Mapping[str, Path], levels: int, target_stem: Path) -> None:
    series, names = {}, []
    for label, path in files.items():
        with open_hdf5(path) as file:
            if "class_mean" not in file:
                raise RemError(f"{path} has no dataset class_mean; make it again.")
            series[label] = file["class_mean"][:]
            names = list(file.attrs["class_names"])
    if len({len(class_mean) for class_mean in series.values()}) > 1:
        raise RemError(f"{' and '.join(map(str, files.values()))} differ in their number of classes.")
    coupling_distributions(series, levels, names, target_stem)


def _save(figure: Figure, target_stem: Path) -> None:
    for kind, options in (("png", {"dpi": 300}), ("svg", {"metadata": {"Date": None}})):
        with whole(f"{target_stem}.{kind}") as path:
            figure.savefig(path, format=kind, **options)

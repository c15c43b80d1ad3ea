"""Figures 4, 5 and 6 of the paper: one network's couplings, and how one pruned run went."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from rem.files import RemError, open_hdf5
from rem.results import model_name, read_table
from rem.settings import Run, read_run
from rem.style import BLUE, COLUMN, GREY, PAGE, SMALL, VERMILION, class_names, run_title, save, shown_classes

FLOOR = 0.5  # where the logarithmic axis of counts ends, so that a count of 1 shows
TRAJECTORY = ("epoch", "sparsity", "accuracy", "entropy", "levels")


def figure4(couplings_first: Path, couplings_best: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 4: couplings of the unpruned model after its first and at its best epoch.

    Args:
        couplings_first: HDF5 file of `rem couplings`.
        couplings_best: the same of the best epoch.
        levels: K.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file is unreadable or has no `class_mean`, or the two are of different datasets or seeds.
    """
    files = {"after epoch 1": couplings_first, "best epoch": couplings_best}
    _couplings(files, (GREY, BLUE), "CapsNet+Q, ", levels, target_stem)


def figure6(couplings_q: Path, couplings_rem: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 6: couplings of CapsNet+Q and CapsNet+REM; arguments and errors as of `figure4`."""
    _couplings({"CapsNet+Q": couplings_q, "CapsNet+REM": couplings_rem}, (BLUE, VERMILION), "", levels, target_stem)


def figure5(trajectory_csv: Path, run_yaml: Path, target_stem: Path) -> None:
    """Draw Figure 5 from a CSV with the columns epoch, sparsity (%), accuracy (%), entropy (bits) and levels (K).

    Args:
        trajectory_csv: of `rem trajectory`.
        run_yaml: the settings of the run that was followed.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file cannot be read, or the CSV is empty or lacks a column.
    """
    frame = read_table(trajectory_csv, TRAJECTORY)
    if frame.empty:
        raise RemError(f"{trajectory_csv} has no epoch; make it again.")
    run, levels = read_run(run_yaml), frame["levels"].iloc[0]
    title = f"{model_name(run.variant, quantized=True)}, {run_title(run)}, {levels} levels"
    save(trajectory(frame, title), target_stem)


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
        panel.margins(x=0.32, y=0.12)  # room for the names at both ends
        panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    panels[0].set_ylim(bottom=-0.05 * frame["entropy"].max())
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
    return ((np.arange(levels + 1) - 0.5) / (levels - 1)).clip(0, 1)


def coupling_distributions(
    series: Mapping[str, np.ndarray], colours: tuple[str, str], levels: int, class_names: Sequence[str], title: str
) -> Figure:
    """How many primary capsules are coupled how strongly, class by class, one model over the other.

    The axis of couplings ends one level above the highest that any capsule of any class has, shown or not.

    Args:
        series: two models' names -> class_mean (J, I).
        colours: of the first one, which is filled, and of the other's outline.
        levels: K.
        class_names: J names.
        title: what is shown.
    """
    classes = len(class_names)
    shown = shown_classes(classes)
    rows = -(-len(shown) // 5)
    figure = Figure(figsize=(PAGE, 0.9 + 1.15 * rows), layout="constrained")
    panels = figure.subplots(rows, min(5, len(shown)), sharex=True, sharey=True, squeeze=False)
    counts = {label: level_counts(class_mean, levels) for label, class_mean in series.items()}
    looks = ({"fill": True, "color": colours[0], "alpha": 0.5}, {"color": colours[1], "linewidth": 1.0})
    nobody = False
    for panel, j in zip(panels.flat, shown, strict=False):
        panel.set_title(class_names[j], pad=3)
        panel.axvline(1 / classes, color="0.3", linewidth=0.7, linestyle=":", label="1/J")
        unseen = [label for label, of_model in counts.items() if not of_model[j].any()]
        for (label, of_model), look in zip(counts.items(), looks, strict=True):
            if label not in unseen:
                panel.stairs(of_model[j], _edges(levels), baseline=FLOOR, label=label, **look)
        if unseen:
            text = "\n".join(["no image predicted", *(unseen if len(unseen) < len(counts) else [])])
            panel.text(0.98, 0.98, text, transform=panel.transAxes, ha="right", va="top", fontsize=SMALL)
            nobody = True
    for panel in panels.flat[len(shown) :]:
        panel.set_visible(False)
    highest = max((np.flatnonzero(of_model.any(axis=0)).max(initial=0) for of_model in counts.values()), default=0)
    edge, step = _edges(levels)[highest + 1], 1 / (levels - 1)
    most = max(of_model.max() for of_model in counts.values())
    panels[0, 0].set(yscale="log", xlim=(-0.25 * step, max(edge, 1 / classes) + 0.25 * step))
    panels[0, 0].set_ylim(FLOOR, 1.5 * max(most, 1) * (12 if nobody else 1))  # room for two lines above the bars
    for panel in panels.flat:
        panel.yaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_locator(MaxNLocator(4))
    sns.despine(figure)
    of = "" if len(shown) == classes else f", {len(shown)} of {classes} classes"
    cut = "" if highest == levels - 1 else f"; no capsule is beyond {min(edge, 1):.2f}"
    figure.supxlabel(f"mean coupling coefficient, {levels} levels{of}{cut}", fontsize=8)
    figure.supylabel("primary capsules", fontsize=8)
    legend = {}
    for panel in panels.flat:
        handles, labels = panel.get_legend_handles_labels()
        legend |= dict(zip(labels, handles, strict=True))
    order = [label for label in (*series, "1/J") if label in legend]
    handles = [legend[label] for label in order]
    figure.legend(handles, order, title=title, loc="outside upper center", ncols=len(order))
    return figure


def _couplings(files: Mapping[str, Path], colours: tuple[str, str], what: str, levels: int, target_stem: Path) -> None:
    series, runs, names = {}, [], []
    for label, path in files.items():
        with open_hdf5(path) as file:
            if "class_mean" not in file:
                raise RemError(f"{path} has no dataset class_mean; make it again.")
            series[label] = file["class_mean"][:]
            names = class_names(file)
            runs.append(Run.model_validate_json(file.attrs["run"]))
    if len({(run.dataset, run.seed) for run in runs}) > 1:
        raise RemError(f"{' and '.join(map(str, files.values()))} are of different datasets or seeds; give two of one.")
    save(coupling_distributions(series, colours, levels, names, what + run_title(runs[0])), target_stem)

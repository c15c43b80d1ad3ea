"""What Figures 4 and 6 draw: how strongly primary capsules couple to each class, one network over another."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from rem.errors import RemError
from rem.figures.style import PAGE, SMALL, class_names, run_title, save_figure, short, shown_classes
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import run_of
from rem.trees import quantizer

FLOOR = 0.5  # where the logarithmic axis of counts ends, so that a count of 1 shows
LETTERS = 20  # of a class's name that fit in a line above a panel
LINE = 0.12  # inches


def level_counts(class_mean: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many primary capsules have their mean coupling at each quantization level.

    Args:
        class_mean: (J, I), mean of c_ij over the images predicted as j; a row of NaN where there are none.
        edges: (K + 1,), where the levels begin and end.

    Returns:
        Integers (J, K) whose rows sum to I, or to 0 for a class without images.
    """
    return np.stack([np.histogram(row[~np.isnan(row)], bins=edges)[0] for row in class_mean])


def coupling_distributions(
    series: Mapping[str, np.ndarray],
    colours: tuple[str, str],
    edges: np.ndarray,
    class_names: Sequence[str],
    title: str,
) -> Figure:
    """How many primary capsules are coupled how strongly, class by class, one model over the other.

    The axis of couplings ends one level above the highest that any capsule of any class has, shown or not.

    Args:
        series: two models' names -> class_mean (J, I).
        colours: of the first one, which is filled, and of the other's outline.
        edges: (K + 1,), where the levels begin and end.
        class_names: J names.
        title: what is shown.
    """
    classes, levels = len(class_names), len(edges) - 1
    shown = shown_classes(classes)
    rows = -(-len(shown) // 5)
    names = [short(class_names[j], LETTERS) for j in shown]
    further = max(name.count("\n") for name in names)
    figure = Figure(figsize=(PAGE, 0.9 + (1.15 + LINE * further) * rows), layout="constrained")
    panels = figure.subplots(rows, min(5, len(shown)), sharex=True, sharey=True, squeeze=False)
    counts = {label: level_counts(class_mean, edges) for label, class_mean in series.items()}
    looks = ({"fill": True, "color": colours[0], "alpha": 0.5}, {"color": colours[1], "linewidth": 1.0})
    nobody = False
    for panel, j, name in zip(panels.flat, shown, names, strict=False):
        panel.set_title(name, pad=3)
        panel.axvline(1 / classes, color="0.3", linewidth=0.7, linestyle=":", label="1/J")
        unseen = [label for label, of_model in counts.items() if not of_model[j].any()]
        for (label, of_model), look in zip(counts.items(), looks, strict=True):
            if label not in unseen:
                panel.stairs(of_model[j], edges, baseline=FLOOR, label=label, **look)
        if unseen:
            text = "\n".join(["no image predicted", *(unseen if len(unseen) < len(counts) else [])])
            panel.text(0.98, 0.98, text, transform=panel.transAxes, ha="right", va="top", fontsize=SMALL)
            nobody = True
    for panel in panels.flat[len(shown) :]:
        panel.set_visible(False)
    highest = max((np.flatnonzero(of_model.any(axis=0)).max(initial=0) for of_model in counts.values()), default=0)
    edge, step = edges[highest + 1], np.diff(edges).max()
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


def draw_distributions(
    files: Mapping[str, Path], colours: tuple[str, str], what: str, levels: int, target_stem: Path
) -> None:
    """Draw the `coupling_distributions` of two networks of one dataset and seed.

    Args:
        files: two models' names -> their HDF5 files of `rem couplings`.
        colours: of `coupling_distributions`.
        what: begins the title.
        levels: K.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file is unreadable or has no `class_mean`, or the two are of different datasets or seeds.
    """
    series, runs, names, cells = {}, [], [], False
    for label, path in files.items():
        with open_hdf5(path) as file:
            if "class_mean" not in file:
                raise RemError(f"{path} has no dataset class_mean; make it again.")
            series[label] = file["class_mean"][:]
            names, cells = class_names(file), file.attrs["cells"]
            runs.append(run_of(file))
    if len({(run.dataset, run.seed) for run in runs}) > 1:
        raise RemError(f"{' and '.join(map(str, files.values()))} are of different datasets or seeds; give two of one.")
    edges = quantizer.edges(levels, cells)
    save_figure(coupling_distributions(series, colours, edges, names, what + run_title(runs[0])), target_stem)

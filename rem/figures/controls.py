"""What REM is without one of its parts, as a figure."""

from collections.abc import Sequence
from pathlib import Path

import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rem.figures.style import (
    looks,
    mark,
    panel_grid,
    panel_legend,
    panel_title,
    save_figure,
    shade_unreachable,
    unreachable,
)
from rem.tables.measurements import Results, read_results

CAPTION = "What REM is without one of its parts: entropy and accuracy of the controls."


def draw(metrics_csv: Path, run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw entropy against accuracy and against sparsity, a mark a run, for every variant of the runs.

    Entropy and accuracy are those with couplings quantized at the dataset's shared K.

    Raises:
        RemError: as `rem.tables.measurements.read_results`.
    """
    save_figure(controls_of(read_results(metrics_csv, run_yamls)), target_stem)


def controls_of(results: Results) -> Figure:
    """The controls: a column of two panels a dataset, entropy upwards in both."""
    datasets, shown = results.datasets, looks(run.variant for run in results.runs)
    figure, axes = panel_grid(datasets, 4.2, sharey="col")
    for column, dataset in enumerate(datasets):
        axes[0, column].set_title(
            panel_title(results.names.dataset(dataset), len(datasets), f"K = {results.shared[dataset]}")
        )
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
                axes[row, column].plot(points, entropy, **mark(look), zorder=3, clip_on=False, gid=variant)
        for row, label in enumerate(("test accuracy (%)", "pruned parameters (%)")):
            panel = axes[row, column]
            panel.set(xlabel=label, ylabel="routing entropy (bits)" if column == 0 else None)
            panel.margins(x=0.1)
            left, right = panel.get_xlim()
            panel.set_xlim(left, min(right, 100))
            shade_unreachable(panel, {panel.get_xlim(): max(ceilings)})
            panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    handles = [Line2D([], [], **mark(look), label=results.names.model(variant)) for variant, look in shown.items()]
    handles.append(unreachable())
    panel_legend(figure, handles, datasets, 4)
    sns.despine(figure)
    return figure

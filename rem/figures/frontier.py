"""Accuracy and strength against entropy, each network on its line over the temperature."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, ScalarFormatter

from rem.figures.style import Look, looks, mark, panel_grid, panel_legend, panel_title, save_figure
from rem.settings.run import read_run
from rem.tables.names import Names
from rem.tables.probes import Probes, read_probes

CAPTION = (
    "Accuracy and mean max_j c against the entropy, its mean over the band of K. A mark is a network as it is, a line "
    "what a temperature on the couplings of its last iteration makes of it: a method shows something where its mark "
    "lies above the unpruned network's line. Of more than eight networks that line alone is drawn, and a mark is the "
    "mean over seeds."
)
LINE = {"linewidth": 0.9, "marker": ".", "markersize": 3}
FEW = 8  # networks whose lines can be told apart
UPWARDS = {"accuracy": "test accuracy (%)", "strongest_coupling": "mean max$_j$ c"}


def draw(probes_csv: Path, run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw the frontier of every dataset.

    Args:
        probes_csv: of `rem probes`.
        run_yamls: `run.yaml` of every run, by which datasets and networks are named.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file cannot be read or lacks a column.
    """
    save_figure(frontier(read_probes(probes_csv), Names(map(read_run, run_yamls))), target_stem)


def frontier(probes: Probes, names: Names) -> Figure:
    """Two panels a dataset: accuracy and strength upwards, entropy along."""
    rows = probes.rows[probes.rows["split"] == "test"]
    datasets = list(rows["dataset"].unique())
    figure, axes = panel_grid(datasets, 4.2, sharex="col")
    shown = looks(rows["variant"])
    few = len(shown) <= FEW
    for column, dataset in enumerate(datasets):
        axes[0, column].set_title(panel_title(names.dataset(dataset), len(datasets)))
        for variant, look in shown.items():
            own = rows[(rows["dataset"] == dataset) & (rows["variant"] == variant)]
            lines = [probes.line(dataset, variant, seed) for seed in own["seed"].unique()]
            for panel, metric in zip(axes[:, column], UPWARDS, strict=True):
                if few or variant == "baseline":
                    _draw_line(panel, lines, metric, look, variant)
                _draw_marks(panel, lines, metric, look, each=few)
    for panel, label in zip(axes[:, 0], UPWARDS.values(), strict=True):
        panel.set_ylabel(label)
    for panel in axes[1]:
        panel.set_yscale("log")
        panel.set_yticks([0.05, 0.1, 0.2, 0.5, 1.0])
        panel.yaxis.set_major_formatter(ScalarFormatter())
        panel.yaxis.set_minor_formatter(NullFormatter())
    figure.supxlabel("routing entropy, mean over the band of K (bits)", fontsize=8)
    legend = [Line2D([], [], label=names.model(variant), **mark(look)) for variant, look in shown.items()]
    if few:
        legend.append(Line2D([], [], color="0.4", label="at other temperatures", **LINE))
    elif unpruned := shown.get("baseline"):
        told = f"{names.model('baseline')} at other temperatures"
        legend.append(Line2D([], [], color=unpruned.colour, label=told, **LINE))
    panel_legend(figure, legend, datasets, 4)
    sns.despine(figure)
    return figure


def _draw_line(panel: Axes, lines: Sequence[pd.DataFrame], metric: str, look: Look, variant: str) -> None:
    """The mean over seeds at every tau."""
    if lines:
        mean = pd.concat(lines).groupby(level=0)[["band_entropy", metric]].mean()
        dashes = "-" if look.filled else "--"
        panel.plot(mean["band_entropy"], mean[metric], dashes, color=look.colour, gid=variant, **LINE)


def _draw_marks(panel: Axes, lines: Sequence[pd.DataFrame], metric: str, look: Look, each: bool) -> None:
    """The networks as they are (tau = 1), each, or their mean."""
    places = [line.loc[1.0, ["band_entropy", metric]].astype(float).to_numpy() for line in lines]
    if places and not each:
        places = [np.mean(places, axis=0)]
    for place in places:
        panel.plot(*place, zorder=3, **mark(look))

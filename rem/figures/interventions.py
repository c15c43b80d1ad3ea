"""What other couplings in place of the network's own cost in accuracy."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rem.figures.style import COLUMN, PAGE, UNREACHABLE, Look, looks, mark, panel_title, save_figure
from rem.settings.run import read_run
from rem.tables.names import Names
from rem.tables.probes import ANY, MARGIN, Probes, read_probes
from rem.tables.statistics import paired_test
from rem.trees.levels import read_levels
from rem.trees.probe_kinds import INTERVENTIONS

CAPTION = (
    "Points of accuracy that other couplings in the last iteration cost, on the same test images: means over seeds "
    "with the 95 % interval of Student's t; the modal keys are those at the shared K. Where the interval lies right of "
    "the grey band, routing adds nothing that the fixed couplings lack."
)


def draw(probes_csv: Path, levels_csvs: Sequence[Path], run_yamls: Sequence[Path], target_stem: Path) -> None:
    """Draw the interventions on every dataset.

    Args:
        probes_csv: of `rem probes`.
        levels_csvs: of every dataset, of `rem choose-levels`.
        run_yamls: `run.yaml` of every run, by which datasets and networks are named.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file cannot be read or lacks a column, or a dataset has no shared K.
    """
    probes = read_probes(probes_csv)
    chosen = read_levels(levels_csvs, ["dataset", "levels", "shared"], probes.rows["dataset"].unique())
    shared = chosen[chosen["shared"]].groupby("dataset")["levels"].first().to_dict()
    save_figure(interventions(probes, shared, Names(map(read_run, run_yamls))), target_stem)


def interventions(probes: Probes, shared: Mapping[str, int], names: Names) -> Figure:
    """A panel a dataset, a row an intervention, a mark a network with its interval.

    Args:
        probes: what was found.
        shared: of every dataset, its shared K.
        names: of its datasets and networks.
    """
    rows = probes.rows[(probes.rows["split"] == "test") & (probes.rows["probe"] == "intervention")]
    datasets, shown = list(rows["dataset"].unique()), looks(rows["variant"])
    rows = rows[rows["metric"] == "difference"]
    figure = Figure(figsize=(COLUMN if len(datasets) == 1 else PAGE, 2.9), layout="constrained")
    axes = figure.subplots(1, len(datasets), squeeze=False, sharey=True)[0]
    for panel, dataset in zip(axes, datasets, strict=True):
        panel.set_title(panel_title(names.dataset(dataset), len(datasets)))
        panel.axvspan(-MARGIN, 0, color=UNREACHABLE, linewidth=0, zorder=0)
        for shift, (variant, look) in zip(np.linspace(-0.17, 0.17, len(shown)), shown.items(), strict=True):
            own = rows[(rows["dataset"] == dataset) & (rows["variant"] == variant)]
            own = own[own["levels"].isin([ANY, shared[dataset]])]
            _draw_network(panel, own, look, shift)
    axes[0].set_yticks(range(len(INTERVENTIONS)), INTERVENTIONS)
    axes[0].invert_yaxis()
    figure.supxlabel("accuracy gained over the network as it is (points)", fontsize=8)
    legend = [Line2D([], [], label=names.model(variant), **mark(look)) for variant, look in shown.items()]
    legend.append(Patch(color=UNREACHABLE, label=f"up to {MARGIN:g} points lost"))
    figure.legend(handles=legend, loc="outside upper center", ncols=1 if len(datasets) == 1 else 4)
    sns.despine(figure)
    return figure


def _draw_network(panel: Axes, rows: pd.DataFrame, look: Look, shift: float) -> None:
    for place, name in enumerate(INTERVENTIONS):
        own = rows[rows["setting"] == name]
        if own.empty:
            continue
        test = paired_test(own["value"].to_numpy())
        panel.plot(test["difference"], place + shift, zorder=3, **mark(look))
        if "low" in test:
            panel.hlines(place + shift, test["low"], test["high"], color=look.colour, linewidth=0.9)

"""Does the shrinkage lower the entropy, or do the zeros? As a figure."""

from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from rem.errors import RemError
from rem.figures.style import GREY, panel_grid, panel_legend, save_figure
from rem.tables.dose_response import ENTROPIES, KINDS, least_squares, read_dose_response

CAPTION = "Entropy against the spread of the logits and against sparsity, for networks of several doses."

MARKERS = dict(zip(KINDS.values(), ("o", "D", "s"), strict=True))
ACROSS = {"logit_spread": "spread of the logits", "sparsity": "pruned parameters (%)"}


def draw(table_csv: Path, target_stem: Path) -> None:
    """Draw the `dose_response.csv` of `rem dose-response`.

    Raises:
        RemError: the file cannot be read, lacks a column or has no network.
    """
    table = read_dose_response(table_csv)
    if table.empty:
        raise RemError(f"{table_csv} has no network; make it again.")
    save_figure(dose_response_of(table), target_stem)


def dose_response_of(table: pd.DataFrame) -> Figure:
    """A column of two panels a dataset and K, entropy upwards in both; a mark is a network.

    A mark's shape is its kind and its colour the dose. The line is the least-squares line over all marks.
    """
    columns = [(dataset, entropy) for dataset in table["dataset"].unique() for entropy in ENTROPIES]
    figure, axes = panel_grid([dataset for dataset, _ in columns], 4.6, sharey="col")
    doses = sorted(table["dose"].round(2).unique())
    colours = dict(zip(doses, sns.color_palette("viridis", len(doses)).as_hex(), strict=True))
    for column, (dataset, entropy) in enumerate(columns):
        own = table[table["dataset"] == dataset]
        axes[0, column].set_title(f"{dataset}, K = {own[ENTROPIES[entropy]].iloc[0]}")
        for row, (across, label) in enumerate(ACROSS.items()):
            panel = axes[row, column]
            for kind, marker in MARKERS.items():
                for dose, colour in colours.items():
                    marks = own[(own["kind"] == kind) & (own["dose"].round(2) == dose)]
                    panel.plot(
                        marks[across], marks[entropy], marker, color=colour, markersize=4.5, gid=f"{kind} {dose}"
                    )
            _line(panel, own[across].to_numpy(float), own[entropy].to_numpy(float))
            panel.set(xlabel=label, ylabel="routing entropy (bits)" if column == 0 else None)
            panel.margins(0.08)
            panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    kinds = [Line2D([], [], color=GREY, marker=marker, linestyle="", label=kind) for kind, marker in MARKERS.items()]
    amounts = [
        Line2D([], [], color=colour, marker="o", linestyle="", label=f"dose {dose:g}")
        for dose, colour in colours.items()
    ]
    panel_legend(figure, kinds + amounts, [dataset for dataset, _ in columns], 4)
    sns.despine(figure)
    return figure


def _line(panel: Axes, across: np.ndarray, entropy: np.ndarray) -> None:
    (start, slope), *_ = least_squares(across[:, None], entropy)
    if np.isfinite(slope):
        ends = np.array([across.min(), across.max()])
        panel.plot(ends, start + slope * ends, color="0.6", linewidth=0.8, zorder=0.5)

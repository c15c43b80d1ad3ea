"""The table of accuracy against speed: networks from which types and channels went, beside such as began smaller.

rem speed results/networks/structured/speed/mnist --checkpoints ... --data data/prepared/networks/mnist.h5
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from rem.tables.table import write_forms
from rem.training.speed import measure_speeds

CAPTION = "Accuracy on the test set, not quantized, ± over seeds, and what networks cost without what is dead in them; \
means over seeds. Multiply-adds are an image's, of convolutions and matrix products. Times are medians on this machine \
({device}, threads: {threads}), the networks taking turns; beside: the time of a batch over that of {first}."


def write_speeds(checkpoints: Sequence[Path], prepared: Path, stem: Path, device: torch.device) -> None:
    """Write what `measure_speeds` returns to `<stem>.csv`, and its means over seeds to `<stem>.md` and `.tex`.

    Raises:
        RemError: as `measure_speeds`.
    """
    table = measure_speeds(checkpoints, prepared, device)
    first = table["variant"][0]
    told = CAPTION.format(device=device, threads=torch.get_num_threads(), first=first)
    write_forms(stem, table, told, _readable(table))


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """A row a variant, in their order."""
    groups = table.groupby("variant", sort=False)
    means, spread = groups.mean(numeric_only=True), groups["accuracy"].std()
    within = spread.map(lambda number: "" if pd.isna(number) else f" ± {number:.2f}")
    columns = {
        "Seeds": groups.size().map(str),
        "Accuracy (%)": means["accuracy"].map("{:.2f}".format) + within,
        "Channels": means["channels"].map("{:g}".format),
        "Types": means["types"].map("{:g}".format),
        "Parameters": means["parameters"].map("{:,.0f}".format),
        "Multiply-adds (millions)": (means["multiply_adds"] / 1e6).map("{:.3f}".format),
        "One image (ms)": means["image_ms"].map("{:.2f}".format),
        f"{table['batch'][0]} images (ms)": means["batch_ms"].map("{:.2f}".format),
        "Beside": (means["batch_ms"] / means["batch_ms"].iloc[0]).map("{:.2f}".format),
    }
    return pd.DataFrame(columns).rename_axis("Network").reset_index()

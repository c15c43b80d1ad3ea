"""The table of what a network costs without what is dead in it, beside the network as it was trained."""

from pathlib import Path

import pandas as pd
import torch

from rem.errors import RemError
from rem.tables.table import write_forms
from rem.training.compact import compact_checkpoint

CAPTION = "What a network costs as it was trained, and without what is dead in it, at equal outputs. Multiply-adds are \
an image's, of convolutions and matrix products; times are medians on this machine ({device}, threads: {threads})."


def write_compact(checkpoint: Path, prepared: Path, target: Path, device: torch.device) -> str:
    """Write a checkpoint's compact form to `<name>.pt` and the table of both to `<name>-costs` (.csv, .md, .tex).

    The CSV's columns are those of `rem.training.compact.compact_checkpoint`.

    Returns:
        The table for people.

    Raises:
        RemError: `target` is not so named, or as `compact_checkpoint`.
    """
    if target.suffix != ".pt" or "." in target.stem:
        raise RemError(f"{target} is no name for a checkpoint; name a file <name>.pt without another dot.")
    stem = target.with_name(f"{target.stem}-costs")
    costs = compact_checkpoint(checkpoint, prepared, target, device)
    told = CAPTION.format(device=device, threads=torch.get_num_threads())
    write_forms(stem, costs, told, _readable(costs))
    return stem.with_suffix(".md").read_text(encoding="utf-8")


def _readable(costs: pd.DataFrame) -> pd.DataFrame:
    """The costs as text, a cost a row and a network a column."""
    counts = {
        "Channels": "channels",
        "Types": "types",
        "Primary capsules": "capsules",
        "Matrices W_ij": "matrices",
        "Parameters": "parameters",
    }
    rows = {name: costs[column].map("{:,}".format) for name, column in counts.items()}
    rows |= {
        "File (kB)": (costs["bytes"] / 1e3).map("{:,.1f}".format),
        "Multiply-adds (millions)": (costs["multiply_adds"] / 1e6).map("{:,.3f}".format),
        "One image (ms)": costs["image_ms"].map("{:.2f}".format),
        f"{costs['batch'][0]} images (ms)": costs["batch_ms"].map("{:.2f}".format),
    }
    text = pd.DataFrame(rows).set_axis(costs["network"].str.capitalize()).T
    return text.rename_axis(index="", columns=None).reset_index()

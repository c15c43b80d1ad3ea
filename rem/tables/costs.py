"""The tables of what a network costs in another form: without what is dead in it, or as a file for other programs."""

from pathlib import Path

import pandas as pd
import torch

from rem.errors import RemError
from rem.tables.table import write_forms
from rem.training.compact import compact_checkpoint
from rem.training.export import export_checkpoint

CAPTION = "What a network costs as it was trained, and without what is dead in it, at equal outputs. Multiply-adds are \
an image's, of convolutions and matrix products; times are medians on this machine ({device}, threads: {threads})."
EXPORTED = "What a network costs as a checkpoint run by PyTorch, and as {form}, with the largest difference between \
their outputs. Times are medians on this machine (cpu, threads: {threads})."

NAMES = {"original": "Original", "compact": "Compact", "onnx": "ONNX", "torchscript": "TorchScript"}


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
    costs = compact_checkpoint(checkpoint, prepared, target, device)
    told = CAPTION.format(device=device, threads=torch.get_num_threads())
    return _write(target.with_name(f"{target.stem}-costs"), costs, told)


def write_export(checkpoint: Path, prepared: Path, target: Path, form: str, architecture: str | None = None) -> str:
    """Write a checkpoint's network as `form` to `<name>.*`, and the table of both to `<name>-<form>-costs`.

    Arguments and the CSV's columns are those of `rem.training.export.export_checkpoint`.

    Returns:
        The table for people.

    Raises:
        RemError: as `export_checkpoint`.
    """
    costs = export_checkpoint(checkpoint, prepared, target, form, architecture)
    told = EXPORTED.format(form=NAMES[form], threads=torch.get_num_threads())
    return _write(target.with_name(f"{target.stem}-{form}-costs"), costs, told)


def _write(stem: Path, costs: pd.DataFrame, told: str) -> str:
    write_forms(stem, costs, told, _readable(costs))
    return stem.with_name(f"{stem.name}.md").read_text(encoding="utf-8")


def _readable(costs: pd.DataFrame) -> pd.DataFrame:
    """The costs as text, a cost a row and a network a column."""
    printed = {
        "channels": ("Channels", "{:,}".format),
        "types": ("Types", "{:,}".format),
        "capsules": ("Primary capsules", "{:,}".format),
        "matrices": ("Matrices W_ij", "{:,}".format),
        "parameters": ("Parameters", "{:,}".format),
        "bytes": ("File (kB)", lambda count: f"{count / 1e3:,.1f}"),
        "difference": ("Largest difference", "{:.1g}".format),
        "multiply_adds": ("Multiply-adds (millions)", lambda count: f"{count / 1e6:,.3f}"),
        "image_ms": ("One image (ms)", "{:.2f}".format),
        "batch_ms": (f"{costs['batch'][0]} images (ms)", "{:.2f}".format),
    }
    rows = {name: costs[column].map(form) for column, (name, form) in printed.items() if column in costs}
    text = pd.DataFrame(rows).set_axis(costs["network"].map(NAMES)).T
    return text.rename_axis(index="", columns=None).reset_index()

"""Copies of the project to run the workflow in, so that no run disturbs another or what lies here."""

import shutil
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = (
    "Snakefile",
    "workflow",
    "profiles",
    "config",
    "rem",
    "snakemake_logger_plugin_rem",
    "data/sample",
    "data/own/README.md",
    "environment.yml",
)


def copied(folder: Path, parts: Sequence[str] = PARTS) -> Path:
    """A folder with a copy of the project in it, where nothing has run."""
    for part in parts:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, folder / part)
    return folder

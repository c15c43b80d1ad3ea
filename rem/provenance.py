"""Where an artifact comes from: what is written beside its settings into every file of results."""

import json
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import h5py

from rem.settings import Run


@cache
def provenance() -> dict[str, str]:
    """Git revision (with `+` where the tree differs from it), Python and package versions, machine."""
    packages = {name: version(name) for name in ("rem", "torch", "torchvision", "numpy", "h5py")}
    return {"revision": _revision(), "python": platform.python_version(), "machine": platform.machine()} | packages


def _revision() -> str:
    describe = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # an installed package has no repository around it
    return done.stdout.strip()


def record(file: h5py.File, run: Run, **attributes: object) -> None:
    """Write a run's settings, the provenance and further attributes to an HDF5 file."""
    file.attrs["run"] = run.model_dump_json()
    file.attrs["provenance"] = json.dumps(provenance())
    for name, value in attributes.items():
        file.attrs[name] = value


def origin(file: h5py.File) -> tuple[Run, dict[str, object]]:
    """The run that a coupling file records, and the columns that say where a row of results comes from."""
    run = Run.model_validate_json(file.attrs["run"])
    names = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed}
    return run, names | {name: file.attrs[name] for name in ("checkpoint", "split")}

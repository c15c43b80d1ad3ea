"""The stamp in an HDF5 file: the settings of its run and the provenance, which every later step reads back."""

import json

import h5py

from rem.files.provenance import provenance
from rem.settings.run import Run


def stamp(file: h5py.File, run: Run, **attributes: object) -> None:
    """Write a run's settings, the provenance and further attributes to an HDF5 file."""
    file.attrs["run"] = run.model_dump_json()
    file.attrs["provenance"] = json.dumps(provenance())
    for name, value in attributes.items():
        file.attrs[name] = value


def run_of(file: h5py.File) -> Run:
    """The settings of the run that a file is stamped with."""
    return Run.model_validate_json(file.attrs["run"])


def row_of(file: h5py.File) -> dict[str, object]:
    """The columns that say which couplings a row of results is of: dataset, variant, seed, checkpoint, split."""
    run = run_of(file)
    names = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed}
    return names | {name: file.attrs[name] for name in ("checkpoint", "split")}

# What this workflow uses and replaces of Snakemake's private parts, each looked for first. Nothing is elsewhere.

import functools
import importlib
import os
import re

import snakemake
from snakemake.exceptions import WorkflowError

# A stage's folder, or that of a whole config for the files that lie in no stage's.
STAGE_FOLDER = re.compile(r"(data/prepared/[^/]+|results/[^/]+/[^/]+(?=/)|results/[^/]+)/")


def private(module, kind, name):
    """A class of Snakemake's and what it has under a name, on which this workflow counts."""
    try:
        found = getattr(importlib.import_module(module), kind)
        return found, getattr(found, name)
    except (ImportError, AttributeError):
        raise WorkflowError(
            f"Snakemake {snakemake.__version__} has no {kind}.{name}, which this workflow replaces; "
            "install the Snakemake of requirements.lock."
        ) from None


def of_workflow(names):
    """What Snakemake's object for this workflow has under a name, or under names with dots between them."""
    try:
        return functools.reduce(getattr, names.split("."), workflow)
    except AttributeError:
        raise WorkflowError(
            f"Snakemake {snakemake.__version__} has no workflow.{names}, which this workflow reads; "
            "install the Snakemake of requirements.lock."
        ) from None


# Snakemake's record of a file (its rule, its settings, the checksums of its inputs) lies in the folder of the file's
# stage, as `.metadata/`, and not in `.snakemake/metadata`, which all configs share: so DVC versions files and records as
# one, and fetching a config's files neither lacks their records nor takes away those of another config.
PERSISTENCE, elsewhere = private("snakemake.persistence.file", "FilePersistence", "_record_path")


def record_path(self, subject, id):
    """Where a kind (`subject`) of note on a file (`id`) lies; only records move."""
    folder = STAGE_FOLDER.match(id)
    if subject != self._metadata_path or folder is None:
        return elsewhere(self, subject, id)
    return os.path.join(folder[1], ".metadata", id[folder.end() :])


PERSISTENCE._record_path = record_path

# No limit to how many jobs start in a while. Snakemake's own, which no option lifts, starts a timer with every job that
# ends: each wakes the scheduler time and again, and the end of a run waits for the last.
LIMIT, _ = private("snakemake.settings.types", "MaxJobsPerTimespan", "parse_choice")
LIMIT.__bool__ = lambda self: False

# What every rule shares: the typed config, the wildcards it allows, and the helpers that read it.

import os

from snakemake.exceptions import WorkflowError

from rem.files import RemError
from rem.settings import Config, parse, to_yaml
from rem.sources import SOURCES, source_files

try:
    CONFIG = parse(Config, config, "config")
    RUNS = {(run.dataset, run.variant, str(run.seed)): run for run in CONFIG.runs()}
except RemError as error:
    raise WorkflowError(str(error)) from None

CHECKPOINTS = ["first", "best", "last"]
SPLITS = ["val", "test"]
MIRROR = CONFIG.mirror or os.environ.get("REM_MIRROR")


wildcard_constraints:
    name=CONFIG.name,
    dataset="|".join(CONFIG.select.datasets),
    variant="|".join(CONFIG.select.variants),
    seed="|".join(map(str, CONFIG.select.seeds)),
    source="|".join(SOURCES),


def run_files(file, runs=RUNS, **wildcards):
    """A file in the folder of every run, for every value of further wildcards."""
    folders = [f"results/{CONFIG.name}/runs/{dataset}/{variant}/seed{seed}" for dataset, variant, seed in runs]
    return expand("{folder}/" + file, folder=folders, **wildcards)


def run_of(wildcards):
    return RUNS[wildcards.dataset, wildcards.variant, wildcards.seed]


def data_of(wildcards):
    return next(run.data for run in RUNS.values() if run.dataset == wildcards.dataset)


def dataset_files(wildcards):
    data = data_of(wildcards)
    return [data.folder] if data.source == "folder" else source_files(data.source)


def modules(*names):
    """The package's modules whose change must re-run a rule."""
    return [f"rem/{name}.py" for name in names]


def gpu_slots(wildcards):
    """1 where the device in use is a GPU; a machine without one is not held to a GPU at a time."""
    return int(CONFIG.device == "cuda" or (CONFIG.device == "auto" and os.path.exists("/dev/nvidiactl")))


def data_settings_text(wildcards):
    return to_yaml(data_of(wildcards))


def run_settings_text(wildcards):
    return to_yaml(run_of(wildcards))


def checkpoint_couplings(wildcards):
    """Validation couplings of every network of a dataset, at the checkpoint that its variant's tables show."""
    runs = {key: run for key, run in RUNS.items() if run.dataset == wildcards.dataset}
    return [file for key, run in runs.items() for file in run_files(f"couplings/{run.checkpoint}.val.h5", [key])]

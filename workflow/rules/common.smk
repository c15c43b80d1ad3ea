# The typed config, the wildcards it allows, and the helpers that read it.

import os
import shutil

from snakemake.exceptions import WorkflowError

from rem import settings, sources
from rem.files import RemError

try:
    CONFIG = settings.parse(settings.Config, config, "config")
    RUNS = {(run.dataset, run.variant, str(run.seed)): run for run in CONFIG.runs()}
    # Here and not in an input function, whose errors Snakemake passes over where the output is there already.
    FILES = {run.dataset: sources.source_files(run.data.source) for run in RUNS.values()}
except RemError as error:
    raise WorkflowError(str(error)) from None

CHECKPOINTS = ["first", "best", "last"]
SPLITS = ["val", "test"]
TABLES = expand("tables/table{number}.{suffix}", number=range(2, 7), suffix=["csv", "md", "tex"])
TABLES += expand("tables/paper_vs_ours.{suffix}", suffix=["csv", "md"])
FIGURES = expand("figures/{figure}.{suffix}", figure=["fig4", "fig5", "fig6", "overview"], suffix=["png", "svg"])

if CONFIG.mirror:  # by the environment and not as a param: another mirror must not make the same files anew
    os.environ.update(REM_MIRROR=CONFIG.mirror)


wildcard_constraints:
    name=CONFIG.name,
    dataset="|".join(CONFIG.select.datasets),
    variant="|".join(CONFIG.select.variants),
    seed="|".join(map(str, CONFIG.select.seeds)),
    figure="fig4|fig5|fig6|overview",
    source="|".join(sources.SOURCES),
    file="[^/]+\\.gz",


def run_files(stage, file, runs=RUNS, **wildcards):
    """A file that a stage makes of every run, for every value of further wildcards."""
    folders = [f"results/{CONFIG.name}/{stage}/{dataset}/{variant}/seed{seed}" for dataset, variant, seed in runs]
    return expand(f"{{folder}}/{file}", folder=folders, **wildcards)


def run_of(wildcards):
    return RUNS[wildcards.dataset, wildcards.variant, wildcards.seed]


def data_of(wildcards):
    return next(run.data for run in RUNS.values() if run.dataset == wildcards.dataset)


def dataset_files(wildcards):
    data = data_of(wildcards)
    return [data.folder] if data.source == "folder" else FILES[wildcards.dataset]


def modules(*names):
    """The package's modules whose change must make a file anew."""
    return [f"rem/{name}.py" for name in names]


def gpu_slots(wildcards):
    """1 where the device in use is a GPU; a machine without one is not held to a GPU at a time."""
    present = shutil.which("nvidia-smi") is not None
    return int(CONFIG.device == "cuda" or (CONFIG.device == "auto" and present))


def data_settings_text(wildcards):
    return settings.to_yaml(data_of(wildcards))


def run_settings_text(wildcards):
    return settings.to_yaml(run_of(wildcards))


def checkpoint_couplings(wildcards):
    """Validation couplings of every network of a dataset, at the checkpoint that its variant's tables show."""
    runs = {key: run for key, run in RUNS.items() if run.dataset == wildcards.dataset}
    return [file for key, run in runs.items() for file in run_files("couplings", f"{run.checkpoint}.val.h5", [key])]


def followed(variant, saved=None):
    """Test couplings, at its tables' checkpoint unless one is named, of a variant beside the run that Figure 5 follows."""
    key = (CONFIG.trajectory.dataset, variant, CONFIG.trajectory.seed)
    return run_files("couplings", f"{saved or CONFIG.run(*key).checkpoint}.test.h5", [key])


def figure_inputs(wildcards):
    followed_run = tuple(CONFIG.trajectory.model_dump(exclude={"every"}).values())
    levels = f"results/{CONFIG.name}/entropies/{CONFIG.trajectory.dataset}/levels.csv"
    return {
        "fig4": [levels, *followed("baseline", "first"), *followed("baseline")],
        "fig5": run_files("trajectory", "trajectory.csv", [followed_run]),
        "fig6": [levels, *followed("baseline"), *followed("rem")],
        "overview": [f"results/{CONFIG.name}/metrics.csv", *run_files("models", "run.yaml")],
    }[wildcards.figure]


def results_files():
    return expand("results/{name}/{file}", name=CONFIG.name, file=["metrics.csv", *TABLES, *FIGURES])

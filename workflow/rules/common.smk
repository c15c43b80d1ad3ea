# The typed config, the wildcards it allows, and the helpers that read it.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from rem.data import source_files, sources
from rem.errors import RemError
from rem.files import digests
from rem.files.code import digest as code
from rem.files.machine import cores_allowed, memory_mb
from rem.networks import weights
from rem.settings import sections
from rem.settings.config import Config
from rem.training import gpus

# In any locale: names of the user's own may have any letters.
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(encoding="utf-8", errors="surrogateescape")

if (installed := Path(sections.__file__).resolve().parents[2]) != (beside := Path(workflow.basedir).resolve()):
    raise WorkflowError(
        f"the rem that Python finds is that of {installed}, not that of {beside}, whose Snakefile runs; "
        f"run `pip install -e {beside}` in an environment of its own, or set PYTHONPATH={beside}."
    )
# The `rem` of the jobs may be the command of another checkout's environment: it is to run the code beside the Snakefile.
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(beside), os.getenv("PYTHONPATH")])))
# And it is found where this Python's environment is not active too: `.venv/bin/snakemake` is enough.
os.environ.update(PATH=os.pathsep.join([os.getenv("PATH", os.defpath), str(Path(sys.executable).parent)]))


def keyed(runs):
    """Runs by dataset, variant and seed, as wildcards name them."""
    return {(run.dataset, run.variant, str(run.seed)): run for run in runs}


try:
    # Snakemake has read them, but of a key that stands there twice it drops one.
    for file in of_workflow("configfiles"):
        sections.read_yaml(Path(file))
    CONFIG = sections.parse(Config, config, "config")
    # Of the target `all`, and of every experiment: those are what the rules can make.
    RUNS = keyed(CONFIG.selected())
    ALL_RUNS = RUNS | keyed(CONFIG.runs(CONFIG.experiments))
    COURSE = keyed(CONFIG.runs({"course"} & CONFIG.experiments.keys()))  # followed from epoch to epoch
    CONFIG.check_unused()
except RemError as error:
    raise WorkflowError(str(error)) from None

# Of every run, as <checkpoint>.<split>; the last line of runs with a further test set.
COUPLINGS = ["first.test", "best.val", "best.test", "last.val", "last.test"]
TESTED = [file for file in COUPLINGS if file.endswith(".test")]
TRANSFER = ["early.test", "early.transfer", "best.transfer", "last.transfer"]
TABLES = expand("tables/table{which}.{suffix}", which=[*range(2, 8), "_decoder"], suffix=["csv", "md", "tex"])
TABLES += [*expand("tables/paper_vs_ours.{suffix}", suffix=["csv", "md"]), "tables/summary.json"]
TESTS = expand("tables/{table}.{suffix}", table=["paired", "claims"], suffix=["csv", "md"])

ON_CLUSTER = of_workflow("resource_scopes.is_local")("gpu")  # as profiles/slurm says: GPUs are those of the nodes
if ON_CLUSTER and CONFIG.device == "auto":
    raise WorkflowError(
        "device is auto, which looks for a GPU on this machine, but the jobs run on others; "
        "say --config device=cuda or --config device=cpu."
    )
# `--resources gpu=1` counts GPUs, of which each job takes a slot. Where it names other resources alone, which takes the
# profile's away, one GPU is meant as ever.
given = of_workflow("global_resources").get("gpu").value
if given is not None or not ON_CLUSTER:
    of_workflow("register_resource")("gpu", (1 if given is None else given) * CONFIG.slots_per_gpu)

# So many jobs at once as there is memory for, by the `mem_mb` of a job that the profile says.
MEMORY_MB, JOB_MB = memory_mb(), 1800
if of_workflow("global_resources").get("mem_mb").value is None and not ON_CLUSTER:
    of_workflow("register_resource")("mem_mb", MEMORY_MB)

# And as many as there is time of cores for, where a container has less than its machine: `--cores all` does not see it.
CORES_ALLOWED, CORES_ASKED = cores_allowed(), of_workflow("_cores")
FEWER_CORES = not ON_CLUSTER and CORES_ALLOWED is not None and CORES_ALLOWED < CORES_ASKED
if FEWER_CORES:
    of_workflow("register_resource")("_cores", CORES_ALLOWED)

if CONFIG.mirror:  # by the environment and not as a param: another mirror must not make the same files anew
    os.environ.update(REM_MIRROR=CONFIG.mirror)


wildcard_constraints:
    name=CONFIG.name,
    dataset="|".join({dataset for dataset, _, _ in ALL_RUNS}),
    variant="|".join({variant for _, variant, _ in ALL_RUNS}),
    seed="|".join({seed for _, _, seed in ALL_RUNS}),
    experiment="|".join(CONFIG.experiments),
    figure="[a-z0-9_]+",
    source="|".join([*sources.SOURCES, *weights.WEIGHTS]),
    file="[^/]+",


def run_files(stage, file, runs=RUNS, **wildcards):
    """A file that a stage makes of every run, for every value of further wildcards."""
    folders = [f"results/{CONFIG.name}/{stage}/{dataset}/{variant}/seed{seed}" for dataset, variant, seed in runs]
    return expand(f"{{folder}}/{file}", folder=folders, **wildcards)


def with_transfer(runs):
    """Those runs whose dataset has a further test set."""
    return {key: run for key, run in runs.items() if run.data.transfer}


def couplings_files(runs=RUNS):
    return run_files("couplings", "{stem}.h5", runs, stem=COUPLINGS) + run_files(
        "couplings", "{stem}.h5", with_transfer(runs), stem=TRANSFER
    )


def entropy_files(runs=RUNS):
    return run_files("entropies", "entropy.csv", runs) + run_files(
        "entropies", "entropy_transfer.csv", with_transfer(runs)
    )


def sweep_files(runs=RUNS):
    return run_files("entropies", "sweep/{stem}.csv", runs, stem=TESTED) + run_files(
        "entropies", "sweep/{stem}.csv", with_transfer(runs), stem=TRANSFER
    )


def shown_sweeps(runs):
    """The sweeps on the test set at the checkpoints that tables show."""
    return [
        file for key, run in runs.items() for file in run_files("entropies", f"sweep/{run.checkpoint}.test.csv", [key])
    ]


def levels_files(runs=RUNS):
    datasets = dict.fromkeys(dataset for dataset, _, _ in runs)
    return expand("results/{name}/entropies/{dataset}/levels.csv", name=CONFIG.name, dataset=datasets)


def images_files(folder, runs=RUNS):
    """What the images leave open of the differences on each dataset."""
    datasets = dict.fromkeys(dataset for dataset, _, _ in runs)
    return expand("results/{name}/{folder}/images/{dataset}.csv", name=CONFIG.name, folder=folder, dataset=datasets)


def tested_dictionaries(wildcards, runs=RUNS):
    """The dictionaries of all networks of a dataset on all but the validation split."""
    own = {key: run for key, run in runs.items() if key[0] == wildcards.dataset}
    tested = [stem for stem in COUPLINGS if not stem.endswith(".val")]
    return run_files("entropies", "{stem}.h5", own, stem=tested) + run_files(
        "entropies", "{stem}.h5", with_transfer(own), stem=TRANSFER
    )


def stems(wildcards, output):
    """The names that output files have but for their last suffix."""
    return [os.path.basename(file).rpartition(".")[0] for file in output]


def swept(wildcards, output):
    """The names of those couplings that are swept over every K."""
    return stems(wildcards, output.sweeps)


def output_stem(wildcards, output):
    """The first output file without its suffix."""
    return os.path.splitext(output[0])[0]


def input_folder(wildcards, input):
    return os.path.dirname(input[0])


def tuple_of(wildcards):
    return wildcards.dataset, wildcards.variant, wildcards.seed


def run_of(wildcards):
    return ALL_RUNS[tuple_of(wildcards)]


def runs_of(variants, runs=RUNS):
    """Those runs that are of some variants."""
    return {key: run for key, run in runs.items() if run.variant in variants}


def data_of(wildcards):
    return next(run.data for run in ALL_RUNS.values() if run.dataset == wildcards.dataset)


def network_data(wildcards):
    """What a run's network reads: images, or their feature maps where it keeps those."""
    kind = ".features.h5" if run_of(wildcards).features else ".h5"
    return f"data/prepared/{wildcards.name}/{wildcards.dataset}{kind}"


def features_of(wildcards):
    """What a dataset's feature maps depend on, which is alike for all its runs that keep them."""
    return next(run.features for run in ALL_RUNS.values() if run.dataset == wildcards.dataset and run.features)


def features_settings_text(wildcards):
    return sections.to_yaml(features_of(wildcards))


def features_weights(wildcards):
    return weights.weights_file(features_of(wildcards).backbone)


def folder_state(wildcards):
    """What changes with images of an own folder or CSV, into which Snakemake does not look."""
    data = data_of(wildcards)
    return source_files.images_state(data.source, data.folder)


def dataset_files(wildcards):
    return FILES[wildcards.dataset]


def uses_gpu():
    """Whether networks are computed on GPUs; where the device is auto, as the jobs themselves find."""
    return CONFIG.device == "cuda" or (CONFIG.device == "auto" and gpus_seen() > 0)


def gpus_seen():
    try:
        return gpus.seen()
    except RemError as error:
        raise WorkflowError(str(error)) from None


def device_told():
    """What networks are computed on, for the user."""
    if CONFIG.device != "auto":
        return f"device is {CONFIG.device}"
    return f"device is auto: torch sees {gpus_seen() or 'no'} GPU{'s' if gpus_seen() > 1 else ''}"


def cores_told():
    """That fewer cores are used than asked for; nothing where they are not."""
    return (
        f"cores {CORES_ALLOWED}, not {CORES_ASKED}: a control group allows no more of their time" if FEWER_CORES else ""
    )


def memory_told():
    """That memory and not the cores limits the jobs; nothing where it does not, and of a cluster, whose nodes are unknown."""
    if ON_CLUSTER:
        return ""
    memory, cores = of_workflow("global_resources").get("mem_mb").value, of_workflow("cores")
    at_once = cores if memory is None else max(1, memory // JOB_MB)
    if at_once >= cores:
        return ""
    return f"memory for {at_once} job{'s' if at_once > 1 else ''} at once, not {cores}: {memory:,} MB"


def gpu_slots(wildcards):
    """1 where the device in use is a GPU; a machine without one is not held to a GPU at a time. Of Slurm: a whole GPU."""
    return int(uses_gpu() and not gpu_shards(wildcards))


def gpu_shards(wildcards):
    """One of a GPU's shards, where jobs share the GPUs of a cluster: Slurm's way of handing out slots."""
    return "shard:1" if ON_CLUSTER and uses_gpu() and CONFIG.slots_per_gpu > 1 else None


def data_settings_text(wildcards):
    return sections.to_yaml(data_of(wildcards))


def run_settings_text(wildcards):
    return sections.to_yaml(run_of(wildcards))


def keep_option(wildcards):
    """Of a run that is followed from epoch to epoch: how many lie between the networks that it keeps."""
    followed = figure_run("rem") | transferred_runs() | COURSE
    return ["--keep-every", CONFIG.figures.every] if tuple_of(wildcards) in followed else []


def followed_history(wildcards):
    """The history of the run that this one's pruning follows, if it follows one."""
    run = run_of(wildcards)
    follows = run.pruning and run.pruning.follows
    return run_files("models", "history.csv", [(run.dataset, follows, run.seed)]) if follows else []


def followed_option(wildcards, input):
    return ["--followed", input.followed] if input.followed else []


def backbone_weights(wildcards):
    """The file of pretrained weights that a run's backbone needs, if it needs one."""
    network = run_of(wildcards).network
    return [weights.weights_file(network.backbone)] if network.weights == "pretrained" else []


def architecture_file(wildcards):
    """The file of a run's network, where that is of the user's own: it runs again wherever one is loaded."""
    return [str(run_of(wildcards).network.own_file)] if run_of(wildcards).network.is_own else []


def architecture_option(wildcards):
    """The class of such a network, whose code no checkpoint runs by itself."""
    network = run_of(wildcards).network
    return ["--architecture", network.architecture] if network.is_own else []


def backbone_option(wildcards, input):
    return ["--backbone-weights", input.backbone] if input.backbone else []


def checkpoint_couplings(wildcards):
    """Validation couplings, at the checkpoint that its variant's tables show, of the networks that choose K."""
    of_dataset = [{key: run for key, run in runs.items() if key[0] == wildcards.dataset} for runs in (RUNS, ALL_RUNS)]
    runs = {
        key: run for key, run in (of_dataset[0] or of_dataset[1]).items() if run.variant in CONFIG.quantizer.variants
    }
    if not runs:
        raise WorkflowError(
            f"no variant that chooses K ({', '.join(CONFIG.quantizer.variants)}) is in any experiment of dataset "
            f"{wildcards.dataset}; add one, or name one of its variants in quantizer.variants."
        )
    return [file for key, run in runs.items() for file in run_files("couplings", f"{run.checkpoint}.val.h5", [key])]


def authors_levels(wildcards):
    return CONFIG.quantizer.authors_of.get(wildcards.dataset, CONFIG.quantizer.authors)


def cells_option(wildcards):
    """Of a dataset whose quantizer has cells in the place of centres."""
    return "--cells" if wildcards.dataset in CONFIG.quantizer.cells else ""


def figure_run(variant):
    """The run of a variant that figures of single networks show, or none."""
    key = (CONFIG.figures.dataset, variant, str(CONFIG.figures.seed))
    return {key: RUNS[key]} if key in RUNS else {}


trained = {run.seed for run in RUNS.values() if run.dataset == CONFIG.figures.dataset}
if trained and CONFIG.figures.seed not in trained:
    raise WorkflowError(
        f"figures.seed is {CONFIG.figures.seed}, but the networks of {CONFIG.figures.dataset} have the seeds "
        f"{', '.join(map(str, sorted(trained)))}; name one of these, for the figures of a single network."
    )


def transferred_runs():
    """Both of the paper's networks, of the seed that figures show, that have a transfer set: compared epoch by epoch."""
    pair = ["baseline", "rem"]
    runs = {key: run for key, run in with_transfer(runs_of(pair)).items() if run.seed == CONFIG.figures.seed}
    return {key: run for key, run in runs.items() if {(key[0], variant, key[2]) for variant in pair} <= runs.keys()}


def accuracies_files(wildcards=None):
    return run_files("trajectory", "accuracies.csv", transferred_runs())


def accuracies_option(wildcards, input):
    return ["--accuracies", *input.accuracies] if input.accuracies else []


def shown(stage, variant, split="test", checkpoint=None):
    """A stage's file, at its tables' checkpoint unless one is named, of the run of a variant that figures show."""
    (run,) = (runs := figure_run(variant)).values()
    return run_files(stage, f"{checkpoint or run.checkpoint}.{split}.h5", runs)


def figures():
    """What every figure that the selected runs allow is drawn from: option ("" for none) of `rem figure` to files."""
    prepared = f"data/prepared/{CONFIG.name}/{CONFIG.figures.dataset}.h5"
    baseline, rem = figure_run("baseline"), figure_run("rem")
    levels = levels_files(baseline | rem)
    made = {}
    if chosen := runs_of(CONFIG.quantizer.variants):
        runs = run_files("models", "run.yaml", chosen)
        made["sweep"] = {"": shown_sweeps(chosen), "--levels": levels_files(chosen), "--runs": runs}
    if PROBED:
        probed = [f"results/{CONFIG.name}/probes.csv", *run_files("models", "run.yaml", PROBED)]
        made["frontier"], made["interventions"] = {"": probed}, {"": probed, "--levels": levels_files(PROBED)}
    if runs_of(["baseline", "rem"]):
        made["overview"] = {"": [f"results/{CONFIG.name}/metrics.csv", *run_files("models", "run.yaml")]}
    if accuracies := accuracies_files():
        made["transfer"] = {"": accuracies, "--runs": run_files("models", "run.yaml", transferred_runs())}
    if baseline:
        first_and_best = [shown("couplings", "baseline", checkpoint=name)[0] for name in ("first", "best")]
        made["fig4"] = {"": first_and_best, "--levels": levels}
    if rem:
        made["fig5"] = {"": run_files("trajectory", "trajectory.csv", rem) + run_files("models", "run.yaml", rem)}
        made["fig7"] = {"": [prepared, *shown("entropies", "rem")], "--levels": levels}
        made["fig8"] = {
            "": run_files("decoders", "perturbations.h5", rem),
            "--equivariance": run_files("decoders", "equivariance.csv", rem),
        }
    if baseline and rem:
        both = [*shown("couplings", "baseline"), *shown("couplings", "rem")]
        made["fig6"] = {"": both, "--levels": levels}
        made["fig7"][""] += shown("entropies", "baseline")
        made["parse_tree"] = {"": [prepared, *both]}
    return made


PROBED = runs_of(CONFIG.probed)
FIGURES = figures()


def figure_files(wildcards):
    if wildcards.figure not in FIGURES:
        raise WorkflowError(f"there is no figure {wildcards.figure}; this config has {', '.join(FIGURES)}.")
    return [file for files in FIGURES[wildcards.figure].values() for file in files]


def figure_words(wildcards):
    """The files as `rem figure` is given them, each option before its own."""
    return [word for option, files in FIGURES[wildcards.figure].items() for word in (option, *files) if word]


def figure_code(wildcards):
    return code(f"figure {wildcards.figure}")


def page_digest(wildcards):
    """What changes with the parts of the explorer's page that are no Python."""
    folder = beside / "rem/report/explorer"
    parts = [path.name for path in folder.iterdir() if path.suffix in (".js", ".css", ".j2")]
    return digests.files_digest(folder, sorted(parts))


def experiments_digest(wildcards):
    """What changes with the numbers of the experiments that have been made, whose networks the explorer shows too."""
    folder = Path("results", wildcards.name)
    found = [
        path.with_name(name) for path in folder.glob("[!.]*/metrics.csv") for name in ("metrics.csv", "probes.csv")
    ]
    made = [path.relative_to(folder).as_posix() for path in sorted(found) if path.is_file()]
    return digests.files_digest(folder, made)


EXPLORER = f"results/{CONFIG.name}/explorer.html"


def linked_explorer(wildcards):
    """The page of trees, to which a report links where that lies there or is asked for beside it."""
    asked = {"explorer", EXPLORER} & set(of_workflow("dag_settings.targets"))
    return EXPLORER if asked or Path(EXPLORER).exists() else []


def prepared_files(wildcards):
    """What the selected networks read, and the images of those that read feature maps."""
    names = {
        f"{run.dataset}{kind}" for run in RUNS.values() for kind in (".h5", ".features.h5" if run.features else ".h5")
    }
    return sorted(f"data/prepared/{CONFIG.name}/{name}" for name in names)


def stacked_runs():
    """The runs on which decoders are stacked: of the figures' dataset."""
    return {key: run for key, run in runs_of(["baseline", "rem"]).items() if run.dataset == CONFIG.figures.dataset}


def shown_checkpoint(wildcards):
    return run_files("models", f"{run_of(wildcards).checkpoint}.pt", [tuple_of(wildcards)])


def stacked_settings_text(wildcards):
    return sections.to_yaml(CONFIG.stacked_decoder)


def followed_trajectory(wildcards):
    return run_files("trajectory", "trajectory.csv", figure_run("rem"))


def trajectory_option(wildcards, input):
    return ["--trajectory", input.trajectory] if input.trajectory else []


def equivariance_files(wildcards):
    return run_files("decoders", "equivariance.csv", stacked_runs())


def equivariance_option(wildcards, input):
    return ["--equivariance", *input.equivariance] if input.equivariance else []


def experiment_runs(wildcards):
    return keyed(CONFIG.runs([wildcards.experiment]))


def experiment_architectures(wildcards):
    """The files of networks of the user's own in an experiment."""
    networks = [run.network for run in experiment_runs(wildcards).values()]
    return sorted({str(network.own_file) for network in networks if network.is_own})


def experiment_couplings(wildcards):
    return couplings_files(experiment_runs(wildcards))


def experiment_entropies(wildcards):
    return entropy_files(experiment_runs(wildcards))


def experiment_sweeps(wildcards):
    return sweep_files(experiment_runs(wildcards))


def experiment_dictionaries(wildcards):
    return tested_dictionaries(wildcards, experiment_runs(wildcards))


def experiment_images(wildcards):
    return images_files(wildcards.experiment, experiment_runs(wildcards))


def experiment_levels(wildcards):
    return levels_files(experiment_runs(wildcards))


def experiment_settings(wildcards):
    return run_files("models", "run.yaml", experiment_runs(wildcards))


def experiment_histories(wildcards):
    return run_files("models", "history.csv", experiment_runs(wildcards))


def experiment_trajectories(wildcards):
    return run_files("trajectory", "trajectory.csv", experiment_runs(wildcards))


def input_words(wildcards, input):
    """The input files as `rem figure` is given them, where it takes them without options."""
    return list(input)


def experiment_files(experiment, files):
    """The files that the target of an experiment is made of."""
    if experiment not in CONFIG.experiments:
        raise WorkflowError(
            f"the config has no experiment named {experiment}; add one to `experiments`, or say --configfile with a "
            "config that has it (config/README.md)."
        )
    return [f"results/{CONFIG.name}/{experiment}/{file}" for file in files]


COMPARED = expand("table_controls.{suffix}", suffix=["csv", "md", "tex"])  # the variants of an experiment, side by side


def controls_files(wildcards):
    return experiment_files("controls", [*COMPARED, "claims.csv", "claims.md", "controls.png", "controls.svg"])


def iterations_files(wildcards):
    return experiment_files("iterations", COMPARED)


def sharpen_files(wildcards):
    return experiment_files("sharpen", COMPARED)


def viewpoints_files(wildcards):
    return experiment_files("viewpoints", COMPARED)


def dose_response_files(wildcards):
    tables = expand("{table}.{suffix}", table=["dose_response", "regression"], suffix=["csv", "md", "tex"])
    return experiment_files("dose-response", [*tables, "dose_response.png", "dose_response.svg"])


def course_files(wildcards):
    tables = expand("course.{suffix}", suffix=["csv", "md", "tex"])
    return experiment_files("course", [*tables, "course.png", "course.svg"])


def trees_files(wildcards):
    tables = expand("trees.{suffix}", suffix=["csv", "md", "tex"])
    figures = expand("{figure}.{suffix}", figure=["tree_densities", "frontier"], suffix=["png", "svg"])
    return experiment_files("trees", [*tables, "claims.csv", "claims.md", *figures])


def structured_files(wildcards):
    datasets = CONFIG.experiments["structured"].datasets if "structured" in CONFIG.experiments else []
    tables = expand("speed/{dataset}.{suffix}", dataset=datasets, suffix=["csv", "md", "tex"])
    return experiment_files("structured", [*tables, "claims.csv", "claims.md", "structured.png", "structured.svg"])


def experiment_speeds(wildcards):
    """The tables of accuracy against speed, one a dataset."""
    datasets = CONFIG.experiments[wildcards.experiment].datasets
    return expand("results/{name}/{experiment}/speed/{dataset}.csv", **wildcards, dataset=datasets)


def experiment_checkpoints(wildcards):
    """The checkpoints of a dataset's networks that tables show."""
    runs = experiment_runs(wildcards)
    own = {key: run for key, run in runs.items() if run.dataset == wildcards.dataset}
    return [file for key, run in own.items() for file in run_files("models", f"{run.checkpoint}.pt", [key])]


def architectures_files(wildcards):
    tables = expand("architectures.{suffix}", suffix=["csv", "md", "tex"])
    return experiment_files("architectures", [*tables, "architectures.png", "architectures.svg"])


def probe_files(wildcards, runs=PROBED):
    folders = [f"results/{CONFIG.name}/probes/{dataset}/{variant}" for dataset, variant, _ in runs]
    return [f"{folder}/seed{seed}.csv" for folder, (_, _, seed) in zip(folders, runs, strict=True)]


def experiment_probe_files(wildcards):
    return probe_files(wildcards, experiment_runs(wildcards))


def experiment_claims_probes(wildcards):
    """Probes decide the claims of one experiment alone; all networks of the others would be probed in vain."""
    return f"results/{wildcards.name}/trees/probes.csv" if wildcards.experiment == "trees" else []


def probes_option(wildcards, input):
    return ["--probes", input.probes] if input.probes else []


def tested_splits(wildcards):
    return ["test", "transfer"] if run_of(wildcards).data.transfer else ["test"]


def results_files():
    probes = ["probes.csv", "tables/probes.csv", "tables/probes.md"] if PROBED else []
    figure_files = expand("figures/{figure}.{suffix}", figure=FIGURES, suffix=["png", "svg"])
    return expand(
        "results/{name}/{file}", name=CONFIG.name, file=["metrics.csv", *TABLES, *TESTS, *probes, *figure_files]
    )

"""Commands that sum up: all measurements in one table, the paper's tables and claims, the report; and the trace."""

import json
from pathlib import Path

from rem.cli.command import argument, command, whole
from rem.errors import RemError

METRICS = argument("--metrics", required=True, help="the CSV of rem metrics")
RUNS = argument("--runs", nargs="+", required=True, help="run.yaml of every run")
FOLDER = argument("folder", help="where to write")
DATASET = argument("--dataset", type=str, required=True, help="in the place of the paper's MNIST: Tables 2 to 5")
IMAGES = argument("--images", nargs="*", default=[], help="CSVs of rem resample, one a dataset")
NAME = argument("--name", type=str, required=True, help="the config's name, to be printed")


@command(FOLDER, METRICS, RUNS, argument("--probes", required=True, help="probes.csv of rem probes"))
def trees(folder: Path, metrics: Path, runs: list[Path], probes: Path) -> None:
    """Write networks of fewer connections, learned and drawn by lot, as a table."""
    from rem.tables.trees import write_trees

    write_trees(metrics, probes, runs, folder)


@command(FOLDER, METRICS, RUNS, argument("--probes", required=True, help="probes.csv of rem probes"))
def architectures(folder: Path, metrics: Path, runs: list[Path], probes: Path) -> None:
    """Write networks and routings, and what a routing adds over none, as a table."""
    from rem.tables.architectures import write_architectures

    write_architectures(metrics, probes, runs, folder)


@command(
    argument("target", help="the CSV to write"),
    argument("--couplings", nargs="+", required=True, help="files of rem couplings"),
    argument("--entropies", nargs="+", required=True, help="CSVs of rem entropy"),
    argument("--sweeps", nargs="+", required=True, help="its CSVs of every K, sweep/<file>.csv"),
    argument("--levels", nargs="+", required=True, help="CSVs of rem choose-levels"),
)
def metrics(target: Path, couplings: list[Path], entropies: list[Path], sweeps: list[Path], levels: list[Path]) -> None:
    """Gather everything measured in one tidy CSV."""
    from rem.tables.metrics import write_metrics

    write_metrics(couplings, entropies, sweeps, levels, target)


@command(
    FOLDER,
    METRICS,
    RUNS,
    argument("--published", required=True, help="YAML of the paper's numbers"),
    DATASET,
    NAME,
)
def tables(folder: Path, metrics: Path, runs: list[Path], published: Path, dataset: str, name: str) -> None:
    """Write Tables 2 to 7, that of section 4.3 and the comparison with the paper's numbers."""
    from rem.tables.paper import write_tables

    write_tables(metrics, published, runs, name, dataset, folder)


@command(argument("summary", help="summary.json of rem tables"), NAME)
def headline(summary: Path, name: str) -> None:
    """Print the few numbers that say how each dataset went, and where to look next."""
    from rem.tables.headline import headline

    print(headline(summary, name))


@command(FOLDER, METRICS, RUNS)
def controls(folder: Path, metrics: Path, runs: list[Path]) -> None:
    """Write the table of the controls: what REM is without one of its parts."""
    from rem.tables.paper import write_controls

    write_controls(metrics, runs, folder)


@command(
    FOLDER,
    METRICS,
    RUNS,
    argument("--histories", nargs="+", required=True, help="history.csv of every run, in the same order"),
    name="dose-response",
)
def dose_response(folder: Path, metrics: Path, runs: list[Path], histories: list[Path]) -> None:
    """Write networks of several doses as a table, and the regression of their entropy on logit spread and sparsity."""
    from rem.tables.dose_response import write_dose_response

    write_dose_response(metrics, runs, histories, folder)


@command(
    FOLDER,
    argument("--trajectories", nargs="+", required=True, help="CSVs of rem trajectory, one a run"),
    argument("--histories", nargs="+", required=True, help="history.csv of every run, in the same order"),
    RUNS,
)
def course(folder: Path, trajectories: list[Path], histories: list[Path], runs: list[Path]) -> None:
    """Write how trainings went, epoch by epoch: accuracy, entropy, sparsity, dose and logit spread."""
    from rem.tables.course import write_course

    write_course(trajectories, histories, runs, folder)


@command(
    argument("target", help="the CSV to write"),
    argument("--dictionaries", nargs="+", required=True, help="files of rem entropy, of one dataset"),
)
def resample(target: Path, dictionaries: list[Path]) -> None:
    """Draw the test images anew: what they leave open of the differences between the networks of a dataset."""
    from rem.tables.resample import write_resampled

    write_resampled(dictionaries, target)


@command(FOLDER, METRICS, RUNS, IMAGES)
def paired(folder: Path, metrics: Path, runs: list[Path], images: list[Path]) -> None:
    """Write which networks differ across seeds: paired tests and effect sizes, as paired.csv and paired.md."""
    from rem.tables.paired import write_paired

    write_paired(metrics, runs, images, folder)


@command(FOLDER, argument("--probes", nargs="+", required=True, help="CSVs of rem probe"), METRICS, RUNS)
def probes(folder: Path, probes: list[Path], metrics: Path, runs: list[Path]) -> None:
    """Gather the probes of all networks: probes.csv, tables/probes.csv and tables/probes.md."""
    from rem.tables.probes import write_probes

    write_probes(probes, metrics, runs, folder)


@command(
    FOLDER,
    METRICS,
    RUNS,
    IMAGES,
    DATASET,
    NAME,
    argument("--trajectory", help="the CSV of rem trajectory"),
    argument("--equivariance", nargs="*", default=[], help="equivariance.csv of rem perturb, one a run"),
    argument("--accuracies", nargs="*", default=[], help="CSVs of rem accuracies, one a run"),
    argument("--probes", help="probes.csv of rem probes"),
)
def claims(
    folder: Path,
    metrics: Path,
    runs: list[Path],
    images: list[Path],
    dataset: str,
    name: str,
    trajectory: Path | None,
    equivariance: list[Path],
    accuracies: list[Path],
    probes: Path | None,
) -> None:
    """Decide the paper's claims from what was measured."""
    from rem.claims.write import write_claims

    write_claims(metrics, runs, images, trajectory, equivariance, accuracies, probes, name, dataset, folder)


@command(
    argument("target", help="the HTML file"),
    argument("--tables", nargs="+", required=True, help="CSVs of tables and paired"),
    METRICS,
    argument("--claims", required=True, help="claims.csv"),
    argument("--figures", nargs="+", required=True, help="SVG files"),
    RUNS,
    argument("--timings", help="Snakemake's folder of benchmarks"),
    NAME,
)
def report(
    target: Path,
    tables: list[Path],
    metrics: Path,
    claims: Path,
    figures: list[Path],
    runs: list[Path],
    timings: Path | None,
    name: str,
) -> None:
    """Write the tables, figures, claims, timings and provenance of a run of the workflow as one HTML file."""
    from rem.report.page import write_report

    write_report(
        name, tables, metrics, claims, figures, runs, sorted(timings.rglob("*.tsv")) if timings else [], target
    )


@command(
    argument("results", help="results/<name>"),
    argument("--data", help="the folder of its prepared HDF5 files (default: data/prepared/<name>)"),
    argument("--most", type=whole(1), default=15_000_000, help="bytes that the page may have (default: 15 million)"),
)
def explore(results: Path, data: Path | None, most: int) -> None:
    """Write a page in which a run's parse trees can be browsed, results/<name>/explorer.html."""
    from rem.report.explorer.page import write_explorer

    write_explorer(results, data or Path("data/prepared", results.name), results / "explorer.html", most)


@command(argument("file", help="a file that a command of rem made"))
def trace(file: Path) -> None:
    """Print where a file comes from, and check all it was made of, back to the raw data."""
    from rem.files.trace import in_project, told, trace

    file = in_project(file)
    found = trace([file])
    print(told(file, found))
    if found.faults:
        first, *others = found.faults.values()
        raise RemError(first + (f" {len(others)} more files are not as recorded." if others else ""))
    print("all of them are as recorded")


@command(
    argument("target", help="the folder to write"),
    argument("results", help="results/<name>, or results/<name>/<experiment>"),
)
def publish(target: Path, results: Path) -> None:
    """Copy what a run has to show to a small folder: tables, figures, numbers and provenance. See `rem verify`."""
    from rem.report.publish import publish

    publish(results, target)


@command(
    argument("published", help="a folder of rem publish"), argument("results", help="the folder to hold against it")
)
def verify(published: Path, results: Path) -> None:
    """Tell whether a run agrees with published results, within the spread over seeds."""
    from rem.tables.reproduction import compare, refuse_what_differs, verdict_told

    found = compare(published, results)
    print(verdict_told(found))
    refuse_what_differs(found)


@command()
def schema() -> None:
    """Print the JSON schema of the config, which says what every key means."""
    from rem.settings.schema import config_schema

    print(json.dumps(config_schema(), indent=2))

"""A run's results as a small folder to commit: what tables and figures show, the numbers behind, and where from."""

import shutil
import tempfile
from pathlib import Path

import pandas as pd
from PIL import Image

from rem.errors import RemError
from rem.files.csv import read_csv
from rem.files.trace import Trace, steps, trace
from rem.settings.run import read_run
from rem.tables.measurements import RUN, SPLITS, read_metrics, read_results
from rem.tables.reproduction import published
from rem.trees.probe_kinds import COLUMNS

CHOSEN = ("*.csv", "*.md", "*.png", "tables/*.csv", "tables/*.md", "speed/*.csv", "speed/*.md", "figures/*.png")
NUMBERS = ("metrics.csv", "probes.csv")  # large, so that a part of each is published
LEFT_OUT = (*NUMBERS, "parse_tree.png")  # which shows an image that no figure of the paper has
PROBED = ("accuracy", "difference", "images", "band_entropy", "strongest_coupling", "polarization", "instability")
MOST = 3_000_000  # bytes
PROVENANCE = "provenance.csv"  # by which a published folder is known


def publish(results: Path, target: Path) -> None:
    """Copy what a run has to show to a folder, from `results/<name>` or an experiment's `results/<name>/<experiment>`.

    It holds tables as CSV and Markdown, figures as PNG of at most 256 colours, and `provenance.csv`: how many files
    each command made, by which revision, on what machine. Where they are there, it holds parts of `metrics.csv`, the
    rows that tables show of layer 1, so that `rem verify` can hold another run against it, and of `probes.csv`, the
    metrics `PROBED`. A published folder that is there already is replaced.

    Args:
        results: the folder of the run or experiment.
        target: the folder to write.

    Raises:
        RemError: a run is not done; a file is not what it was made of, or was made by a tree that no revision holds;
            the whole is larger than `MOST`; or the target holds something else.
    """
    files = [path for pattern in CHOSEN for path in sorted(results.glob(pattern)) if path.name not in LEFT_OUT]
    if not files:
        raise RemError(f"{results} has no tables and figures; run the workflow to its end first.")
    numbers = [results / name for name in NUMBERS if (results / name).is_file()]
    if (results / "models").is_dir() and results / "metrics.csv" not in numbers:
        raise RemError(f"{results} has no metrics.csv; run the workflow to its end first.")
    found = trace([*numbers, *files])
    _refuse_unclean(found)
    if target.exists() and not (target / PROVENANCE).is_file():
        raise RemError(f"{target} is there and no published folder (it has no {PROVENANCE}); name another one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}") as scratch:
        made = Path(scratch) / target.name
        for path in files:
            copy = made / path.relative_to(results)
            copy.parent.mkdir(parents=True, exist_ok=True)
            write = copy_figure if path.suffix == ".png" else shutil.copyfile
            write(path, copy)
        for path in numbers:
            _part(path).to_csv(made / path.name, index=False)
        _provenance(found).to_csv(made / PROVENANCE, index=False)
        _refuse_large(made)
        if target.exists():
            target.rename(Path(scratch) / "before")
        made.rename(target)


def copy_figure(path: Path, target: Path) -> None:
    """Write a PNG with a palette of at most 256 colours, which takes about a third of the bytes."""
    with Image.open(path) as image:
        image.convert("RGB").quantize(method=Image.Quantize.MAXCOVERAGE).save(target, "png", optimize=True)


def _part(path: Path) -> pd.DataFrame:
    """The rows of one of `NUMBERS` to publish."""
    if path.name == "probes.csv":
        probes = read_csv(path, COLUMNS).astype({"levels": "Int64"})
        return probes[probes["metric"].isin(PROBED)]
    metrics = read_metrics(path)
    # Of the runs that lie there, those of an experiment in the folder above its own, the ones that were tested count.
    measured = set(metrics.loc[metrics["split"].isin(SPLITS), RUN].itertuples(index=False, name=None))
    folders = (path.parent, path.parent.parent)
    found = {file: read_run(file) for folder in folders for file in sorted(folder.glob("models/*/*/*/run.yaml"))}
    runs = [file for file, run in found.items() if (run.dataset, run.variant, run.seed) in measured]
    return published(metrics, read_results(path, runs))


def _refuse_unclean(found: Trace) -> None:
    if found.faults:
        raise RemError(next(iter(found.faults.values())))
    for path, record in found.records.items():
        revision = record["provenance"]["revision"]
        if revision.startswith("unknown") or revision.endswith("+"):
            raise RemError(
                f"{path} was made by revision {revision}, which nobody can look up; commit, and make it again."
            )


def _provenance(found: Trace) -> pd.DataFrame:
    columns = {"name": "command", "made": "files"}
    return pd.DataFrame(steps(found))[["name", "revision", "machine", "runs", "made"]].rename(columns=columns)


def _refuse_large(folder: Path) -> None:
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    if sum(sizes.values()) > MOST:
        largest = max(sizes, key=sizes.__getitem__)
        raise RemError(
            f"what is to be published has {sum(sizes.values()):,} bytes, more than {MOST:,}; the largest file is "
            f"{largest.relative_to(folder)}, of {sizes[largest]:,}."
        )

"""The report: one HTML file with all that a run of the workflow has to show, and nothing outside itself."""

import base64
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
import pandas as pd

from rem.claims.findings import Finding
from rem.claims.rules import FAILS, HOLDS
from rem.claims.write import Line, read_claims, told
from rem.errors import RemError
from rem.figures import (
    fig4,
    fig5,
    fig6,
    fig7,
    fig8,
    frontier,
    interventions,
    overview,
    parse_tree,
    sweep,
    transfer,
)
from rem.files.atomic import whole
from rem.files.notes import note_read
from rem.files.trace import Trace, revision_told, steps, trace, versions_told
from rem.report.graph import svg
from rem.settings.run import Run
from rem.tables import paired, published
from rem.tables.measurements import Results, read_results
from rem.tables.names import images_of
from rem.tables.paper import TABLES
from rem.tables.table import caption, read_table, readable

# In the order in which they are shown.
FIGURES = (overview, sweep, frontier, interventions, fig4, fig5, fig6, fig7, transfer, fig8, parse_tree)
CAPTIONS = {module.__name__.rpartition(".")[2]: module.CAPTION for module in FIGURES}
LEFT_OUT = ["± classes", "Note"]  # of the columns of paper_vs_ours.md, which has room for them
PAIRED = "CapsNet+REM against CapsNet+Q over the seeds"
DECLARED = {table.stem: table for table in TABLES}
SAYS = {  # of one measurement and of several
    "holds": ("says so", "say so"),
    "not": ("says the opposite", "say the opposite"),
    "open": ("leaves it open", "leave it open"),
}
EXPLORER = "explorer.html"  # of `rem explore`, beside the report
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


class Shown(NamedTuple):
    """A table: its heading, the paragraphs of its caption, its columns and rows, and whether it is opened on demand."""

    heading: str
    caption: list[str]
    header: list[str]
    rows: list[list[str]]
    closed: bool = False


class FigureShown(NamedTuple):
    """A figure: its caption, the address that holds it, and how wide it is meant, page or column."""

    stem: str
    caption: str
    address: str
    width: str


class ClaimShown(NamedTuple):
    """A claim: its name, the paper's words, what decides it, the outcome in a sentence, a line a finding, the verdict.

    `kind` is the verdict in short: holds, not or open.
    """

    name: str
    sentence: str
    decided_by: str
    outcome: str
    findings: list[Line]
    verdict: str
    kind: str


def write_report(
    name: str,
    tables: Sequence[Path],
    metrics_csv: Path,
    claims_csv: Path,
    figures: Sequence[Path],
    runs: Sequence[Path],
    timings: Sequence[Path],
    target: Path,
) -> None:
    """Write the report.

    Args:
        name: of the config.
        tables: the CSVs of `rem tables` and `rem paired`.
        metrics_csv: what they were made of, by which their captions tell on what was measured.
        claims_csv: of `rem claims`.
        figures: SVG files.
        runs: `run.yaml` of every run.
        timings: Snakemake's benchmarks, <rule>/<job>.tsv or <rule>.tsv; may be none.
        target: the HTML file.

    Raises:
        RemError: a file cannot be read, or is no such table.
    """
    results = read_results(metrics_csv, runs)
    claims = claims_of(claims_csv)
    compared = [table for path in tables if path.stem == "paper_vs_ours" for table in comparison(path)]
    others = [shown(path, results) for path in tables if path.stem != "paper_vs_ours"]
    drawn = {path.stem: path for path in figures}
    given = [*tables, claims_csv, *figures]
    order = [stem for stem in CAPTIONS if stem in drawn] + [stem for stem in drawn if stem not in CAPTIONS]
    try:
        found, untraced = trace(given), ""
    except RemError as error:  # of files that were made before there were records
        found, untraced = Trace(), str(error)
    html = ENVIRONMENT.get_template("page.html.j2").render(
        name=name,
        runs=run_rows(results.runs),
        networks=len(runs),
        claims=claims,
        verdicts=sorted(Counter((claim.kind, claim.verdict) for claim in claims).items()),
        compared=compared,
        tables=others,
        figures=[_figure(stem, _read(drawn[stem])) for stem in order],
        found=found,
        untraced=untraced,
        steps=steps(found),
        revision_told=revision_told,
        versions=dict.fromkeys(versions_told(record["provenance"]) for record in found.records.values()),
        settings=sorted((path, digest) for path, digest in found.sources.items() if path.suffix == ".yaml"),
        data=sorted((path, digest) for path, digest in found.sources.items() if path.suffix != ".yaml"),
        commands=[(path, found.records[path]) for path in given if path in found.records],
        explorer=EXPLORER if target.with_name(EXPLORER).is_file() else "",
        graph=svg(found) if found.records else "",
        timings=timing_rows(timings),
    )
    with whole(target) as partial:
        partial.write_text(html, encoding="utf-8")


def _read(path: Path) -> str:
    try:
        note_read(path)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RemError(f"{path} cannot be read ({error}); make it again.") from error


def claims_of(path: Path) -> list[ClaimShown]:
    """The claims in a `claims.csv`, the errors those of `rem.claims.write.read_claims`."""
    claims = []
    for claim, verdict, findings in read_claims(path):
        sentence, lines = f"“{claim.sentence}” ({claim.section})", told(claim, findings)
        shown = (claim.name, sentence, claim.measurement, outcome(findings), lines, verdict, _kind(verdict))
        claims.append(ClaimShown(*shown))
    return claims


def outcome(findings: Sequence[Finding]) -> str:
    """What the findings that decide a claim say of it, in one sentence without their numbers."""
    deciding = [finding for finding in findings if finding.decides]
    if not deciding:
        return "This run measured nothing that decides it."
    where = ", ".join(dict.fromkeys(finding.data for finding in deciding))
    found = Counter(_kind(finding.verdict) for finding in deciding)
    if len(deciding) == 1:
        (kind,) = found
        return f"The one measurement, on {where}, {SAYS[kind][0]}."
    parts = [f"{found[kind]} {SAYS[kind][found[kind] > 1]}" for kind in SAYS if found[kind]]
    return f"Of {len(deciding)} measurements on {where}, {', '.join(parts)}."


def _kind(verdict: str) -> str:
    return "holds" if verdict.startswith(HOLDS) else "not" if verdict.startswith(FAILS) else "open"


def comparison(path: Path) -> list[Shown]:
    """The tables in paper_vs_ours.csv: numbers of whole datasets, those of single classes, those not computed here."""
    numbers = published.read_comparison(path)
    of_class = numbers["class"].notna()
    compared = (published.made(numbers[rows]).drop(columns=LEFT_OUT) for rows in (~of_class, of_class))
    found = {
        "Whole datasets": next(compared),
        "Dictionary sizes class by class": next(compared),
        "In the paper and not computed under this config": published.missing(numbers),
    }
    closed = [False, True, True]
    return [
        Shown(heading, [], *_cells(table), closed)
        for (heading, table), closed in zip(found.items(), closed, strict=True)
        if not table.empty
    ]


def shown(path: Path, results: Results) -> Shown:
    """A table of `rem tables`, or that of `rem paired`, with its caption.

    Raises:
        RemError: the file cannot be read, or is no such table.
    """
    if path.stem == "paired":
        pairs = paired.read_paired(path)
        paragraphs = [paragraph.strip() for paragraph in paired.caption(pairs).split("\n\n")]
        cells = ([], []) if pairs.empty else _cells(paired.readable(pairs, results.names))
        return Shown(PAIRED, [*paragraphs, *([paired.NO_PAIR] if pairs.empty else [])], *cells, closed=True)
    if path.stem not in DECLARED:
        raise RemError(f"{path} is no table of rem tables or rem paired; give {', '.join(DECLARED)}, paired.")
    table = DECLARED[path.stem]
    frame = read_table(table, path)
    if "note" in frame:
        return Shown(table.headline, list(frame["note"]), [], [])
    return Shown(table.headline, [caption(table, frame, results)], *_cells(readable(table, frame, results.names)))


def _cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    return list(table), table.to_numpy().tolist()


def run_rows(runs: Sequence[Run]) -> list[dict[str, str]]:
    """What was trained, a row a dataset."""
    rows = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        own = [run for run in runs if run.dataset == dataset]
        data, size = own[0].data, f"{own[0].data.size}×{own[0].data.size}"
        rows.append(
            {
                "Dataset": images_of(own[0]).title,
                "Images from": data.source + (f", {data.transfer}" if data.transfer else ""),
                "Seen at": size + {1: "", 2: " in stereo", 3: " in colour"}[data.channels],
                "Classes": str(data.classes),
                "Networks": ", ".join(dict.fromkeys(run.variant for run in own)),
                "Seeds": ", ".join(map(str, sorted({run.seed for run in own}))),
                "Epochs at most": str(own[0].training.epochs),
            }
        )
    return rows


def timing_rows(timings: Sequence[Path]) -> list[dict[str, float | str]]:
    """Jobs, seconds in all, seconds of the longest job and most memory (MB) of each rule, the slowest rule first."""
    rows = []
    for path in timings:
        rule = path.stem if path.parent.name == "benchmarks" else path.parent.name
        try:
            note_read(path)
            table = pd.read_csv(path, sep="\t", na_values="-")
            rows.append({"rule": rule, "seconds": table["s"].max(), "memory": table["max_rss"].max()})
        except (OSError, ValueError, LookupError) as error:
            raise RemError(f"{path} is no benchmark of Snakemake ({error}); delete it.") from error
    if not rows:
        return []
    table = pd.DataFrame(rows).astype({"seconds": float, "memory": float}).groupby("rule")
    table = table.agg(
        jobs=("seconds", "size"), seconds=("seconds", "sum"), longest=("seconds", "max"), memory=("memory", "max")
    )
    table["share"] = 100 * table["seconds"] / table["seconds"].max()
    return table.sort_values("seconds", ascending=False).reset_index().to_dict("records")


def _figure(stem: str, svg: str) -> FigureShown:
    points = re.search(r'<svg[^>]* width="([\d.]+)pt"', svg)
    width = "column" if points and float(points[1]) < 300 else "page"
    address = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    return FigureShown(stem, CAPTIONS.get(stem, stem), address, width)

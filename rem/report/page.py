"""The report: one HTML file with all that a run of the workflow has to show, and nothing outside itself."""

import base64
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
import pandas as pd
from markdown_it import MarkdownIt

from rem.claims.rules import FAILS, HOLDS
from rem.claims.write import read_claims, told
from rem.errors import RemError
from rem.figures import by_levels, fig4, fig5, fig6, fig7, fig8, overview, parse_tree
from rem.files.atomic import whole
from rem.files.notes import note_read
from rem.files.trace import Trace, revision_told, steps, trace, versions_told
from rem.report.graph import svg
from rem.settings.run import Run, read_run
from rem.tables.names import images_of

FIGURES = (overview, by_levels, fig4, fig5, fig6, fig7, fig8, parse_tree)  # in the order in which they are shown
CAPTIONS = {module.__name__.rpartition(".")[2]: module.CAPTION for module in FIGURES}
LEFT_OUT = {"± classes", "Note"}  # of the columns of paper_vs_ours.md, which has room for them
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


class Shown(NamedTuple):
    """A table: its heading, the rest of its caption and itself, as HTML."""

    stem: str
    heading: str
    text: str
    html: str


class FigureShown(NamedTuple):
    """A figure: its caption, the address that holds it, and how wide it is meant, page or column."""

    stem: str
    caption: str
    address: str
    width: str


class ClaimShown(NamedTuple):
    """A claim: its name, the paper's words, what decides it, a line a finding, the verdict; and holds, not or open."""

    name: str
    sentence: str
    decided_by: str
    findings: list[str]
    verdict: str
    kind: str


def write_report(
    name: str,
    tables: Sequence[Path],
    claims_csv: Path,
    figures: Sequence[Path],
    runs: Sequence[Path],
    timings: Sequence[Path],
    target: Path,
) -> None:
    """Write the report.

    Args:
        name: of the config.
        tables: the Markdown files of `rem tables` and `rem paired`.
        claims_csv: of `rem claims`.
        figures: SVG files.
        runs: `run.yaml` of every run.
        timings: Snakemake's benchmarks, <rule>/<job>.tsv or <rule>.tsv; may be none.
        target: the HTML file.

    Raises:
        RemError: a file cannot be read.
    """
    texts = {path.stem: _read(path) for path in tables}
    claims = claims_of(claims_csv)
    compared = comparison(texts.pop("paper_vs_ours")) if "paper_vs_ours" in texts else []
    drawn = {path.stem: path for path in figures}
    given = [*tables, claims_csv, *figures]
    order = [stem for stem in CAPTIONS if stem in drawn] + [stem for stem in drawn if stem not in CAPTIONS]
    try:
        found, untraced = trace(given), ""
    except RemError as error:  # of files that were made before there were records
        found, untraced = Trace(), str(error)
    html = ENVIRONMENT.get_template("page.html.j2").render(
        name=name,
        runs=run_rows([read_run(path) for path in runs]),
        networks=len(runs),
        claims=claims,
        verdicts=sorted(Counter((claim.kind, claim.verdict) for claim in claims).items()),
        compared=compared,
        tables=[shown(stem, text) for stem, text in texts.items()],
        figures=[_figure(stem, _read(drawn[stem])) for stem in order],
        found=found,
        untraced=untraced,
        steps=steps(found),
        revision_told=revision_told,
        versions=dict.fromkeys(versions_told(record["provenance"]) for record in found.records.values()),
        settings=sorted((path, digest) for path, digest in found.sources.items() if path.suffix == ".yaml"),
        data=sorted((path, digest) for path, digest in found.sources.items() if path.suffix != ".yaml"),
        commands=[(path, found.records[path]) for path in given if path in found.records],
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


def _cells(text: str) -> list[tuple[list[str], list[list[str]]]]:
    """The tables of a Markdown text, each as its header and its rows of Markdown."""
    tables: list[tuple[list[str], list[list[str]]]] = []
    rows: list[list[str]] = []
    for token in MARKDOWN.parse(text):
        if token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level > 1 and rows:
            rows[-1].append(token.content)
        elif token.type == "table_close":
            tables.append((rows[0], rows[1:]))
    return tables


class Compared(NamedTuple):
    """A table of the paper's numbers: its title, its columns, its rows, and whether it is only for a closer look."""

    title: str
    header: list[str]
    rows: list[list[str]]
    closed: bool


def claims_of(path: Path) -> list[ClaimShown]:
    """The claims in a `claims.csv`, the errors those of `rem.claims.write.read_claims`."""
    claims = []
    for claim, verdict, findings in read_claims(path):
        kind = "holds" if verdict.startswith(HOLDS) else "not" if verdict.startswith(FAILS) else "open"
        lines = [MARKDOWN.renderInline(line) for line in told(claim, findings)]
        sentence = f"“{claim.sentence}” ({claim.section})"
        claims.append(ClaimShown(claim.name, sentence, claim.measurement, lines, verdict, kind))
    return claims


def comparison(text: str) -> list[Compared]:
    """The tables in paper_vs_ours.md: numbers of whole datasets, those of single classes, those not computed here."""
    found = []
    for header, rows in _cells(text):
        kept = [place for place, name in enumerate(header) if name not in LEFT_OUT]
        names = [header[place] for place in kept]
        cells = [[MARKDOWN.renderInline(row[place]) for place in kept] for row in rows]
        if "Ours" not in names:
            found.append(Compared("In the paper and not computed under this config", names, cells, closed=True))
            continue
        of_class = [row for row in cells if re.fullmatch(r"#\d+", row[names.index("Column")])]
        others = [row for row in cells if row not in of_class]
        found.append(Compared("Whole datasets", names, others, closed=False))
        found.append(Compared("Dictionary sizes class by class", names, of_class, closed=True))
    return [table for table in found if table.rows]


def shown(stem: str, text: str) -> Shown:
    """A Markdown table: its caption's first two sentences as its heading, where it has that many."""
    first, _, rest = text.strip().partition("\n\n")
    parts = re.match(r"((?:Table \d+|Section [\d.]+\d)\. [^.]+)\. (.*)", first, re.DOTALL)
    heading, caption = parts.groups() if parts else (stem, first)
    return Shown(stem, heading, MARKDOWN.render(caption), MARKDOWN.render(rest))


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
                "Seen at": size + (" in colour" if data.channels == 3 else ""),
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

"""The verdicts on the paper's claims: `claims.csv`, a row a finding, and `claims.md`, to be read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rem.claims.evidence import Evidence
from rem.claims.findings import COLUMNS as OF_A_FINDING
from rem.claims.findings import Finding, decided
from rem.claims.paper import CLAIMS, Claim
from rem.claims.rules import ALPHA, RULES
from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.csv import read_csv
from rem.tables.equal_accuracy import COURSE
from rem.tables.measurements import RUN, read_results
from rem.tables.names import Names
from rem.tables.probes import read_probes
from rem.tables.quantities import METRICS


def write_claims(
    metrics_csv: Path,
    run_yamls: Sequence[Path],
    images_csvs: Sequence[Path],
    trajectory_csv: Path | None,
    equivariance_csvs: Sequence[Path],
    accuracies_csvs: Sequence[Path],
    probes_csv: Path | None,
    config_name: str,
    dataset: str,
    folder: Path,
) -> None:
    """Decide every claim from the measurements and write `claims.csv` and `claims.md` into `folder`.

    `claims.csv` has a row a finding (`rem.claims.findings.Finding`); a claim without findings has one with its verdict.

    Args:
        metrics_csv: the tidy table that `rem.tables.measurements` describes.
        run_yamls: `run.yaml` of every run that counts.
        images_csvs: of `rem resample`, one a dataset; may be none.
        trajectory_csv: of `rem trajectory`; None where no such run is selected.
        equivariance_csvs: of `rem perturb`, one a run.
        accuracies_csvs: of `rem accuracies`, one a run of a dataset with a transfer set.
        probes_csv: of `rem probes`; None where nothing was probed.
        config_name: named in the text.
        dataset: in the place of the paper's MNIST, where it makes a claim of MNIST alone.
        folder: made if it is missing.

    Raises:
        RemError: an input is missing, unreadable or incomplete.
    """

    def read(paths: Sequence[Path], columns: Sequence[str]) -> pd.DataFrame | None:
        return pd.concat([read_csv(path, columns) for path in paths]) if paths else None

    found = Evidence(
        read_results(metrics_csv, run_yamls, images_csvs),
        dataset,
        None if trajectory_csv is None else read_csv(trajectory_csv, ["epoch", "entropy", "levels"]),
        read(equivariance_csvs, [*RUN, "consistency", "chance"]),
        read(accuracies_csvs, COURSE),
        None if probes_csv is None else read_probes(probes_csv),
    )
    decisions = [(claim, claim.findings(found)) for claim in CLAIMS]
    with whole(folder / "claims.csv") as path:
        table(decisions, found.results.names).to_csv(path, index=False, float_format="%.10g")
    with whole(folder / "claims.md") as path:
        path.write_text(_markdown(decisions, config_name, found), encoding="utf-8")


def _markdown(decisions: list[tuple[Claim, list[Finding]]], config_name: str, found: Evidence) -> str:
    results, names = found.results, found.results.names
    verdicts = [f"| {claim.name} | {claim.section} | **{decided(findings, names)}** |" for claim, findings in decisions]
    details = [
        DETAILS.format(
            claim=claim,
            findings="\n".join(
                f"- {line.text}" if line.decides else f"- *{BESIDE}* {line.text}" for line in told(claim, findings)
            ),
        )
        for claim, findings in decisions
    ]
    transfers = [images.name for images in map(names.transfer, results.datasets) if images]
    data = ", ".join(dict.fromkeys([*map(results.source, results.datasets), *transfers]))
    return MARKDOWN.format(
        name=config_name,
        data=data,
        dataset=names.dataset(found.dataset),
        rules=RULES,
        verdicts="\n".join(verdicts),
        details="\n".join(details),
    )


MARKDOWN = """# The paper's claims and what was measured here

Measured under config `{name}` on the data sources {data}. Where the paper speaks of MNIST alone, {dataset} is meant. \
Every verdict is worked out from the measurements by the rules below; `claims.csv` has the numbers in full. What is \
marked as our question is not claimed by the paper; what it says there raises it.

| claim | the paper | verdict |
|---|---|---|
{verdicts}

## Findings

What stands *beside it* does not decide.

{details}
## Rules

{rules}
"""
DETAILS = """### {claim.name}

> “{claim.sentence}” ({claim.section})

Decided by: {claim.measurement}.

{findings}
"""
BESIDE = "beside it"
COLUMNS = ["claim", "section", "claim_verdict", *OF_A_FINDING]


def table(decisions: list[tuple[Claim, list[Finding]]], names: Names) -> pd.DataFrame:
    """The findings of every claim as rows, with `COLUMNS`."""
    rows = [
        {"claim": claim.name, "section": claim.section, "claim_verdict": decided(findings, names)} | row
        for claim, findings in decisions
        for row in [{name: getattr(finding, name) for name in OF_A_FINDING} for finding in findings] or [{}]
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(("levels", "seeds"), "Int64"))


class Line(NamedTuple):
    """A finding in words, and whether it decides; names of variants and commands stand in backquotes."""

    text: str
    decides: bool = True


def told(claim: Claim, findings: list[Finding]) -> list[Line]:
    """A claim's findings in words, or what is lacking for any."""
    return [Line(_told(finding), finding.decides) for finding in findings] or [Line(f"none: {claim.needs}")]


def read_claims(path: Path) -> list[tuple[Claim, str, list[Finding]]]:
    """The verdict on every claim, and its findings, in a `claims.csv`: what `table` was made of.

    Raises:
        RemError: the file cannot be read, or lacks a column or a claim.
    """
    found, decisions = read_csv(path, COLUMNS), []
    for claim in CLAIMS:
        rows = found[found["claim"] == claim.name]
        if rows.empty:
            raise RemError(f'{path} lacks the claim "{claim.name}"; make it again (rem claims).')
        findings = [_finding(row) for row in rows[rows["metric"].notna()].to_dict("records")]
        decisions.append((claim, rows["claim_verdict"].iloc[0], findings))
    return decisions


def _finding(row: dict[str, Any]) -> Finding:
    values = {name: row[name] for name in OF_A_FINDING}
    values["levels"] = None if pd.isna(row["levels"]) else int(row["levels"])
    values["seeds"] = int(row["seeds"])
    values["note"] = "" if pd.isna(row["note"]) else row["note"]
    return Finding(**values)


def _told(finding: Finding) -> str:
    """E.g. "mnist, K = 7: entropy 7.22 bits (CapsNet+Q), 4.46 bits (REM); -2.76 [-5.50, -0.02], n = 3: holds"."""
    data = finding.dataset if finding.data == finding.dataset else f"{finding.dataset}, {finding.data}"
    levels = f", K = {finding.levels}" if finding.levels is not None else ""
    metric = METRICS[finding.metric]
    if metric.over_band:
        levels = ", mean over the band of K"
    name = finding.metric.removeprefix("band_") if metric.over_band else metric.label
    note = f" ({finding.note})" if finding.note else ""
    if pd.isna(finding.difference):
        return f"{data}{levels}: {name}, {finding.network} against {finding.against}: {finding.verdict}{note}"
    spec, unit = metric.told, f" {metric.unit}".rstrip()
    level = "" if np.isclose(finding.confidence, 1 - ALPHA) else f" at {100 * finding.confidence:.1f} %"
    interval = "" if pd.isna(finding.low) else f" [{finding.low:+{spec}}, {finding.high:+{spec}}{level}]"
    over_images = f", images [{finding.images_low:+{spec}}, {finding.images_high:+{spec}}]"
    images = "" if pd.isna(finding.images_low) else over_images
    return (
        f"{data}{levels}: {name} {finding.reference:{spec}}{unit} ({finding.against}), "
        f"{finding.value:{spec}}{unit} ({finding.network}); {finding.difference:+{spec}}{interval}{images}, "
        f"n = {finding.seeds}: {finding.verdict}{note}"
    )

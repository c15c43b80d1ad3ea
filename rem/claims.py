"""The verdicts on the paper's claims: `claims.csv`, a row a finding, and `claims.md`, to be read."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rem.evidence import Evidence
from rem.files import whole
from rem.paper_claims import CLAIMS, Claim, table, told
from rem.results import RUN, display_name, read_results, read_table
from rem.selection import transfer_sources
from rem.settings import read_run
from rem.verdicts import RULES, Finding, decided


def write_claims(
    metrics_csv: str | Path,
    run_yamls: Sequence[str | Path],
    trajectory_csv: str | Path | None,
    equivariance_csvs: Sequence[str | Path],
    config_name: str,
    dataset: str,
    folder: str | Path,
) -> None:
    """Decide every claim from the measurements and write `claims.csv` and `claims.md` into `folder`.

    `claims.csv` has a row a finding (`rem.verdicts.Finding`), of a claim without findings one row with its verdict.

    Args:
        metrics_csv: the tidy table that `rem.results` describes.
        run_yamls: `run.yaml` of every run that counts.
        trajectory_csv: of `rem trajectory`; None where no such run is selected.
        equivariance_csvs: of `rem equivariance`, one a run.
        config_name: named in the text.
        dataset: in the place of the paper's MNIST, where it makes a claim of MNIST alone.
        folder: made if it is missing.

    Raises:
        RemError: an input is missing, unreadable or incomplete.
    """
    columns = [*RUN, "consistency", "chance"]
    frames = [read_table(path, columns) for path in equivariance_csvs]
    equivariance = pd.concat(frames) if frames else None
    found = Evidence(
        read_results(metrics_csv, run_yamls),
        dataset,
        transfer_sources([read_run(path) for path in run_yamls]),
        None if trajectory_csv is None else read_table(trajectory_csv, ["epoch", "entropy", "levels"]),
        equivariance,
    )
    decisions = [(claim, claim.decide(found)) for claim in CLAIMS]
    with whole(Path(folder) / "claims.csv") as path:
        table(decisions).to_csv(path, index=False, float_format="%.10g")
    with whole(Path(folder) / "claims.md") as path:
        path.write_text(_markdown(decisions, config_name, found))


def _markdown(decisions: list[tuple[Claim, list[Finding]]], config_name: str, found: Evidence) -> str:
    verdicts = [f"| {claim.name} | {claim.section} | **{decided(findings)}** |" for claim, findings in decisions]
    details = [
        DETAILS.format(claim=claim, findings="\n".join(f"- {line}" for line in told(claim, findings)))
        for claim, findings in decisions
    ]
    data = ", ".join(dict.fromkeys([*map(found.results.source, found.results.datasets), *found.transfers.values()]))
    return MARKDOWN.format(
        name=config_name,
        data=data,
        dataset=display_name(found.dataset),
        rules=RULES,
        verdicts="\n".join(verdicts),
        details="\n".join(details),
    )


MARKDOWN = """# The paper's claims and what was measured here

Measured under config `{name}` on the data sources {data}. Where the paper speaks of MNIST alone, {dataset} is meant. \
Every verdict is worked out from the measurements by the rules below; `claims.csv` has the numbers in full.

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

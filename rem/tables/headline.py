"""The headline of a run of the workflow: what it ends with in the terminal."""

import json
from pathlib import Path

from tabulate import tabulate

from rem.errors import RemError
from rem.tables.names import MODELS
from rem.tables.quantities import METRICS

SHOWN = ("accuracy", "entropy", "band_entropy", "sparsity")


def headline(summary: Path, config_name: str) -> str:
    """Accuracy, entropy and sparsity of every dataset's two networks, from `summary.json`, and where to look next.

    Raises:
        RemError: the file is missing or is no summary.
    """
    try:
        datasets = json.loads(summary.read_text(encoding="utf-8"))
        rows = [
            [dataset, found["levels"], found["seeds"], MODELS[variant]]
            + [_number(found[variant], one) for one in SHOWN]
            for dataset, found in datasets.items()
            for variant in MODELS
            if variant in found
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RemError(f"{summary} is no summary of a run ({error}); make it again (rem tables).") from error
    header = ["dataset", "K", "seeds", "network", *(METRICS[one].name for one in SHOWN)]
    results = f"results/{config_name}"
    return "\n".join(
        [
            tabulate(rows, header, disable_numparse=True),
            f"Look next at {results}/tables/claims.md (what of the paper holds), {results}/figures/overview.png",
            f"and {results}/metrics.csv, every measurement. The target report_html puts it all on one page.",
        ]
    )


def _number(network: dict[str, float], metric: str) -> str:
    return f"{network[metric]:{METRICS[metric].spec}}" if metric in network else "-"

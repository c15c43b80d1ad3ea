"""The few numbers that say how each dataset went, as JSON, for `dvc metrics`."""

import json
from pathlib import Path

import pandas as pd

from rem.files.atomic import whole
from rem.tables.measurements import Results
from rem.tables.quantities import METRICS

SUMMED_UP = ("accuracy", "entropy", "band_entropy", "sparsity")


def write_summary(results: Results, target: Path) -> None:
    """Write, for every dataset, `levels` (the shared K), `seeds` (how many), and of its networks the `SUMMED_UP`.

    Networks are the variants without decoder. Values are of the test set, at the shared K and the checkpoint that
    tables show, as their own statistics over seeds; what was not measured is left out.

    Args:
        results: the measurements.
        target: the JSON file.
    """
    summary: dict[str, dict[str, object]] = {}
    for dataset in results.datasets:
        levels = results.shared[dataset]
        summary[dataset] = {"levels": levels, "seeds": len(results.seeds(dataset))}
        for variant in results.variants(dataset, decoder=False):
            where = (dataset, variant, results.checkpoint(dataset, variant), levels)
            summary[dataset][variant] = {
                metric: value
                for metric in SUMMED_UP
                if pd.notna(value := results.cell(*where, metric)[METRICS[metric].statistic])
            }
    with whole(target) as partial:
        partial.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

"""The few numbers that say how each dataset went, as JSON, for `dvc metrics`."""

import json
from pathlib import Path

from rem.files.atomic import whole
from rem.tables.measurements import Results
from rem.tables.table import Quantity


def write_summary(results: Results, quantities: tuple[Quantity, ...], target: Path) -> None:
    """Write, for every dataset, `levels`, the shared K, and per variant without decoder its quantities.

    They are of the test set, at the shared K and the checkpoint that tables show, as their own statistics over seeds.

    Args:
        results: the measurements.
        quantities: what is summed up; a value is named by its metric.
        target: the JSON file.
    """
    summary: dict[str, dict[str, object]] = {}
    for dataset in results.datasets:
        levels = results.shared[dataset]
        summary[dataset] = {"levels": levels}
        for variant in results.variants(dataset, decoder=False):
            where = (dataset, variant, results.checkpoint(dataset, variant), levels)
            summary[dataset][variant] = {
                quantity.metric: results.cell(*where, quantity.metric)[quantity.statistic] for quantity in quantities
            }
    with whole(target) as partial:
        partial.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

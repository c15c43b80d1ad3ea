"""What several figures are drawn from."""

from pathlib import Path

import pytest
from measurements import RUNS, metrics, run_yaml


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A metrics.csv, and the run.yaml of each of its runs."""
    return metrics(tmp_path), [run_yaml(tmp_path, *run) for run in [*RUNS, ("shapes", "baseline", 42)]]

"""The figure of dose-response: a mark a network in every panel, the same twice."""

import numpy as np
import pandas as pd
import pytest
from drawings import drawn

from rem.errors import RemError
from rem.figures.dose_response import dose_response_of, draw
from rem.tables.dose_response import COLUMNS


@pytest.fixture
def table():
    draw = np.random.default_rng(0)
    kinds = [("shrunk", 0.0), ("shrunk", 4.3), ("zeros", 4.3), ("REM", 0.0), ("REM", 4.3)]
    rows = [
        ("mnist", kind, dose, seed, f"{kind}{dose}", "last", 97.0, 20 * draw.random(), draw.random(), 5, 7, 6, 11)
        for kind, dose in kinds
        for seed in (42, 43)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.assign(entropy_shared=4 * table["logit_spread"], entropy_authors=draw.random(len(table)))


def test_every_network_has_a_mark_of_its_kind_in_every_panel(table):
    figure = dose_response_of(table)
    assert [panel.get_title() for panel in figure.axes] == ["mnist, K = 7", "mnist, K = 11", "", ""]
    across = ["logit_spread", "logit_spread", "sparsity", "sparsity"]
    up = ["entropy_shared", "entropy_authors"] * 2
    for panel, x, y in zip(figure.axes, across, up, strict=True):
        marks = {line.get_gid(): line.get_xydata() for line in panel.lines if line.get_gid()}
        for (kind, dose), own in table.groupby(["kind", "dose"]):
            np.testing.assert_allclose(marks[f"{kind} {dose}"], own[[x, y]])
        assert sum(map(len, marks.values())) == len(table)


def test_the_line_is_that_of_least_squares(table):
    panel = dose_response_of(table).axes[0]
    (line,) = [line for line in panel.lines if not line.get_gid()]
    np.testing.assert_allclose(line.get_ydata(), 4 * line.get_xdata(), atol=1e-12)


def test_the_figure_is_the_same_twice_and_needs_a_network(table, tmp_path):
    table.to_csv(tmp_path / "table.csv", index=False)
    for name in ("one", "two"):
        draw(tmp_path / "table.csv", tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    table[:0].to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(RemError, match=r"none\.csv has no network"):
        draw(tmp_path / "none.csv", tmp_path / "three")

"""The figure of how trainings went: a line a network in every panel, the same twice."""

import numpy as np
import pandas as pd
import pytest
from drawings import drawn

from rem.errors import RemError
from rem.figures.course import UPWARDS, course_of, draw
from rem.tables.course import COLUMNS


@pytest.fixture
def table():
    numbers = np.random.default_rng(0)
    rows = [
        {column: numbers.random() for column in COLUMNS}
        | {"dataset": "mnist", "variant": variant, "seed": 42, "pruned": variant == "rem", "epoch": epoch, "levels": 7}
        for variant in ("baseline", "rem")
        for epoch in (3, 1, 2)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_every_network_has_a_line_over_its_epochs_in_every_panel(table):
    figure = course_of(table)
    assert figure.axes[0].get_title() == "mnist, K = 7"
    for panel, measure in zip(figure.axes, UPWARDS, strict=True):
        lines = {line.get_gid(): line.get_xydata() for line in panel.lines}
        assert set(lines) == {"baseline 42", "rem 42"}
        for variant in ("baseline", "rem"):
            own = table[table["variant"] == variant].sort_values("epoch")
            np.testing.assert_allclose(lines[f"{variant} 42"], own[["epoch", measure]])


def test_the_figure_is_the_same_twice_and_needs_an_epoch(table, tmp_path):
    table.to_csv(tmp_path / "table.csv", index=False)
    for name in ("one", "two"):
        draw(tmp_path / "table.csv", tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    table[:0].to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(RemError, match=r"none\.csv has no epoch"):
        draw(tmp_path / "none.csv", tmp_path / "three")

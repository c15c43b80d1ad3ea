"""Figure 5: it shows every epoch, and names the first and the last."""

import numpy as np
import pandas as pd
import pytest
from drawings import drawn
from measurements import run_yaml

from rem.errors import RemError
from rem.figures import fig5
from rem.figures.fig5 import trajectory


@pytest.fixture
def course():
    columns = {"epoch": [1, 2, 3], "sparsity": [0, 30, 50], "accuracy": [80, 95, 96], "entropy": [0.1, 6, 4]}
    return pd.DataFrame(columns | {"levels": 7})


def test_figure_5(tmp_path, course):
    path, of = tmp_path / "trajectory.csv", run_yaml(tmp_path, "mnist", "rem", 42)
    course.to_csv(path, index=False)
    for name in ("one", "two"):
        fig5.draw(path, of, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    for line in (b"CapsNet+REM, 7 levels", b"mnist, seed 42"):  # of a title that a long name does not cut
        assert line in drawn(tmp_path / "one")
    course.drop(columns="entropy").to_csv(path, index=False)
    with pytest.raises(RemError, match="lacks the column entropy"):
        fig5.draw(path, of, tmp_path / "three")
    course[:0].to_csv(path, index=False)
    with pytest.raises(RemError, match="no epoch"):
        fig5.draw(path, of, tmp_path / "three")


def test_figure_5_shows_every_epoch_and_names_the_first_and_the_last(course):
    figure = trajectory(course.sample(frac=1, random_state=1), "title")
    for panel, column in zip(figure.axes, ("entropy", "accuracy"), strict=False):
        (marks,) = panel.collections
        np.testing.assert_array_equal(marks.get_offsets(), course[["sparsity", column]])
        np.testing.assert_array_equal(marks.get_array(), course["epoch"])
        assert [text.get_text() for text in panel.texts] == ["epoch 1", "epoch 3"]
        assert [tuple(text.xy) for text in panel.texts] == [(0, course[column][0]), (50, course[column][2])]


def test_figure_5_of_a_single_epoch(course):
    assert [text.get_text() for text in trajectory(course[:1], "title").axes[0].texts] == ["epoch 1"]

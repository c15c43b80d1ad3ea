"""The overview: what is drawn is what was measured."""

import numpy as np
import pytest
from drawings import drawn
from measurements import RUNS, run_yaml

from rem.errors import RemError
from rem.figures import overview
from rem.figures.overview import overview_of
from rem.tables.measurements import read_results


def test_the_overview_shows_every_seed_and_the_mean(files):
    results = read_results(*files)
    figure = overview_of(results)
    panels = np.reshape(figure.axes, (2, 2))
    for row, metric in enumerate(("entropy", "accuracy")):
        expected = {
            v: results.over_seeds("mnist", v, results.checkpoint("mnist", v), 7, metric) for v in ("baseline", "rem")
        }
        points = np.concatenate(
            [marks.get_offsets()[:, 1] for marks in panels[row, 0].collections if len(marks.get_offsets()) > 1]
        )
        np.testing.assert_allclose(points, np.concatenate(list(expected.values())))
        assert [text.get_text() for text in panels[row, 0].texts] == [f"{v.mean():.2f}" for v in expected.values()]


def test_no_axis_of_accuracy_passes_100(files):
    for panel in overview_of(read_results(*files)).axes[2:]:
        assert panel.get_ylim()[1] <= 100


@pytest.mark.parametrize("variants", [("baseline",), ("rem",), ("baseline", "rem")])
def test_the_overview_does_with_one_variant(files, tmp_path, variants):
    yamls = [run_yaml(tmp_path, *run) for run in RUNS if run[1] in variants]
    figure = overview_of(read_results(files[0], yamls))
    assert len(figure.axes[0].get_xticks()) == len(figure.axes[0].texts) == len(variants)


def test_the_figure_is_the_same_twice(files, tmp_path):
    for name in ("one", "two"):
        overview.draw(*files, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")


def test_an_overview_of_neither_model_is_refused(files, tmp_path):
    with pytest.raises(RemError, match="none of the 0 runs"):
        overview.draw(files[0], [], tmp_path / "figure")

"""The controls: a mark a run, within the axes."""

import numpy as np
from drawings import drawn

from rem.figures import controls
from rem.figures.controls import controls_of
from rem.tables.measurements import read_results


def test_the_controls_show_a_mark_a_run(files):
    results = read_results(*files)
    panels = np.reshape(controls_of(results).axes, (2, 2))
    for row, metric in enumerate(("accuracy", "sparsity")):
        for variant in ("baseline", "rem"):
            (marks,) = [line for line in panels[row, 0].lines if line.get_gid() == variant]
            where = ("mnist", variant, results.checkpoint("mnist", variant), 7)
            expected = [results.over_seeds(*where, name).sort_index() for name in (metric, "entropy")]
            np.testing.assert_allclose(marks.get_xydata(), np.stack(expected, axis=1))
    assert [len(panel.lines) for panel in panels[:, 1]] == [1, 1]


def test_marks_lie_within_the_axes(files):
    for panel in controls_of(read_results(*files)).axes:
        for line in panel.lines:
            assert (line.get_ydata() >= panel.get_ylim()[0]).all()
            assert (line.get_ydata() <= panel.get_ylim()[1]).all()
            assert (line.get_xdata() >= panel.get_xlim()[0]).all()
            assert (line.get_xdata() <= panel.get_xlim()[1]).all()


def test_the_figure_is_the_same_twice(files, tmp_path):
    for name in ("one", "two"):
        controls.draw(*files, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")

"""The overview, entropy against K and the controls: what is drawn is what was measured."""

import numpy as np
import pandas as pd
import pytest
from drawings import drawn
from measurements import metrics, run_yaml, settings

from rem.errors import RemError
from rem.figures import by_levels, controls, overview
from rem.figures.by_levels import by_levels_of
from rem.figures.controls import controls_of
from rem.figures.overview import overview_of
from rem.tables.measurements import read_results
from rem.tables.names import Names

RUNS = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43)]


@pytest.fixture
def files(tmp_path):
    return metrics(tmp_path), [run_yaml(tmp_path, *run) for run in [*RUNS, ("shapes", "baseline", 42)]]


def write_by_levels(folder, dataset, variant, seed, **columns):
    levels = np.arange(2, 17)
    frame = pd.DataFrame(
        {
            "dataset": dataset,
            "variant": variant,
            "seed": seed,
            "levels": levels,
            "accuracy": np.minimum(10.0 * levels, 95) - (seed - 42),
            "entropy": np.minimum(levels / 3, 6.5) - (variant == "rem") * 0.1 * (seed - 41),
            "entropy_ceiling": 7.0,
        }
    ).assign(**columns)
    path = folder / f"{dataset}-{variant}-{seed}.csv"
    frame.to_csv(path, index=False)
    return path


def write_levels(folder, dataset, shared=7, published=11):
    levels = np.arange(2, 17)
    rows = {"dataset": dataset, "levels": levels, "shared": levels == shared, "published": levels == published}
    rows["edge_at_uniform"] = levels % 10 == 6
    path = folder / f"levels-{dataset}.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


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


def test_figures_are_the_same_twice(files, tmp_path):
    levels, by = write_levels(tmp_path, "mnist"), [write_by_levels(tmp_path, *run) for run in RUNS]
    for name in ("one", "two"):
        overview.draw(*files, tmp_path / f"overview-{name}")
        controls.draw(*files, tmp_path / f"controls-{name}")
        by_levels.draw(by, [levels], [], tmp_path / f"levels-{name}")
    for figure in ("overview", "controls", "levels"):
        assert drawn(tmp_path / f"{figure}-one") == drawn(tmp_path / f"{figure}-two")


def test_an_overview_of_neither_model_is_refused(files, tmp_path):
    with pytest.raises(RemError, match="none of the 0 runs"):
        overview.draw(files[0], [], tmp_path / "figure")


def test_entropy_against_k_is_the_mean_over_seeds_within_its_band(tmp_path):
    frame = pd.concat([pd.read_csv(write_by_levels(tmp_path, *run)) for run in RUNS])
    chosen = pd.read_csv(write_levels(tmp_path, "mnist"))
    entropy, accuracy = by_levels_of(frame, chosen, Names([settings("shapes", "rem", 42)])).axes
    for panel, metric in ((entropy, "entropy"), (accuracy, "accuracy")):
        for variant in ("baseline", "rem"):
            (line,) = [line for line in panel.lines if line.get_gid() == variant]
            own = frame[frame["variant"] == variant].groupby("levels")[metric]
            np.testing.assert_allclose(line.get_xydata(), own.mean().reset_index())
        upright = {line.get_xdata()[0]: line.get_linestyle() for line in panel.lines if len(line.get_xdata()) == 2}
        assert upright.keys() == {6, 16, 7, 11}
        assert upright[7] == "-"
        assert upright[11] != "-"
    bands = [band for band in accuracy.collections if len(band.get_paths()[0].vertices) > 10]
    assert bands[0].get_paths()[0].vertices[:, 1].min() == frame["accuracy"].min()


def test_files_of_levels_that_do_not_do_are_refused(tmp_path):
    by, levels = write_by_levels(tmp_path, *RUNS[0]), write_levels(tmp_path, "shapes")
    with pytest.raises(RemError, match="shared K of mnist"):
        by_levels.draw([by], [levels], [], tmp_path / "figure")
    pd.read_csv(by).drop(columns="accuracy").to_csv(by, index=False)
    with pytest.raises(RemError, match="lacks the column accuracy"):
        by_levels.draw([by], [write_levels(tmp_path, "mnist")], [], tmp_path / "figure")
    with pytest.raises(RemError, match="cannot be read"):
        by_levels.draw([tmp_path / "absent.csv"], [levels], [], tmp_path / "figure")
    assert not list(tmp_path.glob("figure*"))


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

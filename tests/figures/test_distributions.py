"""Figures 4 and 6: what they count, what they show, and that they are written whole and alike."""

import html

import h5py
import numpy as np
import pytest
from drawings import drawn
from tiny import run

from rem.errors import RemError
from rem.figures import fig4, fig6
from rem.figures.distributions import coupling_distributions, level_counts
from rem.trees.quantizer import edges


def couplings(path, class_mean, names=None, **of):
    with h5py.File(path, "w") as file:
        file["class_mean"] = np.asarray(class_mean, dtype=np.float32)
        file.attrs["class_names"] = names or [str(label) for label in range(len(class_mean))]
        file.attrs["run"] = run(**of).model_dump_json()
        file.attrs["cells"] = False
    return path


def test_class_names_are_drawn_as_they_are(class_mean, tmp_path):
    hostile = [r"$\frac", "$x$ <b>&amp;</b>", 'a "b" %s {c} \\ _^~#']
    one = couplings(tmp_path / "one.h5", class_mean, hostile)
    fig4.draw(one, one, 7, tmp_path / "fig4")
    text = html.unescape((tmp_path / "fig4.svg").read_text(encoding="utf-8"))
    assert all(f"<!-- {name} -->" in text for name in hostile)


@pytest.fixture
def class_mean():
    return np.random.default_rng(0).beta(1, 5, size=(3, 40))


def test_level_counts_by_hand():
    # K = 5: centres 0, .25, .5, .75, 1 and edges .125, .375, .625, .875
    class_mean = np.array([[0.0, 0.12, 0.13, 0.37, 0.38, 1.0], [0.5, 0.5, 0.62, 0.63, 0.87, 0.88], [np.nan] * 6])
    assert level_counts(class_mean, edges(5)).tolist() == [[2, 2, 1, 0, 1], [0, 0, 3, 2, 1], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("levels", [2, 11, 128])
def test_every_capsule_is_counted_once(class_mean, levels):
    counts = level_counts(class_mean, edges(levels))
    assert counts.shape == (3, levels)
    assert (counts.sum(axis=1) == 40).all()


@pytest.mark.parametrize("levels", [2, 7, 11])
def test_no_occupied_level_is_beyond_the_axis(class_mean, levels):
    class_mean[2, 0] = 0.9
    series = {"one": class_mean / 2, "other": class_mean}
    figure = coupling_distributions(series, ("b", "r"), edges(levels), "abc", "title")
    shown = [panel for panel in figure.axes if panel.get_visible()]
    assert [panel.get_title() for panel in shown] == ["a", "b", "c"]
    for panel, *counts in zip(shown, *(level_counts(mean, edges(levels)) for mean in series.values()), strict=True):
        for stairs, expected in zip(panel.patches, counts, strict=True):
            values, ends, _ = stairs.get_data()
            np.testing.assert_array_equal(values, expected)
            assert (ends[0], ends[-1]) == (0, 1)
            left, right = panel.get_xlim()
            assert left < ends[np.flatnonzero(values)[0]]
            assert ends[np.flatnonzero(values)[-1] + 1] < right
    beyond = level_counts(class_mean, edges(levels))[:, -1].sum()
    assert ("no capsule is beyond" in figure.get_supxlabel()) == (beyond == 0)


def test_a_class_nobody_predicts_is_named_above_the_bars(class_mean):
    class_mean[1] = np.nan
    figure = coupling_distributions(
        {"one": class_mean, "two": np.nan * class_mean}, ("b", "r"), edges(11), "abc", "title"
    )
    texts = [[text.get_text() for text in panel.texts] for panel in figure.axes]
    assert texts == [["no image predicted\ntwo"], ["no image predicted"], ["no image predicted\ntwo"]]
    figure.draw_without_rendering()
    for panel in figure.axes:
        below = panel.texts[0].get_window_extent().y0
        assert all(stairs.get_window_extent().y1 < below for stairs in panel.patches)


def test_figure_4_is_the_same_twice_and_names_its_run(tmp_path, class_mean):
    first = couplings(tmp_path / "first.h5", np.full((3, 40), 1 / 3))
    best = couplings(tmp_path / "best.h5", class_mean)
    for name in ("one", "two"):
        fig4.draw(first, best, 11, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    assert b"thirds, seed 42" in drawn(tmp_path / "one")


def test_figure_6_shows_a_class_that_no_image_is_predicted_as(tmp_path, class_mean):
    class_mean[1] = np.nan
    names = ["coat", "bag", "shirt"]
    paths = [couplings(tmp_path / f"{variant}.h5", class_mean, names, variant=variant) for variant in ("q", "rem")]
    fig6.draw(*paths, 11, tmp_path / "with")
    assert drawn(tmp_path / "with")


def test_couplings_that_do_not_belong_together_are_refused(tmp_path, class_mean):
    one, other = couplings(tmp_path / "one.h5", class_mean), couplings(tmp_path / "other.h5", class_mean, seed=43)
    with pytest.raises(RemError, match="different datasets or seeds"):
        fig6.draw(one, other, 11, tmp_path / "figure")
    h5py.File(tmp_path / "empty.h5", "w").close()
    with pytest.raises(RemError, match="no dataset class_mean"):
        fig6.draw(tmp_path / "empty.h5", one, 11, tmp_path / "figure")
    assert not list(tmp_path.glob("figure*"))

"""Figure 8: tiles stand where their offset is, and what moves is named."""

import h5py
import numpy as np
import pandas as pd
import pytest
from drawings import drawn
from tiny import run

from rem.errors import RemError
from rem.figures import fig8
from rem.figures.fig8 import _moves, mosaic, perturbation_grids
from rem.files.hdf5 import open_hdf5


def write_perturbations(path, images=4, channels=1):
    draw = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["reconstructions"] = draw.random((images, 5, 3, channels, 6, 6)).astype(np.float32)
        file["images"] = draw.random((images, channels, 6, 6)).astype(np.float32)
        file["label"] = file["predicted"] = np.arange(images) % 3
        file["offsets"] = np.array([-0.25, 0, 0.25], np.float32)
        file.attrs["class_names"] = ["top", "middle", "bottom"]
        file.attrs["run"] = run("rem").model_dump_json()
    return path


def test_a_tile_stands_in_the_row_of_its_dimension_and_the_column_of_its_offset():
    tiles = np.random.default_rng(0).random((4, 3, 2, 12, 12))
    image = mosaic(tiles)
    assert image.shape == (2, 4 * 13, 3 * 13)
    for row in range(4):
        for column in range(3):
            np.testing.assert_array_equal(
                image[:, 13 * row : 13 * row + 12, 13 * column : 13 * column + 12], tiles[row, column]
            )
    assert (image[:, 12::13] == 1).all()
    assert (image[:, :, 12::13] == 1).all()


@pytest.mark.parametrize(("images", "channels"), [(1, 1), (2, 3), (3, 2), (10, 1)])
def test_figure_8_is_the_same_twice(tmp_path, images, channels):
    path = write_perturbations(tmp_path / "perturbations.h5", images, channels)
    for name in ("one", "two"):
        fig8.draw(path, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")


def test_the_unmoved_reconstruction_is_framed_and_offsets_are_labelled(tmp_path):
    with open_hdf5(write_perturbations(tmp_path / "perturbations.h5")) as file:
        figure = perturbation_grids(
            file["reconstructions"][:2], file["images"][:2], "ab", file["offsets"][:], "title", [{}, {2: "width"}]
        )
    inputs, grids = figure.axes[:2], figure.axes[2:]
    assert [panel.get_title() for panel in inputs] == ["input: a", "input: b"]
    for panel in grids:
        (frame,) = panel.patches
        assert (frame.get_x(), frame.get_width(), frame.get_height()) == (1, 1, 5)
        assert [label.get_text() for label in panel.get_xticklabels()] == ["\N{MINUS SIGN}0.25", "0", "+0.25"]
    assert [[(text.get_text(), text.get_position()[1]) for text in panel.texts] for panel in grids] == [
        [],
        [("width", 2.5)],
    ]


def test_a_dimension_is_named_for_what_it_moves_only_beyond_chance(tmp_path):
    rows = {"class": [0, 0, 1], "dimension": [1, 2, 0], "property": ["centroid_x", "width", "slant"]}
    path = tmp_path / "equivariance.csv"
    pd.DataFrame(rows).assign(consistency=[0.9, 0.5, 1.0], chance=0.7).to_csv(path, index=False)
    assert _moves(path, [1, 0, 2]) == [{0: "slant"}, {1: "x"}, {}]
    fig8.draw(write_perturbations(tmp_path / "perturbations.h5"), tmp_path / "figure", path)
    assert drawn(tmp_path / "figure")
    pd.DataFrame(rows).to_csv(path, index=False)
    with pytest.raises(RemError, match="lacks the column consistency"):
        fig8.draw(tmp_path / "perturbations.h5", tmp_path / "figure", path)


def test_perturbations_that_lack_a_part_are_refused(tmp_path):
    path = write_perturbations(tmp_path / "perturbations.h5")
    with h5py.File(path, "a") as file:
        del file["offsets"]
    with pytest.raises(RemError, match="no dataset offsets"):
        fig8.draw(path, tmp_path / "figure")

"""The picture of a parse tree: maps, lengths and curves are those of the image."""

import h5py
import numpy as np
import pytest
from drawings import drawn
from matplotlib.patches import Circle, PathPatch
from tiny import COUNTS, run, write_couplings, write_prepared

from rem.errors import RemError
from rem.figures import parse_tree
from rem.figures.parse_tree import BRANCHES, Tree, tree_pictures

NAMES = ["top", "middle", "bottom"]


@pytest.fixture
def tree():
    draw = np.random.default_rng(0)
    return Tree("model", draw.beta(2, 4, (3, 4, 4)), np.array([0.2, 0.9, 0.4]), 1)


@pytest.fixture
def files(tmp_path):
    """Couplings of two networks, of which the first is wrong about image 0 and the second about image 1."""
    draw, count = np.random.default_rng(0), COUNTS["test"]
    prepared = write_prepared(tmp_path / "prepared.h5")
    with h5py.File(prepared) as data:
        label = data["test/labels"][:]
    paths = []
    for wrong, variant in enumerate(("baseline", "rem")):
        predicted = label.copy()
        predicted[wrong] = (label[wrong] + 1) % 3
        path = write_couplings(
            tmp_path / f"{variant}.h5", run(variant), draw.random((count, 8)), predicted, labels=label, split="test"
        )
        with h5py.File(path, "a") as file:
            file["lengths"] = draw.random((count, 3))
            file.attrs["class_names"] = NAMES
        paths.append(path)
    return *paths, prepared


def test_the_maps_are_the_couplings(tree):
    axes = tree_pictures([tree, tree], np.zeros((1, 5, 5), np.uint8), NAMES, "title").axes[0]
    maps = axes.images[1:]
    for drawn_map, of_type in zip(maps, tree.couplings, strict=True):
        np.testing.assert_array_equal(drawn_map.get_array(), of_type)
    assert maps[0].norm.vcenter == pytest.approx(1 / 3)
    assert maps[0].norm.vmax >= tree.couplings.max()


def test_curves_are_the_strongest_couplings_above_an_even_share(tree):
    axes = tree_pictures([tree], np.zeros((3, 5, 5), np.uint8), NAMES, "title").axes[0]
    curves = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    expected = np.sort(tree.couplings[tree.couplings > 1 / 3])[-BRANCHES:]
    assert 0 < len(expected) < tree.couplings.size
    np.testing.assert_allclose([float(curve.get_gid()) for curve in curves], expected, atol=1e-4)
    assert np.all(np.diff([curve.get_linewidth() for curve in curves]) >= 0)
    for curve in curves:  # it starts in the cell of a capsule so coupled, and ends at the predicted class
        x, y = curve.get_path().vertices[0]
        (cell,) = [image for image in axes.images[1:] if _inside(image.get_extent(), x, y)]
        left, right, bottom, top = cell.get_extent()
        row, column = int((top - y) / (top - bottom) * 4), int((x - left) / (right - left) * 4)
        assert cell.get_array()[row, column] == pytest.approx(float(curve.get_gid()), abs=1e-4)
    circles = [patch for patch in axes.patches if isinstance(patch, Circle)]
    assert {curve.get_path().vertices[-1][1] for curve in curves} == {circles[tree.predicted].center[1]}


def _inside(extent, x, y):
    left, right, bottom, top = extent
    return left < x < right and bottom < y < top


def test_even_couplings_have_no_curves(tree):
    even = tree._replace(couplings=np.full((3, 4, 4), 1 / 3, np.float32))
    axes = tree_pictures([even], np.zeros((1, 5, 5), np.uint8), NAMES, "title").axes[0]
    assert not [patch for patch in axes.patches if isinstance(patch, PathPatch) and patch.get_linewidth() > 0.01]


def test_of_many_classes_the_longest_are_shown(tree):
    lengths = np.random.default_rng(0).random(200)
    many = tree._replace(lengths=lengths, predicted=int(lengths.argmax()))
    axes = tree_pictures([many], np.zeros((1, 5, 5), np.uint8), [f"n{j}" for j in range(200)], "title").axes[0]
    shown = {text.get_text() for text in axes.texts} & {f"n{j}" for j in range(200)}
    assert shown == {f"n{j}" for j in np.argsort(-lengths)[:10]}


def test_the_first_image_that_both_classify_correctly_is_drawn(files, tmp_path):
    parse_tree.draw(*files, tmp_path / "first")
    parse_tree.draw(*files, tmp_path / "second", 2)
    parse_tree.draw(*files, tmp_path / "other", 3)
    assert b"test image 2" in drawn(tmp_path / "first")
    assert drawn(tmp_path / "first") == drawn(tmp_path / "second") != drawn(tmp_path / "other")


def test_files_that_do_not_belong_together_are_refused(files, tmp_path):
    one, other, _ = files
    with pytest.raises(RemError, match="no image 18"):
        parse_tree.draw(*files, tmp_path / "figure", 18)
    with pytest.raises(RemError, match="not of the same images"):
        parse_tree.draw(one, other, write_prepared(tmp_path / "few.h5", {"test": 5}), tmp_path / "figure")
    with h5py.File(other, "a") as file:
        file["predicted"][:] = (file["label"][:] + 1) % 3
    with pytest.raises(RemError, match="both classify correctly"):
        parse_tree.draw(*files, tmp_path / "figure")
    with h5py.File(other, "a") as file:
        file.attrs["run"] = run("rem", network={"primary_types": 3}).model_dump_json()
    with pytest.raises(RemError, match="not 3 square maps"):
        parse_tree.draw(*files, tmp_path / "figure", 2)
    assert not list(tmp_path.glob("figure*"))

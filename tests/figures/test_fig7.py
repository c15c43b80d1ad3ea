"""Figure 7: clusters are overlaid as they are in the dictionary."""

import h5py
import numpy as np
import pytest
from drawings import drawn
from tiny import COUNTS, run, write_couplings, write_prepared

from rem.errors import RemError
from rem.figures import fig7
from rem.figures import fig7 as pictures
from rem.figures.fig7 import cluster_rows, largest_clusters
from rem.files.hdf5 import open_hdf5, seal
from rem.trees.dictionaries import write_entropies


@pytest.fixture
def files(tmp_path):
    """A prepared dataset, and the dictionaries at K = 3 of two networks: two keys a class, and one an image."""
    count = COUNTS["test"]
    predicted = np.arange(count) % 3
    coarse = np.stack([np.arange(count) % 4 == 0, np.zeros(count)], axis=1)
    fine = np.array([[number // 3**place % 3 / 2 for place in range(3)] for number in range(count)])
    paths = []
    for variant, couplings in (("rem", coarse), ("baseline", fine)):
        source = write_couplings(tmp_path / f"{variant}.h5", run(variant), couplings, predicted, split="test")
        write_entropies([source], [3], tmp_path / "dictionaries", tmp_path / f"{variant}.csv")
        paths.append(tmp_path / f"dictionaries/{variant}.h5")
    return write_prepared(tmp_path / "prepared.h5"), paths


@pytest.mark.parametrize("at_once", [5, 4096])
def test_an_overlay_is_the_mean_of_the_images_that_share_a_key(files, monkeypatch, at_once):
    monkeypatch.setattr(pictures, "AT_ONCE", at_once)
    prepared, (dictionary, _) = files
    with open_hdf5(dictionary) as file, open_hdf5(prepared) as data:
        images = data["test/images"][:]
        shown = largest_clusters(file["levels3"], data["test/images"], ["top", "middle", "bottom"], 8)
        for label, clusters in enumerate(shown):
            own = np.arange(label, len(images), 3)
            strong = own % 4 == 0
            expected = sorted(([images[own[~strong]], images[own[strong]]]), key=len, reverse=True)
            assert clusters.counts.tolist() == [len(members) for members in expected]
            assert clusters.keys == 2
            np.testing.assert_allclose(clusters.overlays, [members.mean(axis=0) for members in expected])


def test_only_the_largest_clusters_are_shown(files):
    prepared, (dictionary, _) = files
    with open_hdf5(dictionary) as file, open_hdf5(prepared) as data:
        (first, *_) = largest_clusters(file["levels3"], data["test/images"], ["top", "middle", "bottom"], 1)
    assert first.counts.tolist() == [4]
    assert first.keys == 2
    assert len(first.overlays) == 1


def test_a_class_without_images_has_an_empty_row(files):
    prepared, (dictionary, _) = files
    with h5py.File(dictionary, "a") as file:
        for part in ("counts", "members", "images"):
            del file[f"levels3/class1/{part}"]
            file[f"levels3/class1/{part}"] = np.zeros(0, int)
    seal(dictionary)
    with open_hdf5(dictionary) as file, open_hdf5(prepared) as data:
        shown = largest_clusters(file["levels3"], data["test/images"], ["top", "middle", "bottom"], 8)
    figure = cluster_rows({"model": shown}, "title")
    assert len(figure.axes) == 4
    assert "middle\n0 keys" in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("networks", [1, 2])
def test_figure_7_is_the_same_twice(files, tmp_path, networks):
    prepared, dictionaries = files
    for name in ("one", "two"):
        fig7.draw(dictionaries[:networks], prepared, 3, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    assert b"thirds, seed 42" in drawn(tmp_path / "one")


def test_dictionaries_that_do_not_do_are_refused(files, tmp_path):
    prepared, (dictionary, other) = files
    with pytest.raises(RemError, match="no levels5"):
        fig7.draw([dictionary], prepared, 5, tmp_path / "figure")
    with pytest.raises(RemError, match="not 0"):
        fig7.draw([], prepared, 3, tmp_path / "figure")
    few = write_prepared(tmp_path / "few.h5", {"test": 5})
    with pytest.raises(RemError, match="of 5 images"):
        fig7.draw([dictionary], few, 3, tmp_path / "figure")
    with h5py.File(other, "a") as file:
        file.attrs["run"] = run(seed=43).model_dump_json()
    seal(other)
    with pytest.raises(RemError, match="not of the same images"):
        fig7.draw([dictionary, other], prepared, 3, tmp_path / "figure")
    assert not list(tmp_path.glob("figure*"))

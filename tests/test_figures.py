"""The figures: what they count, and that they are written whole and alike."""

import h5py
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from measurements import metrics, run_yaml

from rem.figures import figure4, figure5, figure6, level_counts, overview
from rem.files import RemError


def couplings(path, class_mean, names=None):
    with h5py.File(path, "w") as file:
        file["class_mean"] = np.asarray(class_mean, dtype=np.float32)
        file.attrs["class_names"] = names or [str(label) for label in range(len(class_mean))]
    return path


def drawn(stem):
    """The SVG's bytes, after a look at the PNG: 300 dpi and not blank."""
    picture = imread(f"{stem}.png")
    assert picture.shape[1] in (1020, 2100)
    assert picture[..., :3].std() > 0.01
    return stem.with_suffix(".svg").read_bytes()


@pytest.fixture
def class_mean():
    return np.random.default_rng(0).beta(1, 5, size=(3, 40))


def test_level_counts_by_hand():
    # K = 5: centres 0, .25, .5, .75, 1 and edges .125, .375, .625, .875
    class_mean = np.array([[0.0, 0.12, 0.13, 0.37, 0.38, 1.0], [0.5, 0.5, 0.62, 0.63, 0.87, 0.88], [np.nan] * 6])
    assert level_counts(class_mean, 5).tolist() == [[2, 2, 1, 0, 1], [0, 0, 3, 2, 1], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("levels", [2, 11, 128])
def test_every_capsule_is_counted_once(class_mean, levels):
    counts = level_counts(class_mean, levels)
    assert counts.shape == (3, levels)
    assert (counts.sum(axis=1) == 40).all()


def test_figure_4_is_the_same_twice(tmp_path, class_mean):
    first = couplings(tmp_path / "first.h5", np.full((3, 40), 1 / 3))
    best = couplings(tmp_path / "best.h5", class_mean)
    for name in ("one", "two"):
        figure4(first, best, 11, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")


def test_figure_6_shows_a_class_that_no_image_is_predicted_as(tmp_path, class_mean):
    class_mean[1] = np.nan
    names = ["coat", "bag", "shirt"]
    paths = [couplings(tmp_path / f"{name}.h5", class_mean, names) for name in ("q", "rem")]
    figure6(*paths, 11, tmp_path / "with")
    assert drawn(tmp_path / "with")


def test_couplings_that_do_not_belong_together_are_refused(tmp_path, class_mean):
    three, two = couplings(tmp_path / "three.h5", class_mean), couplings(tmp_path / "two.h5", class_mean[:2])
    with pytest.raises(RemError, match="number of classes"):
        figure6(three, two, 11, tmp_path / "figure")
    h5py.File(tmp_path / "empty.h5", "w").close()
    with pytest.raises(RemError, match="no dataset class_mean"):
        figure6(tmp_path / "empty.h5", three, 11, tmp_path / "figure")
    assert not list(tmp_path.glob("figure*"))


def test_figure_5(tmp_path):
    path = tmp_path / "trajectory.csv"
    frame = pd.DataFrame(
        {"epoch": [1, 2, 3], "sparsity": [0, 30, 50], "accuracy": [80, 95, 96], "entropy": [0.1, 6, 4]}
    )
    frame.to_csv(path, index=False)
    for name in ("one", "two"):
        figure5(path, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    frame.drop(columns="entropy").to_csv(path, index=False)
    with pytest.raises(RemError, match="column entropy"):
        figure5(path, tmp_path / "three")


def test_overview(tmp_path):
    runs = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43)]
    yamls = [run_yaml(tmp_path, *run) for run in [*runs, ("shapes", "baseline", 42)]]
    overview(metrics(tmp_path), yamls, tmp_path / "overview")
    assert drawn(tmp_path / "overview")

"""Entropy and accuracy against K: the mean over seeds within its band."""

import numpy as np
import pandas as pd
import pytest
from drawings import drawn
from measurements import RUNS, settings

from rem.errors import RemError
from rem.figures import sweep
from rem.figures.sweep import sweep_of
from rem.tables.names import Names


def write_sweep(folder, dataset, variant, seed, **columns):
    levels = np.arange(2, 17)
    frame = pd.DataFrame(
        {
            "dataset": dataset,
            "variant": variant,
            "seed": seed,
            "layer": 1,
            "levels": levels,
            "accuracy": np.minimum(10.0 * levels, 95) - (seed - 42),
            "entropy": np.minimum(levels / 3, 6.5) - (variant == "rem") * 0.1 * (seed - 41),
            "entropy_ceiling": 7.0,
        }
    ).assign(**columns)
    path = folder / f"{dataset}-{variant}-{seed}.csv"
    frame.to_csv(path, index=False)
    return path


def write_levels(folder, dataset, shared=7, authors=11):
    levels = np.arange(2, 17)
    rows = {"dataset": dataset, "levels": levels, "shared": levels == shared, "authors": levels == authors}
    rows |= {"edge_distance": np.abs((levels - 1) / 10 % 1 - 0.5) / (levels - 1), "band": levels > 6}
    path = folder / f"levels-{dataset}.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_entropy_against_k_is_the_mean_over_seeds_within_its_band(tmp_path):
    frame = pd.concat([pd.read_csv(write_sweep(tmp_path, *run)) for run in RUNS])
    chosen = pd.read_csv(write_levels(tmp_path, "mnist"))
    entropy, accuracy, distance = sweep_of(frame, chosen, Names([settings("shapes", "rem", 42)])).axes
    assert distance.lines[0].get_ydata()[[4, 9]] == pytest.approx([0, 0.05])  # at K = 6 and 11
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


def test_the_figure_is_the_same_twice(tmp_path):
    levels, by = write_levels(tmp_path, "mnist"), [write_sweep(tmp_path, *run) for run in RUNS]
    for name in ("one", "two"):
        sweep.draw(by, [levels], [], tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")


def test_files_of_levels_that_do_not_do_are_refused(tmp_path):
    by, levels = write_sweep(tmp_path, *RUNS[0]), write_levels(tmp_path, "shapes")
    with pytest.raises(RemError, match="shared K of mnist"):
        sweep.draw([by], [levels], [], tmp_path / "figure")
    pd.read_csv(by).drop(columns="accuracy").to_csv(by, index=False)
    with pytest.raises(RemError, match="lacks the column accuracy"):
        sweep.draw([by], [write_levels(tmp_path, "mnist")], [], tmp_path / "figure")
    with pytest.raises(RemError, match="is missing; run the command that makes it"):
        sweep.draw([tmp_path / "absent.csv"], [levels], [], tmp_path / "figure")
    assert not list(tmp_path.glob("figure*"))

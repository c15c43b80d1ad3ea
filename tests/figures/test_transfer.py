"""Transfer accuracy against test accuracy: a line a network, a mark an epoch."""

import numpy as np
import pandas as pd
import pytest
from drawings import drawn
from measurements import run_yaml, settings

from rem.errors import RemError
from rem.figures import transfer
from rem.figures.transfer import transfer_of
from rem.tables.names import Names


@pytest.fixture
def courses():
    rows = [
        ("expanded-mnist", variant, seed, epoch, 60 + 10 * epoch + seed, 40 + 5 * epoch + place)
        for place, variant in enumerate(("baseline", "rem"))
        for seed in (1, 2)
        for epoch in (2, 1, 3)
    ]
    return pd.DataFrame(rows, columns=["dataset", "variant", "seed", "epoch", "accuracy", "transfer_accuracy"])


def test_every_network_is_a_line_through_its_epochs_from_the_first_which_is_ringed(courses):
    names = Names([settings("expanded-mnist", variant, 1) for variant in ("baseline", "rem")])
    (panel,) = transfer_of(courses, names).axes
    for place, variant in enumerate(("baseline", "rem")):
        lines = [line for line in panel.lines if line.get_gid() == variant]
        for seed, line in enumerate(lines, start=1):
            expected = [(70 + seed, 45 + place), (80 + seed, 50 + place), (90 + seed, 55 + place)]
            np.testing.assert_allclose(line.get_xydata(), expected)
        assert len(lines) == 2
    rings = [line.get_xydata()[0].tolist() for line in panel.lines if line.get_gid() not in ("baseline", "rem")]
    assert rings == [[71, 45], [72, 45], [71, 46], [72, 46]]


def test_the_figure_is_the_same_twice_and_an_empty_file_is_refused(courses, tmp_path):
    yamls = [run_yaml(tmp_path, "expanded-mnist", variant, 1) for variant in ("baseline", "rem")]
    courses.to_csv(tmp_path / "courses.csv", index=False)
    for name in ("one", "two"):
        transfer.draw([tmp_path / "courses.csv"], yamls, tmp_path / name)
    assert drawn(tmp_path / "one") == drawn(tmp_path / "two")
    assert b"affnist-like-sample (in affNIST" in drawn(tmp_path / "one")
    courses[:0].to_csv(tmp_path / "courses.csv", index=False)
    with pytest.raises(RemError, match="no epoch"):
        transfer.draw([tmp_path / "courses.csv"], yamls, tmp_path / "three")

"""The figure of accuracy against speed: a mark a variant, its time beside the whole network's of the same seed."""

import numpy as np
import pandas as pd
import pytest

from rem.errors import RemError
from rem.figures.structured import COLUMNS, REMOVED, SMALLER, WHOLE, draw, speeds_of, summed_up


def speeds(dataset):
    rows = [
        ("whole", 42, False, 98.0, 32, 6, 20.0),
        ("whole", 43, False, 99.0, 32, 6, 40.0),
        ("removed", 42, True, 97.0, 16, 3, 10.0),
        ("removed", 43, True, 97.4, 16, 3, 24.0),
        ("smaller", 42, False, 96.0, 16, 3, 8.0),
        ("smaller", 43, False, 96.0, 16, 3, 16.0),
    ]
    return pd.DataFrame([(dataset, *row) for row in rows], columns=COLUMNS)


def test_a_time_is_beside_that_of_the_whole_network_of_the_same_seed():
    table = summed_up(speeds("mnist"))
    assert table["kind"].to_dict() == {"whole": WHOLE, "removed": REMOVED, "smaller": SMALLER}
    np.testing.assert_allclose(table["time"], [1, 0.55, 0.4])
    np.testing.assert_allclose(table["time_std"], [0, 0.05 * 2**0.5, 0], atol=1e-12)
    np.testing.assert_allclose(table["accuracy"], [98.5, 97.2, 96])
    np.testing.assert_allclose(table["accuracy_std"], [0.5**0.5, 0.08**0.5, 0])


def test_every_variant_has_a_mark_in_the_panel_of_its_dataset():
    figure = speeds_of([summed_up(speeds(dataset)) for dataset in ("mnist", "fashion-mnist")])
    assert [panel.get_title() for panel in figure.axes] == ["mnist", "fashion-mnist"]
    for panel in figure.axes:
        found = {line.get_gid(): line.get_xydata() for line in panel.lines}
        for kind, expected in ((WHOLE, (1, 98.5)), (REMOVED, (0.55, 97.2)), (SMALLER, (0.4, 96))):
            np.testing.assert_allclose(found[kind], [expected])
        assert [one.get_text() for one in panel.texts] == ["32, 6", "16, 3"]


def test_one_seed_has_marks_and_no_bars(tmp_path):
    speeds("mnist").query("seed == 42").to_csv(tmp_path / "mnist.csv", index=False)
    draw([tmp_path / "mnist.csv"], tmp_path / "one")
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_the_same_tables_give_the_same_figure(tmp_path):
    speeds("mnist").to_csv(tmp_path / "mnist.csv", index=False)
    for stem in ("one", "two"):
        draw([tmp_path / "mnist.csv"], tmp_path / stem)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_a_table_without_a_network_is_refused(tmp_path):
    pd.DataFrame(columns=COLUMNS).to_csv(tmp_path / "mnist.csv", index=False)
    with pytest.raises(RemError, match=r"mnist.csv has no network"):
        draw([tmp_path / "mnist.csv"], tmp_path / "figure")


@pytest.mark.parametrize("first", ["removed", "smaller"])
def test_a_table_that_does_not_begin_with_the_whole_network_is_refused(tmp_path, first):
    table = speeds("mnist")
    of_first = table["variant"] == first
    pd.concat([table[of_first], table[~of_first]]).to_csv(tmp_path / "mnist.csv", index=False)
    with pytest.raises(RemError, match=f"{first} is not the whole network, which must come first"):
        draw([tmp_path / "mnist.csv"], tmp_path / "figure")

"""The figure of learned and drawn connections: a mark a network in every panel, the same twice."""

import numpy as np
import pandas as pd
import pytest

from rem.errors import RemError
from rem.figures.tree_densities import UPWARDS, densities_of, draw
from rem.tables.trees import COLUMNS, DRAWN, LEARNED, WHOLE


@pytest.fixture
def table():
    rows = [
        {"variant": variant, "kind": kind, "density": density, "accuracy": 90 + density / 20, "accuracy_std": 0.3}
        for variant, kind, density in (
            ("baseline", WHOLE, 100.0),
            ("blocks-07", LEARNED, 7.0),
            ("blocks-20", LEARNED, 20.0),
            ("random-07", DRAWN, 7.0),
        )
    ]
    frame = pd.DataFrame(rows).assign(strongest_coupling=0.5, band_entropy=3.0)
    both = [frame.assign(dataset=dataset) for dataset in ("mnist", "fashion-mnist")]
    return pd.concat(both, ignore_index=True).reindex(columns=COLUMNS)


def test_every_network_has_a_mark_in_the_panel_of_its_dataset(table):
    figure = densities_of(table)
    axes = np.reshape(figure.axes, (len(UPWARDS), 2))
    for column, dataset in enumerate(("mnist", "fashion-mnist")):
        own = table[table["dataset"] == dataset]
        assert axes[0, column].get_title() == dataset
        for panel, metric in zip(axes[:, column], UPWARDS, strict=True):
            found = {line.get_gid(): line for line in panel.lines if line.get_gid() in {LEARNED, DRAWN, WHOLE}}
            assert len(found) == 3
            for kind, line in found.items():
                expected = own.loc[own["kind"] == kind, ["density", metric]]
                np.testing.assert_allclose(line.get_xydata(), expected)


def test_the_same_table_gives_the_same_figure(table, tmp_path):
    table.to_csv(tmp_path / "trees.csv", index=False)
    for stem in ("one", "two"):
        draw(tmp_path / "trees.csv", tmp_path / stem)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_a_table_without_a_network_is_refused(tmp_path):
    pd.DataFrame(columns=COLUMNS).to_csv(tmp_path / "trees.csv", index=False)
    with pytest.raises(RemError, match=r"trees.csv has no network"):
        draw(tmp_path / "trees.csv", tmp_path / "figure")

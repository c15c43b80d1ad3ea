"""The figure of networks and routings: a mark a network in every panel, the same twice."""

import numpy as np
import pandas as pd
import pytest

from rem.errors import RemError
from rem.figures.architectures import ACROSS, NAMES, architectures_of, draw
from rem.tables.architectures import COLUMNS

NETWORKS = [("capsnet", "dynamic", False), ("capsnet", "dynamic", True), ("own/file.py:Mine", "its own", False)]


@pytest.fixture
def table():
    rows = [
        {"architecture": architecture, "routing": routing, "pruned": pruned, "accuracy": 90.0 + place}
        for place, (architecture, routing, pruned) in enumerate(NETWORKS)
    ]
    frame = pd.DataFrame(rows).assign(accuracy_std=0.3, strongest_coupling=0.5, over_uniform_couplings=-1.0)
    both = [frame.assign(dataset=dataset) for dataset in ("mnist", "fashion-mnist")]
    return pd.concat(both, ignore_index=True).reindex(columns=COLUMNS)


def test_every_network_has_a_mark_on_its_line(table):
    figure = architectures_of(table)
    axes = np.reshape(figure.axes, (2, len(ACROSS)))
    assert [label.get_text() for label in axes[0, 0].get_yticklabels()] == ["dynamic", "Mine, its own"]
    for row, dataset in zip(axes, ("mnist", "fashion-mnist"), strict=True):
        assert row[0].get_title(loc="left") == dataset
        own = table[table["dataset"] == dataset]
        for panel, metric in zip(row, ACROSS, strict=True):
            found = {line.get_gid(): line.get_xydata() for line in panel.lines if line.get_gid() in NAMES.values()}
            for pruned, places in ((False, [0, 1]), (True, [0])):
                expected = np.transpose([own.loc[own["pruned"] == pruned, metric], places])
                np.testing.assert_allclose(found[NAMES[pruned]], expected)


def test_the_same_table_gives_the_same_figure(table, tmp_path):
    table.to_csv(tmp_path / "architectures.csv", index=False)
    for stem in ("one", "two"):
        draw(tmp_path / "architectures.csv", tmp_path / stem)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_a_table_without_a_network_is_refused(tmp_path):
    pd.DataFrame(columns=COLUMNS).to_csv(tmp_path / "architectures.csv", index=False)
    with pytest.raises(RemError, match=r"architectures.csv has no network"):
        draw(tmp_path / "architectures.csv", tmp_path / "figure")

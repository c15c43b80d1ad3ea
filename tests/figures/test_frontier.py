"""The frontier and the interventions: what is drawn is what was measured."""

import numpy as np
import pandas as pd
import pytest
from drawings import drawn
from measurements import settings

from rem.figures.frontier import frontier
from rem.figures.interventions import interventions
from rem.figures.style import save_figure
from rem.tables.names import Names
from rem.tables.probes import MARGIN, Probes
from rem.trees.probe_kinds import COLUMNS, INTERVENTIONS

TAUS = {"0.5": 6.0, "1": 4.0, "inf": 0.0}  # to entropy
NAMES = Names([settings("mnist", variant, 42) for variant in ("baseline", "rem")])


@pytest.fixture
def probes():
    rows = []
    for variant, worse in (("baseline", 0.0), ("rem", 1.0)):
        for seed in (42, 43, 44):
            where = ("mnist", variant, seed, "best", "test")
            for tau, bits in TAUS.items():
                values = {"band_entropy": bits - worse, "accuracy": 98 - worse, "strongest_coupling": 0.1 + bits / 100}
                rows += [(*where, "temperature", tau, 0, *value) for value in values.items()]
            for place, name in enumerate(INTERVENTIONS):
                rows.append((*where, "intervention", name, 0, "difference", -place - worse - (seed - 43) / 10))
    return Probes(pd.DataFrame(rows, columns=COLUMNS))


def test_a_line_over_tau_and_a_mark_a_network_as_it_is(probes, tmp_path):
    figure = frontier(probes, NAMES)
    accuracy, strength = figure.axes
    for panel, upwards in ((accuracy, 97.0), (strength, 0.14)):
        (line,) = [line for line in panel.lines if line.get_gid() == "rem"]
        assert line.get_xdata().tolist() == [5.0, 3.0, -1.0]  # from tau = 0.5 to infinity
        marks = [line.get_xydata()[0] for line in panel.lines if line.get_marker() == "s"]
        assert np.array(marks) == pytest.approx(np.array([[3.0, upwards]] * 3))
    save_figure(figure, tmp_path / "frontier")
    assert drawn(tmp_path / "frontier")


def test_of_many_networks_the_unpruned_one_s_line_and_a_mark_each(probes, tmp_path):
    baseline, rem = (probes.rows[probes.rows["variant"] == name] for name in ("baseline", "rem"))
    many = [f"blocks-{share}" for share in range(9)]
    every = Probes(pd.concat([baseline, *(rem.assign(variant=name) for name in many)]))
    names = Names([settings("mnist", variant, 42) for variant in ("baseline", *many)])
    accuracy, _ = frontier(every, names).axes
    assert [line.get_gid() for line in accuracy.lines if len(line.get_xdata()) > 1] == ["baseline"]
    marks = [line for line in accuracy.lines if len(line.get_xdata()) == 1]
    assert [line.get_xdata()[0] for line in marks] == pytest.approx([4.0] + [3.0] * 9)
    assert len({(line.get_marker(), line.get_markerfacecolor()) for line in marks}) == 10
    without = Probes(every.rows[every.rows["variant"] != "baseline"].replace("blocks-8", "rem"))
    more = pd.concat([without.rows, rem.assign(variant="random-07")])
    figure = frontier(Probes(more), Names([settings("mnist", name, 42) for name in ("rem", "random-07", *many)]))
    assert all(len(line.get_xdata()) == 1 for line in figure.axes[0].lines)


def test_of_the_modal_keys_those_at_the_shared_k_are_drawn(probes):
    modal = probes.rows["setting"] == "modal-key"
    others = [probes.rows[modal].assign(levels=levels, value=value) for levels, value in ((11, -60.0), (13, -40.0))]
    figure = interventions(Probes(pd.concat([probes.rows[~modal], *others])), {"mnist": 13}, NAMES)
    places = [line.get_xydata()[0] for line in figure.axes[0].lines]
    row = INTERVENTIONS.index("modal-key")
    assert [x for x, y in places if round(y) == row] == [-40.0] * 2


def test_a_mark_and_an_interval_an_intervention(probes, tmp_path):
    figure = interventions(probes, {"mnist": 0}, NAMES)
    (panel,) = figure.axes
    marks = [line.get_xydata()[0] for line in panel.lines if line.get_marker() == "s"]
    assert [x for x, _ in marks] == pytest.approx([-place - 1 for place in range(len(INTERVENTIONS))])
    intervals = [one.get_segments()[0][:, 0] for one in panel.collections]
    half = 4.302653 * 0.1 / 3**0.5  # Student's t of 2 degrees of freedom
    assert intervals[0] == pytest.approx([-half, half], abs=1e-6)
    assert any(patch.get_x() == -MARGIN for patch in panel.patches)
    save_figure(figure, tmp_path / "interventions")
    assert drawn(tmp_path / "interventions")

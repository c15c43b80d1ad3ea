"""Dose-response: whose dose and spread a row has, and a regression that is told from one worked out otherwise."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import tiny
from measurements import made_results
from scipy import stats

from rem.errors import RemError
from rem.tables.dose_response import (
    COLUMNS,
    dose_response,
    least_squares,
    read_dose_response,
    regressions,
    write_dose_response,
)

PRUNING = {
    "dose-00": {"penalty": None, "dose": 0, "extent": "none"},
    "dose-10-rem": {"penalty": None, "dose": 1},
    "dose-10-zeros": {"penalty": 0, "extent": "follow", "follows": "dose-10-rem"},
}


@pytest.fixture
def results():
    """Two seeds of each kind, and of a network that is not pruned, after epoch 2."""
    values = {}
    for place, variant in enumerate([*PRUNING, "baseline"]):
        where = ("mnist", variant, "best" if variant == "baseline" else "last", "test")
        values[*where, 0, "epoch"] = [2, 2]
        values[*where, 0, "dose"] = [1.0, 1.0] if variant == "dose-10-rem" else [0.0, 0.0]
        values[*where, 0, "sparsity"] = [0.0, 0.0] if variant == "dose-00" else [40.0 + place, 50.0 + place]
        values[*where, 0, "accuracy"] = [97.0, 96.0]
        for levels in (7, 11):
            values[*where, levels, "entropy"] = [levels + place, levels - place]
    made = made_results(values)
    runs = [
        tiny.run("rem", run.seed, dataset="mnist", pruning=PRUNING[run.variant]).model_copy(
            update={"variant": run.variant}
        )
        if run.variant in PRUNING
        else run
        for run in made.runs
    ]
    return dataclasses.replace(made, runs=runs)


def histories(results):
    """Of every run: the spread after epoch 2 is told from that after the first."""
    return [pd.DataFrame({"epoch": [1, 2], "logit_spread": [9.0, number / 10]}) for number in range(len(results.runs))]


def test_a_row_has_the_spread_of_its_epoch_and_zeros_the_dose_of_whom_they_follow(results):
    table = dose_response(results, histories(results))
    assert list(table.columns) == COLUMNS
    assert table["kind"].tolist() == ["shrunk"] * 2 + ["zeros"] * 2 + ["REM"] * 2  # none of the unpruned network
    assert table["dose"].tolist() == [0, 0, 1, 1, 1, 1]
    assert table["seed"].tolist() == [42, 43] * 3
    order = [run.variant for run in results.runs]
    assert table["logit_spread"].tolist() == [
        number / 10 for variant in ("dose-00", "dose-10-zeros", "dose-10-rem") for number in _places(order, variant)
    ]
    assert table["entropy_shared"].tolist() == [7, 7, 9, 5, 8, 6]
    assert table["entropy_authors"].tolist() == [11, 11, 13, 9, 12, 10]
    assert table["sparsity"].tolist() == [0, 0, 42, 52, 41, 51]


def _places(order, variant):
    return [number for number, name in enumerate(order) if name == variant]


def test_one_term_is_the_regression_of_scipy():
    draw = np.random.default_rng(0)
    x = draw.normal(size=12)
    y = 3 + 2 * x + draw.normal(size=12)
    found, half, explained = least_squares(x[:, None], y)
    expected = stats.linregress(x, y)
    t = stats.t.ppf(0.975, 10)
    assert found == pytest.approx([expected.intercept, expected.slope])
    assert half == pytest.approx([t * expected.intercept_stderr, t * expected.stderr])
    assert explained == pytest.approx(expected.rvalue**2)


def test_a_term_given_another_is_the_regression_of_what_the_other_leaves():
    """Frisch and Waugh: the coefficient is that of the residuals of both, its error with one degree of freedom less."""
    draw = np.random.default_rng(1)
    spread = draw.normal(size=20)
    sparsity = 0.5 * spread + draw.normal(size=20)
    entropy = 1 + 2 * spread - 0.3 * sparsity + draw.normal(size=20)

    def left(values):
        fit = stats.linregress(spread, values)
        return values - fit.intercept - fit.slope * spread

    expected = stats.linregress(left(sparsity), left(entropy))
    found, half, _ = least_squares(np.column_stack([spread, sparsity]), entropy)
    assert found[2] == pytest.approx(expected.slope)
    assert half[2] == pytest.approx(stats.t.ppf(0.975, 17) * expected.stderr * (18 / 17) ** 0.5)


@pytest.mark.parametrize(
    ("terms", "response"),
    [
        ([[1.0], [2.0]], [1.0, 2.0]),  # as many coefficients as networks
        ([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0], [5.0, 10.0]], [1.0, 2.0, 4.0, 3.0, 5.0]),  # one term twice
        ([[0.0]] * 5, [1.0, 2.0, 4.0, 3.0, 5.0]),  # which is the intercept again
        ([[1.0], [2.0], [3.0], [5.0]], [0.0] * 4),
    ],
)
def test_what_decides_nothing_is_left_blank(terms, response):
    found, half, explained = least_squares(np.array(terms), np.array(response))
    assert np.isnan([*found, *half, explained]).all()


def test_the_regressions_are_of_each_k_and_of_spread_alone_and_with_sparsity():
    draw = np.random.default_rng(2)
    table = pd.DataFrame({"logit_spread": draw.random(9), "sparsity": 90 * draw.random(9)})
    table["entropy_shared"] = 1 + 5 * table["logit_spread"] + 0.1 * table["sparsity"]
    table["entropy_authors"] = 2 - table["logit_spread"]
    found = regressions(table.assign(dataset="mnist", shared_levels=7, authors_levels=11))
    assert found["levels"].tolist() == [7] * 5 + [11] * 5
    assert found["term"].tolist() == ["intercept", "logit_spread", "intercept", "logit_spread", "sparsity"] * 2
    both = found[(found["levels"] == 7) & (found["model"] == "logit_spread + sparsity")]
    assert both["coefficient"].tolist() == pytest.approx([1, 5, 0.1])
    assert (both["low"] <= both["coefficient"]).all()
    assert both["r2"].tolist() == pytest.approx([1] * 3)
    assert found["r2"].iloc[0] < 0.99
    assert set(found["networks"]) == {9}


def test_files_are_written_and_read_back(results, tmp_path, monkeypatch):
    monkeypatch.setattr("rem.tables.dose_response.read_results", lambda *_: results)
    paths = []
    for number, history in enumerate(histories(results)):
        paths.append(tmp_path / f"{number}.csv")
        history.to_csv(paths[-1], index=False)
    runs = [tmp_path / "run.yaml"] * len(paths)
    write_dose_response(tmp_path / "metrics.csv", runs, paths, tmp_path / "made")
    names = {f"{stem}.{suffix}" for stem in ("dose_response", "regression") for suffix in ("csv", "md", "tex")}
    assert {path.name for path in (tmp_path / "made").iterdir()} == names
    read = read_dose_response(tmp_path / "made/dose_response.csv")
    pd.testing.assert_frame_equal(read, dose_response(results, histories(results)), check_dtype=False)
    text = (tmp_path / "made/dose_response.md").read_text(encoding="utf-8")
    assert "at K = 7, which the dataset's networks share, and at the authors' K = 11." in text
    assert "| mnist     | zeros  | 1.00   | 42     | 97.00" in text
    for name in names:
        assert "nan" not in (tmp_path / "made" / name).read_text(encoding="utf-8")
    with pytest.raises(RemError, match=r"8 runs have 7 histories; give one history\.csv a run"):
        write_dose_response(tmp_path / "metrics.csv", runs, paths[1:], tmp_path / "made")

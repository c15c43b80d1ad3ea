"""The headline is that of the summary, for each of the two networks of a dataset."""

import json

import pytest

from rem.errors import RemError
from rem.tables.headline import headline

NETWORK = {"accuracy": 98.0933, "entropy": 7.2111, "band_entropy": 7.143, "sparsity": 0.0}


def test_a_row_a_network_and_where_to_look_next(tmp_path):
    summary = {"digits": {"levels": 7, "seeds": 3, "baseline": NETWORK, "rem": NETWORK | {"sparsity": 52.5512}}}
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    lines = headline(tmp_path / "summary.json", "trial").splitlines()
    assert lines[0].split() == [
        "dataset",
        "K",
        "seeds",
        "network",
        "accuracy",
        "(%)",
        "entropy",
        "(bits)",
        *("entropy", "over", "the", "band", "(bits)"),
        "sparsity",
        "(%)",
    ]
    assert lines[2].split() == ["digits", "7", "3", "CapsNet+Q", "98.09", "7.21", "7.14", "0.00"]
    assert lines[3].split() == ["digits", "7", "3", "CapsNet+REM", "98.09", "7.21", "7.14", "52.55"]
    assert "results/trial/tables/claims.md" in lines[4]


def test_a_dataset_without_one_of_them_has_one_row(tmp_path):
    (tmp_path / "summary.json").write_text(
        json.dumps({"a": {"levels": 7, "seeds": 1, "rem": NETWORK}}), encoding="utf-8"
    )
    assert headline(tmp_path / "summary.json", "trial").count("CapsNet") == 1


def test_what_is_no_summary_is_one_sentence(tmp_path):
    (tmp_path / "summary.json").write_text('{"a": 3}', encoding="utf-8")
    (tmp_path / "list.json").write_text("[1, 2]", encoding="utf-8")
    for path in (tmp_path / "summary.json", tmp_path / "list.json", tmp_path / "none.json"):
        with pytest.raises(RemError, match=r"is no summary of a run .*make it again \(rem tables\)\.$"):
            headline(path, "trial")


def test_what_was_not_measured_is_a_dash(tmp_path):
    without = {metric: value for metric, value in NETWORK.items() if metric != "band_entropy"}
    (tmp_path / "summary.json").write_text(
        json.dumps({"a": {"levels": 7, "seeds": 1, "rem": without}}), encoding="utf-8"
    )
    assert headline(tmp_path / "summary.json", "trial").splitlines()[2].split()[-2:] == ["-", "0.00"]

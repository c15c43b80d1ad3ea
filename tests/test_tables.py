"""Tables of hand-made measurements: means, spreads and medians worked out by hand."""

from pathlib import Path

import pandas as pd
import pytest
from measurements import metrics, run_yaml

from rem.files import RemError
from rem.results import read_results
from rem.tables import TABLES, numbers, write_tables

CONFIG = Path(__file__).parents[1] / "config"
SUFFIXES = (".csv", ".md", ".tex")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    runs = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    yamls = [run_yaml(folder, *run) for run in [*runs, ("shapes", "baseline", 42)]]
    return read_results(metrics(folder), yamls)


def table(results, number):
    return numbers(next(table for table in TABLES if table.number == number), results, 11)


def test_table_2_compares_the_first_with_the_best_epoch(results):
    frame = table(results, 2)
    assert frame["model"].tolist() == ["CapsNet_1+Q", "CapsNet_best+Q"] * 2
    assert frame["levels"].tolist() == [7, 7, 11, 11]
    assert frame["epoch_median"].tolist() == [1, 10, 1, 10]
    assert frame["accuracy_mean"].tolist() == [80, 95, 80, 95]
    assert frame["accuracy_std_seeds"].tolist() == [1] * 4


def test_table_3_has_medians_of_keys_and_the_images_that_bound_them(results):
    first = table(results, 3).iloc[0]
    assert first[["keys_0", "keys_1", "keys_total", "images_0", "images_total"]].tolist() == [40, 40, 80, 50, 100]


def test_table_4_quantizes_only_where_it_says_so(results):
    frame = table(results, 4)
    assert frame["model"].tolist() == ["CapsNet", "CapsNet (pruned)"] + ["CapsNet+Q", "CapsNet+REM"] * 2
    assert frame["levels"].isna().tolist() == [True, True] + [False] * 4
    assert frame["accuracy_mean"].tolist() == [97, 97, 95, 94, 95, 94]
    assert frame["sparsity_median"].tolist() == [0, 60] * 3
    assert frame["checkpoint"].tolist() == ["best", "last"] * 3


def test_table_5_names_both_spreads_of_the_entropy(results):
    frame = table(results, 5)
    rem = frame[(frame["model"] == "CapsNet+REM") & (frame["levels"] == 7)].iloc[0]
    assert rem[["entropy_mean", "entropy_std_seeds"]].tolist() == [2, 1]  # Eq. 9: 1, 2, 3
    assert rem["entropy_std_classes"] == pytest.approx(2**0.5)  # H_j averaged over seeds: 1, 3
    assert rem[["keys_1", "entropy_ceiling_mean", "coverage_mean"]].tolist() == [8, 6.5, 0.5]


def test_one_seed_has_no_spread_over_seeds(results):
    row = table(results, 6).iloc[0]
    assert row["dataset"] == "shapes"
    assert pd.isna(row["accuracy_std_seeds"])
    assert pd.isna(row["entropy_std_seeds"])
    assert row["entropy_std_classes"] == pytest.approx(2**0.5)


def test_files(tmp_path):
    yamls = [run_yaml(tmp_path, "shapes", "baseline", 42)]
    write_tables(metrics(tmp_path), CONFIG / "published.yaml", yamls, "trial", 11, tmp_path / "tables")
    written = {path.name for path in (tmp_path / "tables").iterdir()}
    assert written == {f"table{n}{suffix}" for n in range(2, 7) for suffix in SUFFIXES} | {
        "paper_vs_ours.csv",
        "paper_vs_ours.md",
    }
    text = {suffix: (tmp_path / "tables" / f"table6{suffix}").read_text() for suffix in SUFFIXES}
    assert text[".md"].startswith("Table 6.")
    assert "n = 1 seeds (42)" in text[".md"]
    assert "| shapes (in CIFAR10's place) | CapsNet+Q | 7   | 94.00" in text[".md"]
    assert r"Accuracy (\%)" in text[".tex"]
    for content in text.values():
        assert "nan" not in content.lower()
    for suffix in SUFFIXES:
        assert "mnist, which is not among the datasets" in (tmp_path / "tables" / f"table2{suffix}").read_text()


def test_text_shows_mean_and_spread(tmp_path):
    yamls = [run_yaml(tmp_path, "mnist", "baseline", seed) for seed in (42, 43, 44)]
    write_tables(metrics(tmp_path), CONFIG / "published.yaml", yamls, "trial", 11, tmp_path / "tables")
    assert "95.00 ± 1.00" in (tmp_path / "tables" / "table4.md").read_text()
    assert r"95.00 $\pm$ 1.00" in (tmp_path / "tables" / "table4.tex").read_text()
    assert "40/50" in (tmp_path / "tables" / "table3.md").read_text()


def test_incomplete_metrics_are_refused(tmp_path):
    path = metrics(tmp_path)
    with pytest.raises(RemError, match="no row for the run mnist/baseline/seed7"):
        read_results(path, [run_yaml(tmp_path, "mnist", "baseline", 7)])
    yamls = [run_yaml(tmp_path, "fashion-mnist", "baseline", 42)]
    with pytest.raises(RemError, match="no shared_levels for dataset fashion-mnist"):
        read_results(path, yamls)
    frame = pd.read_csv(path)
    pd.concat([frame, frame.tail(1)]).to_csv(path, index=False)
    with pytest.raises(RemError, match="two rows"):
        read_results(path, [run_yaml(tmp_path, "shapes", "baseline", 42)])
    frame.drop(columns="split").to_csv(path, index=False)
    with pytest.raises(RemError, match="lacks the column split"):
        read_results(path, yamls)
    with pytest.raises(RemError, match="cannot be read"):
        read_results(tmp_path / "absent.csv", yamls)

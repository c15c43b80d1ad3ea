"""`config/published.yaml` against the paper, and the comparison against `metrics.csv`."""

import dataclasses
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from measurements import metrics, run_yaml, settings

from rem.errors import RemError
from rem.tables.measurements import read_results
from rem.tables.published import compare, read_published, write_comparison

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"


@pytest.fixture(scope="module")
def entries():
    return read_published(PUBLISHED)


@pytest.fixture(scope="module")
def comparison(entries, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    csv, yamls = metrics(folder), [run_yaml(folder, "mnist", v, s) for v in ("baseline", "rem") for s in (42, 43, 44)]
    yamls += [run_yaml(folder, "shapes", "baseline", 42)]
    return compare(entries, read_results(csv, yamls))


def test_every_printed_number_is_there(entries):
    assert Counter(entry.table for entry in entries) == {2: 4, 3: 10, 4: 8, 5: 24, 6: 18, 7: 16}
    cells = [(entry.table, entry.row, entry.column) for entry in entries]
    assert len(set(cells)) == len(cells)


def test_the_keys_of_table_3_sum_to_the_total_in_the_text(entries):
    assert sum(entry.value for entry in entries if entry.table == 3) == 8147


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "spread"),
    [
        (2, "CapsNet_1+Q", "Entropy", 1.83, None),
        (3, "CapsNet_190+Q", "#9", 591, None),
        (4, "CapsNet (pruned)", "Accuracy", 99.58, 0.03),
        (5, "CapsNet+REM", "#8", 310, None),
        (5, "CapsNet+REM", "Entropy", 4.16, 1.59),
        (6, "CapsNet+Q", "CIFAR10 Accuracy", 78.42, 2.6),
        (6, "CapsNet+REM", "T-ImageNet Accuracy", 54.02, 0.14),
        (7, "CapsNet+REM (under-trained)", "affNIST Sparsity", 71.26, None),
        (7, "CapsNet+REM (well-trained)", "expanded MNIST Accuracy", 99.48, 0.02),
    ],
)
def test_numbers_read_off_the_paper(entries, table, row, column, value, spread):
    (entry,) = [e for e in entries if (e.table, e.row, e.column) == (table, row, column)]
    assert (entry.value, entry.spread) == (value, spread)


def test_only_the_doubled_cells_are_suspect(entries):
    assert [(e.table, e.value, e.spread) for e in entries if e.suspect] == [
        (6, 8.64, 1.15),
        (7, 8.64, 1.15),
        (7, 8.45, 1.10),
        (7, 8.45, 0.99),
    ]


def test_an_entry_with_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "published.yaml"
    path.write_text("- {table: 2, colour: red}\n", encoding="utf-8")
    with pytest.raises(RemError, match="entry 1"):
        read_published(path)


def test_ours_is_traced_to_the_metrics(comparison):
    rows = comparison.query("table == 5 and row == 'CapsNet+Q' and column == 'Entropy'").set_index("levels")
    assert list(rows.index) == [7, 11]
    # Eq. 9 of the three seeds at K = 7: 4, 5, 6; H_j averaged over seeds: 4 and 6
    assert rows.loc[7, ["ours", "ours_std", "ours_ceiling"]].tolist() == [5, 1, 6.5]
    assert rows.loc[7, "ours_std_classes"] == pytest.approx(2**0.5)
    assert rows.loc[7, "difference"] == pytest.approx(5 - 9.53)
    assert rows.loc[7, ["seeds", "our_data", "checkpoint"]].tolist() == [3, "mnist-sample", "best"]


def test_keys_are_medians_and_sparsity_has_no_levels(comparison):
    keys = comparison.query("table == 5 and row == 'CapsNet+REM' and column == '#1' and levels == 7")
    assert keys[["ours", "ours_ceiling"]].values.tolist() == [[8, 50]]
    sparsity = comparison.query("table == 5 and row == 'CapsNet+REM' and column == 'Sparsity'")
    assert sparsity[["ours", "ours_min", "ours_max"]].values.tolist() == [[60, 60, 70]]
    assert sparsity["levels"].isna().all()


def test_what_this_config_does_not_compute_says_why(comparison):
    missing = comparison[comparison["ours"].isna()].set_index(["table", "row", "column"])["reason"]
    assert "affnist is not the transfer set" in missing[7, "CapsNet+Q (well-trained)", "affNIST Entropy"]
    assert "shapes stands in its place" in missing[6, "CapsNet+Q", "CIFAR10 Accuracy"]
    assert "not measured" in missing[3, "CapsNet_190+Q", "#9"].iloc[0]
    assert (missing != "").all()


@pytest.fixture(scope="module")
def transferred(tmp_path_factory):
    """metrics.csv of all the paper's tables: mnist's measurements, under expanded-mnist with early and transfer too."""
    folder = tmp_path_factory.mktemp("transferred")
    frame = pd.read_csv(metrics(folder))
    placed = frame[frame["dataset"] == "mnist"].assign(dataset="expanded-mnist")
    placed.loc[placed["checkpoint"] == "first", "checkpoint"] = "early"
    further = placed[placed["split"] == "test"].assign(split="transfer", value=lambda rows: rows["value"] * 0.9)
    pd.concat([frame, placed, further]).to_csv(folder / "metrics.csv", index=False)
    runs = [(variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    yamls = [run_yaml(folder, name, *run) for name in ("mnist", "expanded-mnist") for run in runs]
    return folder / "metrics.csv", read_results(folder / "metrics.csv", yamls)


def transferred_to(results, source):
    """The same measurements, had the transfer set come from another source."""
    runs = [settings(run.dataset, run.variant, run.seed, transfer=source) for run in results.runs]
    return dataclasses.replace(results, runs=runs)


def test_every_number_is_that_of_the_rows_it_names(entries, transferred):
    csv, results = transferred
    raw = pd.read_csv(csv)
    made = compare(entries, transferred_to(results, "affnist")).query("ours.notna()")
    assert set(made["table"]) == {2, 3, 4, 5, 7}
    for row in made.to_dict("records"):
        own = raw
        for column in ("variant", "checkpoint", "split", "levels", "class", "metric"):
            own = own[own[column].isna() if pd.isna(row[column]) else own[column] == row[column]]
        own = own.loc[own["dataset"] == row["our_dataset"], "value"]
        assert len(own) == row["seeds"] == 3
        assert row["ours"] == pytest.approx(own.median() if row["metric"] in ("keys", "sparsity") else own.mean())
        assert row["ours_std"] == pytest.approx(own.std())
        assert row["difference"] == pytest.approx(row["ours"] - row["published"])


def test_affnist_is_compared_with_affnist_alone(entries, transferred):
    def of_affnist(source):
        return compare(entries, transferred_to(transferred[1], source)).query("dataset == 'affnist'")

    real = of_affnist("affnist").query("row == 'CapsNet+REM (under-trained)' and levels == 7")
    assert real[["column", "ours"]].values.tolist() == [["affNIST Accuracy", 0.9 * 80], ["affNIST Entropy", 0.9 * 2]]
    assert set(real["checkpoint"]) == {"early"}
    assert set(real["our_data"]) == {"affnist"}
    other = of_affnist("affnist-like-sample")
    assert other["ours"].isna().all()
    assert other["reason"].str.contains("affnist-like-sample stands in the place of affNIST").all()
    assert of_affnist("mnist")["reason"].str.contains("affnist is not the transfer set").all()


def test_written_comparison(comparison, tmp_path):
    write_comparison(comparison, "trial", tmp_path)
    pd.testing.assert_series_equal(pd.read_csv(tmp_path / "paper_vs_ours.csv")["ours"], comparison["ours"])
    text = (tmp_path / "paper_vs_ours.md").read_text(encoding="utf-8")
    assert "config `trial`" in text
    assert "8.64 ± 1.15 (classes) **(suspect)**" in text
    assert "nan" not in text.lower()
    assert "60.00 (60.00 to 70.00)" in text
    assert "Ours divide by n - 1; the authors' code divides by n" in text.replace("\n", " ")

"""Tables of hand-made measurements: means, spreads and medians worked out by hand."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from measurements import made_results, metrics, run_yaml

from rem.errors import RemError
from rem.tables.measurements import read_results
from rem.tables.paper import CONTROLS, TABLES, transfer_note, write_controls, write_tables
from rem.tables.table import caption, numbers, read_table, readable, write_table

CONFIG = Path(__file__).parents[2] / "config"
SUFFIXES = (".csv", ".md", ".tex")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    runs = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    yamls = [run_yaml(folder, *run) for run in [*runs, ("shapes", "baseline", 42)]]
    return read_results(metrics(folder), yamls)


def declared(which):
    return next(table for table in TABLES if table.stem == f"table{which}")


def table(results, which):
    return numbers(declared(which), results, "mnist")


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
    assert frame["dose_median"].tolist() == [0, 1.34] * 3
    assert frame["checkpoint"].tolist() == ["best", "last"] * 3


def test_the_range_of_the_sparsity_stands_beside_its_median_where_seeds_differ(results, tmp_path):
    frame = table(results, 4)
    assert frame[["sparsity_min", "sparsity_max"]].values.tolist() == [[0, 0], [60, 70]] * 3
    assert (
        readable(declared(4), frame, results.names)["Sparsity (%)"].tolist() == ["0.00", "60.00 (60.00 to 70.00)"] * 3
    )
    write_table(declared(4), results, "mnist", tmp_path)
    for suffix in (".md", ".tex"):
        assert "60.00 (60.00 to 70.00)" in (tmp_path / f"table4{suffix}").read_text(encoding="utf-8")
    read = read_table(declared(4), tmp_path / "table4.csv")
    assert read["sparsity_max"].tolist() == [0, 70] * 3


def test_the_caption_says_where_the_levels_are_cells(results):
    frame, in_cells = table(results, 4), dataclasses.replace(results, in_cells=frozenset(["mnist"]))
    assert "cells" not in caption(declared(4), frame, results)
    told = "authors' K = 11, the K levels being cells [k/K, (k + 1)/K)"
    assert told in caption(declared(4), frame, in_cells)


def test_the_caption_names_a_model_of_fewer_seeds(results):
    frame = table(results, 4)
    assert "n = 3 seeds (42, 43, 44), shared K" in caption(declared(4), frame, results)
    fewer = frame.assign(seeds=frame["seeds"].where(frame["model"] != "CapsNet+REM", 1))
    assert "n = 3 seeds (42, 43, 44), but CapsNet+REM n = 1, shared K" in caption(declared(4), fewer, results)


def test_table_5_names_both_spreads_of_the_entropy(results):
    frame = table(results, 5)
    rem = frame[(frame["model"] == "CapsNet+REM") & (frame["levels"] == 7)].iloc[0]
    assert rem[["entropy_mean", "entropy_std_seeds"]].tolist() == [2, 1]  # Eq. 9: 1, 2, 3
    assert rem["entropy_std_classes"] == pytest.approx(2**0.5)  # H_j averaged over seeds: 1, 3
    assert rem[["keys_1", "entropy_ceiling_mean", "coverage_mean"]].tolist() == [8, 6.5, 0.5]


def test_table_5_leaves_blank_what_is_blank_and_says_why(tmp_path):
    frame = pd.read_csv(metrics(tmp_path))
    frame.loc[(frame["metric"] == "entropy_chao_shen") & (frame["seed"] == 43), "value"] = None
    frame.to_csv(tmp_path / "metrics.csv", index=False)
    yamls = [run_yaml(tmp_path, "mnist", "rem", seed) for seed in (42, 43, 44)]
    write_tables(tmp_path / "metrics.csv", CONFIG / "published.yaml", yamls, "trial", "mnist", tmp_path / "tables")
    text = (tmp_path / "tables/table5.md").read_text(encoding="utf-8")
    assert "blank where a class of any seed has a coverage below 0.1" in text
    assert "lower bound: the share of the networks" in text
    assert "nan" not in text.lower()
    assert pd.read_csv(tmp_path / "tables/table5.csv")[
        ["entropy_chao_shen_mean", "lower_bound_mean"]
    ].isna().sum().tolist() == [
        2,
        0,
    ]


def test_one_seed_has_no_spread_over_seeds(results):
    row = table(results, 6).iloc[0]
    assert row["dataset"] == "shapes"
    assert pd.isna(row["accuracy_std_seeds"])
    assert pd.isna(row["entropy_std_seeds"])
    assert row["entropy_std_classes"] == pytest.approx(2**0.5)


def test_files(tmp_path):
    yamls = [run_yaml(tmp_path, "shapes", "baseline", 42)]
    write_tables(metrics(tmp_path), CONFIG / "published.yaml", yamls, "trial", "mnist", tmp_path / "tables")
    written = {path.name for path in (tmp_path / "tables").iterdir()}
    tables = [*range(2, 8), "_decoder"]
    assert written == {f"table{which}{suffix}" for which in tables for suffix in SUFFIXES} | {
        "paper_vs_ours.csv",
        "paper_vs_ours.md",
        "summary.json",
    }
    text = {suffix: (tmp_path / "tables" / f"table6{suffix}").read_text(encoding="utf-8") for suffix in SUFFIXES}
    assert text[".md"].startswith("Table 6.")
    assert "n = 1 seeds (42)" in text[".md"]
    assert "| shapes (in CIFAR10's place) | CapsNet+Q | 7   | 94.00" in text[".md"]
    assert r"Accuracy (\%)" in text[".tex"]
    for content in text.values():
        assert "nan" not in content.lower()
    for suffix in SUFFIXES:
        lacking = (tmp_path / "tables" / f"table2{suffix}").read_text(encoding="utf-8")
        assert "Table 2 needs the variant baseline of mnist, which these runs lack" in lacking


def test_text_shows_mean_and_spread(tmp_path):
    yamls = [run_yaml(tmp_path, "mnist", "baseline", seed) for seed in (42, 43, 44)]
    write_tables(metrics(tmp_path), CONFIG / "published.yaml", yamls, "trial", "mnist", tmp_path / "tables")
    assert "95.00 ± 1.00" in (tmp_path / "tables" / "table4.md").read_text(encoding="utf-8")
    assert r"95.00 $\pm$ 1.00" in (tmp_path / "tables" / "table4.tex").read_text(encoding="utf-8")
    assert "40/50" in (tmp_path / "tables" / "table3.md").read_text(encoding="utf-8")


def measured(*networks, metrics=("accuracy", "sparsity", "entropy"), levels=(0, 7, 11)):
    """Two seeds of each (dataset, variant, checkpoint, split), all of 1 and 3."""
    return made_results(
        {(*network, level, metric): [1, 3] for network in networks for level in levels for metric in metrics}
    )


def test_rows_are_those_of_the_variants_that_were_run():
    alone = measured(("mnist", "baseline", "best", "test"))
    assert table(alone, 4)["model"].tolist() == ["CapsNet", "CapsNet+Q", "CapsNet+Q"]
    assert table(alone, 5)["model"].tolist() == ["CapsNet+Q"] * 2
    third = measured(*[("mnist", variant, "last", "test") for variant in ("rem", "mine")])
    assert table(third, 4)["model"].tolist() == ["CapsNet (pruned)", "mine", *["CapsNet+REM", "mine"] * 2]
    assert table(third, 2).empty
    assert table(third, 3).empty


def test_tables_2_to_5_are_of_the_main_dataset_and_table_6_of_the_others():
    results = measured(*[(name, "baseline", "best", "test") for name in ("mnist", "shapes-20", "leaves")])
    assert set(numbers(declared(4), results, "leaves")["dataset"]) == {"leaves"}
    assert table(results, 6)["dataset"].unique().tolist() == ["shapes-20", "leaves"]
    shown = readable(declared(6), table(results, 6), results.names)["Dataset"]
    assert shown.unique().tolist() == ["shapes-20 (in Tiny ImageNet's place)", "leaves"]


@pytest.fixture
def transferred():
    values = {}
    for variant, last, drop in (("baseline", "best", 0), ("rem", "last", 2)):
        for checkpoint, accuracy in (("early", 90), (last, 98)):
            for levels in (0, 7, 11):
                where = ("expanded-mnist", variant, checkpoint)
                values[*where, "test", levels, "accuracy"] = [accuracy, accuracy + 1]
                values[*where, "transfer", levels, "accuracy"] = [accuracy - 20, accuracy - 18]
                values[*where, "test", levels, "entropy"] = [9, 9]
                values[*where, "transfer", levels, "entropy"] = [6 - drop, 7 - drop]
            values[*where, "", 0, "sparsity"] = [10 * drop] * 2
    return made_results(values)


def test_table_7_has_the_under_trained_networks_and_then_the_well_trained(transferred):
    frame = table(transferred, 7).query("levels == 7")
    assert frame["model"].tolist() == [
        f"CapsNet+{name} ({state}-trained)" for state in ("under", "well") for name in ("Q", "REM")
    ]
    assert frame["checkpoint"].tolist() == ["early", "early", "best", "last"]
    assert frame["accuracy_mean"].tolist() == [90.5, 90.5, 98.5, 98.5]
    assert frame["accuracy_transfer_mean"].tolist() == [71, 71, 79, 79]
    assert frame["entropy_transfer_mean"].tolist() == [6.5, 4.5] * 2
    assert frame["sparsity_median"].tolist() == [0, 20] * 2


def test_a_dataset_with_a_transfer_set_is_not_in_table_6(transferred):
    assert table(transferred, 6).empty


def test_table_7_says_what_the_transfer_set_is_not_and_who_stopped_short(transferred):
    def note(source, aimed, validation="test"):
        changed = []
        for run in transferred.runs:
            data = run.data.model_copy(update={"transfer": source, "validation": validation})
            training = run.training.model_copy(update={"early_accuracy": aimed})
            changed.append(run.model_copy(update={"data": data, "training": training}))
        return transfer_note(dataclasses.replace(transferred, runs=changed))

    assert "It is not affNIST." in note("affnist-like-sample", 90.0)
    assert "not affNIST" not in note("affnist", 90.0)
    assert "a validation accuracy of 90 %" in note("affnist", 90.0)
    assert "every network reached it" in note("affnist", 90.0)
    assert "CapsNet+Q seed 42 (90.00 %), CapsNet+REM seed 42 (90.00 %) did not reach it" in note("affnist", 90.5)
    assert "history.csv" in note("affnist", 90.0, validation=500)


def test_networks_with_a_decoder_have_a_table_of_their_own():
    variants = {"baseline": "best", "rem": "last", "baseline-decoder": "best", "rem-decoder": "last"}
    results = measured(*[("shapes", variant, checkpoint, "test") for variant, checkpoint in variants.items()])
    assert table(results, "_decoder").query("levels == 7")["model"].tolist() == [
        *("CapsNet+Q", "CapsNet+REM", "CapsNet+Q, decoder", "CapsNet+REM, decoder")
    ]
    assert table(results, 6).query("levels == 7")["variant"].tolist() == ["baseline", "rem"]


def test_controls_stand_beside_the_paper_s_networks(tmp_path):
    names = ("accuracy", "keys", "uniform_share", "near_uniform_share", "strongest_coupling", "sparsity_class_blocks")
    variants = ("rem", "penalty", "rem-votes")
    results = measured(*[("mnist", variant, "last", "test") for variant in variants], metrics=names)
    frame = numbers(CONTROLS, results, "")
    assert frame["model"].tolist() == ["CapsNet+REM", "penalty", "rem-votes"] * 2
    for name in names[2:]:
        assert frame[f"{name}_mean"].tolist() == [2] * 6
    assert frame["keys_median"].tolist() == [2] * 6
    write_table(CONTROLS, results, "", tmp_path)
    assert "| mnist     | penalty     | 7   | 2.00 ± 1.41" in (tmp_path / "table_controls.md").read_text(
        encoding="utf-8"
    )


def test_the_controls_are_written_from_files(tmp_path):
    write_controls(metrics(tmp_path), [run_yaml(tmp_path, "shapes", "baseline", 42)], tmp_path / "tables")
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {f"table_controls{suffix}" for suffix in SUFFIXES}


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
    with pytest.raises(RemError, match="is missing; run the command that makes it"):
        read_results(tmp_path / "absent.csv", yamls)

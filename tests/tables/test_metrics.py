"""The tidy table: every measured value is there, once, and is what its file says."""

import numpy as np
import pandas as pd
import pytest
import tiny

from rem.errors import RemError
from rem.tables.metrics import COLUMNS, write_metrics
from rem.tables.quantities import METRICS

NETWORK = {"dataset": "thirds", "variant": "rem", "seed": 7, "checkpoint": "last", "layer": 1}
SHARES = {"convolution": 0.1, "primary": 0.2, "class": 0.3, "class_blocks": 0.05, "all": 0.25}


def couplings(path, split, scale=1.0, **attributes):
    """Values that differ from each other, and by `scale` from those of other files."""
    return tiny.write_couplings(
        path,
        tiny.run("rem", 7),
        accuracies={2: 50.0 * scale, 3: 60.0 * scale},
        losses={2: 0.5 * scale, 3: 0.4 * scale},
        strongest=[0.25 * scale, 0.5 * scale],
        sparsity=SHARES,
        near_uniform_share=0.75 * scale,
        dose=1.5,
        **{"checkpoint": "last", "split": split, "epoch": 9, "accuracy": 70 * scale, "loss": 0.3 * scale} | attributes,
    )


def entropies(path, **changed):
    """A table of three classes and of all at K = 3; nobody predicted class 1."""
    rows = pd.DataFrame(
        {
            **NETWORK,
            "split": "test",
            "levels": 3,
            "class": [0, 1, 2, None],
            "images": [10, 0, 5, 15],
            "keys": [4, 0, 5, 9],
            "entropy": [1.5, 0.0, 2.25, 1.25],
            "entropy_low": [1.25, 0.0, 2.5, 1.125],
            "entropy_high": [2.25, 0.0, 2.5, 1.5],
            "entropy_ceiling": [3.25, 0.0, 2.5, 23 / 12],
            "entropy_miller_madow": [1.75, 0.0, 2.75, 1.5],
            "entropy_chao_shen": [2.0, 0.0, 4.0, 2.0],
            "coverage": [0.75, 0.0, 0.25, 1 / 3],
            "lower_bound": [1, 0, 1, 1],
            "uniform_share": [0.5, np.nan, 0.25, 0.375],
        }
    ).assign(**changed)
    rows.to_csv(path, index=False)
    return path


def levels(path):
    """Two networks: lowest K 2 and 3, shared 3, the authors' 2, a band of 3 and 4."""
    rows = pd.DataFrame(
        {
            "dataset": "thirds",
            "variant": np.repeat(["baseline", "rem"], 3),
            "seed": 7,
            "checkpoint": np.repeat(["best", "last"], 3),
            "levels": [2, 3, 4] * 2,
            "accuracy": 90.0,
            "unquantized": 90.0,
            "loss": 0.1,
            "lowest": [True, False, False, False, True, False],
            "shared": [False, True, False] * 2,
            "band": [False, True, True] * 2,
            "authors": [True, False, False] * 2,
            "cells": True,
        }
    )
    rows.to_csv(path, index=False)
    return path


def sweep(path, **changed):
    """Of that network at K = 2, 3 and 4."""
    rows = pd.DataFrame(
        NETWORK
        | {
            "split": "test",
            "levels": [2, 3, 4],
            "accuracy": [50.0, 60.0, 70.0],
            "entropy": [0.5, 1.25, 2.75],
            "entropy_ceiling": 23 / 12,
            "entropy_chao_shen": [0.75, 2.0, 3.0],
            "keys": [4, 9, 12],
            "uniform_share": [0.5, 0.375, 0.25],
        }
    ).assign(**changed)
    rows.to_csv(path, index=False)
    return path


@pytest.fixture
def table(tmp_path):
    files = [couplings(tmp_path / "test.h5", "test"), couplings(tmp_path / "val.h5", "val", 0.5)]
    tables = [entropies(tmp_path / "e.csv")], [sweep(tmp_path / "s.csv")], [levels(tmp_path / "l.csv")]
    write_metrics(files, *tables, tmp_path / "metrics.csv")
    return pd.read_csv(tmp_path / "metrics.csv")


def value(table, metric, **where):
    """The value of the one row that has these keys and no others."""
    wanted = dict.fromkeys(COLUMNS[:-2]) | where
    rows = table[table["metric"] == metric]
    for column, key in wanted.items():
        rows = rows[rows[column].isna()] if key is None else rows[rows[column] == key]
    assert len(rows) == 1, (metric, where, len(rows))
    return rows["value"].item()


def test_columns(table):
    assert list(table.columns) == [
        "dataset",
        "variant",
        "seed",
        "checkpoint",
        "split",
        "layer",
        "levels",
        "class",
        "metric",
        "value",
    ]


@pytest.mark.parametrize(("split", "scale"), [("test", 1.0), ("val", 0.5)])
def test_accuracies_and_losses_are_those_of_the_couplings_files(table, split, scale):
    at = NETWORK | {"split": split}
    assert value(table, "accuracy", **at) == 70 * scale
    assert value(table, "loss", **at) == pytest.approx(0.3 * scale)
    assert value(table, "strongest_coupling", **at) == pytest.approx(0.375 * scale)
    assert value(table, "near_uniform_share", **at) == 0.75 * scale
    assert [value(table, "accuracy", levels=k, **at) for k in (2, 3)] == [50 * scale, 60 * scale]
    assert [value(table, "loss", levels=k, **at) for k in (2, 3)] == pytest.approx([0.5 * scale, 0.4 * scale])


def test_the_dose_of_an_imported_network_is_not_known(tmp_path):
    files = [couplings(tmp_path / "test.h5", "test", epoch=0)], [entropies(tmp_path / "e.csv")]
    swept = [sweep(tmp_path / "s.csv")]
    write_metrics(*files, swept, [levels(tmp_path / "l.csv")], tmp_path / "metrics.csv")
    assert "dose" not in pd.read_csv(tmp_path / "metrics.csv")["metric"].tolist()


def test_epoch_dose_and_sparsities_belong_to_the_network_and_come_once(table):
    assert value(table, "epoch", **NETWORK) == 9
    assert value(table, "dose", **NETWORK) == 1.5
    assert value(table, "sparsity", **NETWORK) == 25
    for name in ("convolution", "primary", "class", "class_blocks"):
        assert value(table, f"sparsity_{name}", **NETWORK) == pytest.approx(100 * SHARES[name])


@pytest.mark.parametrize("label", [0, 1, 2])
def test_entropies_of_a_class_are_those_of_the_entropy_table(table, tmp_path, label):
    row = pd.read_csv(tmp_path / "e.csv").set_index("class").loc[label]
    for metric in row.index[7:]:
        measured = value(table, metric, split="test", levels=3, **{"class": label}, **NETWORK)
        assert measured == pytest.approx(row[metric], nan_ok=True)


def test_what_the_entropy_table_has_of_a_whole_split_has_no_class(table):
    at = NETWORK | {"split": "test", "levels": 3}
    assert value(table, "entropy", **at) == 1.25
    assert (value(table, "entropy_low", **at), value(table, "entropy_high", **at)) == (1.125, 1.5)
    assert (value(table, "images", **at), value(table, "keys", **at)) == (15, 9)
    assert value(table, "uniform_share", **at) == 0.375
    assert value(table, "lower_bound", **at) == 1


def test_lowest_levels_are_a_networks_and_shared_and_published_levels_the_datasets(table):
    baseline = {"dataset": "thirds", "variant": "baseline", "seed": 7, "checkpoint": "best", "layer": 1}
    assert value(table, "lowest_levels", split="val", **baseline) == 2
    assert value(table, "lowest_levels", split="val", **NETWORK) == 3
    assert value(table, "shared_levels", dataset="thirds", split="val") == 3
    assert value(table, "authors_levels", dataset="thirds", split="val") == 2
    assert value(table, "cells", dataset="thirds", split="val") == 1
    assert table["metric"].isin(["shared_levels", "authors_levels", "cells"]).sum() == 3


def test_the_band_and_what_was_measured_over_it(table):
    assert sorted(table.loc[table["metric"] == "band", "value"]) == [3, 4]
    at = NETWORK | {"split": "test"}
    assert value(table, "band_entropy", **at) == (1.25 + 2.75) / 2
    assert value(table, "band_keys", **at) == (9 + 12) / 2
    assert value(table, "entropy", levels=4, **at) == 2.75
    assert value(table, "entropy", levels=3, **at) == 1.25  # of the table of entropies, once
    assert table[(table["metric"] == "entropy") & (table["levels"] == 2)].empty  # outside the band


def test_what_depends_on_a_split_or_on_k_is_so_described(table):
    for metric, rows in table.groupby("metric"):
        if metric in METRICS:
            assert METRICS[metric].by_split == rows["split"].notna().any(), metric
            assert METRICS[metric].sweep == rows["levels"].notna().any(), metric


def test_there_is_no_other_row_and_none_twice(table):
    of_couplings = 2 * (4 + 2 * 2)
    of_network = 2 + len(SHARES)
    of_entropies = 11 * (3 + 1)
    of_sweep = 2 + 5  # means over the band; at K = 4, which no table of entropies has
    assert len(table) == of_couplings + of_network + of_entropies + of_sweep + 2 + 3 + 2
    assert not table.duplicated(COLUMNS[:-1]).any()


def test_a_lower_layer_has_rows_of_its_own(tmp_path):
    lower = {2: ([[0.25, 0.5], [0.75, 0.25]], [3, 1], 4)}
    file = couplings(tmp_path / "test.h5", "test", couplings=[[0.5], [0.5]], predicted=[0, 1], lower=lower)
    both = [entropies(tmp_path / "e.csv"), entropies(tmp_path / "f.csv", layer=2, entropy=[9.0, 6.0, 3.0, 6.0])]
    swept = [sweep(tmp_path / "s.csv"), sweep(tmp_path / "t.csv", layer=2, accuracy=np.nan, entropy=[1.0, 5.0, 7.0])]
    write_metrics([file], both, swept, [levels(tmp_path / "l.csv")], tmp_path / "metrics.csv")
    made = pd.read_csv(tmp_path / "metrics.csv")
    below = NETWORK | {"split": "test", "layer": 2}
    assert value(made, "strongest_coupling", **below) == (0.5 + 0.75) / 2
    assert value(made, "near_uniform_share", **below) == 0.5
    assert value(made, "entropy", levels=3, **below) == 6
    assert value(made, "entropy", levels=4, **below) == 7
    assert value(made, "band_entropy", **below) == (5 + 7) / 2
    assert value(made, "entropy", levels=3, **NETWORK | {"split": "test"}) == 1.25
    of = made[made["layer"] == 2]
    assert not set(of["metric"]) & {"accuracy", "loss", "epoch", "sparsity", "lowest_levels"}
    assert made.loc[made["layer"].isna(), "variant"].isna().all()
    assert made.loc[made["layer"].notna(), "variant"].notna().all()


@pytest.mark.parametrize(
    "changed",
    [{"seed": 8}, {"variant": "baseline"}, {"checkpoint": "first"}, {"split": "val"}, {"layer": 2}, {"levels": 2}],
)
def test_networks_splits_and_levels_are_not_mixed(tmp_path, changed):
    tables = [entropies(tmp_path / "e.csv"), entropies(tmp_path / "f.csv", entropy=[9.0, 6.0, 3.0, 6.0], **changed)]
    file = couplings(tmp_path / "test.h5", "test")
    write_metrics([file], tables, [sweep(tmp_path / "s.csv")], [levels(tmp_path / "l.csv")], tmp_path / "metrics.csv")
    made = pd.read_csv(tmp_path / "metrics.csv")
    at = NETWORK | {"split": "test", "levels": 3}
    assert value(made, "entropy", **at) == pytest.approx(1.25)
    assert value(made, "entropy", **at | changed) == pytest.approx(6)


def test_a_file_that_is_not_there_or_lacks_a_column_is_named(tmp_path):
    files = [couplings(tmp_path / "test.h5", "test")], [entropies(tmp_path / "e.csv")]
    files += [sweep(tmp_path / "s.csv")], [levels(tmp_path / "l.csv")]
    for position, missing in enumerate(("none.h5", "none.csv", "none.csv", "none.csv")):
        inputs = [*files[:position], [tmp_path / missing], *files[position + 1 :]]
        with pytest.raises(RemError, match=missing):
            write_metrics(*inputs, tmp_path / "metrics.csv")
    (tmp_path / "l.csv").write_text("dataset,levels\n", encoding="utf-8")
    with pytest.raises(RemError, match=r"l\.csv lacks the column variant"):
        write_metrics(*files, tmp_path / "metrics.csv")
    assert not (tmp_path / "metrics.csv").exists()

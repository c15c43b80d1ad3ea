"""The accuracies of kept networks are those that the couplings' extraction finds."""

import h5py
import pandas as pd
import pytest
import tiny
import torch

from rem.errors import RemError
from rem.training.accuracies import write_accuracies
from rem.training.train import train
from rem.trees.couplings import extract

CPU = torch.device("cpu")


def test_every_kept_epoch_has_a_row_with_the_accuracy_of_its_network_on_either_split(tmp_path):
    data = tiny.write_prepared(tmp_path / "data.h5", tiny.COUNTS | {"transfer": 21})
    run = tiny.run("rem", 7, training={"epochs": 5})
    train(run, data, tmp_path, CPU, keep_every=2)
    write_accuracies(tmp_path / "epochs", data, tmp_path / "accuracies.csv", CPU)
    table = pd.read_csv(tmp_path / "accuracies.csv")
    assert list(table) == ["dataset", "variant", "seed", "epoch", "accuracy", "transfer_accuracy"]
    assert table[["dataset", "variant", "seed"]].drop_duplicates().values.tolist() == [["thirds", "rem", 7]]
    assert table["epoch"].tolist() == [1, 3, 5]
    for row in table.itertuples():
        for split, accuracy in (("test", row.accuracy), ("transfer", row.transfer_accuracy)):
            extract(tmp_path / f"epochs/epoch{row.epoch:04d}.pt", data, split, 3, tmp_path / "couplings.h5", CPU)
            with h5py.File(tmp_path / "couplings.h5") as file:
                assert accuracy == pytest.approx(file.attrs["accuracy"])


def test_a_folder_without_a_network_is_named(tmp_path):
    with pytest.raises(RemError, match=r"epochs has no checkpoint; train with --keep-every first"):
        write_accuracies(tmp_path / "epochs", tmp_path / "data.h5", tmp_path / "accuracies.csv", CPU)

"""Networks measured beside each other: what each is without what is dead in it."""

from pathlib import Path

import pytest
import tiny
import torch

from rem.data.batches import load_split
from rem.errors import RemError
from rem.networks.build import build
from rem.pruning.structure import Kept
from rem.settings.run import Run
from rem.training.checkpoints import load_checkpoint, save_checkpoint
from rem.training.speed import measure_speeds
from rem.training.train import train

CPU = torch.device("cpu")


def saved(path: Path, run: Run) -> Path:
    torch.manual_seed(run.seed)
    model = build(run, CPU)
    if run.structure:
        Kept(model, run.structure).remove(run.structure.epochs - 1)
    save_checkpoint(path, model.state_dict(), run, 3)
    return path


def test_a_network_that_has_become_small_is_as_large_as_one_that_began_so(prepared, tmp_path):
    small = tiny.run("smaller", seed=43, network={"convolution_channels": 1, "primary_types": 1})
    runs = {"whole": tiny.run(), "structured": tiny.run("structured"), "smaller": small}
    paths = [saved(tmp_path / f"{name}.pt", run) for name, run in runs.items()]
    table = measure_speeds(paths, prepared, CPU).set_index("variant")
    assert table["structured"].to_dict() == {"baseline": False, "structured": True, "smaller": False}
    assert table.loc["structured", "seed"] == 42
    assert table.loc["smaller", "seed"] == 43
    counted = ["channels", "types", "capsules", "matrices", "parameters"]
    assert table.loc["baseline", counted].tolist() == [2, 2, 8, 24, 164 + 978 + 288 + 12]
    assert table.loc["structured", counted].tolist() == table.loc["smaller", counted].tolist()
    assert table.loc["structured", counted].tolist() == [1, 1, 4, 12, 82 + 246 + 144 + 12]
    assert table.loc["structured", "multiply_adds"] == table.loc["smaller", "multiply_adds"]
    assert (table[["image_ms", "batch_ms"]] > 0).all(axis=None)


def test_the_accuracy_is_the_share_of_the_test_images_of_which_the_longest_capsule_is_the_class(prepared, tmp_path):
    run = tiny.run("structured", training={"epochs": 3})
    train(run, prepared, tmp_path, CPU)
    model, _, _ = load_checkpoint(tmp_path / "last.pt")
    images, labels = load_split(prepared, "test", run)
    with torch.no_grad():
        correct = [
            int(model(image[None])[0].argmax()) == int(label) for image, label in zip(images, labels, strict=True)
        ]
    (row,) = measure_speeds([tmp_path / "last.pt"], prepared, CPU).itertuples()
    assert row.accuracy == pytest.approx(100 * sum(correct) / 18)


def test_a_network_that_cannot_be_made_compact_is_named(prepared, tmp_path):
    paths = [saved(tmp_path / "whole.pt", tiny.run()), saved(tmp_path / "em.pt", tiny.run(network={"routing": "em"}))]
    with pytest.raises(RemError, match=r"em\.pt has network\.architecture capsnet and network\.routing em; only"):
        measure_speeds(paths, prepared, CPU)

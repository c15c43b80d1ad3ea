"""A decoder stacked on a frozen network, and the perturbations drawn and measured with it."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest
import tiny
import torch

from rem.data.batches import eval_batches, read_split
from rem.errors import RemError
from rem.reconstruction.equivariance import PROPERTIES, equivariance
from rem.reconstruction.perturb import OFFSETS, write_perturbed
from rem.reconstruction.stack import stack
from rem.settings.run import StackedDecoder
from rem.training.checkpoints import load_checkpoint, load_tensors
from rem.training.train import train

CPU = torch.device("cpu")
DECODER = {"hidden": [12], "weight": 0.0005, "pixels": "raw"}
SETTINGS = StackedDecoder(epochs=3, batch_size=8, learning_rate=0.01, decoder=DECODER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a trained network, `prepared.h5` beside it, and `decoder.pt`, a decoder stacked on it."""
    path = tmp_path_factory.mktemp("run")
    tiny.write_prepared(path / "prepared.h5")
    train(tiny.run("rem", training={"epochs": 12}), path / "prepared.h5", path, CPU)
    stack(path / "last.pt", path / "prepared.h5", SETTINGS, path / "decoder.pt", CPU)
    return path


def seen(folder, split="test"):
    """Normalized images and labels of a split, as the network sees them."""
    data = tiny.run().data
    images, labels = zip(
        *eval_batches(read_split(folder / "prepared.h5", split, data), 100, data.size, data.mean, data.std), strict=True
    )
    return torch.cat(images), torch.cat(labels)


def squared_error(folder, name):
    model, _, _ = load_checkpoint(folder / name, CPU)
    images, labels = seen(folder, "train")
    with torch.no_grad():
        drawn = model.decoder(model(images)[1], labels)
    return float((drawn - (images * 0.25 + 0.4)).square().sum() / len(labels))


def test_the_network_below_stays_as_it_was(folder):
    before, after = load_tensors(folder / "last.pt", CPU)["model"], load_tensors(folder / "decoder.pt", CPU)["model"]
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())
    assert {name.split(".")[0] for name in after.keys() - before.keys()} == {"decoder"}


def test_the_target_is_a_checkpoint_that_says_what_it_is(folder):
    model, run, epoch = load_checkpoint(folder / "decoder.pt", CPU)
    assert model.decoder is not None
    assert run == tiny.run("rem", training={"epochs": 12}, decoder=DECODER)
    assert epoch == 12
    assert json.loads(load_tensors(folder / "decoder.pt", CPU)["provenance"]["stacked"]) == SETTINGS.model_dump()


def test_the_decoder_learns_to_draw(folder, tmp_path):
    longer = SETTINGS.model_copy(update={"epochs": 30})
    stack(folder / "last.pt", folder / "prepared.h5", longer, folder / "longer.pt", CPU)
    assert squared_error(folder, "longer.pt") < 0.8 * squared_error(folder, "decoder.pt")


def test_a_decoder_whose_loss_is_not_finite_is_not_kept(folder, tmp_path):
    steep = SETTINGS.model_copy(update={"learning_rate": 1e38})
    normalized = steep.model_copy(update={"decoder": SETTINGS.decoder.model_copy(update={"pixels": "normalized"})})
    with pytest.raises(RemError, match=r"is nan in epoch \d; lower stacked_decoder.learning_rate"):
        stack(folder / "last.pt", folder / "prepared.h5", normalized, tmp_path / "steep.pt", CPU)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pixels", ["raw", "normalized"])
def test_the_same_settings_give_the_same_decoder(folder, tmp_path, pixels):
    settings = StackedDecoder(epochs=1, batch_size=8, learning_rate=0.01, decoder=DECODER | {"pixels": pixels})
    for name in ("one.pt", "two.pt"):
        stack(folder / "last.pt", folder / "prepared.h5", settings, tmp_path / name, CPU)
    one, two = (load_tensors(tmp_path / name, CPU)["model"] for name in ("one.pt", "two.pt"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_raw_and_normalized_pixels_train_different_decoders(folder, tmp_path):
    settings = SETTINGS.model_copy(update={"decoder": SETTINGS.decoder.model_copy(update={"pixels": "normalized"})})
    stack(folder / "last.pt", folder / "prepared.h5", settings, tmp_path / "other.pt", CPU)
    one, other = (load_tensors(path, CPU)["model"] for path in (folder / "decoder.pt", tmp_path / "other.pt"))
    assert not torch.equal(one["decoder.layers.0.weight"], other["decoder.layers.0.weight"])


def test_perturbations_are_what_the_decoder_draws_of_moved_poses(folder, tmp_path):
    write_perturbed(folder / "decoder.pt", folder / "prepared.h5", 5, 5, tmp_path, CPU)
    model, _, _ = load_checkpoint(folder / "decoder.pt", CPU)
    pixels, labels = seen(folder)
    with torch.no_grad():
        lengths, poses, _ = model(pixels)
    correct = (lengths.argmax(dim=1) == labels).nonzero()[:, 0].tolist()
    by_class = {j: [n for n in correct if labels[n] == j] for j in range(tiny.CLASSES)}
    order = [by_class[j][turn] for turn in range(18) for j in range(tiny.CLASSES) if turn < len(by_class[j])][:5]
    with h5py.File(tmp_path / "perturbations.h5") as file:
        assert file["reconstructions"].shape == (5, 4, 11, 1, tiny.SIZE, tiny.SIZE)
        assert file["reconstructions"].dtype == file["images"].dtype == file["offsets"].dtype == np.float32
        assert file["offsets"][:].tolist() == pytest.approx([-0.25 + 0.05 * step for step in range(11)])
        assert file["label"][:].tolist() == file["predicted"][:].tolist() == labels[order].tolist()
        torch.testing.assert_close(torch.from_numpy(file["images"][:]), pixels[order] * 0.25 + 0.4)
        assert list(file.attrs["class_names"]) == ["top", "middle", "bottom"]
        assert json.loads(file.attrs["run"])["variant"] == "rem"
        assert "revision" in json.loads(file.attrs["provenance"])
        for n, d, o in [(0, 0, 0), (1, 3, 10), (4, 2, 5), (2, 1, 7)]:
            moved = poses[order[n]].clone()
            moved[labels[order[n]], d] += float(OFFSETS[o])
            with torch.no_grad():
                expected = model.decoder(moved[None], labels[order[n] : order[n] + 1])[0]
            torch.testing.assert_close(torch.from_numpy(file["reconstructions"][n, d, o]), expected)


def test_where_fewer_images_are_right_than_asked_for_all_of_them_are_drawn(folder, tmp_path):
    write_perturbed(folder / "decoder.pt", folder / "prepared.h5", 100, 100, tmp_path, CPU)
    with h5py.File(tmp_path / "perturbations.h5") as file:
        assert 0 < len(file["label"]) < 100
        assert np.array_equal(file["label"][:], file["predicted"][:])


def test_a_network_that_gets_no_image_right_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "rem.reconstruction.perturb._first_of_each_class", lambda split: torch.tensor([], dtype=torch.int64)
    )
    with pytest.raises(RemError, match="classifies no test image correctly"):
        write_perturbed(folder / "decoder.pt", folder / "prepared.h5", 5, 5, tmp_path, CPU)
    assert not (tmp_path / "perturbations.h5").exists()


def test_a_network_without_decoder_is_refused(folder, tmp_path):
    with pytest.raises(RemError, match=r"last\.pt has no decoder; put one on it first"):
        write_perturbed(folder / "last.pt", folder / "prepared.h5", 2, 2, tmp_path, CPU)


def test_equivariance_is_measured_class_by_class(folder, tmp_path):
    write_perturbed(folder / "decoder.pt", folder / "prepared.h5", 6, 6, tmp_path, CPU)
    table = pd.read_csv(tmp_path / "equivariance.csv")
    assert list(table.columns) == [
        *("dataset", "variant", "seed", "class", "images", "dimension", "property"),
        *("consistency", "monotony", "moved", "chance"),
    ]
    assert set(table["property"]) <= set(PROPERTIES)
    with h5py.File(tmp_path / "perturbations.h5") as file:
        drawn, labels = file["reconstructions"][:], file["label"][:]
    for class_, rows in table.groupby("class"):
        found = equivariance(drawn[labels == class_], OFFSETS)
        assert rows["dimension"].tolist() == [0, 1, 2, 3]
        assert (rows["images"] == (labels == class_).sum()).all()
        for name in ("consistency", "monotony", "moved", "chance"):
            assert rows[name].tolist() == pytest.approx(getattr(found, name).tolist(), abs=1e-5)


def test_a_decoder_is_stacked_where_training_images_are_placed_at_random(tmp_path):
    run = tiny.run("rem", data={"view": "place", "size": 25}, augment={"padding": 0}, training={"epochs": 1})
    with h5py.File(tiny.write_prepared(tmp_path / "prepared.h5"), "a") as file:
        for split in ("val", "test"):  # as they are prepared: on their canvas
            images = np.pad(file[f"{split}/images"][:], ((0, 0), (0, 0), (1, 3), (3, 1)))
            del file[f"{split}/images"]
            file[f"{split}/images"] = images
    train(run, tmp_path / "prepared.h5", tmp_path, CPU)
    stack(tmp_path / "last.pt", tmp_path / "prepared.h5", SETTINGS, tmp_path / "decoder.pt", CPU)
    model, _, _ = load_checkpoint(tmp_path / "decoder.pt", CPU)
    assert model.decoder is not None

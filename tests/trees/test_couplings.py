"""Couplings on disk: what a pass over a split writes is what the network computes in memory."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tiny
import torch

import rem.trees.couplings
from rem.data.batches import load_split
from rem.errors import RemError
from rem.networks.build import build
from rem.networks.losses import margin_loss
from rem.pruning.masks import sparsity
from rem.settings.run import Run
from rem.training.checkpoints import save_checkpoint
from rem.trees.couplings import extract
from rem.trees.quantizer import quantize

CPU = torch.device("cpu")
MAXIMUM = 12
LEVELS = range(2, MAXIMUM + 1)


def network(run: Run, never: int | None = None):
    """A random network with couplings far from uniform; class `never` has no pose, so nobody predicts it."""
    torch.manual_seed(5)
    model = build(run, CPU).eval()
    with torch.no_grad():
        model.weight.mul_(12)
        model.weight[0, 0] = 0  # one block of W_ij
        if never is not None:
            model.weight[:, never] = 0
            model.routing_bias[never] = 0
    return model


def extracted(
    folder: Path, run: Run, split: str = "test", never: int | None = None, counts=tiny.COUNTS, cells: bool = False
):
    """The arrays and the attributes of the file that `extract` writes."""
    prepared = tiny.write_prepared(folder / "prepared.h5", counts)
    save_checkpoint(folder / "best.pt", network(run, never).state_dict(), run, 3)
    extract(folder / "best.pt", prepared, split, MAXIMUM, folder / "couplings.h5", CPU, cells)
    arrays = {}
    with h5py.File(folder / "couplings.h5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None)
        return arrays, dict(file.attrs)


def in_memory(folder: Path, run: Run, split: str = "test", never: int | None = None, quantizer: tuple | None = None):
    """The labels, and the lengths and couplings of all images in one batch; `quantizer` is K and `cells`, if any."""
    pixels, labels = load_split(folder / "prepared.h5", split, run)
    with torch.no_grad():
        lengths, _, couplings = network(run, never)(
            pixels, None if quantizer is None else lambda couplings: quantize(couplings, *quantizer)
        )
    return labels, lengths, couplings


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_couplings_are_the_networks_of_the_predicted_class(tmp_path, split):
    arrays, _ = extracted(tmp_path, tiny.run(), split)
    labels, lengths, couplings = in_memory(tmp_path, tiny.run(), split)
    predicted = lengths.argmax(dim=1).numpy()
    assert len(set(predicted)) > 1
    assert arrays["label"].tolist() == labels.tolist()
    assert arrays["predicted"].tolist() == predicted.tolist()
    assert arrays["lengths"] == pytest.approx(lengths.numpy(), abs=1e-6)
    expected = np.stack([couplings[image, label].numpy() for image, label in enumerate(predicted)])
    assert expected.std() > 0.05
    assert arrays["couplings"] == pytest.approx(expected, abs=1e-6)
    assert arrays["strongest"] == pytest.approx(couplings.numpy().max(axis=1).mean(axis=1), abs=1e-6)


def test_the_near_uniform_share_counts_couplings_within_a_hundredth_of_a_jth(tmp_path):
    arrays, attributes = extracted(tmp_path, tiny.run(), "train")
    near = np.abs(arrays["couplings"] - np.float32(1 / 3)) <= 0.01
    assert 0 < attributes["near_uniform_share"] == near.mean() < 1


def test_the_dose_is_that_of_the_epochs_that_the_checkpoint_has_behind_it(tmp_path):
    _, attributes = extracted(tmp_path, tiny.run("rem"))  # of 40 images in 16s, after epoch 3
    assert attributes["dose"] == pytest.approx(3 * 0.1 * (1 + 0.9 + 0.81))
    assert extracted(tmp_path, tiny.run())[1]["dose"] == 0


def test_class_mean_is_the_mean_over_the_images_predicted_as_the_class(tmp_path):
    arrays, _ = extracted(tmp_path, tiny.run(), "train")
    _, lengths, couplings = in_memory(tmp_path, tiny.run(), "train")
    predicted = lengths.argmax(dim=1).numpy()
    for label in range(tiny.CLASSES):
        own = couplings.numpy()[predicted == label, label]
        assert len(own)
        assert arrays["class_mean"][label] == pytest.approx(own.mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("cells", [False, True])
def test_accuracy_and_loss_are_those_of_the_network_quantized_at_each_k(tmp_path, cells):
    arrays, attributes = extracted(tmp_path, tiny.run(), "train", cells=cells)
    assert attributes["cells"] == cells
    assert arrays["sweep/levels"].tolist() == list(LEVELS)
    measured = []
    for levels in [*LEVELS, None]:
        quantizer = None if levels is None else (levels, cells)
        labels, lengths, _ = in_memory(tmp_path, tiny.run(), "train", quantizer=quantizer)
        accuracy = 100 * float((lengths.argmax(dim=1) == labels).double().mean())
        measured.append((accuracy, float(margin_loss(lengths, labels))))
    accuracies, losses = zip(*measured, strict=True)
    assert len(set(accuracies)) > 2  # else the test could not tell one K from another
    assert [*arrays["sweep/accuracy"], attributes["accuracy"]] == pytest.approx(accuracies)
    assert [*arrays["sweep/loss"], attributes["loss"]] == pytest.approx(losses, rel=1e-5)


def test_images_lost_and_gained_by_quantization_are_those_of_each_image(tmp_path):
    arrays, _ = extracted(tmp_path, tiny.run(), "train")
    labels, lengths, _ = in_memory(tmp_path, tiny.run(), "train")
    right = lengths.argmax(dim=1) == labels
    expected = []
    for levels in LEVELS:
        _, lengths, _ = in_memory(tmp_path, tiny.run(), "train", quantizer=(levels,))
        quantized = lengths.argmax(dim=1) == labels
        expected.append([int((right & ~quantized).sum()), int((quantized & ~right).sum())])
    assert np.stack([arrays["sweep/lost"], arrays["sweep/gained"]], axis=1).tolist() == expected
    assert arrays["sweep/lost"].any()


@pytest.mark.parametrize("batch_size", [1, 7, 18, 500])  # 18 images: 7 leaves a smaller last batch
def test_the_batch_size_changes_nothing(tmp_path, batch_size):
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    arrays, attributes = extracted(folders[0], tiny.run())
    others, other = extracted(folders[1], tiny.run(training={"batch_size": batch_size}))
    assert arrays.keys() == others.keys()
    for name, values in arrays.items():
        assert others[name] == pytest.approx(values, abs=1e-5, nan_ok=True), name
    assert (other["accuracy"], other["loss"]) == pytest.approx((attributes["accuracy"], attributes["loss"]))


def test_a_class_that_nobody_predicts_has_no_mean(tmp_path):
    arrays, _ = extracted(tmp_path, tiny.run(), never=1)
    assert 1 not in arrays["predicted"]
    assert np.isnan(arrays["class_mean"][1]).all()
    assert np.isfinite(arrays["class_mean"][sorted(set(arrays["predicted"]))]).all()


def test_one_routing_iteration_couples_uniformly(tmp_path):
    arrays, _ = extracted(tmp_path, tiny.run(network={"routing_iterations": 1}))
    uniform = np.float32(1 / tiny.CLASSES)
    assert (arrays["couplings"] == uniform).all()
    assert arrays["strongest"] == pytest.approx(np.full(18, uniform))


LAYERED = {
    "gamma": {"middle_capsules": 5},
    "convcaps": {"middle_capsules": 5},
    "deepcaps": {"primary_dimensions": 4},
}


@pytest.fixture
def larger(monkeypatch):
    """Images of 23x23 pixels."""
    monkeypatch.setattr(tiny, "STORED", 23)


def layered(architecture, **sections):
    """A run of a network with a routed layer below the last."""
    size = 23 if architecture == "convcaps" else tiny.SIZE  # so that there are two by two windows
    network = {"architecture": architecture} | LAYERED[architecture]
    return tiny.run(network=network, data={"size": size}, **sections)


@pytest.mark.parametrize("architecture", sorted(LAYERED))
def test_a_lower_layer_is_that_of_the_strongest_parent_of_each_image(larger, tmp_path, architecture):
    run = layered(architecture)
    arrays, _ = extracted(tmp_path, run)
    _, lengths, above = in_memory(tmp_path, run)
    model = network(run)
    with torch.no_grad():
        pixels, _ = load_split(tmp_path / "prepared.h5", "test", run)
        (layer,) = model.lower_layers(pixels)
    places, capsules, children = layer.couplings.shape[1:]
    found = set()
    for image, predicted in enumerate(lengths.argmax(dim=1).tolist()):
        sent = [float(above[image, predicted, i] * layer.lengths[image, i]) for i in range(places * capsules)]
        parent = max(range(places * capsules), key=sent.__getitem__)
        assert arrays["layers/2/parent"][image] == parent
        own = layer.couplings[image, parent // capsules, parent % capsules].numpy()
        assert arrays["layers/2/couplings"][image] == pytest.approx(own, abs=1e-6)
        strongest = np.mean([layer.couplings[image, place].numpy().max(axis=0) for place in range(places)])
        assert arrays["layers/2/strongest"][image] == pytest.approx(strongest, abs=1e-6)
        near = np.mean(np.abs(own - 1 / capsules) <= 0.01)
        assert arrays["layers/2/near_uniform"][image] == pytest.approx(near)
        found.add(parent)
    assert len(found) > 1
    assert arrays["layers/2/couplings"].shape == (18, children)
    with h5py.File(tmp_path / "couplings.h5") as file:
        assert file["layers/2"].attrs["capsules"] == capsules
        assert file["layers/2/couplings"].compression == "gzip"


@pytest.mark.parametrize("architecture", sorted(LAYERED))
def test_a_lower_layer_is_the_same_in_other_batches(larger, tmp_path, architecture):
    for folder, size in (("one", 16), ("other", 7)):
        (tmp_path / folder).mkdir()
        extracted(tmp_path / folder, layered(architecture, training={"batch_size": size}))
    with h5py.File(tmp_path / "one/couplings.h5") as one, h5py.File(tmp_path / "other/couplings.h5") as other:
        for name in ("parent", "couplings", "strongest", "near_uniform"):
            assert one[f"layers/2/{name}"][:] == pytest.approx(other[f"layers/2/{name}"][:], abs=1e-5), name


def test_shapes_types_and_compression(tmp_path):
    arrays, _ = extracted(tmp_path, tiny.run())
    expected = {
        "couplings": ((18, 8), "float32"),
        "strongest": ((18,), "float32"),
        "predicted": ((18,), "int64"),
        "label": ((18,), "int64"),
        "lengths": ((18, 3), "float32"),
        "class_mean": ((3, 8), "float32"),
        "sweep/levels": ((11,), "int64"),
        "sweep/accuracy": ((11,), "float64"),
        "sweep/loss": ((11,), "float64"),
        "sweep/lost": ((11,), "int64"),
        "sweep/gained": ((11,), "int64"),
    }
    assert {name: (values.shape, str(values.dtype)) for name, values in arrays.items()} == expected
    with h5py.File(tmp_path / "couplings.h5") as file:
        assert file["couplings"].compression == "gzip"


def test_the_file_says_where_it_comes_from(tmp_path):
    _, attributes = extracted(tmp_path, tiny.run("rem"), "val")
    assert Run.model_validate_json(attributes["run"]) == tiny.run("rem")
    assert {"revision", "torch", "h5py"} <= json.loads(attributes["provenance"]).keys()
    assert (attributes["epoch"], attributes["checkpoint"], attributes["split"]) == (3, "best", "val")
    assert list(attributes["class_names"]) == ["top", "middle", "bottom"]
    shares = json.loads(attributes["sparsity"])
    assert shares == sparsity(network(tiny.run("rem")))
    assert shares["class_blocks"] == pytest.approx(1 / 24)


def test_an_interrupted_pass_leaves_no_file(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rem.trees.couplings, "margin_losses", interrupt)
    with pytest.raises(KeyboardInterrupt):
        extracted(tmp_path, tiny.run())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.pt", "prepared.h5"]


def test_a_dataset_without_the_split_is_named(tmp_path):
    with pytest.raises(RemError, match=r"prepared\.h5 has no split 'test'"):
        extracted(tmp_path, tiny.run(), counts={"train": 4})
    assert not (tmp_path / "couplings.h5").exists()


def test_couplings_are_not_taken_on_a_file_that_was_prepared_by_other_settings(tmp_path):
    extracted(tmp_path, tiny.run())
    tiny.say_prepared_by(tmp_path / "prepared.h5", tiny.run(data={"split_seed": 7}))
    with pytest.raises(RemError, match="split_seed 7, not 0"):
        extract(tmp_path / "best.pt", tmp_path / "prepared.h5", "test", MAXIMUM, tmp_path / "other.h5", CPU)
    assert not (tmp_path / "other.h5").exists()

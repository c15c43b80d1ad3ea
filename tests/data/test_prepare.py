"""The prepared HDF5 file: splits, views, attributes, and the refusal of what contradicts the settings."""

import contextlib
import dataclasses
import json

import h5py
import numpy as np
import pytest
import tiny
from PIL import Image
from tiny import data as settings

from rem.data.layouts import affine
from rem.data.layouts.idx import read_idx, write_idx
from rem.data.prepare import prepare
from rem.data.sources import SOURCES
from rem.errors import RemError
from rem.files.digests import checksum
from rem.files.hdf5 import whole_hdf5
from rem.settings.config import overlay
from rem.settings.images import Data

GENERATOR = np.random.default_rng(0)


def accept(monkeypatch, source, files):
    """Make those files the ones that the source's checksums are of."""
    sums = {file.name: checksum(file, "sha256", unpacked=True) for file in files}
    monkeypatch.setitem(SOURCES, source, dataclasses.replace(SOURCES[source], files=sums))


@pytest.fixture
def idx(tmp_path, monkeypatch):
    """The four files of the official layout: 40 + 20 images of 12x12."""
    files = []
    for part, count in (("train", 40), ("t10k", 20)):
        files += [tmp_path / f"{part}-images-idx3-ubyte.gz", tmp_path / f"{part}-labels-idx1-ubyte.gz"]
        write_idx(files[-2], GENERATOR.integers(0, 256, (count, 12, 12), np.uint8))
        write_idx(files[-1], np.arange(count) % 10)
    accept(monkeypatch, "mnist", files)
    accept(monkeypatch, "affnist-like", files[2:])
    return files


@pytest.fixture
def target(tmp_path):
    return tmp_path / "prepared" / "set.h5"


def fails(match, data, files, target):
    with pytest.raises(RemError, match=match):
        prepare(data, files, target)
    assert not target.exists()
    assert not target.parent.exists() or not list(target.parent.iterdir())


def test_idx_images_and_labels_are_kept(idx, target):
    prepare(settings(), idx, target)
    with h5py.File(target) as file:
        assert {name: len(file[name]["labels"]) for name in file} == {"train": 30, "val": 10, "test": 20}
        assert file["train/images"].dtype == np.uint8
        assert file["train/images"].shape == (30, 1, 12, 12)
        assert file["train/labels"].dtype == np.int64
        assert np.array_equal(file["test/images"][:, 0], read_idx(idx[2], 3))
        images, labels = read_idx(idx[0], 3), read_idx(idx[1], 1)
        label_of = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
        for name in ("train", "val"):
            for image, label in zip(file[name]["images"], file[name]["labels"], strict=True):
                assert label_of.pop(image.tobytes()) == label
        assert not label_of


def test_split_depends_on_its_seed_alone_and_keeps_the_order(idx, target, tmp_path):
    position = {image.tobytes(): number for number, image in enumerate(read_idx(idx[0], 3))}

    def drawn(**changes):
        prepare(settings(**changes), idx, target)
        with h5py.File(target) as file:
            return [[position[image.tobytes()] for image in file[name]["images"]] for name in ("train", "val")]

    train, val = drawn()
    assert train == sorted(train)
    assert val == sorted(val)
    assert sorted(train + val) == list(range(40))
    assert drawn(mean=[0.2]) == [train, val]
    assert drawn(split_seed=1) != [train, val]


def test_attributes_say_where_the_images_come_from(idx, target):
    prepare(settings(), idx, target)
    with h5py.File(target) as file:
        attributes = dict(file.attrs)
    assert list(attributes["class_names"]) == list("0123456789")
    assert (attributes["mean"], attributes["std"], attributes["size"]) == ([0.1], [0.3], 12)
    assert (attributes["split_seed"], attributes["source"]) == (0, "mnist")
    assert Data.model_validate_json(attributes["settings"]) == settings()
    sums = json.loads(attributes["checksums"])
    assert list(sums) == [file.name for file in idx]
    assert all(value.startswith("sha256:") for value in sums.values())


def test_the_file_has_room_for_the_names_of_as_many_classes_as_settings_allow(tmp_path):
    (most,) = (bound.le for bound in Data.model_fields["classes"].metadata if hasattr(bound, "le"))
    for count, fits in ((most, True), (most + 1, False)):
        with whole_hdf5(tmp_path / "names.h5") as file, contextlib.nullcontext() if fits else pytest.raises(OSError):
            file.attrs["class_names"] = [f"a class of a long name, {number}" for number in range(count)]


def test_same_settings_give_the_same_bytes(idx, target):
    prepare(settings(), idx, target)
    first = target.read_bytes()
    prepare(settings(), idx, target)
    assert target.read_bytes() == first


def test_resize_is_the_antialiased_bilinear_of_pillow(idx, target):
    prepare(settings(view="resize", size=9), idx, target)
    expected = Image.fromarray(read_idx(idx[2], 3)[0]).resize((9, 9), Image.Resampling.BILINEAR)
    with h5py.File(target) as file:
        assert file["val/images"].shape == (10, 1, 9, 9)
        assert np.array_equal(file["test/images"][0, 0], np.asarray(expected))


def test_files_of_another_content_are_named(idx, target):
    write_idx(idx[1], np.roll(read_idx(idx[1], 1), 1))  # every label one image too far
    fails(r"train-labels-idx1-ubyte\.gz is not mnist's file \(expected sha256:", settings(), idx, target)


def test_shifted_labels_of_the_sample_are_not_accepted(tmp_path, target):
    files = [tmp_path / f"{number}.gz" for number in range(4)]
    for file in files:
        write_idx(file, np.zeros((1, 28, 28)))
    fails("; restore it with `git checkout data/sample/mnist`", settings(source="mnist-sample"), files, target)


def test_labels_beyond_the_classes_are_refused(idx, target, monkeypatch):
    write_idx(idx[3], np.full(20, 10))
    accept(monkeypatch, "mnist", idx)
    fails(r"test images of source mnist have the label 10, but data\.classes is 10", settings(), idx, target)


def test_missing_file_is_named(idx, target):
    idx[1].unlink()
    fails("train-labels-idx1-ubyte.gz is missing", settings(), idx, target)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"validation": 40}, r"data\.validation is 40, but source mnist has only 40"),
        ({"size": 13}, r"are 12x12, less than data\.size 13"),
        ({"channels": 3}, r"have 1 channel\(s\), but data\.channels is 3"),
        ({"classes": 5}, r"mnist has 10 classes \(0, 1, 2, 3, 4, …\), but data\.classes is 5; set it to 10\.$"),
        ({"generate": (5, 5)}, r"data\.generate is for source shapes, but the source is mnist"),
        ({"source": "shapes"}, r"source shapes needs data\.generate"),
        ({"source": "folder"}, r"source folder needs data\.folder"),
        ({"view": "place", "size": 11}, r"are 12x12, more than data\.size 11"),
        ({"source": "affnist-like"}, "source affnist-like has test images only; name it in data.transfer"),
        ({"source": "minst"}, "unknown source 'minst'; the sources are mnist, "),
        (
            {"viewpoints": {"pose": "azimuth", "trained": (0, 40)}},
            r"data\.viewpoints is of the pose azimuth, but source mnist knows none; set it to null",
        ),
        (
            {"source": "shapes", "generate": (5, 5), "viewpoints": {"pose": "elevation", "trained": (0, 40)}},
            r"pose elevation, but source shapes knows rotation and scale; name one",
        ),
    ],
)
def test_settings_that_contradict_the_images_are_refused(idx, target, changes, reason):
    files = idx[2:] if changes.get("source") == "affnist-like" else idx
    fails(reason, settings(**changes), files, target)


@pytest.mark.parametrize("value", [0, -3, "val", None, 2.5])
def test_validation_is_a_number_or_test(value):
    with pytest.raises(RemError, match=f"data.validation is {value!r}; give a number of images, 1 or more, or test"):
        settings(validation=value)


def test_padding_cannot_contradict_the_placing():
    """The padding of placed images follows from their size and the canvas's."""
    config = tiny.shipped_config()
    placed = config.model_copy(update={"defaults": overlay(config.defaults, {"data": {"view": "place", "size": 40}})})
    with pytest.raises(RemError, match=r"augment\.padding is 2, but data\.view place pads by itself; set it to 0"):
        placed.run("mnist", "baseline", 1)


def test_placed_images_lie_whole_at_many_places_that_the_seed_fixes(idx, target):
    prepare(settings(view="place", size=16), idx, target)
    with h5py.File(target) as file:
        assert file["train/images"].shape == (30, 1, 12, 12)
        assert file["val/images"].shape == (10, 1, 16, 16)
        placed, labels = file["test/images"][:, 0], file["test/labels"][:]
    places = []
    for image, canvas in zip(read_idx(idx[2], 3), placed, strict=True):
        hits = [(y, x) for y in range(5) for x in range(5) if (canvas[y : y + 12, x : x + 12] == image).all()]
        assert len(hits) == 1
        assert canvas.sum(dtype=int) == image.sum(dtype=int)
        places += hits
    assert len(set(places)) > 10
    assert np.array_equal(labels, read_idx(idx[3], 1))
    for seed, same in ((0, True), (1, False)):
        prepare(settings(view="place", size=16, split_seed=seed), idx, target)
        with h5py.File(target) as file:
            assert np.array_equal(file["test/images"][:, 0], placed) == same


@pytest.mark.parametrize("view", ["crop", "place", "resize"])
def test_the_test_images_can_serve_as_validation(idx, target, view):
    prepare(settings(view=view, validation="test"), idx, target)
    with h5py.File(target) as file:
        assert len(file["train/labels"]) == 40
        assert np.array_equal(file["val/images"], file["test/images"])
        assert np.array_equal(file["val/labels"], file["test/labels"])


def test_blocks_do_not_matter(idx, target, monkeypatch):
    data = settings(view="place", size=40, transfer="affnist-like")
    prepare(data, idx + idx[2:], target)
    with h5py.File(target) as file:
        whole = {name: file[name]["images"][:] for name in file}
    monkeypatch.setattr("rem.data.prepare.CHUNK_BYTES", 3 * 1600)
    prepare(data, idx + idx[2:], target)
    with h5py.File(target) as file:
        assert file["transfer/images"].chunks[0] == 3
        for name, images in whole.items():
            assert np.array_equal(file[name]["images"], images)


def test_a_further_test_set_is_written_as_transfer(idx, target):
    data = settings(view="place", size=40, transfer="affnist-like")
    prepare(data, idx + idx[2:], target)
    with h5py.File(target) as file:
        assert sorted(file) == ["test", "train", "transfer", "val"]
        assert file["transfer/images"].shape == (32 * 20, 1, affine.SIDE, affine.SIDE)
        assert np.array_equal(file["transfer/labels"], np.tile(read_idx(idx[3], 1), 32))


def test_a_further_test_set_must_fit(idx, target, monkeypatch):
    fails(
        r"data\.transfer: images of source affnist-like are 40x40, but data\.size is 12; set it to theirs",
        settings(transfer="affnist-like"), idx + idx[2:], target,
    )  # fmt: skip
    accept(monkeypatch, "fashion-mnist", idx)
    fails("has other classes than source mnist", settings(transfer="fashion-mnist"), idx + idx, target)


def test_generated_shapes_carry_their_pose(target):
    data = settings(source="shapes", channels=3, size=24, view="resize", generate=(40, 20), classes=5)
    prepare(data, [], target)
    with h5py.File(target) as file:
        columns = list(file.attrs["pose_columns"])
        assert columns[:5] == ["x", "y", "rotation", "scale", "shear"]
        for name, count in (("train", 30), ("val", 10), ("test", 20)):
            assert file[name]["images"].shape == (count, 3, 24, 24)
            assert file[name]["pose"].shape == (count, len(columns))
        assert list(file.attrs["class_names"]) == ["tee", "house", "dumbbell", "target", "key"]
        assert not np.array_equal(file["train/images"][0], file["test/images"][0])


def test_held_out_poses_are_those_of_the_test_images_alone(target):
    data = settings(
        source="shapes", channels=3, size=24, view="resize", generate=(60, 80), classes=5,
        viewpoints={"pose": "rotation", "trained": (-13, 13)},
    )  # fmt: skip
    prepare(data, [], target)
    with h5py.File(target) as file:
        column = list(file.attrs["pose_columns"]).index("rotation")
        turned = {name: abs(file[name]["pose"][:, column]) for name in file}
    assert max(turned["train"].max(), turned["val"].max()) <= 13 < turned["test"].min()
    assert turned["test"].max() > 35

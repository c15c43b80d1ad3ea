"""smallNORB's files as its authors describe them, made small: 2 classes of 2 toys, 4x4 pixels, every viewpoint."""

import dataclasses
import gzip
import itertools
import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from tiny import data as settings

from rem.data.fetch import fetch
from rem.data.layouts.norb import BYTES, INTEGERS, Matrix
from rem.data.prepare import prepare
from rem.data.readers import read
from rem.data.source_files import source_files
from rem.data.sources import SOURCES
from rem.errors import RemError
from rem.files.digests import checksum

SIDE = 10
TAKEN = list(itertools.product(range(2), range(2), range(9), range(0, 36, 2)))  # class, toy, elevation, azimuth
DATA = {"source": "smallnorb", "classes": 5, "channels": 2, "size": SIDE, "validation": 5}


def matrix(magic, values):
    """A matrix as the authors store it."""
    sizes = [*values.shape, 1, 1][: max(3, values.ndim)]
    header = struct.pack(f"<{2 + len(sizes)}i", magic, values.ndim, *sizes)
    letter = {INTEGERS: "i", BYTES: "B"}[magic]
    return header + struct.pack(f"<{values.size}{letter}", *values.astype(int).ravel().tolist())


@pytest.fixture
def official(tmp_path, monkeypatch):
    """The six files, made the ones that the source's checksums are of; of both parts what they hold, in their order."""
    draw = np.random.default_rng(0)
    names, held, files = list(SOURCES["smallnorb"].files), [], []
    for part in (names[:3], names[3:]):
        rows = draw.permutation(TAKEN)  # the files are in no order
        images = draw.integers(0, 256, (len(rows), 2, SIDE, SIDE), np.uint8)
        taken = np.column_stack([rows[:, 1:], draw.integers(0, 6, len(rows))])
        held.append((images, rows[:, 0], taken))
        contents = matrix(BYTES, images), matrix(INTEGERS, rows[:, 0]), matrix(INTEGERS, taken)
        for name, content in zip(part, contents, strict=True):
            files.append(tmp_path / name)
            files[-1].write_bytes(gzip.compress(content, 1))
    accept(monkeypatch, files)
    return files, held


def accept(monkeypatch, files):
    sums = {file.name: checksum(file, "sha256", unpacked=False) for file in files}
    monkeypatch.setitem(SOURCES, "smallnorb", dataclasses.replace(SOURCES["smallnorb"], files=sums))


def written(data, files, target):
    """The prepared splits: images, labels and poses of each."""
    prepare(data, files, target)
    with h5py.File(target) as file:
        return {name: tuple(file[name][key][:] for key in ("images", "labels", "pose")) for name in file}


def test_pairs_are_two_channels_and_keep_their_classes_and_poses(official, tmp_path):
    files, ((images, classes, taken), (test_images, test_classes, _)) = official
    splits = written(settings(**DATA), files, tmp_path / "a.h5")
    assert np.array_equal(splits["test"][0], test_images)
    assert np.array_equal(splits["test"][1], test_classes)
    row_of = {pair.tobytes(): row for row, pair in enumerate(images)}
    for name in ("train", "val"):
        for pair, label, (instance, elevation, azimuth, lighting) in zip(*splits[name], strict=True):
            row = row_of.pop(pair.tobytes())
            assert label == classes[row]
            assert taken[row].tolist() == [instance, (elevation - 30) / 5, azimuth / 10, lighting]
    assert not row_of
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file.attrs["pose_columns"]) == ["instance", "elevation", "azimuth", "lighting"]
        assert list(file.attrs["class_names"]) == ["animal", "human", "airplane", "truck", "car"]
        assert list(json.loads(file.attrs["checksums"])) == [file.name for file in files]


@pytest.mark.parametrize(
    ("pose", "column", "trained", "values"),
    [
        ("azimuth", 2, (300, 40), {300, 320, 340, 0, 20, 40}),
        ("azimuth", 2, (60, 100), {60, 80, 100}),
        ("elevation", 1, (30, 40), {30, 35, 40}),
    ],
)
def test_novel_viewpoints_are_tested_and_the_others_trained_on(official, tmp_path, pose, column, trained, values):
    files, (train, test) = official
    viewpoints = {"pose": pose, "trained": trained}
    splits = written(settings(**DATA, viewpoints=viewpoints), files, tmp_path / "a.h5")
    for names, part, inside in ((("train", "val"), train, True), (("test",), test, False)):
        seen = np.concatenate([splits[name][2][:, column] for name in names])
        kept = np.concatenate([splits[name][0] for name in names])
        degrees = [30 + 5 * row[1] if pose == "elevation" else 10 * row[2] for row in part[2]]
        expected = [image for image, angle in zip(part[0], degrees, strict=True) if (angle in values) == inside]
        assert sorted(image.tobytes() for image in kept) == sorted(image.tobytes() for image in expected)
        assert (set(seen) <= values) == inside
    assert np.array_equal(np.unique(splits["test"][1]), [0, 1])
    assert len(splits["train"][1]) + len(splits["val"][1]) == len(TAKEN) * len(values) / {1: 9, 2: 18}[column]


def test_each_image_of_a_pair_is_scaled_by_itself(official, tmp_path):
    files, (_, (images, _, _)) = official
    seen, _, _ = written(settings(**DATA | {"size": 9, "view": "resize"}), files, tmp_path / "a.h5")["test"]
    assert seen.shape == (len(TAKEN), 2, 9, 9)
    for row, place in itertools.product(range(5), range(2)):
        expected = Image.fromarray(images[row, place]).resize((9, 9), Image.Resampling.BILINEAR)
        assert np.array_equal(seen[row, place], expected)


@pytest.mark.parametrize("viewpoints", [None, {"pose": "elevation", "trained": (30, 40)}])
def test_no_more_is_held_than_what_is_asked_for(official, viewpoints):
    """Rows can be read again and from the middle, and give what reading all at once gives."""
    images = read(settings(**DATA, viewpoints=viewpoints), official[0]).train.images
    whole = images[np.arange(images.shape[0])]
    assert whole.shape == images.shape
    for index in ([5], [0, 3, 20], [1, 2], []):
        assert np.array_equal(images[np.array(index, int)], whole[index])


def test_viewpoints_that_leave_nothing_are_refused(official, tmp_path):
    for trained, part in (((45, 50), "training"), ((0, 340), "test")):
        data = settings(**DATA, viewpoints={"pose": "azimuth", "trained": trained})
        with pytest.raises(RemError, match=f"the {part} images of source smallnorb are none"):
            prepare(data, official[0], tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda whole: whole[: len(whole) // 2], "cannot be unpacked"),
        (lambda whole: b"<html>gone</html>", "cannot be unpacked"),
        (lambda whole: gzip.compress(b""), "ends before its values do"),
        (lambda whole: gzip.compress(gzip.decompress(whole)[:-1]), "ends before its values do"),
        (lambda whole: gzip.compress(b"\x51" + gzip.decompress(whole)[1:]), "no matrix of uint8 in 4 dimension"),
        (lambda whole: gzip.compress(matrix(BYTES, np.zeros((2, 3, 4)))), "no matrix of uint8 in 4 dimension"),
        (None, "cannot be read now"),
    ],
)
def test_what_is_no_matrix_is_named(official, spoil, reason):
    path = official[0][0]
    whole = path.read_bytes()
    path.unlink()
    if spoil:
        path.write_bytes(spoil(whole))
    with pytest.raises(RemError, match=rf"training-dat\.mat\.gz .*{reason}") as raised:
        Matrix(path, BYTES, 4)[np.arange(len(TAKEN))]
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("number", "shape"), [(1, (3,)), (2, (3, 4)), (2, (len(TAKEN), 10))])
def test_files_of_other_images_are_named(official, number, shape):
    path = official[0][number]
    path.write_bytes(gzip.compress(matrix(INTEGERS, np.zeros(shape))))
    with pytest.raises(RemError, match=rf"{path.name} has the shape \({shape[0]},.*for {len(TAKEN)} images"):
        read(settings(**DATA), official[0])


def test_other_files_than_the_official_are_refused(official, tmp_path, monkeypatch):
    files, _ = official
    monkeypatch.undo()
    with pytest.raises(RemError, match=r"training-dat\.mat\.gz is not smallnorb's file"):
        prepare(settings(**DATA), files, tmp_path / "a.h5")


def test_a_mirror_has_the_files_as_their_authors_name_them(official, tmp_path):
    files, _ = official
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/smallnorb").symlink_to(tmp_path)
    for path in source_files("smallnorb"):
        target = tmp_path / path
        fetch("smallnorb", target.name, target, mirror=str(tmp_path / "mirror"))
        assert target.read_bytes() == (tmp_path / Path(path).name).read_bytes()
    assert len(files) == len(source_files("smallnorb")) == 6

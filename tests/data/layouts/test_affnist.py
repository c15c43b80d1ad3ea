"""affNIST's archive as its authors describe it, made small: 3 batches of 30 images of 40x40."""

import io
import struct
import zlib

import numpy as np
import pytest
from packed import write_zip
from scipy.io import savemat

from rem.data.layouts import affnist
from rem.data.layouts.affnist import AffNIST
from rem.errors import RemError

COUNTS = np.array([4, 5, 3, 2, 3, 1, 3, 4, 2, 3])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(affnist, "BATCHES", 3)
    monkeypatch.setattr(affnist, "BATCH", 30)
    monkeypatch.setattr(affnist, "DIGITS", COUNTS)


def batch(images, labels):
    """A MATLAB file of structure affNISTdata: an image a column, its rows one after another."""
    one_of_n = np.eye(10, dtype=np.uint8)[labels].T
    fields = {"image": images.reshape(len(images), -1).T, "label_int": labels[None], "label_one_of_n": one_of_n}
    buffer = io.BytesIO()
    savemat(buffer, {"affNISTdata": fields}, do_compression=True)
    return buffer.getvalue()


@pytest.fixture
def official():
    """The images (90, 40, 40), labels (90,), and the archive's files."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (90, 40, 40), np.uint8)
    labels = np.concatenate([draw.permutation(np.repeat(np.arange(10, dtype=np.uint8), COUNTS)) for _ in range(3)])
    files = {
        f"test_batches/{number + 1}.mat": batch(images[rows], labels[rows])
        for number, rows in enumerate((slice(30), slice(30, 60), slice(60, 90)))
    }
    return images, labels, files


@pytest.mark.parametrize("folder", ["test_batches/", ""])
def test_images_stand_upright_in_the_order_of_the_batches(official, tmp_path, folder):
    images, labels, files = official
    files = {name.replace("test_batches/", folder): content for name, content in reversed(files.items())}
    read = AffNIST(write_zip(tmp_path / "test_batches.zip", files))
    assert read.shape == (90, 1, 40, 40)
    assert np.array_equal(read.labels, labels)
    assert np.array_equal(read[np.arange(90)][:, 0], images)
    assert np.array_equal(read[np.arange(25, 65)][:, 0], images[25:65])


def test_two_batches_are_held_at_the_most(official, tmp_path, monkeypatch):
    held = []
    original = affnist._read_batch
    monkeypatch.setattr(affnist, "_read_batch", lambda *names: held.append(names[1]) or original(*names))
    read = AffNIST(write_zip(tmp_path / "a.zip", official[2]))
    held.clear()
    for start in range(0, 90, 7):
        read[np.arange(start, min(start + 7, 90))]
    assert len(held) == 3  # each once, none kept beyond the next
    assert read._batch.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("2.mat", None, r"lacks 2\.mat; it must be affNIST's archive of 3 test batches"),
        ("2.mat", b"<html>gone</html>", r"2\.mat is no batch of affNIST \("),
        ("2.mat", batch(np.zeros((29, 40, 40), np.uint8), np.zeros(29, np.uint8)), r"2\.mat has images \(1600, 29\)"),
        ("2.mat", batch(np.zeros((30, 28, 28), np.uint8), np.zeros(30, np.uint8)), r"2\.mat has images \(784, 30\)"),
        ("2.mat", batch(np.zeros((30, 40, 40)), np.zeros(30, np.uint8)), "of type float64"),
        ("2.mat", batch(np.zeros((30, 40, 40), np.uint8), np.zeros(29, np.int64)), "has 29 labels for 30 images"),
        ("2.mat", batch(np.zeros((30, 40, 40), np.uint8), np.full(30, 7)), r"labels .* images as 0 to 9, where 3 maps"),
    ],
)
def test_what_is_not_affnist_is_refused(official, tmp_path, name, content, reason):
    files = official[2] | {f"test_batches/{name}": content}
    path = write_zip(tmp_path / "a.zip", {key: value for key, value in files.items() if value is not None})
    with pytest.raises(RemError, match=reason) as raised:
        AffNIST(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_decompression_bomb_is_named_before_it_bursts(official, tmp_path, monkeypatch, order):
    monkeypatch.setattr(affnist, "LARGEST", 1 << 20)
    monkeypatch.setattr(affnist, "loadmat", None)
    bomb = zlib.compress(bytes(1 << 22))
    header = bytes(126) + (b"IM" if order == "<" else b"MI")
    content = header + struct.pack(f"{order}II", 15, len(bomb)) + bomb
    with pytest.raises(
        RemError, match=r"1\.mat is no batch of affNIST \(it unpacks to over 1,048,576 bytes, as a .* bomb"
    ):
        AffNIST(write_zip(tmp_path / "a.zip", official[2] | {"test_batches/1.mat": content}))

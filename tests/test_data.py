"""Readers of every layout, and the prepared HDF5 file."""

import gzip
import io
import json
import tarfile

import h5py
import numpy as np
import pytest
from PIL import Image

from rem.data import CIFAR_TEST, CIFAR_TRAIN, prepare
from rem.files import RemError
from rem.idx import read_idx, write_idx
from rem.settings import Data

GENERATOR = np.random.default_rng(0)


def settings(**changes):
    defaults = {
        "source": "mnist", "folder": None, "classes": 10, "channels": 1, "size": 12, "view": "crop", "validation": 10,
        "split_seed": 0, "generate": None, "mean": [0.1], "std": [0.3],
    }  # fmt: skip
    if changes.get("channels") == 3:
        defaults |= {"mean": [0.5] * 3, "std": [0.25] * 3}
    return Data(**(defaults | changes))


@pytest.fixture
def idx(tmp_path):
    """The four files of the official layout: 40 + 20 images of 12x12."""
    files = []
    for part, count in (("train", 40), ("t10k", 20)):
        files += [tmp_path / f"{part}-images-idx3-ubyte.gz", tmp_path / f"{part}-labels-idx1-ubyte.gz"]
        write_idx(files[-2], GENERATOR.integers(0, 256, (count, 12, 12), np.uint8))
        write_idx(files[-1], np.arange(count) % 10)
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


def test_damaged_idx_files_are_named(idx, target):
    whole = idx[0].read_bytes()
    for content, reason in (
        (whole[: len(whole) // 2], "cannot be unpacked"),
        (b"<html>gone</html>", "cannot be unpacked"),
        (gzip.compress(b"\0\0\x08\1" + gzip.decompress(whole)[4:]), "not an IDX file of 3 dimensions"),
        (gzip.compress(gzip.decompress(whole)[:-1]), "holds 5759 values where its header promises 5760"),
    ):
        idx[0].write_bytes(content)
        fails(f"train-images-idx3-ubyte.gz .*{reason}", settings(), idx, target)


def test_labels_that_do_not_match_are_refused(idx, target):
    write_idx(idx[3], np.zeros(19))
    fails("t10k-labels-idx1-ubyte.gz has 19 labels for 20 images", settings(), idx, target)
    write_idx(idx[3], np.full(20, 10))
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
        ({"classes": 5}, r"mnist has 10 classes, but data\.classes is 5"),
        ({"mean": [0.1, 0.2]}, r"data\.mean has 2 values for 1 channel"),
        ({"generate": (5, 5)}, r"data\.generate is for source shapes, but the source is mnist"),
        ({"source": "shapes"}, r"source shapes needs data\.generate"),
        ({"source": "folder"}, r"source folder needs data\.folder"),
        ({"source": "minst"}, "unknown source 'minst'; the sources are mnist, "),
    ],
)
def test_settings_that_contradict_the_images_are_refused(idx, target, changes, reason):
    fails(reason, settings(**changes), idx, target)


def write_cifar(path, skip=(), short=0):
    records = {}
    with tarfile.open(path, "w:gz") as tar:
        for number, name in enumerate((*CIFAR_TRAIN, CIFAR_TEST)):
            records[name] = GENERATOR.integers(0, 256, (4, 3073), np.uint8)
            records[name][:, 0] = number
            if name not in skip:
                content = records[name].tobytes()[short:]
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return records


CIFAR = {"source": "cifar10", "channels": 3, "size": 24, "validation": 5}


def test_cifar_archive_is_read_in_its_official_layout(tmp_path, target):
    archive = tmp_path / "cifar-10-binary.tar.gz"
    records = write_cifar(archive)
    prepare(settings(**CIFAR), [archive], target)
    with h5py.File(target) as file:
        assert np.bincount(np.concatenate([file["train/labels"], file["val/labels"]])).tolist() == [4] * 5
        assert file["test/labels"][:].tolist() == [5] * 4
        assert np.array_equal(file["test/images"], records[CIFAR_TEST][:, 1:].reshape(4, 3, 32, 32))
        assert list(file.attrs["class_names"])[:2] == ["airplane", "automobile"]
        assert json.loads(file.attrs["checksums"])[archive.name].startswith("md5:")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["prepared"]


def test_cifar_images_are_resized(tmp_path, target):
    records = write_cifar(tmp_path / "a.tar.gz")
    prepare(settings(**CIFAR, view="resize"), [tmp_path / "a.tar.gz"], target)
    image = Image.fromarray(records[CIFAR_TEST][2, 1:].reshape(3, 32, 32).transpose(1, 2, 0))
    with h5py.File(target) as file:
        expected = np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        assert np.array_equal(file["test/images"][2], expected)


def test_damaged_cifar_archives_are_named(tmp_path, target):
    archive = tmp_path / "a.tar.gz"
    write_cifar(archive, skip=CIFAR_TRAIN[2:3])
    fails("a.tar.gz lacks .*data_batch_3.bin", settings(**CIFAR), [archive], target)
    write_cifar(archive, short=1)
    fails("a.tar.gz: .*data_batch_1.bin is no whole number of images", settings(**CIFAR), [archive], target)
    write_cifar(archive)
    archive.write_bytes(archive.read_bytes()[:20000])
    fails("a.tar.gz cannot be unpacked", settings(**CIFAR), [archive], target)


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


@pytest.fixture
def folder(tmp_path):
    """8 + 4 RGB images of 10x14 in two classes; one test image is grey, one is a JPEG."""
    root = tmp_path / "pictures"
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(("cat", "ant")):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = GENERATOR.integers(0, 256, (10, 14, 3), np.uint8)
                pixels[..., 1] = 255 * label
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    Image.fromarray(np.full((10, 14), 77, np.uint8)).save(root / "test/ant/0.png")
    Image.fromarray(np.full((10, 14, 3), 50, np.uint8)).save(root / "test/cat/9.JPG", "JPEG")
    (root / "train/cat/notes.txt").write_text("not an image")
    return root


def pictures(folder, **changes):
    return settings(**{"source": "folder", "folder": str(folder), "channels": 3, "size": 9, "classes": 2,
                       "validation": 3} | changes)  # fmt: skip


def test_image_folder_is_read_with_sorted_classes(folder, target):
    prepare(pictures(folder), [], target)
    with h5py.File(target) as file:
        assert list(file.attrs["class_names"]) == ["ant", "cat"]
        assert file["test/images"].shape == (5, 3, 10, 14)
        assert file["test/labels"][:].tolist() == [0, 0, 1, 1, 1]
        assert (file["test/images"][0] == 77).all()
        assert (file["test/images"][1, 1] == 255).all()
        assert (file["test/images"][4] == 50).all()
        first = json.loads(file.attrs["checksums"])["folder"]
    Image.fromarray(np.zeros((10, 14, 3), np.uint8)).save(folder / "test/ant/1.png")
    prepare(pictures(folder), [], target)
    with h5py.File(target) as file:
        assert json.loads(file.attrs["checksums"])["folder"] != first


def test_image_folder_is_cut_to_the_middle_square_and_made_grey(folder, target):
    pixels = np.zeros((10, 14, 3), np.uint8)
    pixels[:, 2:12] = 200
    Image.fromarray(pixels).save(folder / "test/ant/0.png")
    prepare(pictures(folder, view="resize", channels=1), [], target)
    with h5py.File(target) as file:
        assert file["test/images"].shape == (5, 1, 9, 9)
        assert (file["test/images"][0, 0, :, 1:-1] == 200).all()
        assert (file["test/images"][0] > 150).all()


@pytest.mark.parametrize("view", ["resize", "crop"])
def test_unreadable_images_are_counted_and_the_first_is_named(folder, target, view):
    whole = (folder / "train/ant/1.png").read_bytes()
    (folder / "train/ant/1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "train/cat/0.png").write_bytes(b"")
    fails(
        r"2 unreadable image\(s\) in .*pictures, the first .*train/ant/1\.png", pictures(folder, view=view), [], target
    )


def test_images_of_several_sizes_can_be_resized_but_not_cropped(folder, target):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "train/cat/2.png")
    fails(r"train/cat/2\.png differs in size", pictures(folder), [], target)
    prepare(pictures(folder, view="resize"), [], target)
    assert target.exists()


def test_image_folder_of_the_wrong_layout_is_refused(folder, target):
    fails(r"has 2 classes, but data\.classes is 3", pictures(folder, classes=3), [], target)
    (folder / "train/bee").mkdir()
    Image.new("RGB", (14, 10)).save(folder / "train/bee/0.png")
    fails("class bee is in only one of train/ and test/", pictures(folder), [], target)
    (folder / "test").rename(folder / "validation")
    fails("pictures/test is missing", pictures(folder), [], target)
    (folder / "test").mkdir()
    fails("pictures/test has no <class>", pictures(folder), [], target)

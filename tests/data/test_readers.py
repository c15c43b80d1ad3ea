"""Readers of every layout, from archives in the official layouts to folders of one's own."""

import dataclasses
import errno
import gzip
import hashlib
import io
import json
import shutil
import unicodedata
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from packed import write_folder, write_tar, write_zip
from PIL import Image
from tiny import data as settings

from rem.data.layouts.cifar import CIFAR_TEST, CIFAR_TRAIN
from rem.data.layouts.idx import write_idx
from rem.data.prepare import prepare
from rem.data.readers import read
from rem.data.sources import SOURCES
from rem.errors import RemError

GENERATOR = np.random.default_rng(0)


def fails(match, data, files, target):
    with pytest.raises(RemError, match=match) as raised:
        prepare(data, files, target)
    assert "\n" not in str(raised.value)
    assert not target.exists()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "prepared.h5"


# IDX


@pytest.fixture
def idx(tmp_path):
    files = [tmp_path / name for name in SOURCES["mnist"].files]
    for images, labels, count in ((*files[:2], 40), (*files[2:], 20)):
        write_idx(images, GENERATOR.integers(0, 256, (count, 12, 12), np.uint8))
        write_idx(labels, np.arange(count) % 10)
    return files


def test_damaged_idx_files_are_named(idx):
    whole = idx[0].read_bytes()
    for content, reason in (
        (whole[: len(whole) // 2], "cannot be unpacked"),
        (b"<html>gone</html>", "cannot be unpacked"),
        (gzip.compress(b"\0\0\x08\1" + gzip.decompress(whole)[4:]), "not an IDX file of 3 dimensions"),
        (gzip.compress(gzip.decompress(whole)[:-1]), "holds 5759 values where its header promises 5760"),
    ):
        idx[0].write_bytes(content)
        with pytest.raises(RemError, match=f"train-images-idx3-ubyte.gz .*{reason}"):
            read(settings(), idx)


def test_labels_that_do_not_match_are_refused(idx):
    write_idx(idx[3], np.zeros(19))
    with pytest.raises(RemError, match=r"t10k-labels-idx1-ubyte\.gz has 19 labels for 20 images"):
        read(settings(), idx)


# CIFAR10


def cifar(path, monkeypatch, skip=(), short=0):
    """CIFAR10's official archive, small, made the one that the source's checksum is of."""
    records, contents = {}, {}
    for number, name in enumerate((*CIFAR_TRAIN, CIFAR_TEST)):
        records[name] = GENERATOR.integers(0, 256, (4, 3073), np.uint8)
        records[name][:, 0] = number
        if name not in skip:
            contents[f"cifar-10-batches-bin/{name}"] = records[name].tobytes()[short:]
    write_tar(path, contents)
    accept(monkeypatch, "cifar10", path)
    return records


def accept(monkeypatch, source, path):
    digest = f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"
    monkeypatch.setitem(SOURCES, source, dataclasses.replace(SOURCES[source], files={path.name: digest}))


CIFAR = {"source": "cifar10", "channels": 3, "size": 24, "validation": 5}


def test_cifar_archive_is_read_in_its_official_layout(tmp_path, target, monkeypatch):
    archive = tmp_path / "cifar-10-binary.tar.gz"
    records = cifar(archive, monkeypatch)
    prepare(settings(**CIFAR), [archive], target)
    with h5py.File(target) as file:
        assert np.bincount(np.concatenate([file["train/labels"], file["val/labels"]])).tolist() == [4] * 5
        assert file["test/labels"][:].tolist() == [5] * 4
        assert np.array_equal(file["test/images"], records[CIFAR_TEST][:, 1:].reshape(4, 3, 32, 32))
        assert list(file.attrs["class_names"])[:2] == ["airplane", "automobile"]
        assert json.loads(file.attrs["checksums"])[archive.name].startswith("md5:")
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]  # nothing is unpacked


def test_cifar_images_are_resized(tmp_path, target, monkeypatch):
    records = cifar(tmp_path / "a.tar.gz", monkeypatch)
    prepare(settings(**CIFAR, view="resize"), [tmp_path / "a.tar.gz"], target)
    image = Image.fromarray(records[CIFAR_TEST][2, 1:].reshape(3, 32, 32).transpose(1, 2, 0))
    with h5py.File(target) as file:
        expected = np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        assert np.array_equal(file["test/images"][2], expected)


def test_damaged_cifar_archives_are_named(tmp_path, target, monkeypatch):
    archive = tmp_path / "a.tar.gz"
    cifar(archive, monkeypatch, skip=CIFAR_TRAIN[2:3])
    fails("a.tar.gz lacks data_batch_3.bin", settings(**CIFAR), [archive], target)
    cifar(archive, monkeypatch, short=1)
    fails("a.tar.gz: data_batch_1.bin is no whole number of images", settings(**CIFAR), [archive], target)
    cifar(archive, monkeypatch)
    archive.write_bytes(archive.read_bytes()[:20000])
    fails("a.tar.gz is not cifar10's file", settings(**CIFAR), [archive], target)
    accept(monkeypatch, "cifar10", archive)
    fails("a.tar.gz is no whole .zip or .tar.gz", settings(**CIFAR), [archive], target)


# Image folders


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
    (root / "train/cat/notes.txt").write_text("not an image", encoding="utf-8")
    return root


def pictures(folder, **changes):
    return settings(**{"source": "folder", "folder": str(folder), "channels": 3, "size": 9, "classes": 2,
                       "validation": 3} | changes)  # fmt: skip


def test_image_folder_is_read_with_sorted_classes(folder, target):
    prepare(pictures(folder), [folder], target)
    with h5py.File(target) as file:
        assert list(file.attrs["class_names"]) == ["ant", "cat"]
        assert file["test/images"].shape == (5, 3, 10, 14)
        assert file["test/labels"][:].tolist() == [0, 0, 1, 1, 1]
        assert (file["test/images"][0] == 77).all()
        assert (file["test/images"][1, 1] == 255).all()
        assert (file["test/images"][4] == 50).all()
        first = json.loads(file.attrs["checksums"])["pictures"]
    Image.fromarray(np.zeros((10, 14, 3), np.uint8)).save(folder / "test/ant/1.png")
    prepare(pictures(folder), [folder], target)
    with h5py.File(target) as file:
        assert json.loads(file.attrs["checksums"])["pictures"] != first


@pytest.mark.parametrize("name", ["two\nlines", "bell\a", "\x1b[31mred", b"\xff".decode(errors="surrogateescape")])
def test_a_class_whose_name_cannot_be_printed_is_refused(folder, target, name):
    for part in ("train", "test"):
        (folder / part / "cat").rename(folder / part / name)
    fails("has a class named '.*', which cannot be printed; rename it", pictures(folder), [folder], target)


def test_a_class_may_have_any_name_that_can_be_printed(folder, target):
    name = "$(touch x) `y` 'a' \"b\" \\frac{%s} <b>| & ünï"
    for part in ("train", "test"):
        (folder / part / "cat").rename(folder / part / name)
    prepare(pictures(folder), [folder], target)
    with h5py.File(target) as file:
        assert name in file.attrs["class_names"]


def test_image_folder_is_cut_to_the_middle_square_and_made_grey(folder, target):
    pixels = np.zeros((10, 14, 3), np.uint8)
    pixels[:, 2:12] = 200
    Image.fromarray(pixels).save(folder / "test/ant/0.png")
    prepare(pictures(folder, view="resize", channels=1), [folder], target)
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
        r"2 unreadable image\(s\) in .*pictures, the first .*train/ant/1\.png \(.*trunc.*\); replace or remove",
        pictures(folder, view=view),
        [folder],
        target,
    )


def test_an_image_of_too_many_pixels_is_told_from_a_damaged_one(folder, target, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    fails(r"the first .*\(more than 100 pixels, which is too large\)", pictures(folder), [folder], target)


def test_a_class_whose_accents_have_another_form_in_test_is_the_same_class(folder, target):
    for split, form in (("train", "NFC"), ("test", "NFD")):
        (folder / split / "ant").rename(folder / split / unicodedata.normalize(form, "\u00e9t\u00e9"))
    prepare(pictures(folder), [folder], target)
    with h5py.File(target) as file:
        assert list(file.attrs["class_names"]) == ["cat", "\u00e9t\u00e9"]


def test_a_draw_that_takes_every_training_image_of_a_class_is_refused(folder, target):
    for path in list((folder / "train/ant").iterdir())[1:]:
        path.unlink()
    taking = [seed for seed in range(20) if 0 in np.random.default_rng(seed).permutation(5)[:3]]  # the ant is the first
    sparing = next(seed for seed in range(20) if seed not in taking)
    said = r"validation is 3, which takes every training image of class 'ant' of source folder; lower it, change"
    fails(said, pictures(folder, split_seed=taking[0]), [folder], target)
    prepare(pictures(folder, split_seed=sparing), [folder], target)


def test_images_of_several_sizes_can_be_resized_but_not_cropped(folder, target):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "train/cat/2.png")
    fails(r"train/cat/2\.png in .*pictures differs in size", pictures(folder), [folder], target)
    prepare(pictures(folder, view="resize"), [folder], target)
    assert target.exists()


def test_image_folder_of_the_wrong_layout_is_refused(folder, target):
    fails(
        r"pictures has 2 classes \(ant, cat\), but data\.classes is 3; set it to 2\.$",
        pictures(folder, classes=3),
        [folder],
        target,
    )
    (folder / "train/bee").mkdir()
    Image.new("RGB", (14, 10)).save(folder / "train/bee/0.png")
    fails("class bee is in only one of train and test", pictures(folder), [folder], target)
    (folder / "test").rename(folder / "validation")
    fails(
        r"pictures has no test images; put them in test/<class>/, or set data\.test to the share",
        pictures(folder),
        [folder],
        target,
    )


@pytest.mark.parametrize("form", ["zip", "gztar"])
def test_an_archive_of_an_image_folder_is_read_as_the_folder_is(folder, target, tmp_path, form):
    prepare(pictures(folder), [folder], target)
    with h5py.File(target) as file:
        expected = {name: (file[name]["images"][:], file[name]["labels"][:]) for name in file}
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), form, tmp_path, "pictures"))
    shutil.rmtree(folder)
    prepare(pictures(str(archive)), [archive], target)
    with h5py.File(target) as file:
        assert list(json.loads(file.attrs["checksums"])) == [archive.name]
        for name, (images, labels) in expected.items():
            assert np.array_equal(file[name]["images"], images)
            assert np.array_equal(file[name]["labels"], labels)
    assert not folder.exists()


def test_an_unreadable_image_in_an_archive_is_named(folder, target, tmp_path):
    (folder / "train/ant/1.png").write_bytes(b"no picture")
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "pictures"))
    fails(
        r"1 unreadable image\(s\) in .*packed\.zip, the first train/ant/1\.png \(no image of a known format\)",
        pictures(str(archive)),
        [archive],
        target,
    )


def test_an_image_that_cannot_be_read_now_is_not_called_unreadable(folder, target, monkeypatch):
    def fail(self):
        raise OSError(errno.EIO, "the disk is away")

    contents = read(pictures(folder), [folder])
    monkeypatch.setattr(Path, "read_bytes", fail)
    said = r"ant/0\.png cannot be read now \(input/output error\); see that its disk works"
    with pytest.raises(RemError, match=said):  # of an image as it is decoded
        contents.train.images[np.arange(1)]
    fails(said, pictures(folder), [folder], target)  # of its digest


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("flag_bits", 1, "is locked with a password; pack it again without one"),
        ("compress_type", 9, "is packed by deflate64, which is not read here; pack it again as a plain"),
    ],
)
def test_an_archive_that_cannot_be_unpacked_is_refused_as_a_whole(
    folder, target, tmp_path, monkeypatch, field, value, said
):
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "pictures"))
    listed = zipfile.ZipFile.infolist

    def changed(self):
        for info in (found := listed(self)):
            setattr(info, field, value)
        return found

    monkeypatch.setattr(zipfile.ZipFile, "infolist", changed)
    fails(said, pictures(str(archive)), [archive], target)


# Tiny ImageNet


WNIDS = ("n02", "n01", "n03")


def jpeg(value, mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, (64, 64), value if mode == "L" else (value, 0, 255 - value)).save(buffer, "JPEG")
    return buffer.getvalue()


def tiny_imagenet():
    """The files of the official layout: 3 classes of 3 training and 2 validation images, one of each grey."""
    files = {"wnids.txt": "\n".join(WNIDS).encode(), "words.txt": b"n01\tgoldfish, Carassius\nn02\tbee\nn99\tnothing\n"}
    rows = []
    for label, wnid in enumerate(WNIDS):
        for number in range(3):
            mode = "L" if number == 1 else "RGB"
            files[f"train/{wnid}/images/{wnid}_{number}.JPEG"] = jpeg(100 * label, mode)
        files[f"train/{wnid}/{wnid}_boxes.txt"] = b"0\t0\t1\t1\n"
    for number in range(6):
        files[f"val/images/val_{number}.JPEG"] = jpeg(100 * (number % 3), "L" if number == 4 else "RGB")
        rows.append(f"val_{number}.JPEG\t{WNIDS[number % 3]}\t0\t32\t44\t62\n")
    files["val/val_annotations.txt"] = "".join(reversed(rows)).encode()
    files["test/images/test_0.JPEG"] = jpeg(7)  # without labels
    return files


def tiny_settings(path, **changes):
    return settings(**{"source": "tiny-imagenet-folder", "folder": str(path), "channels": 3, "size": 64, "classes": 3,
                       "validation": 2} | changes)  # fmt: skip


WRITERS = {"zip": write_zip, "tar": write_tar, "folder": write_folder}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_tiny_imagenet_layout_is_read(tmp_path, target, write):
    files = tiny_imagenet()
    if write is not write_folder:
        files = {f"tiny-imagenet-200/{name}": content for name, content in files.items()}
    path = write(tmp_path / "set", files)
    prepare(tiny_settings(path), [path], target)
    with h5py.File(target) as file:
        assert list(file.attrs["class_names"]) == ["bee", "goldfish", "n03"]
        assert {name: len(file[name]["labels"]) for name in file} == {"train": 7, "val": 2, "test": 6}
        assert file["test/labels"][:].tolist() == [2, 1, 0, 2, 1, 0]
        middles = file["test/images"][:, :, 32, 32].astype(int)
        for number, middle in zip(range(5, -1, -1), middles, strict=True):
            value = 100 * (number % 3)
            expected = [value] * 3 if number == 4 else [value, 0, 255 - value]
            assert abs(middle - expected).max() <= 3
        for split in ("train", "val"):
            for image, label in zip(file[split]["images"], file[split]["labels"], strict=True):
                assert abs(int(image[0, 32, 32]) - 100 * label) <= 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prepared.h5", "set"]


def test_the_official_archive_must_have_its_checksum(tmp_path, target, monkeypatch):
    path = write_zip(tmp_path / "tiny-imagenet-200.zip", tiny_imagenet())
    data = tiny_settings(path, source="tiny-imagenet", folder=None)
    fails(r"tiny-imagenet-200\.zip is not tiny-imagenet's file .*; delete it and fetch it again", data, [path], target)
    accept(monkeypatch, "tiny-imagenet", path)
    prepare(data, [path], target)
    assert target.exists()


def spoil(files, name, old, new):
    assert old in files[name]
    return files | {name: files[name].replace(old, new, 1)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda files: spoil(files, "val/val_annotations.txt", b"val_3", b"val_9"),
         r"val/images/val_3\.JPEG has no annotation"),
        (lambda files: {name: content for name, content in files.items() if name != "val/images/val_2.JPEG"},
         r"val/images/val_2\.JPEG is annotated but missing"),
        (lambda files: spoil(files, "val/val_annotations.txt", b"val_5", b"val_5.JPEG\tn03\nval_5"),
         r"val_annotations\.txt has 7 rows for 6 images"),
        (lambda files: spoil(files, "val/val_annotations.txt", b"n03", b"n33"),
         r"val_annotations\.txt gives val_5\.JPEG a class that is not in wnids\.txt"),
        (lambda files: spoil(files, "val/val_annotations.txt", b"val_5.JPEG\tn03", b"val_5.JPEG n03"),
         r"val/images/val_5\.JPEG has no annotation"),
        (lambda files: spoil(files, "wnids.txt", b"n03", b"n03\nn04"), r"train/ has no image of class n04"),
        (lambda files: spoil(files, "wnids.txt", b"\nn03", b""), r"train/ gives train/n03/.* a class that is not in"),
        (lambda files: {name: content for name, content in files.items() if name != "wnids.txt"}, r"lacks wnids\.txt"),
        (lambda files: files | {"train/n01/images/n01_2.JPEG": b"no picture"},
         r"1 unreadable image\(s\) in .*set, the first train/n01/images/n01_2\.JPEG"),
    ],
)  # fmt: skip
def test_tiny_imagenet_files_that_do_not_match_are_named(tmp_path, target, change, reason):
    path = write_zip(tmp_path / "set", change(tiny_imagenet()))
    fails(reason, tiny_settings(path), [path], target)

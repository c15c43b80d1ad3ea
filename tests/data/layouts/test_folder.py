"""Folders and archives of one's own images: what counts as one, what is passed over, how a test part is drawn."""

import io
import os
import tarfile

import h5py
import numpy as np
import pytest
from packed import write_folder, write_tar, write_zip
from PIL import Image
from tiny import data as settings

from rem.data.archives import open_files
from rem.data.layouts.folder import read_folder
from rem.data.prepare import prepare
from rem.errors import RemError

WRITERS = [write_folder, write_zip, write_tar]


def picture(value, kind="PNG", size=(12, 12)):
    buffer = io.BytesIO()
    Image.new("L", size, value).save(buffer, kind)
    return buffer.getvalue()


def own(path, **changes):
    chosen = {"source": "folder", "folder": str(path), "classes": 2, "validation": 1}
    return settings(**(chosen | changes))


def read(path, **changes):
    return read_folder(open_files(path), own(path, **changes))


def two_classes(parts=("train", "test"), count=4):
    """Images of two classes, each of a grey of its own."""
    values = iter(range(1, 255))
    names = [f"{part}/{name}/{number}.png" for part in parts for name in ("cat", "ant") for number in range(count)]
    return {name: picture(next(values)) for name in names}


def greys(part):
    """Of each image its grey; of each its class."""
    return part.images[np.arange(len(part.labels))][:, 0, 0, 0].tolist(), part.labels.tolist()


FORMATS = {"bmp": "BMP", "BMP": "BMP", "tif": "TIFF", "TIFF": "TIFF", "webp": "WEBP", "Gif": "GIF", "pgm": "PPM",
           "png": "PNG", "JPG": "JPEG", "jpeg": "JPEG", "jfif": "JPEG", "tga": "TGA", "jp2": "JPEG2000"}  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_in_any_case_counts(tmp_path, capsys, write):
    formats = {f"train/cat/a.{suffix}": picture(100, kind) for suffix, kind in FORMATS.items()}
    train = read(write(tmp_path / "set", two_classes() | formats)).train
    values, labels = greys(train)
    assert labels == [0] * 4 + [1] * (4 + len(FORMATS))
    assert sum(abs(value - 100) <= 2 for value in values) == len(FORMATS)
    assert capsys.readouterr().err == ""


def test_images_deeper_than_their_class_are_taken(tmp_path, capsys):
    files = {f"train/cat/{name}": picture(9) for name in ("a/0.png", "b/c/d/0.png")}
    assert greys(read(write_folder(tmp_path / "set", two_classes() | files)).train)[1] == [0] * 4 + [1] * 6
    assert capsys.readouterr().err == ""


def test_what_is_passed_over_is_told_in_one_line(tmp_path, capsys):
    files = {"train/cat/notes.txt": b"", "labels.csv": b"", "README": b"", "train/0.png": picture(1),
             "val/cat/0.png": picture(1), "0.png": picture(1), ".DS_Store": b"", "train/cat/._0.png": b""}  # fmt: skip
    path = write_folder(tmp_path / "set", two_classes() | files)
    (path / "train/cat/9.png").symlink_to("nothing")
    assert len(read(path).train.labels) == 8
    assert capsys.readouterr().err == (
        f"{path}: 7 files passed over: 3 of no image format (.csv, .txt, no suffix), "
        "3 outside train/<class>/ and test/<class>/, 1 dead link\n"
    )


def test_links_in_an_archive_are_told_and_not_followed(tmp_path, capsys):
    folder = write_folder(tmp_path / "set", two_classes())
    (folder / "train/cat/9.png").symlink_to("0.png")
    (folder / "train/bee").symlink_to("ant")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder, "set")
    assert read(tmp_path / "set.tar").class_names == ["ant", "cat"]
    assert capsys.readouterr().err == f"{tmp_path / 'set.tar'}: 2 files passed over: 2 dead links\n"


@pytest.mark.parametrize("write", WRITERS[1:])
@pytest.mark.parametrize("top", ["", "leaves/", "some/of my/leaves/", "leaves\\"])
def test_an_archive_may_have_folders_round_and_other_files_beside_its_images(tmp_path, capsys, write, top):
    plain = read(write(tmp_path / "plain", two_classes()))
    slash = "\\" if "\\" in top else "/"
    packed = {top + name.replace("/", slash): content for name, content in two_classes().items()}
    beside = {f"{top}README": b"", "__MACOSX/._leaves": b"", f"__MACOSX/{top}train/cat/._0.png": b""}
    made = read(write(tmp_path / "set", packed | beside))
    for one, other in ((made.train, plain.train), (made.test, plain.test)):
        assert greys(one) == greys(other)
    assert capsys.readouterr().err == f"{tmp_path / 'set'}: 1 file passed over: 1 of no image format (no suffix)\n"


def test_two_folders_with_a_train_are_named(tmp_path):
    files = {f"{top}/{name}": content for top in ("a", "b") for name, content in two_classes().items()}
    with pytest.raises(RemError, match="has train/ in a/ and in b/; leave it in one of them"):
        read(write_zip(tmp_path / "set", files))


@pytest.mark.parametrize("linked", ["train", "test", "train/cat", "."])
def test_a_folder_that_is_a_link_is_followed(tmp_path, linked):
    path = write_folder(tmp_path / "set", two_classes())
    expected = greys(read(path).train)
    place = path / linked  # "set/." is "set"
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert greys(read(path).train) == expected


def test_a_path_may_have_spaces_quotes_and_letters_of_all_kinds(tmp_path):
    path = write_folder(tmp_path / 'it\'s "my" $set; ünï', two_classes())
    prepare(own(path), [path], tmp_path / "out.h5")
    with h5py.File(tmp_path / "out.h5") as file:
        assert {name: len(file[name]["labels"]) for name in file} == {"train": 7, "val": 1, "test": 8}


def test_values_of_no_known_range_are_named_with_their_file(tmp_path):
    path = write_folder(tmp_path / "set", two_classes())
    Image.fromarray(np.ones((12, 12), np.float32)).save(path / "train/cat/9.tif")
    with pytest.raises(RemError, match=r"^train/cat/9\.tif in .*set holds floating-point numbers"):
        prepare(own(path), [path], tmp_path / "out.h5")


# Test images drawn from the training images


def test_a_share_of_every_class_is_drawn_for_the_test(tmp_path):
    path = write_folder(tmp_path / "set", two_classes(parts=["train"], count=10) | {"train/cat/x.png": picture(200)})
    contents = read(path, test=0.2)
    train, test = greys(contents.train), greys(contents.test)
    assert (train[1], test[1]) == ([0] * 8 + [1] * 9, [0] * 2 + [1] * 2)
    assert not set(train[0]) & set(test[0])
    assert len(set(train[0]) | set(test[0])) == 21


def test_the_draw_depends_on_the_split_seed_alone(tmp_path):
    path = write_folder(tmp_path / "set", two_classes(parts=["train"], count=10))
    first = greys(read(path, test=0.3).test)
    assert greys(read(path, test=0.3, size=10, view="resize").test) == first
    assert greys(read(path, test=0.3, split_seed=1).test) != first


@pytest.mark.parametrize(("share", "drawn"), [(0.01, 1), (0.5, 2), (0.99, 3)])
def test_at_least_one_image_of_a_class_is_drawn_and_one_is_left(tmp_path, share, drawn):
    contents = read(write_folder(tmp_path / "set", two_classes(parts=["train"])), test=share)
    assert contents.test.labels.tolist() == [0] * drawn + [1] * drawn
    assert len(contents.train.labels) == 8 - 2 * drawn


def test_a_draw_beside_test_images_is_refused(tmp_path):
    path = write_folder(tmp_path / "set", two_classes())
    with pytest.raises(RemError, match=r"data\.test is 0\.2, but .*set has test images \(in test/<class>/\); set"):
        read(path, test=0.2)


def test_a_class_of_one_image_cannot_be_split(tmp_path):
    path = write_folder(tmp_path / "set", two_classes(parts=["train"]) | {"train/bee/0.png": picture(1)})
    with pytest.raises(RemError, match="class bee has one image, which cannot be trained on and tested on"):
        read(path, test=0.2)


def test_no_training_images_are_named(tmp_path):
    path = write_folder(tmp_path / "set", {"cat/0.png": picture(1), "ant/0.png": picture(1)})
    with pytest.raises(RemError, match="set has no training images; put them in train/<class>/"):
        read(path)


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5])
def test_the_share_lies_between_none_and_all(tmp_path, value):
    with pytest.raises(RemError, match="key test has the value"):
        own(tmp_path, test=value)


def test_a_share_is_for_ones_own_images(tmp_path):
    with pytest.raises(RemError, match=r"data\.test is for sources folder and csv, but the source is mnist"):
        prepare(settings(test=0.2), [], tmp_path / "out.h5")
    assert os.listdir(tmp_path) == []

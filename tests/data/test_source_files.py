"""The files that a dataset needs, and whether they are its source's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rem.data import source_files as module
from rem.data.source_files import check_files, data_files, image_folders, source_files
from rem.errors import RemError
from rem.files.digests import folder_state


def test_import_loads_nothing_heavy():
    program = "import sys, rem.data.source_files; print(sorted({'torch', 'requests', 'PIL'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_files_that_prepare_needs():
    assert source_files("cifar10") == ["data/raw/cifar10/cifar-10-binary.tar.gz"]
    assert source_files("mnist-sample")[3] == "data/sample/mnist/t10k-labels-idx1-ubyte.gz"
    assert source_files("shapes") == source_files("folder") == []
    assert source_files("affnist-like")[0] == "data/raw/mnist/t10k-images-idx3-ubyte.gz"
    assert source_files("affnist-like-10000") == source_files("affnist-like")
    assert source_files("affnist-like-sample") == source_files("mnist-sample")[2:]


def test_a_dataset_needs_its_source_or_folder_and_then_its_transfer(tmp_path):
    further = source_files("affnist")
    assert data_files("mnist", None, None) == source_files("mnist")
    assert data_files("mnist", None, "affnist") == source_files("mnist") + further
    assert data_files("folder", str(tmp_path), "affnist") == [str(tmp_path), *further]
    assert data_files("shapes", None, None) == []


@pytest.mark.parametrize(
    ("source", "folder", "transfer", "reason"),
    [
        ("folder", None, None, r"source folder needs data\.folder, which is null"),
        ("folder", "nowhere/images", None, r"data\.folder is nowhere/images, which is not there"),
        ("mnist", "images", None, r"data\.folder is for your own images, but the source is mnist"),
        ("mnist", None, "shapes", r"data\.transfer is shapes, which has no test files of its own"),
        ("mnist", None, "folder", r"data\.transfer is folder, which has no test files of its own"),
        ("mnist", None, "affmist", "unknown source 'affmist'"),
        ("minst", None, None, "unknown source 'minst'; the sources are mnist, "),
    ],
)
def test_contradictions_are_refused_before_anything_is_read(source, folder, transfer, reason):
    with pytest.raises(RemError, match=reason):
        data_files(source, folder, transfer)


def test_every_change_of_a_folder_shows(tmp_path):
    for name in ("train/cat/0.png", "train/cat/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"pixels")
    seen = [folder_state(tmp_path)]
    assert folder_state(tmp_path) == seen[0]
    (tmp_path / "train/cat/1.png").rename(tmp_path / "train/cat/2.png")
    seen.append(folder_state(tmp_path))
    (tmp_path / "train/cat/2.png").write_bytes(b"more pixels")
    seen.append(folder_state(tmp_path))
    os.utime(tmp_path / "train/cat/2.png", (1, 1))
    seen.append(folder_state(tmp_path))
    (tmp_path / "train/cat/2.png").unlink()
    seen.append(folder_state(tmp_path))
    assert len(set(seen)) == 5


def test_the_folders_of_own_images_are_those_that_links_and_lists_lead_to(tmp_path):
    for name in ("own/train/oak", "elsewhere", "lists"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.png").touch()
    (tmp_path / "own/train/elm").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "lists/images.csv").write_text("path,label\n1.png,oak\n../elsewhere/1.png,elm\n", encoding="utf-8")
    (tmp_path / "lists/images.zip").touch()

    def folders(source, path):
        return {str(found.relative_to(tmp_path.resolve())) for found in image_folders(source, str(tmp_path / path))}

    assert folders("folder", "own") == {"own/train/oak", "elsewhere"}
    assert folders("csv", "lists/images.csv") == {"lists", "elsewhere"}
    assert folders("folder", "lists/images.zip") == {"lists"}


def test_a_spoilt_file_is_named_with_the_way_to_mend_it(tmp_path, monkeypatch):
    files = [tmp_path / Path(file).name for file in source_files("cifar10")]
    with pytest.raises(RemError, match=r"cifar-10-binary\.tar\.gz is missing; fetch it first"):
        check_files("cifar10", files)
    files[0].write_bytes(b"other")
    with pytest.raises(RemError, match=r"tar\.gz is not cifar10's file .*; delete it and fetch it again\.$"):
        check_files("cifar10", files)
    monkeypatch.setattr(module, "checksum", lambda *_, **__: "sha256:0")
    with pytest.raises(RemError, match=r"; restore it with `git checkout data/sample/mnist`\.$"):
        check_files("mnist-sample", [Path(__file__)] * 4)

"""Readers of every layout a source can have: its images, computed as they are asked for, and their labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rem import shapes
from rem.affine import AffineMapped
from rem.affnist import AffNIST
from rem.archives import Files, open_files
from rem.files import RemError
from rem.idx import read_idx
from rem.images import Decoded, Images
from rem.settings import Data
from rem.sources import find_source

CIFAR_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
CIFAR_TEST = "test_batch.bin"
CIFAR_RECORD = 1 + 3 * 32 * 32  # label, then the red, green and blue planes
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
AGAIN = "; delete it and fetch it again."


class Part(NamedTuple):
    """The training or the test images of a source."""

    images: Images  # (N, C, H, W) uint8
    labels: np.ndarray  # (N,)
    pose: np.ndarray | None = None  # (N, P) float32, where the source knows it


class Contents(NamedTuple):
    """All that a source holds; `train` is None of a source of test images alone."""

    train: Part | None
    test: Part
    class_names: Sequence[str]


def read(data: Data, files: Sequence[Path]) -> Contents:
    """The images of a source.

    Args:
        data: the settings; for `view: resize` image files are scaled as they are decoded.
        files: the source's files, as `rem.sources.source_files` lists them.

    Raises:
        RemError: images or labels that are missing, damaged or do not match.
    """
    source = find_source(data.source)
    match source.layout:
        case "idx":
            return Contents(_read_idx(*files[:2]), _read_idx(*files[2:]), source.class_names)
        case "cifar":
            return Contents(*_read_cifar(files[0]), source.class_names)
        case "affnist":
            images = AffNIST(files[0])
            return Contents(None, Part(images, images.labels), source.class_names)
        case "affine":
            digits = _read_idx(*files)
            mapped = AffineMapped(digits.images, source.maps, (data.split_seed, 2))
            return Contents(None, Part(mapped, np.tile(digits.labels, source.maps)), source.class_names)
        case "shapes":
            return _read_shapes(data)
        case "tiny-imagenet":
            return _read_tiny_imagenet(open_files(files[0]), data)
        case "folder":
            return _read_folder(open_files(files[0]), data)
        case "weights":
            raise RemError(f"source {data.source} has {source.what}; name another as data.source.")


def _read_idx(images_file: Path, labels_file: Path) -> Part:
    """The images and labels in two files of MNIST's layout."""
    images, labels = read_idx(images_file, dimensions=3), read_idx(labels_file, dimensions=1)
    if len(images) != len(labels):
        raise RemError(f"{labels_file} has {len(labels)} labels for {len(images)} images{AGAIN}")
    return Part(images[:, None], labels)


def _read_cifar(archive: Path) -> tuple[Part, Part]:
    """The parts in CIFAR10's binary archive."""
    files = open_files(archive)

    def records(name: str) -> np.ndarray:
        if name not in files.names:
            raise RemError(f"{archive} lacks {name}; it must be the official binary archive{AGAIN}")
        content = np.frombuffer(files.read(name), np.uint8)
        if len(content) % CIFAR_RECORD:
            raise RemError(f"{archive}: {name} is no whole number of images{AGAIN}")
        return content.reshape(-1, CIFAR_RECORD)

    both = np.concatenate([records(name) for name in CIFAR_TRAIN]), records(CIFAR_TEST)
    train, test = (Part(part[:, 1:].reshape(-1, 3, 32, 32), part[:, 0]) for part in both)
    return train, test


def _read_shapes(data: Data) -> Contents:
    """Generated images, of side 32 for sizes up to 32 and of side 64 above, as photographs would come."""
    side = 32 if data.size <= 32 else 64
    counts = data.generate or (0, 0)
    train, test = (
        Part(*shapes.generate(count, side, data.classes, (data.split_seed, part)))
        for part, count in zip((0, 1), counts, strict=True)
    )
    return Contents(train, test, list(shapes.CLASSES)[: data.classes])


def _read_folder(files: Files, data: Data) -> Contents:
    """The images train/<class>/* and test/<class>/*, classes in the order of their names."""
    parts, classes = {}, {}
    for name in ("train", "test"):
        paths = [path for path in files.names if path.startswith(f"{name}/") and path.count("/") == 2]
        paths = [path for path in paths if path.lower().endswith(IMAGE_SUFFIXES)]
        if not paths:
            raise RemError(
                f"{files.where} has no {name}/<class>/*.png, .jpg or .jpeg; an image folder (data.folder) has its "
                "images in train/<class>/ and test/<class>/."
            )
        folders = [path.split("/")[1] for path in paths]
        classes[name], labels = np.unique(folders, return_inverse=True)
        parts[name] = Part(_decoded(files, paths, data), labels)
    if odd := sorted(set(classes["train"]) ^ set(classes["test"])):
        raise RemError(
            f"{files.where}: class {odd[0]} is in only one of train/ and test/; both must have the same classes."
        )
    return Contents(parts["train"], parts["test"], classes["train"].tolist())


def _read_tiny_imagenet(files: Files, data: Data) -> Contents:
    """Tiny ImageNet's layout: train/<wnid>/images/*, and val/images/* as test set, in their annotations' order.

    The classes stand in the order of `wnids.txt`, under their first name in `words.txt`.
    """
    wnids = _lines(files, "wnids.txt")
    words = dict(line.split("\t", 1) for line in _lines(files, "words.txt") if "\t" in line)
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    paths = [path for path in files.names if path.startswith("train/") and path.endswith(".JPEG")]
    labels = _labels(files, "train/", [(path, path.split("/")[1]) for path in paths], label_of)
    train = Part(_decoded(files, paths, data), labels)

    rows = [tuple(line.split("\t")[:2]) for line in _lines(files, "val/val_annotations.txt")]
    annotated = [f"val/images/{row[0]}" for row in rows]
    present = [path for path in files.names if path.startswith("val/images/")]
    if odd := sorted(set(annotated) ^ set(present)):
        lacking = "has no annotation" if odd[0] in present else "is annotated but missing"
        raise RemError(f"{files.where}: {odd[0]} {lacking}; val_annotations.txt must be that of these images.")
    if len(annotated) != len(present):
        raise RemError(f"{files.where}: val_annotations.txt has {len(annotated)} rows for {len(present)} images.")
    test = Part(_decoded(files, annotated, data), _labels(files, "val/val_annotations.txt", rows, label_of))
    return Contents(train, test, [words.get(wnid, wnid).split(",")[0] for wnid in wnids])


def _labels(files: Files, where: str, rows: Sequence[tuple[str, ...]], label_of: dict[str, int]) -> np.ndarray:
    """The labels of (image, wnid) rows, which must be of known classes and of all of them."""
    for row in rows:
        if len(row) != 2 or row[1] not in label_of:
            raise RemError(f"{files.where}: {where} gives {row[0]} a class that is not in wnids.txt.")
    labels = np.array([label_of[wnid] for _, wnid in rows], np.int64)
    if lacking := sorted(set(label_of.values()) - set(labels.tolist())):
        raise RemError(f"{files.where}: {where} has no image of class {list(label_of)[lacking[0]]} of wnids.txt.")
    return labels


def _lines(files: Files, name: str) -> list[str]:
    if name not in files.names:
        raise RemError(f"{files.where} lacks {name}; it must have Tiny ImageNet's layout.")
    try:
        return files.read(name).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RemError(f"{files.where}: {name} cannot be read; get it again.") from error


def _decoded(files: Files, paths: Sequence[str], data: Data) -> Decoded:
    return Decoded(files, paths, data.channels, data.size if data.view == "resize" else None)

"""Prepare a dataset: read its source's images, split them, write one HDF5 file.

The file holds `train|val|test/images` uint8 [N, C, H, W] and `labels` int64 [N]. Attributes: class
names, mean, std, size, split seed, source, its files' checksums, the settings.
"""

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from PIL import Image, ImageOps

from rem import shapes
from rem.files import RemError, whole
from rem.idx import read_idx
from rem.settings import Data
from rem.sources import checksum, find_source

CIFAR_TRAIN = tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6))
CIFAR_TEST = "cifar-10-batches-bin/test_batch.bin"
CIFAR_RECORD = 1 + 3 * 32 * 32  # label, then the red, green and blue planes
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
CHUNK_BYTES = 1 << 18
AGAIN = "; delete it and fetch it again."


class Part(NamedTuple):
    """The training or the test images of a source."""

    images: np.ndarray  # (N, C, H, W) uint8
    labels: np.ndarray  # (N,)
    pose: np.ndarray | None = None  # (N, P) float32, where the source knows it


class Contents(NamedTuple):
    """All that a source holds."""

    train: Part
    test: Part
    class_names: Sequence[str]
    checksums: dict[str, str]


def prepare(data: Data, files: Sequence[str | Path], target: str | Path) -> None:
    """Write the HDF5 file of a dataset.

    Validation images are drawn from the training images by a permutation that depends on
    `split_seed` alone; both keep the order they had. `view: resize` scales images to `size` here
    (middle square, bilinear, anti-aliased); `view: crop` keeps them at their own size for random crops later.

    Args:
        data: the settings.
        files: the source's files, as `rem.sources.source_files` lists them.
        target: the HDF5 file to write.

    Raises:
        RemError: images that are missing, damaged or not what the settings say; nothing is written.
    """
    _check_settings(data)
    train, test, class_names, checksums = read(data, [Path(file) for file in files])
    if len(class_names) != data.classes:
        raise RemError(f"source {data.source} has {len(class_names)} classes, but data.classes is {data.classes}.")
    for name, part in (("training", train), ("test", test)):
        _check_part(data, name, part)
    if data.validation >= len(train.labels):
        raise RemError(
            f"data.validation is {data.validation}, but source {data.source} has only {len(train.labels)} "
            "training images; lower it."
        )
    order = np.random.default_rng(data.split_seed).permutation(len(train.labels))
    chosen = {
        "train": (train, np.sort(order[data.validation :])),
        "val": (train, np.sort(order[: data.validation])),
        "test": (test, np.arange(len(test.labels))),
    }
    with whole(target) as partial, h5py.File(partial, "w") as file:
        for name, (part, index) in chosen.items():
            _write_split(file.create_group(name), part, index, data)
        file.attrs["class_names"] = list(class_names)
        file.attrs["mean"] = data.mean
        file.attrs["std"] = data.std
        file.attrs["size"] = data.size
        file.attrs["split_seed"] = data.split_seed
        file.attrs["source"] = data.source
        file.attrs["checksums"] = json.dumps(checksums)
        file.attrs["settings"] = data.model_dump_json()
        if train.pose is not None:
            file.attrs["pose_columns"] = list(shapes.POSE)


def read(data: Data, files: Sequence[Path]) -> Contents:
    """The images of a source; raises RemError where they are missing or damaged."""
    source = find_source(data.source)
    if source.layout == "shapes":
        return _read_shapes(data)
    if source.layout == "folder":
        return _read_folder(data)
    missing = [file for file in files if not file.is_file()]
    if missing or len(files) != len(source.files or {}):
        raise RemError(f"source {data.source}: {missing[0] if missing else 'a file'} is missing; fetch it first.")
    algorithm = next(iter((source.files or {}).values())).split(":")[0]
    train, test = _read_idx(files) if source.layout == "idx" else _read_cifar(files[0])
    sums = {file.name: checksum(file, algorithm, unpacked=source.layout == "idx") for file in files}
    return Contents(train, test, source.class_names, sums)


def _read_idx(files: Sequence[Path]) -> tuple[Part, Part]:
    """The parts in the four files of MNIST's layout: training images, labels, test images, labels."""
    parts = []
    for images_file, labels_file in (files[:2], files[2:]):
        images, labels = read_idx(images_file, dimensions=3), read_idx(labels_file, dimensions=1)
        if len(images) != len(labels):
            raise RemError(f"{labels_file} has {len(labels)} labels for {len(images)} images{AGAIN}")
        parts.append(Part(images[:, None], labels))
    return parts[0], parts[1]


def _read_cifar(archive: Path) -> tuple[Part, Part]:
    """The parts in CIFAR10's binary archive, which is not unpacked to disk."""
    found: dict[str, np.ndarray] = {}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                if member.name in (*CIFAR_TRAIN, CIFAR_TEST) and (stream := tar.extractfile(member)):
                    content = np.frombuffer(stream.read(), np.uint8)
                    if len(content) % CIFAR_RECORD:
                        raise RemError(f"{archive}: {member.name} is no whole number of images{AGAIN}")
                    found[member.name] = content.reshape(-1, CIFAR_RECORD)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise RemError(f"{archive} cannot be unpacked ({error}){AGAIN}") from error
    for name in (*CIFAR_TRAIN, CIFAR_TEST):
        if name not in found:
            raise RemError(f"{archive} lacks {name}; it must be the official binary archive{AGAIN}")
    records = np.concatenate([found.pop(name) for name in CIFAR_TRAIN]), found.pop(CIFAR_TEST)
    train, test = (Part(record[:, 1:].reshape(-1, 3, 32, 32), record[:, 0]) for record in records)
    return train, test


def _read_shapes(data: Data) -> Contents:
    """Generated images, of side 32 for sizes up to 32 and of side 64 above, as photographs would come."""
    side = 32 if data.size <= 32 else 64
    counts = data.generate or (0, 0)
    made = [
        shapes.generate(count, side, data.classes, (data.split_seed, part))
        for part, count in zip((0, 1), counts, strict=True)
    ]
    return Contents(Part(*made[0]), Part(*made[1]), list(shapes.CLASSES)[: data.classes], {})


def _read_folder(data: Data) -> Contents:
    """The parts in <folder>/train/<class>/* and <folder>/test/<class>/*, classes in the order of their names.

    Images are made grey or RGB as `channels` says. For `view: resize` they are cut to the middle
    square and scaled; for `view: crop` all must be of one size.
    """
    root = Path(data.folder or "")
    listed = {part: _list_images(root / part) for part in ("train", "test")}
    classes = {part: sorted({path.parent.name for path in paths}) for part, paths in listed.items()}
    if classes["train"] != classes["test"]:
        odd = sorted(set(classes["train"]) ^ set(classes["test"]))
        raise RemError(f"{root}: class {odd[0]} is in only one of train/ and test/; both must have the same classes.")
    bad, parts = [], []
    for paths in listed.values():
        labels = np.array([classes["train"].index(path.parent.name) for path in paths])
        images: np.ndarray | None = None
        for number, path in enumerate(paths):
            pixels = _read_image(path, data)
            if pixels is None:
                bad.append(path)
                continue
            if images is None:
                images = np.empty((len(paths), *pixels.shape), np.uint8)
            if pixels.shape != images.shape[1:]:
                raise RemError(
                    f"{path} differs in size from the others; set data.view to resize, or make all one size."
                )
            images[number] = pixels
        if images is not None:
            parts.append(Part(images, labels))
    if bad:
        raise RemError(f"{len(bad)} unreadable image(s) in {root}, the first {bad[0]}; replace or remove them.")
    return Contents(parts[0], parts[1], classes["train"], {"folder": _folder_checksum(root, listed)})


def _folder_checksum(root: Path, listed: dict[str, list[Path]]) -> str:
    """A digest of the names and contents of all the images."""
    digest = hashlib.sha256()
    for path in listed["train"] + listed["test"]:
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return f"sha256:{digest.hexdigest()}"


def _list_images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RemError(f"{folder} is missing; an image folder has train/<class>/ and test/<class>/ (data.folder).")
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not paths:
        raise RemError(f"{folder} has no <class>/*.png, .jpg or .jpeg; put the images there.")
    return paths


def _read_image(path: Path, data: Data) -> np.ndarray | None:
    """The pixels (C, H, W) of an image file, or None if it cannot be read."""
    try:
        with Image.open(path) as image:
            converted = image.convert("L" if data.channels == 1 else "RGB")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return None
    if data.view == "resize":
        converted = ImageOps.fit(converted, (data.size, data.size), Image.Resampling.BILINEAR)
    return np.atleast_3d(np.asarray(converted)).transpose(2, 0, 1)


def _check_settings(data: Data) -> None:
    """Raise where settings contradict one another."""
    layout = find_source(data.source).layout
    for name, values in (("mean", data.mean), ("std", data.std)):
        if len(values) != data.channels:
            raise RemError(f"data.{name} has {len(values)} values for {data.channels} channel(s); give one a channel.")
    for name, value, wanted in (("generate", data.generate, "shapes"), ("folder", data.folder, "folder")):
        if value is None and layout == wanted:
            raise RemError(f"source {data.source} needs data.{name}, which is null; set it.")
        if value is not None and layout != wanted:
            raise RemError(f"data.{name} is for source {wanted}, but the source is {data.source}; set it to null.")


def _check_part(data: Data, name: str, part: Part) -> None:
    """Raise where the images or labels of a part are not what the settings say."""
    images, labels = part.images, part.labels
    where = f"the {name} images of source {data.source}"
    if not len(labels):
        raise RemError(f"{where} are none; there must be at least one.")
    if labels.max() >= data.classes:
        raise RemError(f"{where} have the label {labels.max()}, but data.classes is {data.classes}; raise it.")
    if images.shape[1] != data.channels:
        raise RemError(f"{where} have {images.shape[1]} channel(s), but data.channels is {data.channels}.")
    if data.view == "crop" and min(images.shape[2:]) < data.size:
        height, width = images.shape[2:]
        raise RemError(f"{where} are {height}x{width}, less than data.size {data.size}; lower it or resize.")


def _write_split(group: h5py.Group, part: Part, index: np.ndarray, data: Data) -> None:
    """Write the images, labels and poses at the positions `index` of a part."""
    resized = data.view == "resize" and part.images.shape[2:] != (data.size, data.size)
    shape = (len(index), data.channels, *((data.size, data.size) if resized else part.images.shape[2:]))
    step = max(1, min(len(index), CHUNK_BYTES // int(np.prod(shape[1:]))))
    images = group.create_dataset(
        "images", shape, np.uint8, chunks=(step, *shape[1:]), compression="gzip", compression_opts=1
    )
    for start in range(0, len(index), step):
        block = part.images[index[start : start + step]]
        images[start : start + step] = np.stack(list(_resize(block, data.size))) if resized else block
    group.create_dataset("labels", data=part.labels[index].astype(np.int64))
    if part.pose is not None:
        group.create_dataset("pose", data=part.pose[index])


def _resize(images: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Each image (C, H, W) of a batch cut to its middle square and scaled to (C, size, size)."""
    for image in images:
        picture = Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
        fitted = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
        yield np.atleast_3d(np.asarray(fitted)).transpose(2, 0, 1)

"""Prepare a dataset: read its source's images, split them, write one HDF5 file.

The file holds `train|val|test/images` uint8 [N, C, H, W] and `labels` int64 [N], and where the settings name a
further test set that as `transfer`. Attributes: class names, mean, std, size, split seed, source, its files'
checksums, the settings.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from rem.data.contents import Contents, Labelled
from rem.data.images import Images, Placed, Resized
from rem.data.readers import read
from rem.data.source_files import check_files, data_files, source_files
from rem.data.sources import find_source
from rem.data.streams import Stream
from rem.errors import RemError
from rem.files.hdf5 import whole_hdf5
from rem.settings.images import Data

CHUNK_BYTES = 1 << 18
SHOWN = 5  # names of classes in a message


def prepare(data: Data, files: Sequence[Path], target: Path) -> None:
    """Write the HDF5 file of a dataset, a block of images at a time.

    Validation images are drawn from the training images by a permutation that depends on `split_seed` alone; both
    keep the order they had. With `validation: test`, `val` is `test` under a second name. Where `test` is a share, the
    reader has drawn the test images before, class by class.

    `view: resize` scales images to `size` here (middle square, bilinear, anti-aliased). `view: crop` keeps them at
    their own size for random crops later. `view: place` puts those of `val` and `test` once, where `split_seed`
    says, on a black canvas of `size`, and keeps training images at their own size to be placed anew every epoch.

    Args:
        data: the settings.
        files: the source's files, then those of `transfer`, as `rem.data.source_files.data_files` lists them.
        target: the HDF5 file to write.

    Raises:
        RemError: images that are missing, damaged or not what the settings say; nothing is written.
    """
    _check_settings(data)
    further = len(source_files(data.transfer)) if data.transfer else 0
    own = files[: len(files) - further]
    checksums = check_files(data.source, own)
    contents = read(data, own)
    train, test = _check_contents(data, contents)
    rest, val = _draw_validation(data, train.labels, contents.class_names)
    with whole_hdf5(target) as file:
        seen = _seen(data, train, Stream.TRAIN_PLACES)
        _write_split(file, "train", train, train.images if data.view == "place" else seen, rest)
        _write_split(file, "test", test, _seen(data, test, Stream.TEST_PLACES), np.arange(len(test.labels)))
        if data.validation == "test":
            file["val"] = file["test"]
        else:
            _write_split(file, "val", train, seen, val)
        if data.transfer:
            checksums |= check_files(data.transfer, files[len(own) :])
            part = _read_transfer(data, files[len(own) :], contents)
            _write_split(file, "transfer", part, part.images, np.arange(len(part.labels)))
        file.attrs["class_names"] = list(contents.class_names)
        file.attrs["mean"] = data.mean
        file.attrs["std"] = data.std
        file.attrs["size"] = data.size
        file.attrs["split_seed"] = data.split_seed
        file.attrs["source"] = data.source
        file.attrs["checksums"] = json.dumps(checksums)
        file.attrs["settings"] = data.model_dump_json()
        if contents.pose_columns:
            file.attrs["pose_columns"] = list(contents.pose_columns)


def _draw_validation(data: Data, labels: np.ndarray, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Positions, ascending, of the images that are trained on, and of those drawn for validation."""
    count = len(labels)
    if data.validation == "test":
        return np.arange(count), np.arange(0)
    if data.validation >= count:
        raise RemError(
            f"data.validation is {data.validation}, but source {data.source} has only {count} training images; "
            "lower it."
        )
    order = np.random.default_rng(data.split_seed).permutation(count)
    rest, drawn = np.sort(order[data.validation :]), np.sort(order[: data.validation])
    if len(lost := np.setdiff1d(labels, labels[rest])):
        raise RemError(
            f"data.validation is {data.validation}, which takes every training image of class "
            f"{class_names[lost[0]]!r} of source {data.source}; lower it, change data.split_seed, or add images."
        )
    return rest, drawn


def _seen(data: Data, part: Labelled, stream: Stream) -> Images:
    """The images of a part as the network sees them when nothing is drawn anew; `crop` takes its middle later.

    `stream` tells the random places of one part from those of another.
    """
    images = part.images
    if data.view == "place":
        return Placed(images, data.size, np.random.default_rng((data.split_seed, stream)))
    if data.view == "resize" and images.shape[2:] != (data.size, data.size):
        return Resized(images, data.size)
    return images


def _read_transfer(data: Data, files: Sequence[Path], trained: Contents) -> Labelled:
    """The further test set, which must be of the same classes and of the size that the network sees."""
    other = data.model_copy(update={"source": data.transfer, "viewpoints": None})
    _, part, class_names, _ = read(other, files)
    if list(class_names) != list(trained.class_names):
        raise RemError(f"data.transfer: source {data.transfer} has other classes than source {data.source}.")
    _check_part(other, "test", part)
    if part.images.shape[2:] != (data.size, data.size):
        height, width = part.images.shape[2:]
        raise RemError(
            f"data.transfer: images of source {data.transfer} are {height}x{width}, but data.size is {data.size}; "
            "set it to theirs."
        )
    return part


def _check_settings(data: Data) -> None:
    """Raise where settings contradict one another."""
    data_files(data.source, data.folder, data.transfer)
    source = find_source(data.source)
    if data.generate is None and source.layout == "shapes":
        raise RemError(f"source {data.source} needs data.generate, which is null; set it.")
    if data.generate is not None and source.layout != "shapes":
        raise RemError(f"data.generate is for source shapes, but the source is {data.source}; set it to null.")
    if data.test is not None and source.layout not in ("folder", "csv"):
        raise RemError(f"data.test is for sources folder and csv, but the source is {data.source}; set it to null.")
    if data.viewpoints and data.viewpoints.pose not in source.viewpoints:
        known = (
            f"knows {' and '.join(source.viewpoints)}; name one" if source.viewpoints else "knows none; set it to null"
        )
        raise RemError(f"data.viewpoints is of the pose {data.viewpoints.pose}, but source {data.source} {known}.")


def _check_contents(data: Data, contents: Contents) -> tuple[Labelled, Labelled]:
    """The training and the test images; raise where they are not what the settings say."""
    train, test, class_names, _ = contents
    if train is None:
        raise RemError(f"source {data.source} has test images only; name it in data.transfer.")
    if len(class_names) != data.classes:
        named = ", ".join(class_names[:SHOWN]) + (", …" if len(class_names) > SHOWN else "")
        raise RemError(
            f"{data.folder or f'source {data.source}'} has {len(class_names)} classes ({named}), but data.classes is "
            f"{data.classes}; set it to {len(class_names)}."
        )
    for name in class_names:
        if not name.isprintable():
            raise RemError(f"source {data.source} has a class named {name!r}, which cannot be printed; rename it.")
    for name, part in (("training", train), ("test", test)):
        _check_part(data, name, part)
        height, width = part.images.shape[2:]
        where = f"the {name} images of source {data.source} are {height}x{width}"
        if data.view == "crop" and min(height, width) < data.size:
            raise RemError(f"{where}, less than data.size {data.size}; lower it or resize.")
        if data.view == "place" and max(height, width) > data.size:
            raise RemError(f"{where}, more than data.size {data.size}; raise it or resize.")
    return train, test


def _check_part(data: Data, name: str, part: Labelled) -> None:
    """Raise where the labels or channels of a part are not what the settings say."""
    where = f"the {name} images of source {data.source}"
    if not len(part.labels):
        raise RemError(f"{where} are none; there must be at least one.")
    if part.labels.max() >= data.classes:
        raise RemError(f"{where} have the label {part.labels.max()}, but data.classes is {data.classes}; raise it.")
    if part.images.shape[1] != data.channels:
        raise RemError(f"{where} have {part.images.shape[1]} channel(s), but data.channels is {data.channels}.")


def _write_split(file: h5py.File, name: str, part: Labelled, images: Images, index: np.ndarray) -> None:
    """Write the images, labels and poses at the positions `index` of a part, the images as `images` gives them."""
    group = file.create_group(name)
    shape = (len(index), *images.shape[1:])
    step = max(1, min(len(index), CHUNK_BYTES // int(np.prod(shape[1:]))))
    written = group.create_dataset(
        "images", shape, np.uint8, chunks=(step, *shape[1:]), compression="gzip", compression_opts=1
    )
    for start in range(0, len(index), step):
        written[start : start + step] = images[index[start : start + step]]
    group.create_dataset("labels", data=part.labels[index].astype(np.int64))
    if part.pose is not None:
        group.create_dataset("pose", data=part.pose[index])

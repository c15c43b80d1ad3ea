"""Readers of every layout a source can have: its images, computed as they are asked for, and their labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rem.data.archives import open_files
from rem.data.contents import Contents, Labelled
from rem.data.layouts.affine import AffineMapped
from rem.data.layouts.affnist import AffNIST
from rem.data.layouts.cifar import read_cifar
from rem.data.layouts.folder import read_folder
from rem.data.layouts.idx import read_labelled
from rem.data.layouts.listed import read_listed
from rem.data.layouts.norb import read_norb
from rem.data.layouts.shapes import read_shapes
from rem.data.layouts.tiny_imagenet import read_tiny_imagenet
from rem.data.sources import find_source
from rem.data.streams import Stream
from rem.settings.images import Data


def read(data: Data, files: Sequence[Path]) -> Contents:
    """The images of a source.

    Args:
        data: the settings; for `view: resize` image files are scaled as they are decoded.
        files: the source's files, as `rem.data.source_files.source_files` lists them.

    Raises:
        RemError: images or labels that are missing, damaged or do not match.
    """
    source = find_source(data.source)
    match source.layout:
        case "idx":
            return Contents(read_labelled(*files[:2]), read_labelled(*files[2:]), source.class_names)
        case "cifar":
            return Contents(*read_cifar(files[0]), source.class_names)
        case "norb":
            return read_norb(files, source.class_names, data.viewpoints)
        case "affnist":
            images = AffNIST(files[0])
            return Contents(None, Labelled(images, images.labels), source.class_names)
        case "affine":
            digits = read_labelled(*files)
            mapped = AffineMapped(digits.images, source.maps, (data.split_seed, Stream.AFFINE_MAPS))
            return Contents(None, Labelled(mapped, np.tile(digits.labels, source.maps)), source.class_names)
        case "shapes":
            return read_shapes(data)
        case "tiny-imagenet":
            return read_tiny_imagenet(open_files(files[0]), data)
        case "folder":
            return read_folder(open_files(files[0]), data)
        case "csv":
            return read_listed(files[0], data)

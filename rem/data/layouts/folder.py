"""Folders and archives of images: train/<class>/*, test/<class>/*."""

from collections.abc import Sequence

import numpy as np

from rem.data.archives import Files
from rem.data.contents import Contents, Labelled
from rem.data.images import Decoded
from rem.errors import RemError
from rem.settings.run import Data

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


def read_folder(files: Files, data: Data) -> Contents:
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
        parts[name] = Labelled(decoded(files, paths, data), labels)
    if odd := sorted(set(classes["train"]) ^ set(classes["test"])):
        raise RemError(
            f"{files.where}: class {odd[0]} is in only one of train/ and test/; both must have the same classes."
        )
    return Contents(parts["train"], parts["test"], classes["train"].tolist())


def decoded(files: Files, paths: Sequence[str], data: Data) -> Decoded:
    """Image files as the settings want them: decoded, and for `view: resize` scaled at once."""
    return Decoded(files, paths, data.channels, data.size if data.view == "resize" else None)

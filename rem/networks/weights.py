"""Pretrained weights of backbones: where each file is, and its checksum.

Imported by the workflow, so it loads nothing heavy.
"""

from dataclasses import dataclass
from pathlib import Path

from rem.errors import RemError
from rem.files.download import address, download


@dataclass(frozen=True)
class Weights:
    """A file of pretrained weights.

    Attributes:
        what: whose weights they are.
        terms: who made them, and their licence.
        url: prefix of the file's address.
        file: its name.
        digest: of its content, as "<algorithm>:<hex>".
    """

    what: str
    terms: str
    url: str
    file: str
    digest: str


# By the name that `network.backbone` has.
WEIGHTS = {
    "resnet18": Weights(
        what="ResNet-18 trained on ImageNet",
        terms="PyTorch contributors; BSD 3-Clause",
        url="https://download.pytorch.org/models/",
        file="resnet18-f37072fd.pth",
        digest="sha256:f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    ),
}


def weights_file(backbone: str) -> str:
    """Where `rem fetch` puts the weights of a backbone, relative to the project."""
    return f"data/raw/{backbone}/{WEIGHTS[backbone].file}"


def fetch_weights(backbone: str, file: str, target: Path, mirror: str | None = None) -> None:
    """Download the weights of a backbone to `target`, as `download` does; arguments as of `rem.data.fetch.fetch`.

    Raises:
        RemError: another file's name, or as `download`.
    """
    known = WEIGHTS[backbone]
    if file != known.file:
        raise RemError(f"the weights of {backbone} have no file {file!r}; their file is {known.file}.")
    download(address(known.url, backbone, file, mirror), target, known.digest)

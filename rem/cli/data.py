"""Commands that bring images: from their addresses to the HDF5 file of a dataset."""

import os
from pathlib import Path

from rem.cli.command import argument, command


@command(
    argument("source", type=str, help="a name that rem sources lists, of data or weights"),
    argument("target", help="where to put the file; its name says which one it is"),
    argument("--mirror", type=str, default=os.environ.get("REM_MIRROR"), help="folder or URL prefix to take it from"),
)
def fetch(source: str, target: Path, mirror: str | None) -> None:
    """Download one file of a source or of pretrained weights, or copy it from a mirror, and check its checksum."""
    from rem.data.fetch import fetch
    from rem.networks.weights import WEIGHTS, fetch_weights

    get = fetch_weights if source in WEIGHTS else fetch
    get(source, target.name, target, mirror)


@command(
    argument("settings", help="YAML of a run's `data` section"),
    argument("target", help="the HDF5 file to write"),
    argument("--files", nargs="*", default=[], help="the source's files, or the image folder"),
)
def prepare(settings: Path, target: Path, files: list[Path]) -> None:
    """Write a dataset's training, validation and test splits to one HDF5 file."""
    from rem.data.prepare import prepare
    from rem.settings.images import Data
    from rem.settings.sections import parse, read_yaml

    prepare(parse(Data, read_yaml(settings), str(settings)), files, target)


@command()
def sources() -> None:
    """List the sources that a dataset's `data.source` can name, then the pretrained weights, and their terms."""
    from rem.data.sources import SOURCES
    from rem.networks.weights import WEIGHTS

    for name, source in SOURCES.items():
        print(f"{name}: {source.what} ({source.terms})")
    print("\nweights, for network.weights: pretrained")
    for name, weights in WEIGHTS.items():
        print(f"{name}: {weights.what} ({weights.terms})")


@command(
    argument("fashion_mnist", help="folder with the four official Fashion-MNIST files"),
    argument("--folder", default=Path("data/sample")),
)
def sample(fashion_mnist: Path, folder: Path) -> None:
    """Make the sample data that the repository ships anew."""
    from rem.data.sample import make_sample

    make_sample(folder, fashion_mnist)

"""The commands of `rem`: each takes its arguments apart and calls one function.

Every command imports what it needs when it runs, so that none waits for packages it does not use.
"""

import argparse
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rem.files import RemError, alone

if TYPE_CHECKING:
    import torch


def fetch(arguments: argparse.Namespace) -> None:
    """Download one file of a dataset, or copy it from a mirror, and check its checksum."""
    from rem.download import fetch

    fetch(arguments.source, arguments.target.name, arguments.target, arguments.mirror)


def prepare(arguments: argparse.Namespace) -> None:
    """Write a dataset's training, validation and test splits to one HDF5 file."""
    from rem.data import prepare
    from rem.sections import parse, read_yaml
    from rem.settings import Data

    data = parse(Data, read_yaml(arguments.settings), str(arguments.settings))
    prepare(data, arguments.files, arguments.target)


def train(arguments: argparse.Namespace) -> None:
    """Train the network of a run.yaml; an interrupted training goes on where it stopped."""
    from rem.settings import read_run
    from rem.train import train

    run, device, folder = read_run(arguments.run), _device(arguments), arguments.run.parent
    with alone(folder):
        train(run, arguments.data, folder, device, arguments.followed, arguments.backbone_weights)


def decoder(arguments: argparse.Namespace) -> None:
    """Train a decoder on top of a network that stays as it is, and write both as one checkpoint."""
    from rem.reconstruct import stack
    from rem.sections import parse, read_yaml
    from rem.settings import Stacked

    settings = parse(Stacked, read_yaml(arguments.settings), str(arguments.settings))
    stack(arguments.checkpoint, arguments.data, settings, arguments.target, _device(arguments))


def perturb(arguments: argparse.Namespace) -> None:
    """Write what a network's decoder draws when one dimension of test images' poses is moved (Figure 8)."""
    from rem.reconstruct import write_perturbations

    device = _device(arguments)
    write_perturbations(arguments.checkpoint, arguments.data, arguments.images, arguments.target, device)


def equivariance(arguments: argparse.Namespace) -> None:
    """Measure how consistently each dimension of the poses moves the reconstructed test images."""
    from rem.reconstruct import write_equivariance

    device = _device(arguments)
    write_equivariance(arguments.checkpoint, arguments.data, arguments.images, arguments.target, device)


def import_(arguments: argparse.Namespace) -> None:
    """Make a checkpoint of the authors' published code a run of this project, as if it had been trained here."""
    from rem.config import Config, overlay
    from rem.published_checkpoint import import_checkpoint
    from rem.sections import parse, read_yaml

    values = functools.reduce(overlay, (read_yaml(path) for path in arguments.config))
    config = parse(Config, values, "config")
    run = config.run(arguments.dataset, arguments.variant, arguments.seed)
    folder = Path(f"results/{config.name}/models/{run.dataset}/{run.variant}/seed{run.seed}")
    import_checkpoint(arguments.file, run, folder, arguments.epoch)


def couplings(arguments: argparse.Namespace) -> None:
    """Write the couplings of checkpoints on splits, with the accuracy at every K, as <checkpoint>.<split>.h5."""
    from rem.couplings import extract

    device, asked = _device(arguments), []
    for name in arguments.files:
        checkpoint, _, split = name.partition(".")
        found = sorted(arguments.checkpoints.glob(f"{checkpoint}.pt"))
        if not found:
            raise RemError(f"{arguments.checkpoints} has no checkpoint {checkpoint}.pt; train first (rem train).")
        asked += [(path, split) for path in found]
    arguments.checkpoints = [path for path, _ in asked]  # what is read of the folder
    for path, split in asked:
        target = arguments.folder / f"{path.stem}.{split}.h5"
        extract(path, arguments.data, split, arguments.maximum_levels, target, device)


def levels(arguments: argparse.Namespace) -> None:
    """Search the lowest K of each network of a dataset, and the K they share, on the validation split."""
    from rem.levels import choose_levels

    choose_levels(
        arguments.couplings, arguments.tolerance, arguments.skip_edges, arguments.published_levels, arguments.target
    )


def entropy(arguments: argparse.Namespace) -> None:
    """Write the dictionaries and entropies of couplings, at the shared K and at the published one."""
    from rem.levels import reported_levels
    from rem.parse_trees import write_entropies

    write_entropies(arguments.couplings, reported_levels(arguments.levels), arguments.folder, arguments.target)


def sweep(arguments: argparse.Namespace) -> None:
    """Write accuracy and entropy of couplings at every K."""
    from rem.parse_trees import write_by_levels

    write_by_levels(arguments.couplings, arguments.target)


def metrics(arguments: argparse.Namespace) -> None:
    """Gather everything measured in one tidy CSV."""
    from rem.metrics import write_metrics

    write_metrics(arguments.couplings, arguments.entropies, arguments.levels, arguments.target)


def trajectory(arguments: argparse.Namespace) -> None:
    """Write how accuracy, sparsity and entropy of a run went from epoch to epoch."""
    from rem.levels import shared_levels
    from rem.parse_trees import write_trajectory

    arguments.couplings = sorted(arguments.couplings.glob("*.h5"))  # what is read of the folder
    write_trajectory(arguments.couplings, shared_levels(arguments.levels), arguments.target)


def tables(arguments: argparse.Namespace) -> None:
    """Write Tables 2 to 7, that of section 4.3 and the comparison with the paper's numbers."""
    from rem.tables import write_tables

    write_tables(
        arguments.metrics,
        arguments.published,
        arguments.runs,
        arguments.name,
        arguments.dataset,
        arguments.folder,
    )


def controls(arguments: argparse.Namespace) -> None:
    """Write the table of the controls: what REM is without one of its parts."""
    from rem.tables import write_controls

    write_controls(arguments.metrics, arguments.runs, arguments.folder)


def claims(arguments: argparse.Namespace) -> None:
    """Decide the paper's claims from what was measured."""
    from rem.claims import write_claims

    write_claims(
        arguments.metrics,
        arguments.runs,
        arguments.trajectory,
        arguments.equivariance,
        arguments.name,
        arguments.dataset,
        arguments.folder,
    )


def paired(arguments: argparse.Namespace) -> None:
    """Write which networks differ across seeds: paired tests and effect sizes, as paired.csv and paired.md."""
    from rem.paired import write_paired

    write_paired(arguments.metrics, arguments.runs, arguments.folder)


def figure(arguments: argparse.Namespace) -> None:
    """Draw a figure of the paper, or one beside them, as <stem>.png and <stem>.svg."""
    from rem import comparisons, figures, pictures, tree_picture

    inputs, stem = arguments.inputs, arguments.stem
    match arguments.which:
        case "fig4":
            figures.figure4(*inputs, _one_levels(arguments), stem)
        case "fig5":
            figures.figure5(*inputs, stem)
        case "fig6":
            figures.figure6(*inputs, _one_levels(arguments), stem)
        case "fig7":
            pictures.figure7(inputs[1:], inputs[0], _one_levels(arguments), stem)
        case "fig8":
            pictures.figure8(inputs[0], stem, *inputs[1:])
        case "parse_tree":
            tree_picture.parse_tree(*inputs[1:], inputs[0], stem, arguments.image)
        case "by_levels":
            comparisons.by_levels(inputs, arguments.levels, stem)
        case "controls":
            comparisons.controls(inputs[0], inputs[1:], stem)
        case "overview":
            comparisons.overview(inputs[0], inputs[1:], stem)


def _one_levels(arguments: argparse.Namespace) -> int:
    from rem.levels import shared_levels

    if len(arguments.levels) != 1:
        raise RemError(f"{arguments.which} is drawn at the shared K of one dataset; give its levels.csv as --levels.")
    return shared_levels(arguments.levels[0])


def report(arguments: argparse.Namespace) -> None:
    """Write the tables, figures, claims, timings and provenance of a run of the workflow as one HTML file."""
    from rem.report import write_report

    timings = sorted(arguments.timings.rglob("*.tsv")) if arguments.timings else []
    arguments.timings = timings  # what is read of the folder
    write_report(
        arguments.name,
        arguments.tables,
        arguments.claims,
        arguments.figures,
        arguments.runs,
        timings,
        arguments.target,
    )


def trace(arguments: argparse.Namespace) -> None:
    """Print where a file comes from, and check all it was made of, back to the raw data."""
    from rem.trace import told, trace

    found = trace([arguments.file])
    print(told(arguments.file, found))
    if found.faults:
        first, *others = found.faults.values()
        raise RemError(first + (f" {len(others)} more files are not as recorded." if others else ""))
    print("all of them are as recorded")


def sources(arguments: argparse.Namespace) -> None:
    """List the sources that a dataset's `data.source` can name, and their terms."""
    from rem.sources import SOURCES

    for name, source in SOURCES.items():
        print(f"{name}: {source.what} ({source.terms})")


def schema(arguments: argparse.Namespace) -> None:
    """Print the JSON schema of the config, which says what every key means."""
    from rem.config import config_schema

    print(json.dumps(config_schema(), indent=2))


def sample(arguments: argparse.Namespace) -> None:
    """Make the sample data that the repository ships anew."""
    from rem.sample import make_sample

    make_sample(arguments.folder, arguments.fashion_mnist)


def _device(arguments: argparse.Namespace) -> "torch.device":
    from rem.device import choose_device

    return choose_device(arguments.device, arguments.threads)

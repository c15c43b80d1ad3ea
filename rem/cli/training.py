"""Commands that make networks: trained here, trained elsewhere, with a decoder on top."""

import os
from pathlib import Path

from rem.cli.command import COMPUTING, DATA, OWN, THREADS, argument, command, whole

CONFIG = [Path("config/config.yaml"), Path("config/sample.yaml")]


@command(
    argument("run", help="run.yaml; everything is written to its folder"),
    argument("--followed", help="history.csv of the run that pruning.follows names"),
    argument("--backbone-weights", help="the file that network.weights: pretrained needs"),
    argument(
        "--keep-every", type=whole(0), default=0, help="epochs between the networks that are kept (default: 0, none)"
    ),
    *COMPUTING,
)
def train(
    run: Path,
    followed: Path | None,
    backbone_weights: Path | None,
    keep_every: int,
    data: Path,
    device: str,
    threads: int,
) -> None:
    """Train the network of a run.yaml; an interrupted training goes on where it stopped."""
    from rem.files.atomic import hold
    from rem.settings.run import read_run
    from rem.training.device import choose_device
    from rem.training.train import train

    settings, chosen = read_run(run), choose_device(device, threads)
    with hold(run.parent):
        train(settings, data, run.parent, chosen, followed, backbone_weights, keep_every)


@command(
    argument("settings", help="YAML of what feature maps depend on, as the workflow writes it"),
    argument("target", help="the HDF5 file to write, which then is the --data of that dataset's networks"),
    argument("--backbone-weights", required=True, help="as of rem train"),
    *COMPUTING,
)
def features(settings: Path, target: Path, backbone_weights: Path, data: Path, device: str, threads: int) -> None:
    """Compute once what a frozen backbone makes of a dataset's images, for network.views."""
    from rem.settings.run import Features
    from rem.settings.sections import parse, read_yaml
    from rem.training.device import choose_device
    from rem.training.features import write_features

    read = parse(Features, read_yaml(settings), str(settings))
    write_features(read, data, backbone_weights, target, choose_device(device, threads))


@command(
    argument("target", help="the CSV to write"),
    argument("--epochs", required=True, help="folder of the networks that rem train --keep-every has kept"),
    OWN,
    *COMPUTING,
)
def accuracies(target: Path, epochs: Path, architecture: str | None, data: Path, device: str, threads: int) -> None:
    """Write how accurate the network was after every kept epoch, on the test and on the transfer split."""
    from rem.training.accuracies import write_accuracies
    from rem.training.device import choose_device

    write_accuracies(epochs, data, target, choose_device(device, threads), architecture)


@command(
    argument("config", nargs="+", help="each laid over those before; config/config.yaml is the first"),
    argument("--cores", type=whole(1), required=True, help="as Snakemake will have"),
    argument("--mirror", type=str, default=os.environ.get("REM_MIRROR"), help="as of rem fetch"),
)
def estimate(config: list[Path], cores: int, mirror: str | None) -> None:
    """Print what a config has still to fetch and to train, and how long that will take here."""
    from rem.settings.config import read_config
    from rem.training.device import choose_device
    from rem.training.estimate import told

    settings = read_config(config)
    print(told(settings, cores, mirror or settings.mirror, choose_device(settings.device, 1)))


@command(
    argument("file", help="the state dict"),
    argument("--dataset", type=str, required=True, help="as the config names it"),
    argument("--variant", type=str, default="baseline", help="as the config names it (default: baseline)"),
    argument("--seed", type=whole(0, 2**63 - 1), default=42, help="to file it under (default: 42)"),
    argument("--epoch", type=whole(0), default=0, help="after which it was saved (default: 0, not known)"),
    argument(
        "--config",
        nargs="+",
        default=CONFIG,
        help="each laid over those before",
    ),
    name="import",
)
def import_(file: Path, dataset: str, variant: str, seed: int, epoch: int, config: list[Path]) -> None:
    """Make a checkpoint of the authors' code a run of this project, as if it had been trained here."""
    from rem.settings.config import read_config
    from rem.training.import_checkpoint import import_checkpoint

    read = read_config(config)
    run = read.run(dataset, variant, seed)
    folder = Path(f"results/{read.name}/models/{run.dataset}/{run.variant}/seed{run.seed}")
    import_checkpoint(file, run, folder, epoch)


@command(
    argument("checkpoint", help="of the network to put a decoder on"),
    argument("target", help="the checkpoint with decoder to write"),
    argument("--settings", required=True, help="YAML of a `stacked_decoder` section"),
    OWN,
    *COMPUTING,
    name="stack-decoder",
)
def stack_decoder(
    checkpoint: Path,
    target: Path,
    settings: Path,
    architecture: str | None,
    data: Path,
    device: str,
    threads: int,
) -> None:
    """Train a decoder on top of a network that stays as it is, and write both as one checkpoint."""
    from rem.reconstruction.stack import stack
    from rem.settings.run import StackedDecoder
    from rem.settings.sections import parse, read_yaml
    from rem.training.device import choose_device

    read = parse(StackedDecoder, read_yaml(settings), str(settings))
    stack(checkpoint, data, read, target, choose_device(device, threads), architecture)


@command(
    argument("checkpoint", help="of the network to make smaller"),
    argument("target", help="the checkpoint <name>.pt to write, with a table of what both cost, <name>-costs"),
    *COMPUTING,
)
def compact(checkpoint: Path, target: Path, data: Path, device: str, threads: int) -> None:
    """Write a network without its dead channels, capsules and connections, and print what both cost."""
    from rem.tables.costs import write_compact
    from rem.training.device import choose_device

    print(write_compact(checkpoint, data, target, choose_device(device, threads)), end="")


@command(
    argument("checkpoint", help="of the network to hand to other programs; a decoder is left out"),
    argument("target", help="the file to write, with a table of what both cost, <name>-<format>-costs"),
    argument("--format", type=str, required=True, choices=["onnx", "torchscript"]),
    DATA,
    OWN,
    THREADS,
)
def export(checkpoint: Path, target: Path, format: str, data: Path, architecture: str | None, threads: int) -> None:
    """Write a network as a file that runs without this package, and print what both cost."""
    from rem.tables.costs import write_export
    from rem.training.device import choose_device

    choose_device("cpu", threads)
    print(write_export(checkpoint, data, target, format, architecture), end="")


@command(
    argument("stem", help="write <stem>.csv, .md and .tex"),
    argument(
        "--checkpoints", nargs="+", required=True, help="of a dataset's networks; the first is what others are beside"
    ),
    *COMPUTING,
)
def speed(stem: Path, checkpoints: list[Path], data: Path, device: str, threads: int) -> None:
    """Write how accurate networks are and how fast, each without what is dead in it."""
    from rem.tables.speed import write_speeds
    from rem.training.device import choose_device

    write_speeds(checkpoints, data, stem, choose_device(device, threads))


@command(
    argument("checkpoint", help="of a network with decoder"),
    argument("folder", help="where to write"),
    argument("--drawn", type=whole(1), default=10, help="test images whose reconstructions are kept (default: 10)"),
    argument("--measured", type=whole(1), default=500, help="test images that are measured (default: 500)"),
    OWN,
    *COMPUTING,
)
def perturb(
    checkpoint: Path,
    folder: Path,
    drawn: int,
    measured: int,
    architecture: str | None,
    data: Path,
    device: str,
    threads: int,
) -> None:
    """Move one dimension of test images' poses: what the decoder draws (Figure 8), and how consistently it moves."""
    from rem.reconstruction.perturb import write_perturbed
    from rem.training.device import choose_device

    write_perturbed(checkpoint, data, drawn, measured, folder, choose_device(device, threads), architecture)

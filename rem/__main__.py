"""The command line `rem`: what the commands are given."""

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path

from rem import commands
from rem.files import RemError, unwritable

FIGURES = {  # how many files each is drawn from, and which
    "fig4": (2, "couplings of CapsNet+Q after its first and at its best epoch"),
    "fig5": (2, "trajectory.csv and run.yaml of a pruned run"),
    "fig6": (2, "couplings of CapsNet+Q and of CapsNet+REM"),
    "fig7": ("+", "the prepared dataset and dictionaries of a network, or of two"),
    "fig8": ("+", "perturbations.h5, and equivariance.csv to name what moves"),
    "parse_tree": (3, "the prepared dataset and couplings of CapsNet+Q and of CapsNet+REM"),
    "by_levels": ("+", "by_levels.csv of every run"),
    "controls": ("+", "metrics.csv and run.yaml of every run"),
    "overview": ("+", "metrics.csv and run.yaml of every run"),
}


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    top = argparse.ArgumentParser(prog="rem", description="Routing entropy minimization for Capsule Networks.")
    top.add_argument("--version", action="version", version=f"rem {version('rem')}")
    subparsers = top.add_subparsers(required=True, metavar="command")

    def command(function: object) -> argparse.ArgumentParser:
        name = function.__name__.rstrip("_")  # import_, for `import` is a keyword
        added = subparsers.add_parser(name, help=function.__doc__, description=function.__doc__)
        added.set_defaults(function=function)
        return added

    def computing(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--data", type=Path, required=True, help="the dataset's HDF5 file, from rem prepare")
        added.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
        added.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
        return added

    added = command(commands.fetch)
    added.add_argument("source", help="a dataset with an official address")
    added.add_argument("target", type=Path, help="where to put the file; its name says which one it is")
    added.add_argument("--mirror", default=os.environ.get("REM_MIRROR"), help="folder or URL prefix to take it from")

    added = command(commands.prepare)
    added.add_argument("settings", type=Path, help="YAML of a run's `data` section")
    added.add_argument("target", type=Path)
    added.add_argument("--files", type=Path, nargs="*", default=[], help="the source's files, or the image folder")

    added = computing(command(commands.train))
    added.add_argument("run", type=Path, help="run.yaml; everything is written to its folder")
    added.add_argument("--followed", type=Path, help="history.csv of the run that pruning.follows names")
    added.add_argument("--backbone-weights", type=Path, help="the file that network.weights: pretrained needs")

    added = computing(command(commands.decoder))
    added.add_argument("checkpoint", type=Path)
    added.add_argument("target", type=Path, help="the checkpoint with decoder to write")
    added.add_argument("--settings", type=Path, required=True, help="YAML of a `stacked` section")

    for function, images, what in ((commands.perturb, 10, "the HDF5 file"), (commands.equivariance, 500, "the CSV")):
        added = computing(command(function))
        added.add_argument("checkpoint", type=Path, help="of a network with decoder")
        added.add_argument("target", type=Path, help=f"{what} to write")
        added.add_argument("--images", type=int, default=images, help=f"test images at most (default: {images})")

    added = command(commands.import_)
    added.add_argument("file", type=Path, help="the state dict")
    added.add_argument("--dataset", required=True, help="as the config names it")
    added.add_argument("--variant", default="baseline", help="as the config names it (default: baseline)")
    added.add_argument("--seed", type=int, default=42, help="to file it under (default: 42)")
    added.add_argument("--epoch", type=int, default=0, help="after which it was saved (default: 0, not known)")
    added.add_argument(
        "--config", type=Path, nargs="+", default=[Path("config/config.yaml")], help="each laid over those before"
    )

    added = computing(command(commands.couplings))
    added.add_argument("folder", type=Path, help="where to write")
    added.add_argument("--checkpoints", type=Path, required=True, help="folder of the checkpoints")
    added.add_argument("--files", nargs="+", required=True, help="<checkpoint>.<split>; * for every checkpoint")
    added.add_argument("--maximum-levels", type=int, required=True, help="the largest K")

    added = command(commands.levels)
    added.add_argument("target", type=Path)
    added.add_argument("--couplings", type=Path, nargs="+", required=True, help="validation couplings, one a network")
    added.add_argument("--tolerance", type=float, required=True, help="standard errors that quantization may cost")
    added.add_argument("--skip-edges", action="store_true", help="pass over every K with a level edge on 1/J")
    added.add_argument("--published-levels", type=int, required=True, help="K of the authors' runs")

    added = command(commands.entropy)
    added.add_argument("target", type=Path, help="the CSV of entropies")
    added.add_argument("--folder", type=Path, required=True, help="where to write the dictionaries")
    added.add_argument("--couplings", type=Path, nargs="+", required=True, help="files of couplings")
    added.add_argument("--levels", type=Path, required=True, help="the dataset's levels.csv")

    added = command(commands.sweep)
    added.add_argument("target", type=Path, help="the CSV")
    added.add_argument("--couplings", type=Path, required=True, help="a file of rem couplings")

    added = command(commands.metrics)
    added.add_argument("target", type=Path)
    added.add_argument("--couplings", type=Path, nargs="+", required=True, help="files of rem couplings")
    added.add_argument("--entropies", type=Path, nargs="+", required=True, help="CSVs of rem entropy")
    added.add_argument("--levels", type=Path, nargs="+", required=True, help="CSVs of rem levels")

    added = command(commands.trajectory)
    added.add_argument("target", type=Path)
    added.add_argument("--couplings", type=Path, required=True, help="folder of the couplings of its checkpoints")
    added.add_argument("--levels", type=Path, required=True, help="the dataset's levels.csv")

    def tabulating(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("folder", type=Path, help="where to write")
        added.add_argument("--metrics", type=Path, required=True, help="the CSV of rem metrics")
        added.add_argument("--runs", type=Path, nargs="+", required=True, help="run.yaml of every run")
        return added

    def about(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--dataset", required=True, help="in the place of the paper's MNIST: Tables 2 to 5")
        added.add_argument("--name", required=True, help="of the config, to be told")
        return added

    added = tabulating(command(commands.tables))
    added.add_argument("--published", type=Path, required=True, help="YAML of the paper's numbers")
    about(added)

    tabulating(command(commands.controls))
    tabulating(command(commands.paired))

    added = about(tabulating(command(commands.claims)))
    added.add_argument("--trajectory", type=Path, help="the CSV of rem trajectory")
    added.add_argument("--equivariance", type=Path, nargs="*", default=[], help="CSVs of equivariance, one a run")

    kinds = command(commands.figure).add_subparsers(required=True, dest="which", metavar="which")
    for which, (number, inputs) in FIGURES.items():
        added = kinds.add_parser(which, help=f"from {inputs}")
        added.add_argument("stem", type=Path, help="where to write, without .png and .svg")
        added.add_argument("inputs", type=Path, nargs=number, help=inputs)
        added.add_argument("--levels", type=Path, nargs="*", default=[], help="levels.csv, where the shared K is shown")
        added.add_argument("--image", type=int, help="of parse_tree; default: the first that both classify correctly")

    added = command(commands.report)
    added.add_argument("target", type=Path, help="the HTML file")
    added.add_argument("--tables", type=Path, nargs="+", required=True, help="Markdown of tables and paired")
    added.add_argument("--claims", type=Path, required=True, help="claims.csv")
    added.add_argument("--figures", type=Path, nargs="+", required=True, help="SVG files")
    added.add_argument("--runs", type=Path, nargs="+", required=True, help="run.yaml of every run")
    added.add_argument("--timings", type=Path, help="Snakemake's folder of benchmarks")
    added.add_argument("--name", required=True, help="of the config, to be told")

    added = command(commands.trace)
    added.add_argument("file", type=Path)

    added = command(commands.sample)
    added.add_argument("fashion_mnist", type=Path, help="folder with the four official Fashion-MNIST files")
    added.add_argument("--folder", type=Path, default=Path("data/sample"))

    command(commands.sources)
    command(commands.schema)
    return top


def main() -> int:
    """Run a command; a mistake the user can mend is one sentence and exit status 1, Ctrl-C one and 130."""
    arguments = parser().parse_args()
    try:
        from rem.trace import recorded

        with recorded(arguments, ["rem", *sys.argv[1:]]):
            arguments.function(arguments)
    except RemError as error:
        print(f"rem: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        reason = unwritable(error)
        if reason is None or isinstance(error, PermissionError):  # that might be of reading
            raise
        print(f"rem: {error.filename or 'a file'} cannot be written: {reason}.", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if not str(error).startswith(("CUDA", "cuDNN")):
            raise
        reason = str(error).split("\n")[0].rstrip(".")
        print(f"rem: the GPU failed ({reason}); {_remedy(reason)}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rem: interrupted; give the same command again to go on.", file=sys.stderr)
        return 130  # as a shell reports SIGINT
    return 0


def _remedy(reason: str) -> str:
    if "out of memory" in reason:
        return "lower training.batch_size, or free its memory"
    return "see that it works, then give the same command again: what is done is kept"


if __name__ == "__main__":
    sys.exit(main())

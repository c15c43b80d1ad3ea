"""Commands that draw: `rem figure fig4` to `fig8`, and those beside the paper's."""

from pathlib import Path

from rem.cli.command import argument, command, whole

STEM = argument("stem", help="where to write, without .png and .svg")
EVERY_LEVELS = argument("--levels", nargs="+", required=True, help="levels.csv of every dataset")
LEVELS = argument("--levels", required=True, help="levels.csv, whose shared K is drawn")


@command(
    STEM,
    argument("first", help="couplings after the first epoch"),
    argument("best", help="at the best"),
    LEVELS,
    name="figure fig4",
)
def fig4(stem: Path, first: Path, best: Path, levels: Path) -> None:
    """Figure 4: couplings of CapsNet+Q after its first and at its best epoch."""
    from rem.figures.fig4 import draw
    from rem.trees.levels import shared_levels

    draw(first, best, shared_levels(levels), stem)


@command(
    STEM,
    argument("trajectory", help="the CSV of rem trajectory"),
    argument("run", help="its run.yaml"),
    name="figure fig5",
)
def fig5(stem: Path, trajectory: Path, run: Path) -> None:
    """Figure 5: entropy and accuracy of a pruned run, epoch by epoch."""
    from rem.figures.fig5 import draw

    draw(trajectory, run, stem)


@command(
    STEM,
    argument("baseline", help="couplings of CapsNet+Q"),
    argument("rem", help="of CapsNet+REM"),
    LEVELS,
    name="figure fig6",
)
def fig6(stem: Path, baseline: Path, rem: Path, levels: Path) -> None:
    """Figure 6: couplings of CapsNet+Q and of CapsNet+REM."""
    from rem.figures.fig6 import draw
    from rem.trees.levels import shared_levels

    draw(baseline, rem, shared_levels(levels), stem)


@command(
    STEM,
    argument("data", help="the prepared dataset"),
    argument("dictionaries", nargs="+", help="of a network, or of two"),
    LEVELS,
    name="figure fig7",
)
def fig7(stem: Path, data: Path, dictionaries: list[Path], levels: Path) -> None:
    """Figure 7: the images that share a key, overlaid."""
    from rem.figures.fig7 import draw
    from rem.trees.levels import shared_levels

    draw(dictionaries, data, shared_levels(levels), stem)


@command(
    STEM,
    argument("perturbations", help="perturbations.h5"),
    argument("--equivariance", help="equivariance.csv, to name what moves"),
    name="figure fig8",
)
def fig8(stem: Path, perturbations: Path, equivariance: Path | None) -> None:
    """Figure 8: reconstructions from perturbed class capsules."""
    from rem.figures.fig8 import draw

    draw(perturbations, stem, equivariance)


@command(
    STEM,
    argument("data", help="the prepared dataset"),
    argument("baseline", help="couplings of CapsNet+Q"),
    argument("rem", help="of CapsNet+REM"),
    argument("--image", type=whole(0), help="its position; default: the first that both classify correctly"),
    name="figure parse_tree",
)
def parse_tree(stem: Path, data: Path, baseline: Path, rem: Path, image: int | None) -> None:
    """The parse tree of one image, of an unpruned and of a pruned network."""
    from rem.figures.parse_tree import draw

    draw(baseline, rem, data, stem, image)


@command(
    STEM,
    argument("tables", nargs="+", help="sweep/<file>.csv of rem entropy, one a run"),
    EVERY_LEVELS,
    argument("--runs", nargs="+", required=True, help="run.yaml of every run"),
    name="figure sweep",
)
def sweep(stem: Path, tables: list[Path], levels: list[Path], runs: list[Path]) -> None:
    """Entropy and accuracy against the number of levels K."""
    from rem.figures.sweep import draw

    draw(tables, levels, runs, stem)


PROBES = argument("probes", help="probes.csv of rem probes")


@command(STEM, PROBES, argument("runs", nargs="+", help="run.yaml of every run"), name="figure frontier")
def frontier(stem: Path, probes: Path, runs: list[Path]) -> None:
    """Accuracy and strength against entropy, each network on its line over the temperature."""
    from rem.figures.frontier import draw

    draw(probes, runs, stem)


@command(
    STEM,
    PROBES,
    argument("runs", nargs="+", help="run.yaml of every run"),
    EVERY_LEVELS,
    name="figure interventions",
)
def interventions(stem: Path, probes: Path, runs: list[Path], levels: list[Path]) -> None:
    """What other couplings in place of the network's own cost in accuracy."""
    from rem.figures.interventions import draw

    draw(probes, levels, runs, stem)


@command(
    STEM,
    argument("metrics", help="metrics.csv"),
    argument("runs", nargs="+", help="run.yaml of every run"),
    name="figure overview",
)
def overview(stem: Path, metrics: Path, runs: list[Path]) -> None:
    """Entropy and accuracy of every dataset at a glance."""
    from rem.figures.overview import draw

    draw(metrics, runs, stem)


@command(
    STEM,
    argument("tables", nargs="+", help="CSVs of rem accuracies, one a run"),
    argument("--runs", nargs="+", required=True, help="run.yaml of every run"),
    name="figure transfer",
)
def transfer(stem: Path, tables: list[Path], runs: list[Path]) -> None:
    """Accuracy on the transfer set against that on the test set, epoch by epoch."""
    from rem.figures.transfer import draw

    draw(tables, runs, stem)


@command(
    STEM,
    argument("metrics", help="metrics.csv"),
    argument("runs", nargs="+", help="run.yaml of every run"),
    name="figure controls",
)
def controls_figure(stem: Path, metrics: Path, runs: list[Path]) -> None:
    """What REM is without one of its parts."""
    from rem.figures.controls import draw

    draw(metrics, runs, stem)


@command(STEM, argument("table", help="dose_response.csv of rem dose-response"), name="figure dose_response")
def dose_response(stem: Path, table: Path) -> None:
    """Entropy against the spread of the logits and against sparsity, for networks of several doses."""
    from rem.figures.dose_response import draw

    draw(table, stem)


@command(STEM, argument("table", help="course.csv of rem course"), name="figure course")
def course(stem: Path, table: Path) -> None:
    """Accuracy, entropy, sparsity and the spread of the logits, epoch by epoch."""
    from rem.figures.course import draw

    draw(table, stem)


@command(STEM, argument("table", help="trees.csv of rem trees"), name="figure tree_densities")
def tree_densities(stem: Path, table: Path) -> None:
    """Accuracy, strength and entropy against the connections that are kept, learned and drawn by lot."""
    from rem.figures.tree_densities import draw

    draw(table, stem)


@command(
    STEM,
    argument("tables", nargs="+", help="speed/<dataset>.csv of rem speed, one a dataset"),
    name="figure structured",
)
def structured(stem: Path, tables: list[Path]) -> None:
    """Accuracy against the time of a batch: types and channels removed in training, or fewer from the start."""
    from rem.figures.structured import draw

    draw(tables, stem)


@command(STEM, argument("table", help="architectures.csv of rem architectures"), name="figure architectures")
def architectures(stem: Path, table: Path) -> None:
    """Accuracy, strength and what routing adds, of networks and routings."""
    from rem.figures.architectures import draw

    draw(table, stem)

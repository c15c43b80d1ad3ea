"""Commands that read parse trees: from a network's couplings to dictionaries and entropies."""

from pathlib import Path

from rem.cli.command import COMPUTING, OWN, argument, command, not_negative, whole
from rem.errors import RemError

COUPLINGS = argument("--couplings", nargs="+", required=True, help="files of rem couplings")
LEVELS = argument("--levels", required=True, help="the dataset's levels.csv")


@command(
    argument("folder", help="where to write"),
    argument("--checkpoints", required=True, help="folder of the checkpoints"),
    argument("--files", type=str, nargs="+", required=True, help="<checkpoint>.<split>; * for every checkpoint"),
    argument("--maximum-levels", type=whole(2, 256), required=True, help="the largest K"),
    argument("--cells", action="store_true", help="the quantizer has K cells in the place of K centres"),
    OWN,
    *COMPUTING,
)
def couplings(
    folder: Path,
    checkpoints: Path,
    files: list[str],
    maximum_levels: int,
    cells: bool,
    architecture: str | None,
    data: Path,
    device: str,
    threads: int,
) -> None:
    """Write the couplings of checkpoints on splits, with the accuracy at every K, as <checkpoint>.<split>.h5."""
    from rem.training.device import choose_device
    from rem.trees.couplings import extract

    chosen, asked = choose_device(device, threads), []
    for name in files:
        checkpoint, _, split = name.partition(".")
        found = sorted(checkpoints.glob(f"{checkpoint}.pt"))
        if not found:
            raise RemError(f"{checkpoints} has no checkpoint {checkpoint}.pt; train first (rem train).")
        asked += [(path, split) for path in found]
    for path, split in asked:
        extract(path, data, split, maximum_levels, folder / f"{path.stem}.{split}.h5", chosen, cells, architecture)


@command(
    argument("target", help="the CSV to write"),
    argument("--couplings", nargs="+", required=True, help="validation couplings, one a network"),
    argument("--tolerance", type=not_negative, required=True, help="standard errors that quantization may cost"),
    argument("--skip-edges", action="store_true", help="pass over every K with a level edge on 1/J"),
    argument("--authors-levels", type=whole(2, 256), required=True, help="K of the authors' runs"),
    name="choose-levels",
)
def choose_levels(target: Path, couplings: list[Path], tolerance: float, skip_edges: bool, authors_levels: int) -> None:
    """Search the lowest K of each network of a dataset, and the K they share, on the validation split."""
    from rem.trees.levels import choose_levels

    choose_levels(couplings, tolerance, skip_edges, authors_levels, target)


@command(
    argument("target", help="the CSV of entropies"),
    argument("--folder", required=True, help="where to write the dictionaries"),
    COUPLINGS,
    LEVELS,
    argument("--swept", type=str, nargs="*", default=[], help="<checkpoint>.<split> of couplings to sweep over K too"),
)
def entropy(target: Path, folder: Path, couplings: list[Path], levels: Path, swept: list[str]) -> None:
    """Write dictionaries and entropies at the shared K and the authors' one, and sweep/<file>.csv at every K."""
    from rem.trees.dictionaries import write_entropies
    from rem.trees.levels import reported_levels
    from rem.trees.sweep import write_sweep

    for path in couplings:
        if path.stem in swept:
            write_sweep(path, folder / "sweep" / f"{path.stem}.csv")
    write_entropies(couplings, reported_levels(levels), folder, target)


@command(
    argument("target", help="the CSV to write"),
    argument("--couplings", required=True, help="folder of the couplings of its checkpoints"),
    LEVELS,
)
def trajectory(target: Path, couplings: Path, levels: Path) -> None:
    """Write how accuracy, sparsity and entropy of a run went from epoch to epoch."""
    from rem.trees.levels import authors_levels, band, shared_levels
    from rem.trees.trajectory import write_trajectory

    at = shared_levels(levels), authors_levels(levels), band(levels)
    write_trajectory(sorted(couplings.glob("*.h5")), *at, target)


@command(
    argument("target", help="the CSV to write"),
    argument("--checkpoint", required=True, help="of the network"),
    argument("--splits", type=str, nargs="+", required=True, help="test, transfer, val or train"),
    LEVELS,
    OWN,
    *COMPUTING,
)
def probe(
    target: Path,
    checkpoint: Path,
    splits: list[str],
    levels: Path,
    architecture: str | None,
    data: Path,
    device: str,
    threads: int,
) -> None:
    """Write what a network's routing is worth: with other couplings in its place, and how stable its own are."""
    from rem.training.device import choose_device
    from rem.trees.levels import band, has_cells, reported_levels
    from rem.trees.probe import probe

    measured, where = (reported_levels(levels), band(levels), has_cells(levels)), choose_device(device, threads)
    probe(checkpoint, data, splits, *measured, target, where, architecture)

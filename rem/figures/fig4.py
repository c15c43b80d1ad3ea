"""Figure 4 of the paper: couplings of the unpruned network after its first and at its best epoch."""

from pathlib import Path

from rem.figures.distributions import draw_distributions
from rem.figures.style import BLUE, GREY

CAPTION = (
    "The paper's Figure 4: how strongly primary capsules couple to each class, in CapsNet+Q after its first epoch and "
    "at its best one."
)


def draw(couplings_first: Path, couplings_best: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 4: couplings of the unpruned model after its first and at its best epoch.

    Args:
        couplings_first: HDF5 file of `rem couplings`.
        couplings_best: the same of the best epoch.
        levels: K.
        target_stem: `.png` and `.svg` are added to it.

    Raises:
        RemError: a file is unreadable or has no `class_mean`, or the two are of different datasets or seeds.
    """
    files = {"after epoch 1": couplings_first, "best epoch": couplings_best}
    draw_distributions(files, (GREY, BLUE), "CapsNet+Q, ", levels, target_stem)

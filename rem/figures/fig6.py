"""Figure 6 of the paper: couplings of CapsNet+Q and CapsNet+REM."""

from pathlib import Path

from rem.figures.distributions import draw_distributions
from rem.figures.style import BLUE, VERMILION

CAPTION = "The paper's Figure 6: how strongly primary capsules couple to each class, in CapsNet+Q and CapsNet+REM."


def draw(couplings_q: Path, couplings_rem: Path, levels: int, target_stem: Path) -> None:
    """Draw Figure 6: couplings of CapsNet+Q and CapsNet+REM; arguments and errors as of `rem.figures.fig4.draw`."""
    draw_distributions(
        {"CapsNet+Q": couplings_q, "CapsNet+REM": couplings_rem}, (BLUE, VERMILION), "", levels, target_stem
    )

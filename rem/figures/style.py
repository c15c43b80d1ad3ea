"""The look that all figures share, and the one way they are written.

Every figure is drawn for a printed column (3.4 or 7 inches wide), in colours that the colour-blind tell apart, and
never by colour alone; the same input gives the same SVG, byte for byte.
"""

import re
import sys
import textwrap
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from rem.files.atomic import whole
from rem.settings.run import Run
from rem.tables.names import images_of

COLUMN, PAGE = 3.4, 7.0  # inches
LINE = 105  # letters of a title that go into a page's width
SMALL = 7  # points, of everything but titles and labels of axes
PANELS = 10  # classes that a figure shows at the most
GAP = 0.08  # between the tiles of a picture, of a tile's side
BLUE, _, GREEN, VERMILION, PINK, BROWN, *_, SKY = sns.color_palette("colorblind").as_hex()
GREY, UNREACHABLE = "0.4", "0.92"


class Look(NamedTuple):
    """How a variant is drawn: those of `LOOKS` in every figure, others by their place among those that it shows."""

    colour: str
    marker: str
    filled: bool = True


LOOKS = {
    "baseline": Look(BLUE, "o"),
    "rem": Look(VERMILION, "s"),
    "baseline-decoder": Look(BLUE, "o", filled=False),
    "rem-decoder": Look(VERMILION, "s", filled=False),
    "penalty": Look(GREEN, "^"),
    "magnitude": Look(PINK, "D"),
    "weight-decay": Look(BROWN, "v"),
    "rem-votes": Look(SKY, "P"),
}
COLOURS, MARKERS = ("0.15", GREEN, PINK, BROWN, SKY, "0.55"), "X<*>pdhH8"
# For all other variants: neighbours differ in both, and none is like another before the last.
SPARE = tuple(Look(COLOURS[place % 6], MARKERS[(place + place // 18) % 9]) for place in range(54))

mpl.rcdefaults()  # a matplotlibrc of the user's changes no figure
sns.set_theme(
    context="paper",
    style="ticks",
    rc={
        "font.size": 8,
        "axes.labelsize": 8,
        "axes.titlesize": 8,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": 7.5,
        "legend.title_fontsize": 8,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.minor.width": 0.5,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.minor.size": 1.5,
        "legend.frameon": False,
        "image.interpolation": "nearest",
        "svg.hashsalt": "rem",
    },
)
mpl.use("Agg")


def looks(variants: Iterable[str]) -> dict[str, Look]:
    """The looks of these variants, the known ones first and always alike, in the order of `LOOKS`."""
    present = list(dict.fromkeys(variants))
    own = [variant for variant in present if variant not in LOOKS]
    known = {variant: look for variant, look in LOOKS.items() if variant in present}
    return known | {variant: SPARE[place % len(SPARE)] for place, variant in enumerate(own)}


def shown_classes(classes: int, most: int = PANELS) -> np.ndarray:
    """The classes that a figure shows: all of them, or `most` at even distances."""
    return np.unique(np.linspace(0, classes - 1, min(classes, most)).round().astype(int))


def class_names(file: h5py.File) -> list[str]:
    """The names of a file's classes, in which no sign begins a formula."""
    return [name.replace("$", r"\$") for name in file.attrs["class_names"]]


def short(name: str, letters: int) -> str:
    """The name of a class in lines of so many letters, three at the most; what is left of it is an ellipsis."""
    return "\n".join(textwrap.wrap(name, letters, max_lines=3, placeholder="…"))


def panel_title(title: str, panels: int, *more: str) -> str:
    """A dataset's title above its panel, in lines short enough for so many panels beside each other; more below."""
    return "\n".join([textwrap.fill(title, LINE // panels), *more])


def run_title(run: Run) -> str:
    """The dataset and the seed of the one network that a figure shows."""
    return f"{images_of(run).title}, seed {run.seed}"


def shade_unreachable(axes: Axes, ceilings: Mapping[tuple[float, float], float]) -> None:
    """Shade what no entropy can reach, and set the axis from just below 0 to just above.

    Args:
        axes: entropy in bits upwards.
        ceilings: from left to right along the axis -> log2 of the images, there.
    """
    highest = max(ceilings.values())
    axes.set_ylim(-0.04 * highest, 1.12 * max(highest, 0.1))
    for (left, right), ceiling in ceilings.items():
        axes.fill_between([left, right], ceiling, axes.get_ylim()[1], color=UNREACHABLE, linewidth=0, zorder=0)


def unreachable() -> Patch:
    """The legend's entry for what `shade_unreachable` draws."""
    return Patch(color=UNREACHABLE, label="above log$_2$ (images per class)")


def draw_image(axes: Axes, image: np.ndarray, **options: object) -> None:
    """Draw (C, H, W) in [0, 1] as it is: grey from black to white, of a stereo pair the left image, three in colour."""
    pixels = np.moveaxis(image, 0, -1) if len(image) == 3 else image[0]
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="auto", **options)


def mark(look: Look) -> dict[str, object]:
    """What draws a mark of a look, without a line, in `plot`."""
    face = look.colour if look.filled else "white"
    return {
        "linestyle": "",
        "marker": look.marker,
        "markersize": 4.5,
        "markerfacecolor": face,
        "markeredgecolor": look.colour,
        "markeredgewidth": 0.8,
    }


def panel_grid(
    datasets: Sequence[str], height: float, heights: Sequence[float] = (1, 1), **share: bool | str
) -> tuple[Figure, np.ndarray]:
    """A figure of panels a dataset, one above the other, of those relative heights; and its axes (rows, datasets)."""
    size = (COLUMN, height + 0.6) if len(datasets) == 1 else (PAGE, height)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(len(heights), len(datasets), squeeze=False, height_ratios=heights, **share)


def panel_legend(figure: Figure, handles: Sequence[Artist], datasets: Sequence[str], columns: int) -> None:
    """The legend above a `panel_grid`, in so many columns where there is room for them."""
    figure.legend(handles=handles, loc="outside upper center", ncols=1 if len(datasets) == 1 else columns)


def save_figure(figure: Figure, target_stem: Path) -> None:
    """Write a figure as `<target_stem>.png`, 300 dots an inch, and as `<target_stem>.svg`, its images at 300 too.

    A letter that no font here has is a box; standard error says which.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for kind, options in (("png", {}), ("svg", {"metadata": {"Date": None}})):
            with whole(target_stem.with_name(f"{target_stem.name}.{kind}")) as path:
                figure.savefig(path, format=kind, dpi=300, **options)
    missing = {}  # letters, each once and in order
    for one in told:
        if glyph := re.match(r"Glyph (\d+) .*missing from", str(one.message)):
            missing[chr(int(glyph[1]))] = None
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if missing:
        print(f"{target_stem.name}: no font here has {''.join(missing)}; drawn as boxes", file=sys.stderr)

"""Names of classes in figures: long ones have room, and letters that no font has are told."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from rem.figures.distributions import coupling_distributions
from rem.figures.fig7 import Clusters, cluster_rows
from rem.figures.fig8 import perturbation_grids
from rem.figures.parse_tree import Tree, tree_pictures
from rem.figures.style import save_figure, short

LONG = ["Chesapeake Bay retriever", "black-and-tan coonhound", "European fire salamander, Salamandra salamandra"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("7", ["7"]),
        ("T-shirt/top", ["T-shirt/top"]),
        ("Chesapeake Bay retriever", ["Chesapeake", "Bay", "retriever"]),
        ("Donaudampfschifffahrt", ["Donaudampfs", "chifffahrt"]),
        ("European fire salamander of the north", ["European", "fire", "salamander…"]),
    ],
)
def test_a_name_has_three_lines_at_the_most(name, lines):
    assert short(name, 11).split("\n") == lines


def texts_beyond(figure: Figure) -> list[str]:
    """The texts that reach over the page's edge."""
    FigureCanvasAgg(figure).draw()
    page = figure.bbox
    shown = [text for text in figure.findobj(lambda one: hasattr(one, "get_text")) if text.get_text()]
    boxes = {text.get_text(): text.get_window_extent() for text in shown if text.get_visible()}
    return [name for name, box in boxes.items() if box.x0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1]


def test_figure_7_has_room_for_long_names():
    clusters = [Clusters(name, 12, np.arange(8, 0, -1), np.zeros((8, 1, 9, 9))) for name in LONG]
    few = [Clusters(name, 12, np.arange(4, 0, -1), np.zeros((4, 1, 9, 9))) for name in LONG]
    assert texts_beyond(cluster_rows({"CapsNet+Q": clusters, "CapsNet+REM": few}, "title")) == []


@pytest.mark.parametrize("dimensions", [3, 16])
def test_figure_8_has_room_for_long_names_and_few_dimensions(dimensions):
    drawn, seen = np.zeros((3, dimensions, 11, 1, 9, 9)), np.zeros((3, 1, 9, 9))
    figure = perturbation_grids(drawn, seen, LONG, np.linspace(-0.25, 0.25, 11), "title", [{}, {}, {}])
    assert texts_beyond(figure) == []


def overlapping(figure: Figure, names: list[str]) -> list[tuple[str, str]]:
    """The names, as they are broken into lines, of which one covers another."""
    FigureCanvasAgg(figure).draw()
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_text()[:6] in names]
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown]
    assert len(boxes) == len(names)
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


def test_figures_4_and_6_have_room_for_long_names():
    names, couplings = LONG * 3, np.random.default_rng(0).random((9, 40)) / 2
    series = {"CapsNet": couplings, "CapsNet+REM": couplings}
    figure = coupling_distributions(series, ("C0", "C1"), np.linspace(0, 1, 12), names, "the title")
    assert overlapping(figure, [name[:6] for name in names]) == []
    assert figure.legends[0].get_title().get_text() == "the title"


def test_a_parse_tree_has_room_for_long_names():
    tree, widths = Tree("CapsNet+Q", np.full((2, 4, 4), 0.1), np.linspace(0, 1, 10), 0), []
    for names in (["7"] * 10, ["yellow lady's slipper, Cypripedium calceolus", *LONG * 3]):
        figure = tree_pictures([tree], np.zeros((1, 5, 5), np.uint8), names, "title")
        assert texts_beyond(figure) == []
        widths.append(figure.axes[0].get_window_extent().width)
    assert widths[1] > 0.9 * widths[0]


def test_letters_that_no_font_has_are_told(tmp_path, capsys):
    figure = Figure()
    figure.text(0.5, 0.5, "\u67f4\u72ac dog")
    save_figure(figure, tmp_path / "named")
    assert "named: no font here has \u67f4\u72ac; drawn as boxes" in capsys.readouterr().err
    assert (tmp_path / "named.svg").exists()

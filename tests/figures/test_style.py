"""The look of the figures: one for each variant, none by colour alone, and nothing of the user's."""

import os
import subprocess
import sys

import numpy as np
import tiny
from matplotlib.figure import Figure

from rem.figures.style import LOOKS, draw_image, looks, panel_title, shown_classes
from rem.settings.sections import to_yaml


def test_a_variant_looks_the_same_in_any_company():
    assert looks(["rem", "baseline"])["rem"] == looks(["rem", "mine"])["rem"] == LOOKS["rem"]
    assert list(looks(["mine", "rem", "baseline", "rem"])) == ["baseline", "rem", "mine"]


def test_variants_differ_in_their_marks_too():
    shown = looks([*LOOKS, "mine", "theirs", "ours"]).values()
    assert len({(look.marker, look.filled) for look in shown}) == len(shown)


def test_as_many_variants_as_the_largest_experiment_has_differ():
    variants = tiny.shipped_config("networks").experiments["trees"].variants
    assert len(set(looks(variants).values())) == len(variants)


def test_of_a_stereo_pair_the_left_image_is_drawn():
    pair = np.random.default_rng(0).random((2, 4, 5))
    axes = Figure().subplots(1, 3)
    for place, image in zip(axes, (pair, pair[:1], np.stack([*pair, pair[0]])), strict=True):
        draw_image(place, image)
    stereo, grey, colour = (np.asarray(place.images[0].get_array()) for place in axes)
    np.testing.assert_array_equal(stereo, pair[0])
    np.testing.assert_array_equal(grey, pair[0])
    np.testing.assert_array_equal(colour[..., 1], pair[1])


def test_classes_are_shown_evenly():
    assert shown_classes(3).tolist() == [0, 1, 2]
    assert shown_classes(200).tolist()[:2] == [0, 22]
    assert shown_classes(200).tolist()[-1] == 199
    assert shown_classes(9, 3).tolist() == [0, 4, 8]


def test_a_title_is_broken_where_its_panel_ends():
    assert panel_title("shapes (in CIFAR10's place)", 2, "K = 7") == "shapes (in CIFAR10's place)\nK = 7"
    assert panel_title("shapes-20 (in Tiny ImageNet's place)", 5) == "shapes-20 (in Tiny\nImageNet's place)"


def test_nothing_of_the_users_changes_a_figure(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nsavefig.facecolor: blue\n", encoding="utf-8")
    (tmp_path / "trajectory.csv").write_text(
        "epoch,sparsity,accuracy,entropy,levels\n1,0,90,1,7\n2,5,95,2,7\n", encoding="utf-8"
    )
    (tmp_path / "run.yaml").write_text(to_yaml(tiny.run("rem")), encoding="utf-8")
    theirs = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "MATPLOTLIBRC": str(tmp_path)}
    for name, environment in (("plain", {}), ("changed", theirs)):
        command = [
            sys.executable,
            "-m",
            "rem",
            "figure",
            "fig5",
            *map(tmp_path.joinpath, (name, "trajectory.csv", "run.yaml")),
        ]
        subprocess.run(command, cwd=tiny.ROOT, env=os.environ | environment, check=True)
    assert (tmp_path / "plain.svg").read_bytes() == (tmp_path / "changed.svg").read_bytes()

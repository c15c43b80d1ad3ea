"""The look of the figures: one for each variant, and none by colour alone."""

from rem.figures.style import LOOKS, looks, panel_title, shown_classes


def test_a_variant_looks_the_same_in_any_company():
    assert looks(["rem", "baseline"])["rem"] == looks(["rem", "mine"])["rem"] == LOOKS["rem"]
    assert list(looks(["mine", "rem", "baseline", "rem"])) == ["baseline", "rem", "mine"]


def test_variants_differ_in_their_marks_too():
    shown = looks([*LOOKS, "mine", "theirs", "ours"]).values()
    assert len({(look.marker, look.filled) for look in shown}) == len(shown)


def test_classes_are_shown_evenly():
    assert shown_classes(3).tolist() == [0, 1, 2]
    assert shown_classes(200).tolist()[:2] == [0, 22]
    assert shown_classes(200).tolist()[-1] == 199
    assert shown_classes(9, 3).tolist() == [0, 4, 8]


def test_a_title_is_broken_where_its_panel_ends():
    assert panel_title("shapes (in CIFAR10's place)", 2, "K = 7") == "shapes (in CIFAR10's place)\nK = 7"
    assert panel_title("shapes-20 (in Tiny ImageNet's place)", 5) == "shapes-20 (in Tiny\nImageNet's place)"

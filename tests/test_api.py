"""The public names of `rem`: each works as its own docstring shows, and none is loaded before it is asked for."""

import doctest
import inspect
import subprocess
import sys

import numpy as np
import pytest
import tiny
import torch

import rem

OF_NO_PAPER = {
    "LowerLayer",
    "Network",
    "RemError",
    "instability",
    "load",
    "load_split",
    "read_metrics",
    "strongest_coupling",
    "temper",
}


@pytest.mark.parametrize("name", rem.__all__)
def test_the_example_of_a_public_name_holds(name, sample_run, monkeypatch):
    monkeypatch.chdir(sample_run)
    torch.manual_seed(0)
    (example,) = doctest.DocTestFinder(recurse=False).find(
        getattr(rem, name), name, globs={"rem": rem, "torch": torch, "np": np}
    )
    assert len(example.examples) >= 1
    lines = []
    doctest.DocTestRunner().run(example, out=lines.append)
    assert "".join(lines) == ""


@pytest.mark.parametrize("name", sorted({*rem.__all__} - OF_NO_PAPER))
def test_a_public_name_says_which_paper_it_is_from(name):
    assert "https://arxiv.org/abs/" in inspect.getdoc(getattr(rem, name))


def test_every_public_name_has_one_home_and_is_listed():
    assert set(rem.__all__) == set(rem._HOMES) <= set(dir(rem))


def test_a_name_that_is_none_is_refused():
    with pytest.raises(AttributeError, match="'rem' has no attribute 'votes'"):
        rem.votes  # noqa: B018


def test_importing_rem_loads_no_package():
    code = "import sys, rem; print(*sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=tiny.ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, ["__main__", "rem"])

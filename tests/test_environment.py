"""The environments of pip, conda and Docker are as they should be, and `make` uses the cores that it has."""

import os
import re
import subprocess
import sys
import tomllib

import tiny
import yaml


def lock():
    return (tiny.ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()


def test_conda_installs_the_lock():
    environment = yaml.safe_load((tiny.ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["dependencies"][-1]["pip"] == lock()


def test_the_lock_pins_every_dependency_of_the_project():
    project = tomllib.loads((tiny.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = [*project["dependencies"], *extras["workflow"], *extras["export"], *extras["test"]]
    wanted = {re.split(r"[<>=]", line)[0] for line in named}
    pinned = {re.split(r"==", line)[0].lower() for line in lock()}
    assert wanted <= pinned
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; sys_platform == \"linux\")?", line) for line in lock())


def test_make_uses_every_core_that_it_may_whatever_openmp_is_told():
    command = ["make", "--dry-run", f"VENV={sys.prefix}", "reproduce"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    said = subprocess.check_output(command, cwd=tiny.ROOT, env=environment, text=True)
    assert f"snakemake --cores {len(os.sched_getaffinity(0))} --resources gpu=1 all" in said


def test_the_image_runs_as_any_user():
    """Snakemake asks for a home and a name that a user without an entry in passwd lacks, and git for an owner."""
    text = (tiny.ROOT / "Dockerfile").read_text(encoding="utf-8")
    (variables,) = re.findall(r"^ENV (.+)$", text, re.MULTILINE)
    assert dict(pair.split("=") for pair in variables.split()) == {"HOME": "/tmp", "USER": "rem"}
    assert "git config --system --add safe.directory /rem " in text
    (writable,) = re.findall(r"chmod a\+w (.+)$", text, re.MULTILINE)
    assert writable.split() == [".", "data", "results"]

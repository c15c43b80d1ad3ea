"""The environments of pip and conda are one."""

import re
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
    named = [*project["dependencies"], *extras["workflow"], *extras["test"]]
    wanted = {re.split(r"[<>=]", line)[0] for line in named}
    pinned = {re.split(r"==", line)[0].lower() for line in lock()}
    assert wanted <= pinned
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+( ; sys_platform == \"linux\")?", line) for line in lock())

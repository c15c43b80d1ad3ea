"""The revision in a record is that of the package's own repository, or unknown."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rem.files import provenance

WHO = ["-c", "user.name=a", "-c", "user.email=a@b"]


def git(folder, *words):
    done = subprocess.run(["git", *WHO, *words], cwd=folder, check=True, capture_output=True, encoding="utf-8")
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a copy of the package in its top folder; its module is asked for the revision."""
    monkeypatch.delenv("GIT_DIR", raising=False)
    home = tmp_path / "repository"
    package(home, monkeypatch)
    git(home, "init")
    git(home, "add", ".")
    git(home, "commit", "-m", "all")
    return home


def package(home, monkeypatch):
    copied = home / "rem/files/provenance.py"
    copied.parent.mkdir(parents=True)
    shutil.copyfile(Path(provenance.__file__), copied)
    monkeypatch.setattr(provenance, "__file__", str(copied))


def test_the_revision_is_that_of_the_repository_the_package_stands_in(repository):
    assert provenance._revision() == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("inside", [".venv/lib/python3/site-packages", "rem-1.0"])
def test_a_package_below_another_repository_has_not_its_revision(repository, monkeypatch, inside):
    package(repository / inside, monkeypatch)
    assert provenance._revision() == "unknown"


def test_the_environment_does_not_name_the_repository(repository, tmp_path, monkeypatch):
    revision = git(repository, "rev-parse", "HEAD")
    git(tmp_path, "init", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    assert provenance._revision() == revision


def test_where_git_refuses_the_record_says_why(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert provenance._revision().startswith("unknown (fatal: detected dubious ownership in repository")

"""The table of pretrained weights, and their download."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from rem.data.sources import SOURCES
from rem.errors import RemError
from rem.networks.weights import WEIGHTS, fetch_weights, weights_file
from rem.settings.run import Network


def test_weights_are_no_data():
    assert not WEIGHTS.keys() & SOURCES.keys()


def test_the_official_checksum_begins_as_the_name_ends():
    assert WEIGHTS["resnet18"].digest.startswith("sha256:f37072fd")
    assert weights_file("resnet18") == "data/raw/resnet18/resnet18-f37072fd.pth"


def test_every_backbone_has_weights():
    names, _ = get_args(Network.model_fields["backbone"].annotation)
    assert set(get_args(names)) == WEIGHTS.keys()


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with a file that is taken for the official one."""
    official = WEIGHTS["resnet18"]
    path = tmp_path / "mirror/resnet18" / official.file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    digest = f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
    monkeypatch.setitem(WEIGHTS, "resnet18", dataclasses.replace(official, digest=digest))
    return str(tmp_path / "mirror")


def test_weights_come_from_a_mirror_and_are_checked(mirror, tmp_path):
    target = tmp_path / weights_file("resnet18")
    fetch_weights("resnet18", target.name, target, mirror)
    assert target.read_bytes() == b"weights"
    Path(mirror, "resnet18", target.name).write_bytes(b"others")
    with pytest.raises(RemError, match="has the wrong content"):
        fetch_weights("resnet18", target.name, tmp_path / "others.pth", mirror)
    assert not (tmp_path / "others.pth").exists()


def test_another_file_is_refused_with_the_name_of_theirs(tmp_path):
    with pytest.raises(RemError, match=r"have no file 'resnet\.pth'; their file is resnet18-f37072fd\.pth\.$"):
        fetch_weights("resnet18", "resnet.pth", tmp_path / "resnet.pth")


def test_import_loads_nothing_heavy():
    program = "import sys, rem.networks.weights; print(sorted({'torch', 'requests', 'PIL'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"

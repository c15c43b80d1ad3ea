"""The files of a folder as its user sees them, and the digests by which a change of them is seen."""

import os

import pytest

from rem.errors import RemError
from rem.files.digests import digest_all, folder_state
from rem.files.folders import find_files


@pytest.fixture
def folder(tmp_path):
    """A folder with one class of its own, and links to another's, to nothing and round in circles."""
    own, other = tmp_path / "own", tmp_path / "other"
    for path in (own / "train/cat/0.png", other / "deep/0.png"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"pixels")
    (own / "train/dog").symlink_to(other)
    (own / "test").symlink_to(own / "train")
    (own / "train/cat/1.png").symlink_to(other / "deep/0.png")
    (own / "gone.png").symlink_to(tmp_path / "nothing")
    (own / "itself").symlink_to(own / "itself")
    (own / "train/up").symlink_to(own)
    (other / "back").symlink_to(other)
    return own


def test_links_are_followed_and_those_to_nothing_and_in_circles_are_told(folder):
    cats_and_dogs = ["cat/0.png", "cat/1.png", "dog/deep/0.png"]
    found = find_files(folder)
    assert found.files == sorted(f"{part}/{name}" for part in ("train", "test") for name in cats_and_dogs)
    assert {"gone.png", "itself", "train/up", "train/dog/back", "test/dog/back"} <= set(found.dead)


@pytest.mark.parametrize("digest", [folder_state, digest_all])
def test_a_change_of_a_file_behind_a_link_is_seen(folder, digest):
    before = digest(folder)
    assert digest(folder) == before
    (folder.parent / "other/deep/0.png").write_bytes(b"other pixels")
    after = digest(folder)
    assert after != before
    (folder.parent / "nothing").write_bytes(b"something")
    assert digest(folder) not in (before, after)


@pytest.mark.parametrize("digest", [folder_state, digest_all])
@pytest.mark.parametrize("name", [".DS_Store", "train/cat/Thumbs.db", "train/.ipynb_checkpoints/0.png"])
def test_what_the_system_hides_is_no_change(folder, digest, name):
    before = digest(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"hidden")
    assert digest(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_cannot_be_listed_is_named(folder):
    (folder / "train/cat").chmod(0)
    with pytest.raises(RemError, match=r"train/cat cannot be read now \(permission denied\); make it readable"):
        find_files(folder)

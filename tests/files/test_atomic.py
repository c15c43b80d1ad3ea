"""Files are whole or absent, and a folder is held by one process at a time."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rem.errors import RemError
from rem.files.atomic import hold, whole

ROOT = Path(__file__).parents[2]


def test_a_finished_block_leaves_the_file_and_nothing_else(tmp_path):
    with whole(tmp_path / "a.csv") as partial:
        partial.write_text("new", encoding="utf-8")
        assert partial.parent == tmp_path  # so that the renaming never crosses file systems
        assert not (tmp_path / "a.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "new"


def test_missing_parents_are_made(tmp_path):
    with whole(tmp_path / "deep" / "er" / "a.csv") as partial:
        partial.write_text("new", encoding="utf-8")
    assert (tmp_path / "deep" / "er" / "a.csv").read_text(encoding="utf-8") == "new"


def half_written(path, error):
    with whole(path) as partial:
        partial.write_text("ne", encoding="utf-8")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interrupted_block_leaves_no_file(tmp_path, error):
    with pytest.raises(error):
        half_written(tmp_path / "a.csv", error)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_block_leaves_the_old_file_as_it_was(tmp_path):
    (tmp_path / "a.csv").write_text("old", encoding="utf-8")
    with pytest.raises(ValueError):
        half_written(tmp_path / "a.csv", ValueError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "old"


def test_a_finished_block_replaces_the_old_file(tmp_path):
    (tmp_path / "a.csv").write_text("old", encoding="utf-8")
    with whole(tmp_path / "a.csv") as partial:
        partial.write_text("new", encoding="utf-8")
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "new"


def test_a_block_that_writes_nothing_is_no_success(tmp_path):
    with pytest.raises(FileNotFoundError), whole(tmp_path / "a.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_writer_and_nothing_else(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    names = [".a.csv.1.partial", f".a.csv.{ended.pid}.partial", f".b.csv.{ended.pid}.partial", "a.csv.part"]
    for name in names:
        (tmp_path / name).touch()
    with whole(tmp_path / "a.csv") as partial:
        partial.touch()
    names.remove(f".a.csv.{ended.pid}.partial")  # process 1 lives
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", *names}


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "no space left on device; make room, then give the same command again."),
        (errno.EROFS, "read-only file system; make its folder writable, then give the same command again."),
    ],
)
def test_a_file_that_cannot_be_written_is_named(tmp_path, number, sentence):
    with pytest.raises(RemError) as raised, whole(tmp_path / "a.csv"):
        raise OSError(number, os.strerror(number))
    assert str(raised.value) == f"{tmp_path / 'a.csv'} cannot be written: {sentence}"


def test_a_file_that_cannot_be_read_is_not_taken_for_one_that_cannot_be_written(tmp_path):
    with pytest.raises(PermissionError), whole(tmp_path / "a.csv"):
        raise PermissionError(errno.EACCES, "Permission denied", "images/1.png")


def test_a_folder_is_held_by_one_process_at_a_time_and_set_free_by_a_kill(tmp_path):
    code = "import sys, time\nfrom pathlib import Path\nfrom rem.files.atomic import hold\n"
    code += "with hold(Path(sys.argv[1])):\n    print(flush=True)\n    time.sleep(99)"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with (
            pytest.raises(RemError, match=f"^another process is at work in {tmp_path}; wait until it ends"),
            hold(tmp_path),
        ):
            pass
        holder.kill()
    with hold(tmp_path):
        assert list(tmp_path.iterdir()) == []

"""The card that a process takes, without any: the list of cards is given."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from rem.errors import RemError
from rem.training import gpus
from rem.training.gpus import SEEN, VISIBLE, lock_card, seen, take_card

JOB = """
import sys, time
from pathlib import Path
from rem.training.gpus import lock_card
print(lock_card(sys.argv[2:], Path(sys.argv[1])), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def nothing_held(monkeypatch):
    held = []
    monkeypatch.setattr(gpus, "held", held)
    yield
    for file in held:
        os.close(file)


@pytest.fixture
def start(tmp_path):
    """Start a job that takes a card of a list: its process and the card."""
    started = []

    def start(*cards):
        command = [sys.executable, "-c", JOB, str(tmp_path / "gpus"), *cards]
        job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(job)
        return job, job.stdout.readline().strip()

    yield start
    for job in started:
        job.kill()
        job.wait()
        job.stdout.close()


def test_each_job_takes_a_card_of_its_own_and_a_killed_one_leaves_its_card(start):
    jobs = {card: job for job, card in [start("0", "1", "2") for _ in range(3)]}
    assert jobs.keys() == {"0", "1", "2"}
    jobs["1"].kill()
    jobs["1"].wait()
    assert start("0", "1", "2")[1] == "1"


def test_jobs_that_share_cards_are_spread_evenly(tmp_path):
    taken = Counter(lock_card(["0", "1", "2"], tmp_path) for _ in range(7))
    assert sorted(taken.values()) == [2, 2, 3]


def test_a_card_is_held_by_the_name_that_the_cluster_gives_it(tmp_path):
    names = ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-GPU-8932f937/1/2"]
    assert [lock_card(names, tmp_path) for _ in range(2)] == names


def test_all_cards_are_chosen_from_where_none_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(VISIBLE, raising=False)
    assert lock_card(["0", "1"], tmp_path) == "0"
    assert take_card(2, tmp_path)
    assert os.environ[VISIBLE] == "1"
    assert capsys.readouterr().err == "on GPU 1 of 0, 1\n"


@pytest.mark.parametrize(
    ("given", "count", "chosen"),
    [("2,5", 2, "2"), ("GPU-a, GPU-b", 2, "GPU-a"), ("3,1,-1,2", 2, "3")],  # CUDA reads up to the first it has not
)
def test_only_what_a_cluster_shows_is_chosen_from(tmp_path, monkeypatch, given, count, chosen):
    monkeypatch.setenv(VISIBLE, given)
    assert take_card(count, tmp_path)
    assert os.environ[VISIBLE] == chosen


@pytest.mark.parametrize(("given", "count"), [("7", 1), ("GPU-a", 1), ("", 0), ("-1", 0), (None, 1), (None, 0)])
def test_where_there_is_no_choice_nothing_changes(tmp_path, monkeypatch, given, count):
    monkeypatch.delenv(VISIBLE, raising=False)
    if given is not None:
        monkeypatch.setenv(VISIBLE, given)
    assert not take_card(count, tmp_path / "gpus")
    assert os.environ.get(VISIBLE) == given
    assert not (tmp_path / "gpus").exists()


def test_a_folder_that_takes_no_locks_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RemError, match=r"file/gpus cannot hold the locks .*; set TMPDIR to a folder of yours"):
        lock_card(["0", "1"], tmp_path / "file/gpus")


@pytest.fixture
def unasked(monkeypatch):
    """As if nobody had asked for GPUs yet; what is found is forgotten again."""
    monkeypatch.setenv(SEEN, "")
    monkeypatch.delenv(SEEN)


def test_without_a_driver_torch_is_not_asked(unasked, monkeypatch):
    monkeypatch.setattr(gpus, "DRIVERS", ())
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(gpus, "_asked", lambda: pytest.fail("asked"))
    assert seen() == 0


def test_with_a_driver_torch_is_asked_once(unasked, monkeypatch):
    answers = iter([3])
    monkeypatch.setattr(gpus, "DRIVERS", ("/dev/null",))
    monkeypatch.setattr(gpus, "_asked", lambda: next(answers))
    assert [seen(), seen()] == [3, 3]
    assert os.environ[SEEN] == "3"  # for the processes that this one starts


def test_torch_says_what_training_will_find(monkeypatch):
    import torch

    monkeypatch.setattr(gpus, "DRIVERS", ("/dev/null",))
    assert gpus._asked() == (torch.cuda.device_count() if torch.cuda.is_available() else 0)


def test_a_torch_that_is_not_there_is_told(tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("raise ImportError('no torch')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RemError, match=r"torch cannot be asked for GPUs \(ImportError: no torch\); set device to cuda"):
        gpus._asked()


def test_the_workflow_can_ask_without_loading_torch():
    program = "import sys, rem.training.gpus; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"

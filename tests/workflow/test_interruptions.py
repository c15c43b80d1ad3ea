"""Runs that are killed, stopped or begun twice, with real processes: nothing is lost, and the same command goes on."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import tiny

from benchmarks.copies import copied
from benchmarks.kills import kill_until_done, made, start
from rem.settings.sections import to_yaml

SMALL = """
select: [main]
experiments: {main: {datasets: [mnist], variants: [rem], seeds: [42]}}
quantizer: {variants: [rem]}
defaults: {training: {epochs: 4, batch_size: 64}}
"""
OPTIONS = ("--configfile", "config/smoke.yaml", "small.yaml", "--cores", "2", "--", "entropies")


@pytest.fixture
def new_project(tmp_path):
    """A function that makes a copy of the project in which nothing has run."""

    def make(name):
        folder = copied(tmp_path / name)
        (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
        return folder

    return make


def wait_for(path, seconds=120):
    for _ in range(10 * seconds):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} never came")


def test_a_run_that_is_killed_again_and_again_ends_as_an_undisturbed_one(new_project):
    undisturbed, killed = new_project("undisturbed"), new_project("killed")
    began = time.perf_counter()
    output, _ = start(undisturbed, *OPTIONS).communicate()
    seconds = time.perf_counter() - began
    expected = made(undisturbed)
    assert any(name.endswith("entropy.csv") for name in expected), output
    hit, wrong, output = kill_until_done(killed, 4, 0.7 * seconds, random.Random(3), expected, *OPTIONS)
    assert hit > 1
    assert wrong == []
    assert made(killed) == expected, output


def test_a_second_run_is_refused_and_the_first_one_stops_at_once_when_it_is_told_to(new_project):
    folder = new_project("twice")
    longer = SMALL.replace("epochs: 4", "epochs: 1000")  # than the second run needs to be refused
    (folder / "small.yaml").write_text(longer, encoding="utf-8")
    first = start(folder, *OPTIONS)
    wait_for(folder / "results/smoke/models/mnist/rem/seed42/state.pt")
    output, _ = start(folder, *OPTIONS).communicate()
    assert "Directory cannot be locked" in output
    assert first.poll() is None
    assert list((folder / ".snakemake/locks").iterdir())
    os.killpg(first.pid, signal.SIGINT)
    began = time.perf_counter()
    output, _ = first.communicate()
    assert time.perf_counter() - began < 10
    assert first.returncode != 0
    assert "Not done: give the same command again to go on" in output
    assert "Traceback" not in output
    assert not (folder / ".snakemake/locks").exists()
    assert (folder / "results/smoke/models/mnist/rem/seed42/state.pt").exists()


def test_a_job_that_is_killed_is_explained(new_project, monkeypatch):
    folder = new_project("out-of-memory")
    (folder / "bin").mkdir()
    (folder / "bin/rem").write_text("#!/bin/sh\nkill -9 $$\n", encoding="utf-8")
    (folder / "bin/rem").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    output, _ = start(folder, *OPTIONS).communicate()
    told = "A job was killed, most likely because memory ran out: run fewer at once (--cores), or lower training.batch"
    assert told in output
    assert "Not done: give the same command again to go on" in output
    assert "TypeError" not in output


def test_a_command_that_is_interrupted_says_how_to_go_on(prepared, tmp_path):
    (tmp_path / "run.yaml").write_text(
        to_yaml(tiny.run("rem", training={"epochs": 10_000, "patience": 10_000})), encoding="utf-8"
    )
    command = [sys.executable, "-m", "rem", "train", tmp_path / "run.yaml", "--data", prepared, "--device", "cpu"]
    with subprocess.Popen(command, cwd=tiny.ROOT, text=True, stderr=subprocess.PIPE) as process:
        wait_for(tmp_path / "state.pt")
        process.send_signal(signal.SIGINT)
        lines = process.stderr.read().splitlines()
    assert process.returncode == 130
    assert lines[-1] == "rem: interrupted; give the same command again to go on."
    assert not any("Traceback" in line for line in lines)

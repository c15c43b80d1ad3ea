"""The profile for Slurm: what it asks for, by dry runs, and half the smoke config through a real Slurm of one node.

`make test-slurm` boots that node (tests/slurm.sh); without it the tests that need one are skipped.
"""

import itertools
import os
import re
import subprocess
from collections import Counter
from datetime import datetime

import pytest
import tiny
import yaml

from benchmarks.copies import copied

PROFILE = ["--workflow-profile", "profiles/slurm"]
ON_DEVICE = {"train", "extract_couplings", "extract_transfer", "extract_trajectory", "stack_decoder", "perturb"}
ON_DEVICE |= {"accuracies", "probe"}
LOCAL = {"all", "fetch", "data_settings", "run_settings", "stacked_decoder_settings"}
HALF = "select=[main,affine]"  # of the smoke config: every rule has jobs of it
POLL = ["--slurm-init-seconds-before-status-checks", "2", "--slurm-status-command", "squeue", "--latency-wait", "5"]

needs_slurm = pytest.mark.skipif(
    "ONE_NODE_SLURM" not in os.environ, reason="needs the Slurm that make test-slurm boots"
)


def snakemake(folder, *arguments, device="cpu"):
    """Run Snakemake on the smoke config: the finished process, its output in one string."""
    command = ["snakemake", "--configfile", "config/smoke.yaml", "--config", f"device={device}", *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800
    )


def asked(folder, *words, profile=PROFILE, **options):
    """What a dry run says each rule's jobs ask for, as {rule: {resource: value}}, and how many there are."""
    done = snakemake(folder, *words, *profile, "--dry-run", **options)
    assert done.returncode == 0, done.stdout
    jobs = re.findall(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    resources: (.*)$", done.stdout, re.MULTILINE)
    resources = {rule: dict(item.split("=") for item in text.split(", ")) for rule, text in jobs}
    return resources, Counter(rule for rule, _ in jobs)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A copy of the project in which nothing has run."""
    return copied(tmp_path_factory.mktemp("a fresh project"))


def profile(name):
    return yaml.safe_load((tiny.ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8"))


OF_ONE_MACHINE = ("cores", "resources", "default-resources")


def test_files_are_compared_and_jobs_chosen_as_without_slurm():
    default = {key: value for key, value in profile("default").items() if key not in OF_ONE_MACHINE}
    assert default.items() <= profile("slurm").items()


def test_every_job_says_how_much_memory_and_time_it_needs(fresh):
    resources, _ = asked(fresh)
    assert all(values.keys() >= {"mem_mb", "runtime"} for values in resources.values())
    assert profile("slurm")["set-resources"].keys() <= resources.keys() - LOCAL
    assert int(resources["train"]["runtime"]) == max(int(values["runtime"]) for values in resources.values())


def test_only_downloads_are_tried_again(fresh):
    rules = [
        text
        for path in (fresh / "workflow/rules").glob("*.smk")
        for text in path.read_text(encoding="utf-8").split("\nrule ")
    ]
    assert [text.split(":")[0] for text in rules if "retries:" in text] == ["fetch"]
    assert profile("slurm")["retries"] == 0


@pytest.mark.parametrize(("device", "expected"), [("cpu", set()), ("cuda", ON_DEVICE)])
def test_a_gpu_is_asked_for_by_jobs_that_use_one_alone(fresh, device, expected):
    resources, _ = asked(fresh, device=device)
    assert {rule for rule, values in resources.items() if int(values.get("gpu", 0))} == expected
    assert not any("gres" in values for values in resources.values())


@pytest.mark.parametrize(("seen", "expected"), [("0", set()), ("2", ON_DEVICE)])
def test_jobs_of_this_machine_take_a_gpu_where_torch_sees_one(fresh, monkeypatch, seen, expected):
    monkeypatch.setenv("REM_GPUS_SEEN", seen)
    resources, _ = asked(fresh, "--jobs", "2", "--resources", "gpu=2", profile=[], device="auto")
    assert {rule for rule, values in resources.items() if int(values.get("gpu", 0))} == expected


def test_jobs_that_share_a_gpu_ask_for_a_shard_of_it(fresh):
    config = fresh / "config/smoke.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(f"slots_per_gpu: 4\n{text}", encoding="utf-8")
    resources, _ = asked(fresh, device="cuda")
    config.write_text(text, encoding="utf-8")
    assert {rule for rule, values in resources.items() if values.get("gres") == "shard:1"} == ON_DEVICE
    assert not any(int(values.get("gpu", 0)) for values in resources.values())


def test_where_jobs_run_elsewhere_the_device_must_be_said(fresh):
    done = snakemake(fresh, *PROFILE, "--dry-run", device="auto")
    assert done.returncode != 0
    assert "say --config device=cuda or --config device=cpu" in done.stdout
    assert "Traceback" not in done.stdout
    assert snakemake(fresh, "--dry-run", "--jobs", "2", device="auto").returncode == 0


def test_a_run_whose_jobs_run_elsewhere_begins_without_cores_of_its_own(fresh, tmp_path, monkeypatch):
    refusing = tmp_path / "sbatch"
    refusing.write_text("#!/bin/sh\nexit 1", encoding="utf-8")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    done = snakemake(fresh, *PROFILE, "--", "data")
    assert "device is cpu" in done.stdout, done.stdout


def test_a_gpu_of_this_machine_takes_as_many_jobs_as_it_has_slots(fresh, tmp_path, monkeypatch):
    stub = tmp_path / "rem"
    stub.write_text(
        f'#!/bin/sh\necho 1 >> "{tmp_path}/running"; sleep 1; echo -1 >> "{tmp_path}/running"; touch "$3"',
        encoding="utf-8",
    )
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    limits = ["--workflow-profile", "none", "--cores", "4", "--resources", "gpu=1", "--set-resources", "prepare:gpu=1"]
    done = snakemake(fresh, "slots_per_gpu=3", *limits, "--", "data")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("device is cpu") == 1
    changes = [int(line) for line in (tmp_path / "running").read_text(encoding="utf-8").split()]
    assert len(changes) == 2 * 4  # datasets
    assert max(itertools.accumulate(changes)) == 3


# Through Slurm


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in which that half has run through Slurm, where training asks for half a GPU."""
    folder = copied(tmp_path_factory.mktemp("a project"))
    settings = profile("slurm")
    settings["set-resources"]["train"]["gres"] = "shard:1"
    (folder / "profiles/slurm/config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    of_all, _ = asked(folder)
    of_half, planned = asked(folder, HALF)
    assert of_half.keys() == of_all.keys()
    done = snakemake(folder, HALF, *PROFILE, *POLL)
    assert done.returncode == 0, done.stdout
    return folder, planned


@pytest.fixture(scope="module")
def submitted(project):
    """Slurm's own record of every job: rule, state, start, end and what generic resources it asked for."""
    lines = subprocess.run(
        ["squeue", "--states=all", "--noheader", "--format=%k|%T|%S|%e|%b"], text=True, capture_output=True, check=True
    ).stdout.splitlines()
    records = []
    for line in lines:
        comment, state, start, end, gres = line.split("|")
        rule = re.match(r"rule_(\w+?)(_wildcards_|$)", comment)[1]
        records.append((rule, state, datetime.fromisoformat(start), datetime.fromisoformat(end), gres))
    return records


def tables(folder):
    """Every table of the results: its bytes by name."""
    found = [path for path in folder.glob("results/smoke/**/*.csv") if ".metadata" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@needs_slurm
def test_every_job_but_the_local_ones_went_through_slurm(project, submitted):
    _, planned = project
    assert Counter(rule for rule, *_ in submitted) == {rule: n for rule, n in planned.items() if rule not in LOCAL}
    assert {state for _, state, *_ in submitted} == {"COMPLETED"}


@needs_slurm
def test_trainings_share_the_one_gpu(submitted):
    assert {gres for rule, *_, gres in submitted if rule == "train"} == {"gres:shard:1"}
    assert {gres for rule, *_, gres in submitted if rule != "train"} == {"N/A"}
    spans = [(start, end) for rule, _, start, end, _ in submitted if rule == "train"]
    running = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert max(running) == 2  # shards


@needs_slurm
def test_a_second_run_does_nothing_through_slurm_or_here(project):
    folder, _ = project
    assert "Nothing to be done" in snakemake(folder, HALF, *PROFILE, *POLL).stdout
    assert "Nothing to be done" in snakemake(folder, HALF, "--cores", "2").stdout


@needs_slurm
def test_the_tables_are_there_and_those_of_a_run_without_slurm(project, tmp_path):
    folder, _ = project
    here = copied(tmp_path / "without slurm")
    done = snakemake(here, HALF, "--cores", "2")
    assert done.returncode == 0, done.stdout
    made, expected = tables(folder), tables(here)
    assert {f"results/smoke/tables/table{number}.csv" for number in range(2, 8)} <= made.keys()
    assert made.keys() == expected.keys()
    assert [name for name in made if made[name] != expected[name]] == []

"""What the workflow plans to do where nothing has run, and what it refuses before anything runs."""

import os
import re
import shutil
import subprocess

import pytest
from pipeline import RUNS, planned, snakemake

from benchmarks.copies import copied


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A copy of the project in which nothing has run."""
    return copied(tmp_path_factory.mktemp("a fresh project"))


@pytest.mark.parametrize(
    "words",
    [
        "--cores 8 --resources gpu=1 all",
        "--resources gpu=1 mem_mb=100 all",
        "--resources gpu=1 -- all",
        "all --resources gpu=1",
        "--resources gpu=1 --cores 2 all",
        "--cores 2 --resources gpu=1 data/prepared/sample/mnist.h5",
    ],
)
def test_the_command_of_the_readme_means_what_it_says_and_so_do_its_likes(fresh, words):
    done = snakemake(fresh, "--dry-run", "--quiet", "rules", *words.split(), config=None)
    assert done.returncode == 0, done.stdout
    total = int(re.search(r"^total +(\d+)$", done.stdout, re.MULTILINE)[1])
    assert total == (2 if "mnist.h5" in words else 278)  # a file and its settings, or everything


def test_a_figure_that_the_config_does_not_draw_is_one_sentence(fresh):
    done = snakemake(fresh, "--dry-run", "results/smoke/figures/nothing.png")
    assert done.returncode != 0
    assert "there is no figure nothing; this config has sweep, " in done.stdout
    assert "KeyError" not in done.stdout


def test_jobs_run_the_code_beside_the_snakefile_whatever_checkout_python_knows(tmp_path):
    here, another = copied(tmp_path / "this checkout"), copied(tmp_path / "another checkout")
    (another / "rem/cli/data.py").write_text("raise SystemExit('the code of another checkout')", encoding="utf-8")
    done = snakemake(here, "data/prepared/smoke/shapes.h5", PYTHONPATH=str(another))
    assert done.returncode == 0, done.stdout


def test_jobs_find_the_command_without_an_active_environment(tmp_path):
    folder = copied(tmp_path / "project")
    command = [shutil.which("snakemake"), "--configfile", "config/smoke.yaml", "--cores", "2"]
    environment = os.environ | {"PYTHONPATH": str(folder), "PATH": os.defpath}
    assert shutil.which("rem", path=os.defpath) is None
    done = subprocess.run([*command, "--", "data/prepared/smoke/mnist.h5"], cwd=folder, env=environment, timeout=600)
    assert done.returncode == 0


def test_a_configfile_that_is_not_there_is_one_sentence(fresh):
    done = snakemake(fresh, "--dry-run", config="config/smok.yaml")
    assert done.returncode != 0
    assert done.stdout.strip().splitlines()[-1].startswith("--configfile names config/smok.yaml, which is no file.")
    assert "Traceback" not in done.stdout


def test_a_run_that_is_started_outside_the_project_s_folder_is_one_sentence(fresh, tmp_path):
    command = ["snakemake", "--snakefile", fresh / "Snakefile", "--dry-run", "--cores", "2"]
    environment = os.environ | {"PYTHONPATH": str(fresh)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert f"{tmp_path} is not the project's folder; give the same command in {fresh}." in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("file", "part", "named"),
    [
        ("workflow/rules/private.smk", '"_record_path"', "FilePersistence._no_path, which this workflow replaces"),
        ("Snakefile", '"overwrite_configfiles"', "workflow._no_path, which this workflow reads"),
    ],
)
def test_a_snakemake_without_what_is_replaced_or_read_is_one_sentence(tmp_path, file, part, named):
    folder = copied(tmp_path / "another")
    rules = folder / file
    rules.write_text(rules.read_text(encoding="utf-8").replace(part, '"_no_path"'), encoding="utf-8")
    done = snakemake(folder, "--dry-run")
    assert done.returncode != 0
    assert re.search(rf"Snakemake [\d.]+ has no {re.escape(named)}; install", done.stdout)


def test_a_network_that_follows_anothers_sparsity_waits_for_its_history(fresh):
    models = "results/smoke/models/mnist"
    assert planned(fresh, f"{models}/magnitude/seed43/last.pt") == {"prepare": 1, "train": 2}
    assert planned(fresh, f"{models}/penalty/seed43/last.pt") == {"prepare": 1, "train": 1}
    done = snakemake(fresh, "--dry-run", "--printshellcmds", f"{models}/magnitude/seed43/last.pt")
    assert re.findall(r"--followed (\S+)", done.stdout) == [f"{models}/rem/seed43/history.csv"]


def test_the_controls_are_trained_and_measured_like_all_others_but_not_by_all(fresh):
    variants = ("baseline", "rem", "penalty", "magnitude", "weight-decay", "rem-votes")
    runs = [f"{variant}/seed{seed}" for variant in variants for seed in (42, 43)]
    entropies = [f"results/smoke/entropies/mnist/{run}/entropy.csv" for run in runs]
    assert planned(fresh, *entropies) == {
        "prepare": 1, "train": 12, "extract_couplings": 12, "choose_levels": 1, "entropy": 12,
    }  # fmt: skip
    assert planned(fresh)["train"] == RUNS


def test_what_is_made_of_the_controls_can_be_made_of_any_experiment(fresh):
    jobs = planned(fresh, "results/smoke/dose-response/table_controls.md")
    assert (jobs["controls_table"], jobs["experiment_metrics"]) == (1, 1)


def test_the_laptops_trees_are_planned_with_the_networks_that_choose_their_k(fresh):
    jobs = planned(fresh, "--", "trees", config="config/laptop.yaml")
    assert jobs == {
        "fetch": 4, "prepare": 1, "train": 10, "extract_couplings": 10, "choose_levels": 1, "entropy": 6, "probe": 6,
        "experiment_metrics": 1, "experiment_resample": 1, "experiment_probes": 1, "experiment_claims": 1,
        "experiment_frontier": 1, "trees_table": 1, "tree_densities_figure": 1, "trees": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "experiment"), [("sample", "iterations"), ("networks", "sharpen"), ("sample", "viewpoints")]
)
def test_variants_can_be_compared_by_the_name_of_their_experiment(fresh, config, experiment):
    jobs = planned(fresh, "--", experiment, config=f"config/{config}.yaml")
    assert (jobs["controls_table"], jobs["experiment_metrics"], jobs[experiment]) == (1, 1, 1)


def test_an_experiment_that_the_config_lacks_is_one_sentence(fresh):
    done = snakemake(fresh, "--dry-run", "--", "dose_response", config="config/paper.yaml")
    assert done.returncode != 0
    said = "the config has no experiment named dose-response; add one to `experiments`, or say --configfile with a "
    assert f"{said}config that has it (config/README.md)." in done.stdout


def test_linked_results_are_refused_by_dvc_before_anything_runs(tmp_path):
    folder, elsewhere = copied(tmp_path / "linked"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "results").symlink_to(elsewhere)
    by_hand, by_dvc = (snakemake(folder, "--dry-run", "--quiet", **own) for own in ({}, {"DVC_STAGE": "train"}))
    assert by_hand.returncode == 0, by_hand.stdout
    assert by_dvc.returncode != 0
    assert "results is a link, which DVC does not follow; run snakemake itself" in by_dvc.stdout


def test_figures_of_variants_that_are_not_selected_are_not_drawn(tmp_path):
    folder = copied(tmp_path / "baseline alone")
    config = folder / "config/smoke.yaml"
    config.write_text(
        config.read_text(encoding="utf-8").replace("variants: [baseline, rem]", "variants: [baseline]"),
        encoding="utf-8",
    )
    done = snakemake(folder, "--dry-run")
    assert set(re.findall(r"figures/(\w+)\.png", done.stdout)) == {
        "fig4",
        "sweep",
        "overview",
        "frontier",
        "interventions",
    }
    assert "trajectory" not in done.stdout
    by_dvc = snakemake(folder, "--dry-run", "--quiet", DVC_STAGE="models")
    assert by_dvc.returncode != 0
    assert "dvc.yaml keeps probes and figures of single networks, which this config does not make" in by_dvc.stdout


def test_figures_of_a_seed_that_is_not_trained_are_one_sentence(fresh):
    done = snakemake(fresh, "--dry-run", "--config", "figures={seed: 44}")
    assert done.returncode != 0
    assert "figures.seed is 44, but the networks of mnist have the seeds 42, 43; name one of these" in done.stdout

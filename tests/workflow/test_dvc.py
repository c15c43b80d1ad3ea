"""DVC and Snakemake as one: what either has made, the other finds made, here and in a clone that pulled it."""

import json
import os
import re
import subprocess

import pytest

from benchmarks.copies import PARTS, copied
from rem.tables.summary import SUMMED_UP

DVC = ("dvc.yaml", "params.yaml", ".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore")
STAGES = ["data", "models", "couplings", "entropies", "tables"]
# Two networks on some hundred generated images: the numbers mean nothing.
CONFIG = """
name: {name}
select: [main]
datasets: {{mnist: {{}}}}
experiments:
  main: {{datasets: [mnist], variants: [baseline, rem], seeds: [42]}}
quantizer: {{maximum: 16, tolerance: 5.0}}
defaults:
  data: {{source: shapes, channels: 3, size: 24, view: resize, generate: [400, 200], validation: 100,
         mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}}
  network: {{convolution_channels: 4, primary_types: 2, primary_dimensions: 4, class_dimensions: 4}}
  training: {{epochs: 1, batch_size: 64}}
stacked_decoder: {{epochs: 1, decoder: {{hidden: [16, 16]}}}}
variants:
  rem: {{pruning: {{penalty: 0.0035}}}}
"""


def run(folder, *command):
    """Run a command in a repository: its output in one string."""
    own = {"PYTHONPATH": str(folder), "DVC_SITE_CACHE_DIR": str(folder / ".dvc/tmp/site"), "COLUMNS": "200"}
    for name in ("AUTHOR", "COMMITTER"):
        own |= {f"GIT_{name}_NAME": "somebody", f"GIT_{name}_EMAIL": "somebody@example.org"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | own,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def snakemake(folder, target, *options, config="mini"):
    return run(folder, "snakemake", "--configfile", f"config/{config}.yaml", "--cores", "2", *options, "--", target)


def jobs(output):
    """The jobs that Snakemake tells of, in order: each by the files it makes."""
    return sorted(re.findall(r"^    output: (.+)$", output, re.MULTILINE))


def planned(folder, target="all", config="mini"):
    return jobs(snakemake(folder, target, "--dry-run", config=config))


def is_up_to_date(folder):
    return run(folder, "dvc", "repro").endswith("Data and pipelines are up to date.\n") and planned(folder) == []


def edit(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def commit(folder):
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "as it is")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository in which Snakemake has made everything, and DVC has seen it: the folder and what DVC said."""
    folder = copied(tmp_path_factory.mktemp("dvc") / "a repository", (*PARTS, *DVC))
    for name in ("mini", "other"):
        (folder / f"config/{name}.yaml").write_text(CONFIG.format(name=name), encoding="utf-8")
    edit(folder / "params.yaml", "config: sample", "config: mini")
    edit(folder / "profiles/default/config.yaml", "logger: ", "# logger: ")  # these tests read of every job
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "remote", "add", "--default", "store", str(folder.parent / "store"))
    commit(folder)
    snakemake(folder, "all", "--resources", "gpu=1")
    said = run(folder, "dvc", "repro")
    commit(folder)
    run(folder, "dvc", "push")
    return folder, said


@pytest.fixture
def empty_clone(made, tmp_path):
    """A clone of that repository, into which nothing was pulled."""
    run(tmp_path, "git", "clone", "--quiet", str(made[0]), "clone")
    for key, value in (("name", "somebody"), ("email", "somebody@example.org")):  # DVC reads no environment
        run(tmp_path / "clone", "git", "config", f"user.{key}", value)
    return tmp_path / "clone"


@pytest.fixture
def clone(empty_clone):
    """A clone of that repository, with everything pulled."""
    run(empty_clone, "dvc", "pull")
    return empty_clone


def test_dvc_has_nothing_to_do_after_snakemake(made):
    folder, said = made
    assert re.findall(r"^Running stage '(\w+)'", said, re.MULTILINE) == STAGES
    assert jobs(said) == []
    assert is_up_to_date(folder)
    assert is_up_to_date(folder)


def test_snakemake_has_nothing_to_do_after_dvc(empty_clone):
    to_do = planned(empty_clone, "models")
    assert sum("last.pt" in files for files in to_do) == 2
    assert jobs(run(empty_clone, "dvc", "repro", "models")) == to_do
    assert planned(empty_clone, "models") == []


def test_a_clone_that_pulls_has_the_tables_and_nothing_to_do(made, clone):
    tables = [file.relative_to(made[0]) for file in (made[0] / "results/mini/tables").rglob("*.*") if file.is_file()]
    assert len(tables) > 20
    for table in tables:
        assert (clone / table).read_bytes() == (made[0] / table).read_bytes()
    assert is_up_to_date(clone)


def test_changed_settings_make_the_same_anew_under_either(clone):
    edit(clone / "config/mini.yaml", "seeds: [42]", "seeds: [42, 43]")
    edit(clone / "config/mini.yaml", "penalty: 0.0035", "penalty: 0.005")
    to_do = planned(clone)
    trained = [re.findall(r"mnist/(\S+)/last.pt", files)[0] for files in to_do if "last.pt" in files]
    assert trained == ["baseline/seed43", "rem/seed42", "rem/seed43"]
    assert jobs(run(clone, "dvc", "repro")) == to_do
    assert is_up_to_date(clone)


def test_an_experiment_with_other_levels_is_compared_without_training(clone):
    edit(clone / "config/mini.yaml", "tolerance: 5.0", "tolerance: 0.5")
    to_do = planned(clone)
    run(clone, "git", "checkout", "config/mini.yaml")
    said = run(clone, "dvc", "exp", "run", "--set-param", "config/mini.yaml:quantizer.tolerance=0.5")
    done = jobs(said)  # stage by stage, so not what a stage before has made anew but alike
    assert done
    assert set(done) <= set(to_do)
    assert not any(file.endswith(".pt") for file in " ".join(to_do).split(", "))
    assert is_up_to_date(clone)
    assert re.search(r"config/mini\.yaml +quantizer\.tolerance +5\.0 +0\.5", run(clone, "dvc", "params", "diff"))
    (shown,) = json.loads(run(clone, "dvc", "metrics", "show", "--json"))[""]["data"].values()
    assert shown["data"] == json.loads((clone / "results/mini/tables/summary.json").read_text(encoding="utf-8"))
    changed = json.loads(run(clone, "dvc", "metrics", "diff", "--all", "--json"))
    names = (
        "seeds",
        "levels",
        *(f"{one}.{name}" for one in ("baseline", "rem") for name in SUMMED_UP),
    )
    assert set(changed["results/mini/tables/summary.json"]) == {f"mnist.{name}" for name in names}
    assert "quantizer.tolerance" in run(clone, "dvc", "exp", "show", "--only-changed", "--no-pager")


def test_a_change_of_own_images_is_seen(clone):
    assert "data/own" not in run(clone, "dvc", "status")
    (clone / "data/own/leaf.png").write_bytes(b"another leaf")
    assert re.search(r"modified: +data/own", run(clone, "dvc", "status", "data"))


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        (
            "leaves",
            "images of data.folder leaves lie in .*/leaves/train, where DVC does not look for changes; move them",
        ),
        ("data/own/linked", "images of data.folder data/own/linked lie in .*/leaves/train, where DVC does not look"),
        ("data/own/none", "an experiment that runs elsewhere: dvc exp run --copy-paths data/own/none"),
    ],
)
def test_own_images_where_dvc_does_not_look_are_refused_before_anything_runs(clone, folder, said):
    (clone / "leaves/train").mkdir(parents=True)
    (clone / "leaves/train/oak.png").touch()
    (clone / "data/own/linked").symlink_to(clone / "leaves")
    edit(clone / "config/mini.yaml", "source: shapes,", f"source: folder, folder: {folder},")
    edit(clone / "config/mini.yaml", "generate: [400, 200]", "generate: null")
    with pytest.raises(AssertionError, match=said):
        run(clone, "dvc", "repro", "data")


def test_plots_show_figures_and_the_curves_of_their_networks(clone):
    run(clone, "dvc", "plots", "show")
    page = (clone / "dvc_plots/index.html").read_text(encoding="utf-8")
    for part in ("validation_loss", "entropy", "baseline/seed42/sweep/best.test.csv", "rem/seed42/history.csv"):
        assert part in page
    assert len(list((clone / "dvc_plots/static").glob("*.png"))) == 3


def test_another_config_in_the_same_tree_leaves_the_first_as_it_is(clone):
    assert jobs(run(clone, "dvc", "exp", "run", "--set-param", "config=other", "data"))
    assert planned(clone, "data", "other") == []
    run(clone, "git", "checkout", "params.yaml", "dvc.lock")
    run(clone, "dvc", "checkout")
    assert is_up_to_date(clone)
    assert not list((clone / ".snakemake/metadata").iterdir())


def test_a_dry_run_of_a_clean_clone_names_every_stage(empty_clone):
    said = run(empty_clone, "dvc", "repro", "--dry", "--force")
    assert re.findall(r"^> snakemake --configfile config/mini.yaml -- (\w+)", said, re.MULTILINE) == [
        *STAGES[:-1],
        "all",
    ]

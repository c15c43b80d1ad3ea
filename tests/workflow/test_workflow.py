"""The pipeline itself: the smoke config from images to tables, and what is made anew after which change."""

import os
import shutil
from pathlib import Path

import browser
import pandas as pd
import pytest
import yaml
from pipeline import RUNS, planned, snakemake

from benchmarks.copies import copied
from benchmarks.kills import made
from rem.files.trace import record_file, trace

ROOT = Path(__file__).parents[2]
FIGURES = ("parse_tree", "sweep", "overview", "transfer", "frontier", "interventions")  # beside the paper's


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project in which the smoke config has run."""
    folder = copied(tmp_path_factory.mktemp("a project"))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def edited(project):
    """A function that replaces text in a file of the project until the test ends."""
    originals = {}

    def edit(file, old, new):
        path = project / file
        originals.setdefault(path, (path.read_text(encoding="utf-8"), path.stat()))
        assert old in path.read_text(encoding="utf-8")
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")

    yield edit
    for path, (text, stat) in originals.items():
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_second_run_does_nothing(project):
    assert planned(project) == {}


def test_every_table_and_figure_is_there(project):
    results = project / "results" / "smoke"
    for name in (*(f"table{which}" for which in [*range(2, 8), "_decoder"]), "paper_vs_ours", "claims"):
        assert (results / "tables" / f"{name}.csv").stat().st_size > 0
        assert (results / "tables" / f"{name}.md").stat().st_size > 0
    for name in (*(f"fig{which}" for which in range(4, 9)), *FIGURES):
        assert (results / "figures" / f"{name}.png").stat().st_size > 0
        assert (results / "figures" / f"{name}.svg").stat().st_size > 0


def test_metrics_hold_every_run(project):
    metrics = pd.read_csv(project / "results" / "smoke" / "metrics.csv")
    runs = metrics.dropna(subset="seed")[["dataset", "variant", "seed"]].drop_duplicates()
    assert len(runs) == RUNS
    accuracy = metrics.query("metric == 'accuracy' and levels.isna() and split == 'test' and checkpoint == 'best'")
    assert len(accuracy) == RUNS
    assert accuracy["value"].between(0, 100).all()


def test_only_pruned_runs_are_sparse(project):
    metrics = pd.read_csv(project / "results" / "smoke" / "metrics.csv").query("metric == 'sparsity'")
    assert (metrics[metrics["variant"].str.startswith("baseline")]["value"] < 0.001).all()  # %: one is 0 by chance
    assert (metrics.query("variant == 'rem' and checkpoint == 'last'")["value"] > 0).all()


def test_no_file_is_left_half_written(project):
    assert not list(project.rglob("*.partial"))
    assert not list(project.rglob("state.pt"))


def test_a_touched_file_remakes_nothing(project):
    for file in ("rem/training/train.py", "data/sample/mnist/train-images-idx3-ubyte.gz"):
        (project / file).touch()
    assert planned(project) == {}


@pytest.mark.parametrize(
    ("old", "new"), [("tolerance: 5.0", "tolerance: 6.0"), ("maximum: 16", "maximum: 16\n  authors: 12")]
)
def test_other_levels_are_reported_without_training(project, edited, old, new):
    edited("config/smoke.yaml", old, new)
    assert planned(project) == {  # neither Figure 8 nor the parse tree shows levels
        "choose_levels": 4, "entropy": RUNS, "entropy_transfer": 2, "trajectory": 1, "metrics": 1, "resample": 4,
        "probe": 10, "probes": 1, "tables": 1, "paired": 1, "claims": 1, "figure": 8,
    }  # fmt: skip


def test_one_more_seed_trains_that_seed_alone(project, edited):
    edited("config/smoke.yaml", "seeds: [42, 43]", "seeds: [42, 43, 44]")
    jobs = planned(project)
    assert jobs["train"] == jobs["extract_couplings"] == 2
    assert "prepare" not in jobs
    assert "extract_trajectory" not in jobs


def test_a_setting_of_one_variant_trains_the_runs_that_have_it_alone(project, edited):
    own = "regularizer: lobster\n      penalty: 0.00"
    edited("config/config.yaml", f"{own}35", f"{own}45")  # shapes have a penalty of their own
    jobs = planned(project)
    # On MNIST, with a decoder, expanded, and shapes-20.
    assert jobs["train"] == jobs["extract_couplings"] == 2 + 1 + 1 + 1
    assert "prepare" not in jobs


def test_a_setting_of_one_dataset_remakes_that_dataset_alone(project, edited):
    edited("config/smoke.yaml", "generate: [1000, 300]", "generate: [900, 300]")
    jobs = planned(project)
    assert jobs["prepare"] == 1
    assert jobs["train"] == 2
    assert "extract_trajectory" not in jobs


def test_an_edited_module_remakes_what_it_makes(project, edited):
    edited("rem/figures/fig5.py", '"""', '"""Edited. ')
    assert planned(project) == {"figure": 1}


def test_an_edited_network_trains_everything_again(project, edited):
    edited("rem/networks/build.py", '"""', '"""Edited. ')
    jobs = planned(project)
    assert jobs["train"] == jobs["extract_couplings"] == RUNS
    assert "prepare" not in jobs


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("epochs: 2", "epohcs: 2", "unknown key training.epohcs; the keys valid there are epochs, "),
        ("name: smoke", "name: smoke\ncolour: red", "unknown key colour; the keys valid there are name, "),
        ("[shapes]", "[svhn]", "experiments.colour.datasets has the unknown dataset 'svhn'; the config has "),
        ("[baseline, rem]", "[baseline, rme]", "experiments.main.variants has the unknown variant 'rme'"),
        ("epochs: 2", "epochs: none", "key training.epochs has the value 'none'"),
        ("source: mnist-sample", "source: emnist", "unknown source 'emnist'; the sources are mnist, "),
    ],
)
def test_a_mistake_in_the_config_is_one_clear_sentence(project, edited, old, new, sentence):
    edited("config/smoke.yaml", old, new)
    done = snakemake(project)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert "Traceback" not in done.stdout
    assert (project / "results/smoke/metrics.csv").exists()


def test_the_same_seed_gives_the_same_files(project):
    kinds = ("mnist/rem-decoder", "shapes/baseline", "expanded-mnist/baseline", "shapes-20/rem")
    before = made(project)
    again = [f"results/smoke/models/{kind}/seed42/last.pt" for kind in kinds]
    done = snakemake(project, "--until", "metrics", "--forcerun", *again)
    assert done.returncode == 0, done.stdout
    assert f"network {len(kinds)} of {len(kinds)}: " in done.stdout
    assert made(project) == before


# Where files come from


def made_files(folder):
    """Every file that a command of rem has made: all but settings and checksums, which rules write, and records."""
    tops = [folder / "data/prepared", *(folder / "results/smoke").iterdir()]
    paths = [path for top in tops if top.name not in ("logs", "benchmarks") for path in (top, *top.rglob("*"))]
    return [
        path
        for path in paths
        if path.is_file()
        and path.suffix not in (".yaml", ".sha256")
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def test_every_table_figure_and_artifact_is_traced_back_to_the_images_in_git(project):
    found = trace(made_files(project))
    assert found.faults == {}
    assert {path.suffix for path in found.records} >= {".h5", ".pt", ".csv", ".md", ".tex", ".png", ".svg"}
    assert {path.parent for path in found.sources if path.suffix != ".yaml"} == {project / "data/sample/mnist"}
    assert len([path for path in found.sources if path.name == "run.yaml"]) == RUNS


def test_a_copy_of_the_results_elsewhere_can_be_traced(project, tmp_path):
    copied(tmp_path)
    for part in ("data/prepared", "results"):
        shutil.copytree(project / part, tmp_path / part)
    assert trace(made_files(tmp_path)).faults == {}
    with (tmp_path / "data/sample/mnist/t10k-labels-idx1-ubyte.gz").open("ab") as file:
        file.write(b"!")
    (fault,) = trace([tmp_path / "results/smoke/tables/table4.md"]).faults.values()
    assert "t10k-labels-idx1-ubyte.gz has changed since" in fault


def test_dvc_keeps_every_record_that_it_keeps_the_file_of(project):
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    outs = [next(iter(out)).replace("${config}", "smoke") for stage in stages for out in stage["outs"]]
    for path in made_files(project):
        kept = [any(one.is_relative_to(project / out) for out in outs) for one in (path, record_file(path))]
        assert kept == [True, True], path


def test_the_report_is_a_target_that_shows_all_figures_and_that_all_was_traced(project):
    assert snakemake(project).returncode == 0  # what other tests have made anew
    done = snakemake(project, "--", "report_html")
    assert done.returncode == 0, done.stdout
    report = project / "results/smoke/report.html"
    text = report.read_text(encoding="utf-8")
    assert text.count("data:image/svg+xml;base64,") == 11
    assert f"{RUNS} networks on 4 datasets" in text
    assert "was traced back to the raw data when this file was" in text
    assert planned(project, "--", "report_html") == {}
    assert trace([report]).faults == {}
    if browser.FOUND:
        with browser.started() as chromium:
            chromium.open(report.as_uri(), 375)
            found = chromium.seen()
            assert (found["images"], found["broken"], found["overflow"], chromium.asked()) == (11, 0, 0, [])


def test_the_explorer_is_a_target_that_is_made_anew_with_its_page_and_with_experiments(project, edited):
    assert snakemake(project).returncode == 0  # what other tests have made anew
    done = snakemake(project, "--", "explorer")
    assert done.returncode == 0, done.stdout
    results = project / "results/smoke"
    assert planned(project, "--", "explorer") == {}
    assert trace([results / "explorer.html"]).faults == {}
    assert (results / "explorer.html").stat().st_size < 15_000_000
    if browser.FOUND:
        with browser.started() as chromium:
            for view in ("dictionary", "tree", "wrong", "compare"):
                chromium.explore(f"{(results / 'explorer.html').as_uri()}#dataset=mnist&view={view}", 400)
                assert (chromium.messages(), chromium.asked(), chromium.seen()["overflow"]) == ([], [], 0), view
    assert planned(project, "--", "report_html") == {"report": 1, "report_html": 1}  # which links to it now
    anew = {"explore": 1, "explorer": 1}
    (results / "another").mkdir()
    shutil.copy(results / "metrics.csv", results / "another")
    assert planned(project, "--", "explorer") == anew
    shutil.rmtree(results / "another")
    edited("rem/report/explorer/main.js", "// Ties", "// Edited: ties")
    assert planned(project, "--", "explorer") == anew


def test_the_course_of_a_training_has_every_epoch_of_both_networks(project):
    done = snakemake(project, "--", "course")
    assert done.returncode == 0, done.stdout
    assert planned(project, "--", "course") == {}
    table = pd.read_csv(project / "results/smoke/course/course.csv")
    assert list(zip(table["variant"], table["epoch"], strict=True)) == [
        ("baseline", 1), ("baseline", 2), ("rem", 1), ("rem", 2)
    ]  # fmt: skip
    followed = pd.read_csv(project / "results/smoke/trajectory/mnist/rem/seed42/trajectory.csv")
    assert table["entropy"].tolist()[2:] == pytest.approx(followed["entropy"].tolist(), abs=1e-9)
    assert trace([project / "results/smoke/course/course.svg"]).faults == {}


def test_dose_response_makes_its_table_regression_and_figure_and_is_not_made_by_all(project):
    done = snakemake(project, "--", "dose_response")
    assert done.returncode == 0, done.stdout
    assert planned(project, "--", "dose_response") == {}
    folder = project / "results/smoke/dose-response"
    table = pd.read_csv(folder / "dose_response.csv")
    assert list(zip(table["kind"], table["dose"].round(6), strict=True)) == [
        ("shrunk", 0), ("shrunk", 4.3), ("zeros", 4.3), ("REM", 0), ("REM", 4.3)
    ]  # fmt: skip
    assert (table["logit_spread"] > 0).all()
    assert table["sparsity"].iloc[2] == pytest.approx(table["sparsity"].iloc[4], abs=0.1)
    assert set(pd.read_csv(folder / "regression.csv")["networks"]) == {5}
    assert trace([folder / "dose_response.svg", folder / "regression.csv"]).faults == {}


def test_structured_makes_its_tables_figure_and_claim(project):
    done = snakemake(project, "--", "structured")
    assert done.returncode == 0, done.stdout
    assert planned(project, "--", "structured") == {}
    folder = project / "results/smoke/structured"
    sizes = (
        pd.read_csv(folder / "speed/mnist.csv")
        .groupby("variant", sort=False)[["channels", "types", "structured"]]
        .first()
    )
    assert list(sizes.itertuples(name=None)) == [
        ("baseline-long", 4, 2, False), ("structured-50", 2, 1, True), ("smaller-50", 2, 1, False)
    ]  # fmt: skip
    claims = pd.read_csv(folder / "claims.csv").dropna(subset="decides")
    found = claims[claims["claim"] == "removing types and channels beats starting small"]
    assert list(zip(found["network"], found["against"], found["decides"], found["seeds"], strict=True)) == [
        ("structured-50", "smaller-50", True, 2), ("structured-50", "baseline-long", False, 2)
    ]  # fmt: skip
    assert trace([folder / name for name in ("structured.svg", "claims.md", "speed/mnist.md")]).faults == {}


def test_a_network_with_several_routed_layers_is_measured_in_each(project):
    """Of the networks of `architectures` one alone, so that the test is short."""
    target = "results/smoke/architectures/architectures.csv"
    done = snakemake(project, "--config", "experiments={architectures: {variants: [gamma]}}", "--", target)
    assert done.returncode == 0, done.stdout
    metrics = pd.read_csv(project / "results/smoke/architectures/metrics.csv")
    found = metrics.query("variant == 'gamma' and checkpoint == 'best' and split == 'test' and `class`.isna()")
    measured = {"strongest_coupling", "near_uniform_share", "entropy", "keys", "band_entropy"}
    for layer in (1, 2):
        assert set(found.loc[found["layer"] == layer, "metric"]) >= measured
    table = pd.read_csv(project / target)
    assert table[["strongest_coupling", "strongest_coupling_below", "band_entropy_below"]].gt(0).all(axis=None)
    assert trace([project / target]).faults == {}

"""What a run has to show, as a small folder: complete, of a known revision, and never in another folder's place."""

import json

import measurements
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.trace import record_file, recorded
from rem.report.publish import publish
from rem.tables.probes import read_probes
from rem.tables.reproduction import compare
from rem.trees.probe_kinds import COLUMNS, UNCHANGED


@pytest.fixture
def results(tmp_path):
    """The results of runs, measured, and their tables and figures made by a clean revision."""
    folder = tmp_path / "results/sample"
    for dataset, variant, seed in measurements.RUNS:
        settings = folder / f"models/{dataset}/{variant}/seed{seed}/run.yaml"
        settings.parent.mkdir(parents=True)
        measurements.run_yaml(tmp_path, dataset, variant, seed).rename(settings)
    metrics = measurements.metrics(tmp_path).read_text(encoding="utf-8")
    made = ("tables/table4.csv", "tables/table4.md", "tables/table4.tex", "tables/probes.csv", "figures/fig6.png")
    made += ("figures/fig6.svg", "figures/parse_tree.png")
    for name in ("metrics.csv", *made):
        write(folder / name, metrics if name == "metrics.csv" else "shown")
    return folder


def write(path, text):
    """A file that a clean revision made: this text, or a small picture where its name says so."""
    with recorded(["rem", "make"]), whole(path) as partial:
        if path.suffix == ".png":
            Image.fromarray(picture()).save(partial, "png")
        else:
            partial.write_text(text, encoding="utf-8")
    revise(path, "f" * 40)


def picture():
    """Rings of two colours on white, with soft edges, as the lines of a figure have them."""
    x = np.arange(300) - 150
    radius = np.hypot(x, x[:, None])[:, :, None]
    shades = (2 - np.abs(radius % 20 - 10)).clip(0, 1)
    colour = np.where(radius < 70, [0, 114, 178], [213, 94, 0])
    return (255 - shades * (255 - colour)).astype(np.uint8)


def revise(path, revision):
    record = json.loads(record_file(path).read_text(encoding="utf-8"))
    record["provenance"]["revision"] = revision
    record_file(path).write_text(json.dumps(record), encoding="utf-8")


def test_tables_figures_numbers_and_provenance_are_copied_and_no_more(results, tmp_path):
    target = tmp_path / "docs/sample"
    for _ in range(2):  # what was published before is replaced
        publish(results, target)
        files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
        assert files == {"metrics.csv", "provenance.csv", "tables/table4.csv", "tables/table4.md", "figures/fig6.png"}
        assert [path.name for path in target.parent.iterdir()] == ["sample"]
    assert set(compare(target, results)["verdict"]) == {"same"}
    assert pd.read_csv(target / "provenance.csv").to_dict("records") == [
        {"command": "rem make", "revision": "f" * 40, "machine": machine(results), "runs": 1, "files": 4}
    ]


def test_a_published_figure_looks_the_same_in_fewer_bytes(results, tmp_path):
    publish(results, tmp_path / "sample")
    shown = tmp_path / "sample/figures/fig6.png"
    with Image.open(shown) as image:
        colours = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(colours - picture()).max() <= 8  # of 255
    assert shown.stat().st_size < (results / "figures/fig6.png").stat().st_size


def machine(results):
    provenance = json.loads(record_file(results / "metrics.csv").read_text(encoding="utf-8"))["provenance"]
    return ", ".join(provenance[name] for name in ("machine", "processor") if name in provenance)


@pytest.fixture
def experiment(results, tmp_path):
    """An experiment of these runs: its files lie in a folder of its own, the networks where all do.

    One more network has chosen the K, and belongs to no experiment.
    """
    folder = results / "trees"
    chooses = results / "models/mnist/penalty/seed42/run.yaml"
    chooses.parent.mkdir(parents=True)
    measurements.run_yaml(tmp_path, "mnist", "penalty", 42).rename(chooses)
    probes = [("mnist", "rem", 42, "last", "test", "temperature", "1", *row) for row in PROBED]
    contents = {"metrics.csv": (results / "metrics.csv").read_text(encoding="utf-8") + CHOOSES}
    contents["probes.csv"] = pd.DataFrame(probes, columns=COLUMNS).to_csv(index=False)
    made = ("trees.csv", "trees.md", "trees.tex", "claims.md", "frontier.png", "frontier.svg", "images/mnist.csv")
    contents |= dict.fromkeys((*made, "tables/probes.csv", "tables/probes.md", "speed/mnist.md"), "shown")
    for name, text in contents.items():
        write(folder / name, text)
    return folder


CHOOSES = "mnist,penalty,42,best,val,1,,,lowest_levels,7\n"
PROBED = [(None, "accuracy", 97.5), (None, "band_entropy", 4.25), (11, "entropy", 5.5), (None, "mcnemar_p", 0.5)]


def test_an_experiment_is_published_alone_and_another_run_of_it_is_held_against_it(experiment, tmp_path):
    target = tmp_path / "docs/trees"
    publish(experiment, target)
    files = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    shown = {"trees.csv", "trees.md", "claims.md", "frontier.png", "tables/probes.md", "speed/mnist.md"}
    assert files == {"metrics.csv", "probes.csv", "provenance.csv", *shown}
    assert set(compare(target, experiment)["verdict"]) == {"same"}
    assert pd.read_csv(target / "provenance.csv")["files"].tolist() == [2 + len(shown)]


def test_an_experiment_without_metrics_of_its_own_is_published_too(experiment, tmp_path):
    for name in ("metrics.csv", "probes.csv"):
        (experiment / name).unlink()
    publish(experiment, tmp_path / "course")
    assert (tmp_path / "course/trees.md").is_file()
    assert not (tmp_path / "course/metrics.csv").exists()


def test_of_the_probes_what_tables_and_figures_show_is_published_to_the_last_digit(experiment, tmp_path):
    publish(experiment, tmp_path / "trees")
    kept = read_probes(tmp_path / "trees/probes.csv")
    assert kept.rows["metric"].tolist() == ["accuracy", "band_entropy"]
    assert kept.over_seeds("mnist", "rem", *UNCHANGED, "band_entropy").to_dict() == {42: 4.25}


@pytest.mark.parametrize("revision", ["unknown", "unknown (fatal: detected dubious ownership)", "f" * 40 + "+"])
def test_what_no_revision_holds_is_refused(results, tmp_path, revision):
    revise(results / "tables/table4.md", revision)
    with pytest.raises(RemError, match=r"table4\.md was made by revision .*, which nobody can look up; commit, and"):
        publish(results, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_a_file_that_has_changed_since_is_refused(results, tmp_path):
    (results / "tables/table4.csv").write_text("changed", encoding="utf-8")
    with pytest.raises(RemError, match=r"table4\.csv has changed since `rem make` made it"):
        publish(results, tmp_path / "published")


def test_a_folder_of_something_else_is_not_replaced(results, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/page.md").write_text("mine", encoding="utf-8")
    with pytest.raises(RemError, match="is there and no published folder"):
        publish(results, tmp_path / "docs")
    assert (tmp_path / "docs/page.md").read_text(encoding="utf-8") == "mine"


def test_a_run_that_is_not_done_is_one_sentence(tmp_path):
    with pytest.raises(RemError, match="has no tables and figures; run the workflow to its end first"):
        publish(tmp_path, tmp_path / "published")


def test_a_run_whose_numbers_are_not_gathered_yet_is_one_sentence(results, tmp_path):
    (results / "metrics.csv").unlink()
    with pytest.raises(RemError, match=r"has no metrics\.csv; run the workflow to its end first"):
        publish(results, tmp_path / "published")


def test_too_much_to_commit_is_refused_by_its_largest_file(results, tmp_path, monkeypatch):
    monkeypatch.setattr("rem.report.publish.MOST", 100)
    with pytest.raises(RemError, match=r"more than 100; the largest file is figures/fig6\.png, of "):
        publish(results, tmp_path / "published")

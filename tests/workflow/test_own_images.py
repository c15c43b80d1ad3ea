"""Images of one's own in the workflow: two classes, without git, under a path with spaces, quotes and other letters."""

import os
import subprocess

import h5py
import numpy as np
import pytest
from PIL import Image

from benchmarks.kills import copied

CONFIG = """
name: mine
select: [mine]
experiments:
  mine: {{datasets: [leaves], variants: [baseline], seeds: [42]}}
figures: {{dataset: leaves}}
datasets:
  leaves:
    data: {{source: {source}, folder: {folder}, test: 0.25, classes: 2, channels: 1, size: 20, view: resize,
           validation: 2, mean: [0.5], std: [0.25]}}
"""
SOURCES = {"folder": "own leaves", "csv": "own leaves/leaves.csv"}


@pytest.fixture
def project(tmp_path):
    """A copy of the project without git, with 2 x 8 images of 16 bits."""
    folder = copied(tmp_path / 'it\'s "my" $place größe')
    rows = ["path,label"]
    for name in ("grün", "it's brown"):
        (folder / f"own leaves/train/{name}").mkdir(parents=True)
        for number in range(8):
            path = f"train/{name}/{number}.tif"
            Image.fromarray(np.full((24, 20), 257 * 10 * number, np.uint16)).save(folder / "own leaves" / path)
            rows.append(f"{path},{name}")
    (folder / "own leaves/leaves.csv").write_text("\n".join(rows), encoding="utf-8")
    for source, own in SOURCES.items():
        (folder / f"{source}.yaml").write_text(CONFIG.format(source=source, folder=own), encoding="utf-8")
    return folder


def snakemake(folder, source, *arguments, **environment):
    """Run Snakemake for the prepared data, from another working directory: its status and its output."""
    command = ["snakemake", "--snakefile", folder / "Snakefile", "--directory", folder, "--cores", "2"]
    done = subprocess.run(
        [*command, "--configfile", folder / f"{source}.yaml", *arguments, "--", "data"],
        cwd=folder.parent,
        env=os.environ | {"PYTHONPATH": str(folder)} | environment,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("source", SOURCES)
def test_ones_own_images_are_prepared_and_prepared_again_once_they_have_changed(project, source):
    status, output = snakemake(project, source)
    assert status == 0, output
    with h5py.File(project / "data/prepared/mine/leaves.h5") as file:
        assert list(file.attrs["class_names"]) == ["grün", "it's brown"]
        assert {name: len(file[name]["labels"]) for name in file} == {"train": 10, "val": 2, "test": 4}
        assert set(np.unique(file["test/images"])) <= set(range(0, 80, 10))
    assert "rule prepare" not in snakemake(project, source, "--dry-run")[1]
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(project / "own leaves/train/grün/0.tif")
    assert "rule prepare" in snakemake(project, source, "--dry-run")[1]


def test_what_is_wrong_in_a_csv_is_one_sentence_in_any_locale(project):
    (project / "own leaves/leaves.csv").write_text("path,label\nfür/0.png,a\n", encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    status, output = snakemake(project, "csv", "--dry-run", **plain)
    assert status == 1
    assert "leaves.csv lists 1 image(s) that are not there, the first für/0.png; paths start at the folder of" in output
    assert "Traceback" not in output

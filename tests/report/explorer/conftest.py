"""A run of several networks, and its page."""

import base64
import json
import re
import shutil

import h5py
import pandas as pd
import pytest
import torch

from rem.report.explorer.page import write_explorer
from rem.trees.levels import band, reported_levels
from rem.trees.probe import probe

PLACE = "mnist/rem/seed42"
CPU = torch.device("cpu")
COPIES = (  # of the tiny network under other names: dataset, variant, seed, checkpoint
    ("mnist", "blocks", 42, "last"),  # a kind that no code knows of
    ("mnist", "rem", 43, "last"),
    ("mnist", "rem", 42, "first"),
    ("letters", "rem", 42, "last"),
)


def copy_network(folder, dataset, variant, seed, checkpoint):
    """Let the network's files stand under another name too; returns its rows of metrics.csv."""
    place, names = f"{dataset}/{variant}/seed{seed}", {"dataset": dataset, "variant": variant, "seed": seed}
    for stage in ("couplings", "models"):
        (folder / stage / place).mkdir(parents=True, exist_ok=True)
    text = (folder / "models" / PLACE / "run.yaml").read_text(encoding="utf-8")
    for name, value in names.items():
        text = re.sub(rf"^{name}: .*", f"{name}: {value}", text, flags=re.MULTILINE)
    (folder / "models" / place / "run.yaml").write_text(text, encoding="utf-8")
    shutil.copy(folder / "models" / PLACE / "last.pt", folder / "models" / place / f"{checkpoint}.copy")
    (folder / "models" / place / f"{checkpoint}.copy").replace(folder / "models" / place / f"{checkpoint}.pt")
    found = folder / "couplings" / place / f"{checkpoint}.test.h5"
    with h5py.File(folder / "couplings" / PLACE / "last.test.h5", "r") as old, h5py.File(found, "w") as new:
        for name in old:
            old.copy(name, new)
        if variant == "blocks":  # of which no number changes but the couplings of an image
            new["couplings"][...] = new["couplings"][:][:, ::-1]
        new.attrs.update(dict(old.attrs.items()) | {"run": json.dumps(json.loads(old.attrs["run"]) | names)})
    rows = pd.read_csv(folder / "metrics.csv")
    return rows[rows["checkpoint"] == "last"].assign(**names, checkpoint=checkpoint)


@pytest.fixture(scope="session")
def results(sample_run, tmp_path_factory):
    """The tiny run, probed, and copies of its network as those of an experiment."""
    root = tmp_path_factory.mktemp("explored")
    shutil.copytree(sample_run, root, dirs_exist_ok=True)
    folder, prepared = root / "results/sample", root / "data/prepared/sample"
    shutil.copytree(folder / "entropies/mnist", folder / "entropies/letters")
    shutil.copy(prepared / "mnist.h5", prepared / "letters.h5")
    (folder / "trees").mkdir()
    copies = [copy_network(folder, *one) for one in COPIES]
    pd.concat([pd.read_csv(folder / "metrics.csv"), *copies]).to_csv(folder / "trees/metrics.csv", index=False)
    checkpoint, levels = folder / "models" / PLACE / "last.pt", folder / "entropies/mnist/levels.csv"
    chosen = reported_levels(levels), band(levels)
    probe(checkpoint, prepared / "mnist.h5", ["test"], *chosen, False, folder / "probes.csv", CPU)
    return folder


@pytest.fixture(scope="session")
def page(results, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "explorer.html"
    write_explorer(results, results.parents[1] / "data/prepared/sample", target, 15_000_000)
    return target


@pytest.fixture(scope="session")
def held(page):
    """What the page holds: its content and its blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r'<script type="text/plain" id="block\d+">(.*?)</script>', text)
    content = re.search(r'<script type="application/json" id="content">(.*?)</script>', text)[1]
    return json.loads(content), [base64.b64decode(block) for block in blocks]

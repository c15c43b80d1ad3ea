"""What several tests share."""

import signal
from pathlib import Path

import pytest
import tiny
import torch

from rem.settings.sections import to_yaml
from rem.tables.metrics import write_metrics
from rem.training.train import train
from rem.trees.couplings import extract
from rem.trees.dictionaries import write_entropies
from rem.trees.levels import choose_levels
from rem.trees.sweep import write_sweep

# A shell starts what it runs in the background with interrupts ignored, and every child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = ("test_workflow.py", "test_dvc.py", "test_interruptions.py", "test_plans.py", "test_slurm.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take minutes first: where tests run in several processes, none is left to run alone at the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    """Networks this small only lose time to a second thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def chromium():
    """A browser for all tests of a process; they are skipped where there is none."""
    browser = pytest.importorskip("browser", reason="Selenium is not installed", exc_type=ImportError)
    if not browser.FOUND:
        pytest.skip(browser.WITHOUT)
    with browser.started() as started:
        yield started


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """The HDF5 file of a tiny dataset."""
    return tiny.write_prepared(tmp_path / "prepared.h5")


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory) -> Path:
    """A folder with what a run of the workflow leaves, of one tiny network under the names of the sample's first."""
    root, cpu = tmp_path_factory.mktemp("run"), torch.device("cpu")
    results, place = root / "results/sample", "mnist/rem/seed42"
    models, found = results / "models" / place, results / "couplings" / place
    for folder in (root / "data/prepared/sample", models, found, results / "entropies" / place):
        folder.mkdir(parents=True)
    strong = {"pruning": {"penalty": 0.001}, "training": {"epochs": 8, "learning_rate": 0.05}}  # so that keys differ
    run, data = tiny.run("rem", dataset="mnist", **strong), tiny.write_prepared(root / "data/prepared/sample/mnist.h5")
    (models / "run.yaml").write_text(to_yaml(run), encoding="utf-8")
    train(run, data, models, cpu)
    for split in ("val", "test"):
        extract(models / "last.pt", data, split, 16, found / f"last.{split}.h5", cpu)
    levels, entropies = results / "entropies/mnist/levels.csv", results / "entropies" / place
    choose_levels([found / "last.val.h5"], 100.0, True, 11, levels)
    write_entropies([found / "last.test.h5"], [7, 11], entropies, entropies / "entropy.csv")
    sweep = entropies / "sweep/last.test.csv"
    write_sweep(found / "last.test.h5", sweep)
    write_metrics(sorted(found.glob("*.h5")), [entropies / "entropy.csv"], [sweep], [levels], results / "metrics.csv")
    return root

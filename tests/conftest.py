"""What several tests share."""

from pathlib import Path

import pytest
import tiny
import torch

LONGEST = ("test_workflow.py", "test_dvc.py", "test_interruptions.py", "test_slurm.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take minutes first: where tests run in several processes, none is left to run alone at the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    """Networks this small only lose time to a second thread."""
    torch.set_num_threads(1)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """The HDF5 file of a tiny dataset."""
    return tiny.write_prepared(tmp_path / "prepared.h5")

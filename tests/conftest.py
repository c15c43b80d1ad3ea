"""What several tests share."""

from pathlib import Path

import pytest
import tiny
import torch

SHARED = {"project", "made"}  # projects in which the workflow has run, which takes minutes


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests first, and where tests run in several processes, those of a shared project in one of them."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)
    for item in items:
        if SHARED & set(item.fixturenames):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    """Networks this small only lose time to a second thread."""
    torch.set_num_threads(1)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """The HDF5 file of a tiny dataset."""
    return tiny.write_prepared(tmp_path / "prepared.h5")

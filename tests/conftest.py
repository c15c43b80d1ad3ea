"""What several tests share."""

from pathlib import Path

import pytest
import tiny
import torch


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    """Networks this small only lose time to a second thread."""
    torch.set_num_threads(1)


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """The HDF5 file of a tiny dataset."""
    return tiny.write_prepared(tmp_path / "prepared.h5")

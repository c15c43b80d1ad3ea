"""The tables of a network in another form beside the original."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from rem.errors import RemError
from rem.tables import costs

COSTS = pd.DataFrame(
    {
        "network": ["original", "compact"],
        "channels": [32, 30],
        "types": [6, 2],
        "capsules": [216, 67],
        "matrices": [2160, 151],
        "parameters": [403728, 63600],
        "bytes": [1620049, 262537],
        "multiply_adds": [5656576.0, 2670592.0],
        "image_ms": [2.271, 1.893],
        "batch_ms": [32.031, 20.788],
        "batch": [128, 128],
    }
)


def test_a_cost_is_a_row_and_the_csv_has_the_numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(costs, "compact_checkpoint", lambda *_: COSTS)
    text = costs.write_compact(Path("last.pt"), Path("data.h5"), tmp_path / "compact.pt", torch.device("cpu"))
    assert text == (tmp_path / "compact-costs.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:2] == "| "] == [
        ["", "Original", "Compact"],
        ["Channels", "32", "30"],
        ["Types", "6", "2"],
        ["Primary capsules", "216", "67"],
        ["Matrices W_ij", "2,160", "151"],
        ["Parameters", "403,728", "63,600"],
        ["File (kB)", "1,620.0", "262.5"],
        ["Multiply-adds (millions)", "5.657", "2.671"],
        ["One image (ms)", "2.27", "1.89"],
        ["128 images (ms)", "32.03", "20.79"],
    ]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "compact-costs.csv"), COSTS, check_dtype=False)


def test_an_exported_file_has_its_size_times_and_distance_from_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    columns = ["network", "bytes", "difference", "image_ms", "batch_ms", "batch"]
    rows = [("original", 1620049, 0.0, 2.271, 32.031, 128), ("onnx", 1671097, 9.7e-08, 0.531, 20.788, 128)]
    monkeypatch.setattr(costs, "export_checkpoint", lambda *_: pd.DataFrame(rows, columns=columns))
    for name in ("last", "last.v2"):
        text = costs.write_export(Path("last.pt"), Path("data.h5"), tmp_path / f"{name}.onnx", "onnx")
        assert text == (tmp_path / f"{name}-onnx-costs.md").read_text(encoding="utf-8")
    assert text.startswith("What a network costs as a checkpoint run by PyTorch, and as ONNX, with the largest ")
    lines = text.splitlines()
    assert [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:2] == "| "] == [
        ["", "Original", "ONNX"],
        ["File (kB)", "1,620.0", "1,671.1"],
        ["Largest difference", "0", "1e-07"],
        ["One image (ms)", "2.27", "0.53"],
        ["128 images (ms)", "32.03", "20.79"],
    ]


@pytest.mark.parametrize("name", ["compact", "compact.csv", "a.b.pt"])
def test_a_name_that_is_no_checkpoints_is_refused_before_anything_is_read(name: str, tmp_path: Path):
    with pytest.raises(RemError, match=f"{name} is no name for a checkpoint; name a file <name>.pt"):
        costs.write_compact(tmp_path / "none.pt", tmp_path / "none.h5", tmp_path / name, torch.device("cpu"))

"""The table of accuracy against speed, from measurements made by hand."""

from pathlib import Path

import pandas as pd
import torch

from rem.tables import speed


def test_a_variant_is_a_row_of_means_and_its_time_is_beside_the_first(monkeypatch, tmp_path):
    columns = ["dataset", "variant", "seed", "accuracy", "channels", "types", "parameters", "multiply_adds"]
    columns += ["image_ms", "batch_ms", "batch"]
    rows = [
        ("mnist", "whole", 42, 98.0, 32, 6, 403728, 5656576.0, 2.0, 30.0, 32),
        ("mnist", "half", 42, 97.0, 16, 3, 141408, 1600000.0, 1.0, 10.0, 32),
        ("mnist", "whole", 43, 99.0, 32, 6, 403728, 5656576.0, 2.2, 34.0, 32),
    ]
    table = pd.DataFrame(rows, columns=columns)
    monkeypatch.setattr(speed, "measure_speeds", lambda *_: table)
    speed.write_speeds([Path("last.pt")], Path("data.h5"), tmp_path / "mnist", torch.device("cpu"))
    text = (tmp_path / "mnist.md").read_text(encoding="utf-8")
    described = ["Network", "Seeds", "Accuracy (%)", "Channels", "Types", "Parameters"]
    assert "the time of a batch over that of whole." in text
    assert [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "
    ] == [
        [*described, "Multiply-adds (millions)", "One image (ms)", "32 images (ms)", "Beside"],
        ["whole", "2", "98.50 ± 0.71", "32", "6", "403,728", "5.657", "2.10", "32.00", "1.00"],
        ["half", "1", "97.00", "16", "3", "141,408", "1.600", "1.00", "10.00", "0.31"],
    ]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "mnist.csv"), table, check_dtype=False)

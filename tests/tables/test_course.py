"""The table of how trainings went: a row an epoch that was kept, with what the training itself noted of it."""

import pandas as pd
import pytest
import tiny

from rem.errors import RemError
from rem.settings.sections import to_yaml
from rem.tables.course import COLUMNS, MEASURED, TRAINED, read_course, write_course


@pytest.fixture
def files(tmp_path):
    """Trajectory, history and run.yaml of an unpruned network, of which two epochs were kept, and of a pruned one."""
    found = ([], [], [])
    for variant, epochs in (("baseline", [1, 3]), ("rem", [1, 2, 3])):
        trajectory = pd.DataFrame({column: [10.0 * epoch for epoch in epochs] for column in MEASURED})
        trajectory = trajectory.assign(epoch=epochs, levels=7, authors_levels=11)
        history = pd.DataFrame({column: [0.1, 0.2, 0.3] for column in TRAINED}).assign(epoch=[1, 2, 3])
        texts = trajectory.to_csv(index=False), history.to_csv(index=False), to_yaml(tiny.run(variant))
        for paths, name, text in zip(found, ("trajectory.csv", "history.csv", "run.yaml"), texts, strict=True):
            paths.append(tmp_path / f"{variant}.{name}")
            paths[-1].write_text(text, encoding="utf-8")
    return found


def test_an_epoch_stands_beside_what_its_training_noted(files, tmp_path):
    write_course(*files, tmp_path / "out")
    table = read_course(tmp_path / "out/course.csv")
    assert list(table.columns) == COLUMNS
    assert table[["variant", "pruned", "epoch"]].values.tolist() == [
        ["baseline", False, 1],
        ["baseline", False, 3],
        ["rem", True, 1],
        ["rem", True, 2],
        ["rem", True, 3],
    ]
    assert table["accuracy"].tolist() == [10, 30, 10, 20, 30]
    assert table["logit_spread"].tolist() == [0.1, 0.3, 0.1, 0.2, 0.3]


def test_people_read_both_levels_and_the_papers_names(files, tmp_path):
    write_course(*files, tmp_path / "out")
    told = (tmp_path / "out/course.md").read_text(encoding="utf-8")
    assert "CapsNet+REM" in told
    assert "entropy, authors' K (bits)" in told


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_file_without_a_column_is_named(files, tmp_path, lacking):
    path = files[lacking][1]
    path.write_text("epoch\n1\n", encoding="utf-8")
    with pytest.raises(RemError, match=path.name):
        write_course(*files, tmp_path / "out")


def test_files_that_are_not_one_of_each_kind_a_run_are_refused(files, tmp_path):
    trajectories, histories, runs = files
    with pytest.raises(RemError, match=r"^2 runs, but 2 trajectories and 1 histories; give one of each for every run"):
        write_course(trajectories, histories[:1], runs, tmp_path / "out")

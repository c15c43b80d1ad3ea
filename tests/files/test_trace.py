"""Every file that a command makes can be followed back to what it was made of, and what is not as it was is named."""

import json
import os
import shutil

import pytest

from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.notes import note_read
from rem.files.trace import in_project, record_file, recorded, told, trace


def make(target, *inputs, content="", change=None):
    """A file made of others, as a command makes it; `change` is called while it does."""
    with recorded(["rem", "make", target.name]), whole(target) as partial:
        for path in inputs:
            note_read(path)
        partial.write_text(
            content + "".join(path.read_text(encoding="utf-8") for path in inputs if path.is_file()), encoding="utf-8"
        )
        if change:
            change()
    return target


def record_of(path):
    return json.loads(record_file(path).read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path):
    """raw.gz and settings.yaml -> data/prepared.h5 -> results/model.pt -> results/table.md, of settings.yaml too."""
    folder = tmp_path / "project"
    (folder / "results").mkdir(parents=True)
    (folder / "raw.gz").write_text("raw", encoding="utf-8")
    (folder / "settings.yaml").write_text("seed: 42", encoding="utf-8")
    make(folder / "data/prepared.h5", folder / "raw.gz", folder / "settings.yaml")
    make(folder / "results/model.pt", folder / "data/prepared.h5")
    make(folder / "results/table.md", folder / "results/model.pt", folder / "settings.yaml")
    return folder


def faults(project):
    return list(trace([project / "results/table.md"]).faults.values())


def test_a_file_is_followed_back_to_what_no_command_made(project):
    found = trace([project / "results/table.md"])
    assert {path.name for path in found.records} == {"table.md", "model.pt", "prepared.h5"}
    assert {path.name for path in found.sources} == {"raw.gz", "settings.yaml"}
    assert found.faults == {}


def test_a_record_tells_the_command_the_inputs_the_revision_the_machine_and_the_versions(project):
    record = record_of(project / "results/table.md")
    assert record["command"] == "rem make table.md"
    assert list(record["inputs"]) == ["model.pt"]
    assert list(record["sources"]) == ["../settings.yaml"]
    assert {"revision", "machine", "processor", "python", "rem", "torch", "pandas"} <= record["provenance"].keys()
    text = told(project / "results/table.md", trace([project / "results/table.md"]))
    for part in (record["digest"], "rem make table.md", "revision", "raw.gz sha256:"):
        assert part in text


def test_the_same_command_leaves_the_same_record(project):
    before = record_file(project / "results/model.pt").read_bytes()
    make(project / "results/model.pt", project / "data/prepared.h5")
    assert record_file(project / "results/model.pt").read_bytes() == before


def test_a_moved_project_can_be_traced(project, tmp_path):
    shutil.move(project, tmp_path / "elsewhere")
    assert faults(tmp_path / "elsewhere") == []


def test_from_any_folder_and_by_any_name(project, monkeypatch):
    monkeypatch.chdir(project / "data")
    found = trace([project.relative_to(project) / "../results/table.md"])
    assert found.faults == {}
    assert len(found.records) == 3


def test_a_newer_file_of_the_same_content_is_no_fault(project):
    for path in ("raw.gz", "data/prepared.h5"):
        later = (project / "results/table.md").stat().st_mtime + 100
        os.utime(project / path, (later, later))
    assert faults(project) == []


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("raw.gz", "raw.gz has changed since {}/data/prepared.h5 was made of it; restore it or make"),
        ("data/prepared.h5", "data/prepared.h5 has changed since `rem make` made it; make it again."),
        ("results/model.pt", "results/model.pt has changed since `rem make` made it; make it again."),
        ("results/table.md", "results/table.md has changed since `rem make` made it; make it again."),
    ],
)
def test_changed_content_is_named_in_one_sentence(project, path, sentence):
    with (project / path).open("a") as file:
        file.write("!")
    (fault,) = faults(project)
    assert fault.startswith(f"{project}/{sentence.format(project)}")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("raw.gz", "raw.gz, of which {}/data/prepared.h5 was made, is missing; bring it back."),
        ("data/prepared.h5", "data/prepared.h5 is missing; make it again."),
        ("results/table.md", "results/table.md is missing; make it again."),
    ],
)
def test_a_missing_file_is_named_in_one_sentence(project, path, sentence):
    (project / path).unlink()
    assert faults(project) == [f"{project}/{sentence.format(project)}"]


def test_an_input_that_was_made_anew_since_is_named_with_what_is_older(project):
    make(project / "data/prepared.h5", project / "raw.gz", content="another split of ")
    assert faults(project) == [
        f"{project}/data/prepared.h5 was made anew, and differently, after {project}/results/model.pt; "
        f"make {project}/results/model.pt again."
    ]


def test_every_fault_is_told(project):
    (project / "raw.gz").write_text("other", encoding="utf-8")
    (project / "results/model.pt").write_text("other", encoding="utf-8")
    assert len(faults(project)) == 2


def test_a_lost_record_is_a_fault_and_no_source(project):
    record_file(project / "data/prepared.h5").unlink()
    assert faults(project) == [
        f"{project}/data/prepared.h5, of which {project}/results/model.pt was made, has lost its record; make it again."
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"digest": "sha256:0"}'])
def test_a_damaged_record_is_one_sentence(project, content):
    record_file(project / "data/prepared.h5").write_text(content, encoding="utf-8")
    with pytest.raises(RemError, match=r"prepared.h5.record.json is not a whole record .*make .*prepared.h5 again\.$"):
        faults(project)


def test_what_no_command_made_cannot_be_traced(project):
    with pytest.raises(RemError, match=r"raw.gz has no record"):
        trace([project / "raw.gz"])
    with pytest.raises(RemError, match=r"nothing.csv is not there; name a file that is"):
        trace([project / "nothing.csv"])


def test_a_command_that_fails_leaves_no_record(tmp_path):
    with pytest.raises(ZeroDivisionError):
        make(tmp_path / "a.csv", change=lambda: 1 / 0)
    assert not record_file(tmp_path / "a.csv").exists()


def test_inputs_are_recorded_as_they_were_before_the_command(project):
    make(
        project / "b.csv",
        project / "raw.gz",
        change=lambda: (project / "raw.gz").write_text("changed under way", encoding="utf-8"),
    )
    assert next(iter(trace([project / "b.csv"]).faults)) == project / "raw.gz"


def test_a_folder_that_is_read_counts_as_one_and_a_file_of_it_by_itself(tmp_path):
    images = tmp_path / "images"
    (images / "train").mkdir(parents=True)
    for name in ("a", "b"):
        (images / "train" / name).write_text(name, encoding="utf-8")
    make(tmp_path / "one", images)
    make(tmp_path / "other", images / "train" / "a")
    assert list(record_of(tmp_path / "one")["sources"]) == ["images"]
    assert list(record_of(tmp_path / "other")["sources"]) == ["images/train/a"]
    (images / "train" / "b").write_text("changed", encoding="utf-8")
    assert list(trace([tmp_path / "one"]).faults) == [images]
    assert trace([tmp_path / "other"]).faults == {}


def test_a_file_that_is_written_over_is_not_its_own_input(project):
    make(project / "raw.gz", project / "raw.gz")
    assert record_of(project / "raw.gz")["inputs"] == {}
    assert list(trace([project / "raw.gz"]).records) == [project / "raw.gz"]


# Linked results


@pytest.fixture
def linked(project, monkeypatch):
    """The project, its results on another disk and linked; and a file of them by its real path."""
    elsewhere = project.parent / "disk/results"
    elsewhere.parent.mkdir()
    shutil.move(project / "results", elsewhere)
    (project / "results").symlink_to(elsewhere)
    return project, elsewhere / "table.md"


@pytest.mark.parametrize("inside", [".", "results"])
def test_a_file_of_linked_results_is_traced_by_its_real_path_and_from_inside(linked, monkeypatch, inside):
    project, real = linked
    monkeypatch.chdir(project / inside)
    monkeypatch.setenv("PWD", str(project / inside))  # as a shell has it
    for given in (real, project / "results/table.md", real.relative_to(real.parent) if inside == "results" else real):
        found = trace([in_project(given)])
        assert found.faults == {}
        assert {path.name for path in found.sources} == {"raw.gz", "settings.yaml"}


def test_what_is_not_there_is_not_said_to_have_lost_its_record(linked, monkeypatch):
    project, real = linked
    monkeypatch.chdir(project.parent)
    (fault, *_) = trace([in_project(real)]).faults.values()
    assert fault.endswith("is not there; bring it back, or give the path within the project.")

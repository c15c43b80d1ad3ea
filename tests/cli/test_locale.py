"""In any locale commands end well, write UTF-8 and print UTF-8."""

import os
import shutil
import subprocess
import sys

import h5py
import measurements
import pytest
import tiny
from PIL import Image

from rem.settings.sections import to_yaml

LATIN = "en_US.ISO-8859-1"


@pytest.fixture(params=["C", LATIN])
def rem(request, tmp_path):
    """Runs `rem` as a program in a locale that is not UTF-8, and gives its exit status, output and errors."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))}
    own |= {"LC_ALL": request.param, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(tiny.ROOT)}
    if request.param == LATIN:
        made = shutil.which("localedef") and subprocess.run(
            ["localedef", "-i", "en_US", "-f", "ISO-8859-1", tmp_path / LATIN], capture_output=True
        )
        if not made or made.returncode:
            pytest.skip("this system cannot make the locale")
        own["LOCPATH"] = str(tmp_path)

    def call(*arguments):
        command = [sys.executable, "-m", "rem", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True)
        return done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")

    call.locale = request.param
    return call


def test_tables_claims_and_what_is_printed_end_well_and_are_utf_8(rem, tmp_path):
    runs = [
        measurements.run_yaml(tmp_path, "mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43)
    ]
    measured = ["--metrics", measurements.metrics(tmp_path), "--runs", *runs]
    told = ["--dataset", "mnist", "--name", "trial"]
    published = ["--published", tiny.ROOT / "config/published.yaml"]
    made = tmp_path / "größe"
    for command in (["tables", made, *measured, *published, *told], ["claims", made, *measured, *told], ["sources"]):
        status, _, error = rem(*command)
        assert (status, error) == (0, "")
    texts = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.md")]
    assert any(not text.isascii() for text in texts)
    (table,) = tmp_path.rglob("table5.md")
    status, output, error = rem("trace", table)
    assert (status, error) == (0, "")
    assert rem.locale == LATIN or str(table) in output.replace("\n", " ")


def test_an_error_names_a_path_of_any_letters(rem, tmp_path):
    status, output, error = rem("trace", tmp_path / "größe.md")
    assert (status, output) == (1, "")
    assert error.startswith("rem: ")
    assert error.count("\n") == 1
    assert rem.locale == LATIN or f"{tmp_path / 'größe.md'} is not there" in error


def test_images_of_classes_of_any_letters_are_prepared_or_refused_in_a_sentence(rem, tmp_path):
    for part in ("train", "test"):
        for name in ("grün", "blau"):
            (tmp_path / "bilder" / part / name).mkdir(parents=True)
            for number in range(3):
                Image.new("L", (12, 12)).save(tmp_path / "bilder" / part / name / f"{number}.png")
    settings = tiny.data(source="folder", folder="bilder", classes=2, validation=1)
    (tmp_path / "data.yaml").write_text(to_yaml(settings), encoding="utf-8")
    status, _, error = rem("prepare", "data.yaml", "out.h5", "--files", "bilder")
    if rem.locale == LATIN:
        assert (status, error) == (0, "")
        with h5py.File(tmp_path / "out.h5") as file:
            assert len(file.attrs["class_names"]) == 2
    else:  # ASCII names no such class
        assert status == 1
        assert "has a class named" in error
        assert error.count("\n") == 1


def test_a_folder_that_the_locale_cannot_name_is_one_sentence(rem, tmp_path):
    settings = tiny.data(source="folder", folder="data/日本", classes=2, validation=1)
    (tmp_path / "data.yaml").write_text(to_yaml(settings), encoding="utf-8")
    status, _, error = rem("prepare", "data.yaml", "out.h5", "--files", "bilder")
    assert status == 1
    assert error == "rem: data.folder is data/日本, which is not there; name the folder or archive of your images.\n"

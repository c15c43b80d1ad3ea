"""Which code makes what: what a command imports when it runs, and nothing else."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import tiny

from rem.files import code

DIGESTS = """
import json
from rem.__main__ import data, figures, results, training, trees
from rem.cli.command import COMMANDS
from rem.files.code import digest
print(json.dumps({" ".join(command.words): digest(" ".join(command.words)) for command in COMMANDS}))
"""


def printed(folder, *arguments):
    """The JSON that a Python process prints for which the package is the one in a folder."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, text=True, capture_output=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with a copy of the package, and the digests of every command's code in it."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(code.PACKAGE, folder / "rem")
    return folder, printed(folder, "-c", DIGESTS)


def test_the_code_of_a_command_is_what_it_imports_when_it_runs():
    imported = printed(tiny.ROOT, "tests/imported.py")
    assert {"rem.training.train", "rem.networks.build"} <= set(imported["train"])
    for step, modules in imported.items():
        found = set(code.modules(step))
        brought = {"rem.files.folders"} - found  # where digests alone brings it, for a record
        assert found == set(modules) - code.NO_RESULT - brought, step


def test_what_cannot_change_a_number_exists():
    for module in code.NO_RESULT:
        assert (code.PACKAGE.parent / f"{module.replace('.', '/')}.py").is_file(), module


def test_a_command_that_there_is_not_has_no_code():
    with pytest.raises(LookupError, match="no command 'reproduce'"):
        code.modules("reproduce")


@pytest.mark.parametrize(
    ("module", "steps"),
    [
        (
            "networks/build.py",
            {
                "train",
                "architectures",  # which counts parameters
                "figure architectures",
                "accuracies",
                "compact",
                "export",
                "couplings",
                "probe",
                "speed",
                "stack-decoder",
                "perturb",
                "estimate",
                "features",
                "import",
                "explore",
            },
        ),
        ("figures/fig5.py", {"figure fig5", "report"}),  # the report shows the figures' captions
        ("errors.py", set()),
    ],
)
def test_an_edit_changes_the_code_of_the_commands_that_run_the_module_alone(package, module, steps):
    folder, before = package
    file = folder / "rem" / module
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}# edited\n", encoding="utf-8")
    after = printed(folder, "-c", DIGESTS)
    file.write_text(text, encoding="utf-8")
    assert {step for step in before if before[step] != after[step]} == steps


def test_an_edit_of_a_command_changes_the_code_of_that_command_alone(package):
    folder, before = package
    file = folder / "rem/cli/trees.py"
    text = file.read_text(encoding="utf-8")
    assert "chosen, asked = choose_device(device, threads), []" in text  # in `rem couplings`
    file.write_text(text.replace("threads), []", "threads), list()", 1), encoding="utf-8")
    after = printed(folder, "-c", DIGESTS)
    file.write_text(text, encoding="utf-8")
    assert {step for step in before if before[step] != after[step]} == {"couplings"}

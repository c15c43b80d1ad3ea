"""The house rules of the package: imports run one way, modules are short, the public is documented."""

import ast
import sys
from pathlib import Path

import pytest

import rem
from rem.sections import Section

PACKAGE = Path(rem.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
PURE = {"capsnet", "backbone", "decoder", "losses", "lobster", "quantize", "entropy", "equivariance"}
STEPS = {"train", "data", "couplings", "levels", "parse_trees", "metrics", "tables", "paired", "sample"}
STEPS |= {
    "reconstruct",
    "published_checkpoint",
    "figures",
    "comparisons",
    "pictures",
    "tree_picture",
    "claims",
    "report",
}
LENGTH = 300


def tree(module):
    return ast.parse((PACKAGE / f"{module}.py").read_text())


def imported(module):
    """What a module imports, anywhere in it: (module, name) pairs, the name None of `import module`."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {(alias.name, None) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found |= {(node.module, alias.name) for alias in node.names}
    return found


def siblings(module):
    """The modules of the package that a module imports from, with the names."""
    found = {}
    for source, name in imported(module):
        if source == "rem" and name in MODULES:
            found.setdefault(name, set())
        elif source.startswith("rem."):
            found.setdefault(source.removeprefix("rem."), set()).add(name)
    return found


def test_the_modules_meant_here_exist():
    assert set(MODULES) >= PURE | STEPS


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_know_no_files_and_no_config(module):
    packages = {source.split(".")[0] for source, _ in imported(module)} - {"rem"}
    assert packages - set(sys.stdlib_module_names) <= {"torch", "torchvision", "numpy", "scipy"}
    assert not packages & {"io", "os", "pathlib", "json", "pickle", "shutil", "tempfile"}
    for sibling, names in siblings(module).items():
        if sibling == "files":
            assert names == {"RemError"}
        elif sibling == "settings":  # the types of settings, not the reading of them
            assert all(issubclass(getattr(rem.settings, name), Section) for name in names)
        else:
            assert sibling in PURE


@pytest.mark.parametrize("module", MODULES)
def test_only_the_command_line_imports_steps(module):
    if module not in ("__main__", "commands"):
        assert not siblings(module).keys() & (STEPS | {"__main__", "commands"})


@pytest.mark.parametrize("module", MODULES)
def test_snakemake_is_not_imported(module):
    assert not {source.split(".")[0] for source, _ in imported(module)} & {"snakemake", "dvc"}


def test_imports_have_no_cycle():
    waiting, done = {module: set(siblings(module)) for module in MODULES}, set()
    while ready := {module for module, needs in waiting.items() if needs <= done}:
        done |= ready
        waiting = {module: needs for module, needs in waiting.items() if module not in ready}
    assert waiting == {}


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module):
    assert len((PACKAGE / f"{module}.py").read_text().splitlines()) <= LENGTH


@pytest.mark.parametrize("module", MODULES)
def test_public_functions_and_classes_have_docstrings_and_types(module):
    def check(body, where):
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            assert ast.get_docstring(node), f"{where}.{node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                check(node.body, f"{where}.{node.name}")
            else:
                assert node.returns is not None, f"{where}.{node.name} does not say what it returns"

    check(tree(module).body, module)


def test_each_equation_lives_in_exactly_one_function():
    """The docstring of the function that is the equation begins with its number."""
    starts = {}
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node)) and text.startswith("Eq. "):
                number = text.removeprefix("Eq. ").split(":")[0].split(",")[0]
                starts.setdefault(number, []).append(f"{module}.{node.name}")
    homes = {"1": "capsnet.votes", "3": "capsnet.squash", "4": "capsnet.coupling", "7": "quantize.quantize"}
    homes |= {"8": "entropy.entropy", "9": "entropy.mean_entropy"}
    assert {number: starts.get(number) for number in homes} == {number: [home] for number, home in homes.items()}

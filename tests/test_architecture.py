"""The house rules of the package: imports run one way, modules are short, the public is documented."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

import rem
from rem.settings.sections import Section

PACKAGE = Path(rem.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
MODULES = [".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in FILES]
ROOMS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
FLOORS = [  # from the ground; a room imports from its own floor's rooms only itself, and else from those below
    {"errors"},
    {"files"},
    {"settings"},
    {"networks", "data"},
    {"pruning"},
    {"training"},
    {"trees", "reconstruction"},
    {"tables"},
    {"claims", "figures"},
    {"report"},
    {"cli"},
    {"__main__"},
]
PURE = {  # equations: they know no files and no config
    *(
        "networks.routing",
        "networks.spatial_routing",
        "networks.connections",
        "networks.network",
        "networks.class_capsules",
        "networks.capsnet",
        "networks.convcaps",
        "networks.deepcaps",
        "networks.efficient",
        "networks.gamma",
        "networks.backbone",
        "networks.decoder",
        "networks.losses",
    ),
    *(f"networks.routings.{name}" for name in ("attention", "dynamic", "em", "sda", "self", "uniform")),
    *(
        "pruning.blocks",
        "pruning.compaction",
        "pruning.dose",
        "pruning.lobster",
        "pruning.masks",
        "pruning.structure",
        "pruning.threshold",
    ),
    *(f"trees.{name}" for name in ("quantizer", "entropy", "interventions", "parents", "replaced", "strength")),
    *("reconstruction.equivariance", "data.augment"),
}
LENGTH = 300


def tree(module):
    return ast.parse((PACKAGE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


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
        if source.split(".")[0] == "rem":
            whole = f"{source}.{name}".removeprefix("rem.")
            if whole in MODULES:
                found.setdefault(whole, set())
            else:
                found.setdefault(source.removeprefix("rem").lstrip("."), set()).add(name)
    return found


def floor(module):
    room = module.split(".")[0]
    (number,) = (number for number, rooms in enumerate(FLOORS) if room in rooms)
    return number


def test_every_module_lies_in_a_room_that_has_a_floor():
    assert {module.split(".")[0] for module in MODULES} == set().union(*FLOORS)
    assert set(MODULES) >= PURE


@pytest.mark.parametrize("module", MODULES)
def test_rooms_import_downwards(module):
    for sibling in siblings(module):
        assert sibling in MODULES, f"{module} imports {sibling}"
        same = sibling.split(".")[0] == module.split(".")[0]
        assert same or floor(sibling) < floor(module), f"{module} imports {sibling}"


def test_imports_have_no_circle():
    waiting, done = {module: set(siblings(module)) for module in MODULES}, set()
    while ready := {module for module, needs in waiting.items() if needs <= done}:
        done |= ready
        waiting = {module: needs for module, needs in waiting.items() if module not in ready}
    assert waiting == {}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_it_is_for_and_imports_nothing(room):
    for path in (PACKAGE / room).rglob("__init__.py"):
        (text,) = ast.parse(path.read_text(encoding="utf-8")).body
        assert ast.get_docstring(ast.Module([text], [])), path


@pytest.mark.parametrize("module", sorted(PURE))
def test_equations_know_no_files_and_no_config(module):
    packages = {source.split(".")[0] for source, _ in imported(module)} - {"rem"}
    assert packages - set(sys.stdlib_module_names) <= {"torch", "torchvision", "numpy", "scipy"}
    assert not packages & {"io", "os", "pathlib", "json", "pickle", "shutil", "tempfile"}
    for sibling, names in siblings(module).items():
        if sibling == "errors":
            assert names == {"RemError"}
        elif sibling.startswith("settings."):  # the types of settings, not the reading of them
            kinds = [getattr(importlib.import_module(f"rem.{sibling}"), name) for name in names]
            assert all(issubclass(kind, Section) for kind in kinds)
        else:
            assert sibling in PURE


@pytest.mark.parametrize("module", MODULES)
def test_snakemake_is_not_imported(module):
    assert not {source.split(".")[0] for source, _ in imported(module)} & {"snakemake", "dvc"}


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_short(module):
    assert len((PACKAGE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8").splitlines()) <= LENGTH


TEXT = {"read_text", "write_text", "TextIOWrapper"}
OPENERS = {"open", "fdopen"}
BINARY = {"os", "tarfile", "gzip", "Image"}  # whose `open` gives bytes where nothing else is said


def leaves_the_encoding_to_the_locale(call):
    """Whether a call reads or writes text, of a file or of a process, and does not say how it is encoded."""
    words = {word.arg: word.value for word in call.keywords}
    if "encoding" in words:
        return False
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    owner = getattr(getattr(call.func, "value", None), "id", None)
    if name in TEXT:
        return True
    if name in OPENERS:
        given = [node for part in (*call.args, *filter(None, [words.get("mode")])) for node in ast.walk(part)]
        modes = [node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        binary = any("b" in mode and set(mode) <= set("rwaxb+") for mode in modes)
        text = "t" in "".join(mode for mode in modes if set(mode) <= set("rwaxt+"))
        return not binary and (owner not in BINARY or text)
    return any(getattr(words.get(key), "value", False) is True for key in ("text", "universal_newlines"))


@pytest.mark.parametrize("folder", ["rem", "benchmarks"])
def test_every_text_is_read_and_written_in_an_encoding_that_is_named(folder):
    for path in sorted((PACKAGE.parent / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                assert not leaves_the_encoding_to_the_locale(node), f"{path}:{node.lineno} names no encoding"


def test_every_text_of_the_rules_is_read_and_written_in_an_encoding_that_is_named():
    """Their language is not quite Python, so a call counts by its line."""
    for path in (PACKAGE.parent / "Snakefile", *sorted((PACKAGE.parent / "workflow/rules").glob("*.smk"))):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if re.search(r"\b(open|read_text|write_text)\(|\btext=True", line):
                assert "encoding=" in line or '"rb"' in line, f"{path}:{number} names no encoding"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("open(path)", True),
        ("path.open()", True),
        ("open(path, 'w')", True),
        ("open(path, mode='a+')", True),
        ("path.read_text()", True),
        ("path.write_text('b')", True),
        ("gzip.open(path, 'rt')", True),
        ("subprocess.run(['a'], text=True)", True),
        ("open(path, 'rb')", False),
        ("path.open('ab' if start else 'wb')", False),
        ("gzip.open(path)", False),
        ("tarfile.open(path, 'r|*')", False),
        ("os.open(path, os.O_RDONLY)", False),
        ("path.open(encoding='utf-8')", False),
        ("subprocess.run(['a'])", False),
    ],
)
def test_that_rule_sees_what_leaves_the_encoding_to_the_locale(code, found):
    assert leaves_the_encoding_to_the_locale(ast.parse(code, mode="eval").body) == found


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
    assert starts == {
        "1": ["networks.routing.votes"],
        "2": ["networks.routing.weighted_votes"],
        "3": ["networks.routing.squash"],
        "4": ["networks.routing.coupling"],
        "5": ["networks.routing.agreement"],
        "7": ["trees.quantizer.quantize"],
        "8": ["trees.entropy.entropy"],
        "9": ["trees.entropy.mean_entropy"],
        "16": ["pruning.lobster.lobster"],
    }

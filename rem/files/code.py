"""Which code makes what: the modules of this package that a step's command runs.

A step is a command of `rem` (`rem.cli`). Its code is the command itself, the modules that it imports, and what those
import, as their source says; so no list has to be kept. Snakemake makes a file anew, and a stopped training starts
over, when the digest of that code is another. Imported by the workflow, so it loads nothing heavy and imports no step.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
NO_RESULT = {  # what a step imports that cannot change a number in what it makes
    "rem.errors",  # what is said of a mistake
    "rem.files.atomic",  # a file is whole or absent
    "rem.files.code",
    "rem.files.digests",
    "rem.files.notes",
    "rem.files.provenance",  # who made it, and of what
    "rem.files.trace",
    "rem.training.gpus",  # which of like cards
}


@cache
def modules(step: str) -> tuple[str, ...]:
    """The modules whose change must make a step's files anew, sorted: "rem.training.train" and so on.

    Args:
        step: the words of a command, e.g. "train" or "figure fig4".

    Raises:
        LookupError: there is no such command.
    """
    waiting, found = sorted(_imports(_command(step)[1])), set()
    while waiting:
        module = waiting.pop()
        if module not in found | NO_RESULT:
            found.add(module)
            waiting += _imports_of(module)
    return tuple(sorted(found))


@cache
def digest(step: str) -> str:
    """A digest of the source of a step, as it is on the disk when first asked for."""
    return digest_now(step)


def digest_now(step: str) -> str:
    """A digest of the source of a step, of its command and its `modules`, as it is on the disk now."""
    path, command = _command(step)
    lines = path.read_bytes().splitlines()[command.decorator_list[0].lineno - 1 : command.end_lineno]
    found = hashlib.blake2b(b"\n".join(lines), digest_size=16)
    for module in modules(step):
        found.update(f"{module}\0".encode() + _file(module).read_bytes() + b"\0")
    return found.hexdigest()


def _file(module: str) -> Path:
    return PACKAGE.parent / f"{module.replace('.', '/')}.py"


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_file(module).read_bytes())


def _command(step: str) -> tuple[Path, ast.FunctionDef]:
    """The function behind a command and its file: of its name, or declared with these words as its name."""
    for path in sorted((PACKAGE / "cli").glob("*.py")):
        for node in _tree(f"rem.cli.{path.stem}").body:
            if isinstance(node, ast.FunctionDef) and (_declared(node) or node.name) == step:
                return path, node
    raise LookupError(f"rem has no command {step!r}")


def _declared(node: ast.FunctionDef) -> str | None:
    keywords = [word for call in node.decorator_list if isinstance(call, ast.Call) for word in call.keywords]
    return next((word.value.value for word in keywords if word.arg == "name"), None)


@cache
def _imports_of(module: str) -> set[str]:
    return _imports(_tree(module))


def _imports(tree: ast.AST) -> set[str]:
    """The package's modules that some code imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "rem":
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "rem"}
    return {module for module in found if _file(module).is_file()}

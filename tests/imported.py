"""Which modules of the package each command of `rem` imports when it runs: as JSON, for `python tests/imported.py`.

Every import statement of the compiled code is carried out, also those inside functions. Other packages are loaded once,
this package's modules anew for each command.
"""

import dis
import importlib
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import CodeType

CLI = ("data", "training", "trees", "results", "figures")  # which declare the commands


def statements(code: CodeType) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The imports of some code and of the functions in it: from which module of the package, and the names."""
    for before, instruction in pairwise(dis.get_instructions(code)):
        if instruction.opname == "IMPORT_NAME" and instruction.argval.split(".")[0] == "rem":
            yield instruction.argval, before.argval or ()
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from statements(inner)


def loaded() -> dict[str, Path]:
    """The package's modules that are imported by now, with their files; rooms left out."""
    found = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "rem"}
    return {name: Path(module.__file__) for name, module in found.items() if not hasattr(module, "__path__")}


def imported(words: tuple[str, ...]) -> list[str]:
    """What a command's function imports, sorted, in a process that has imported nothing of the package but commands."""
    for name in [name for name in sys.modules if name.split(".")[0] == "rem"]:
        del sys.modules[name]
    for name in CLI:
        importlib.import_module(f"rem.cli.{name}")
    declared = sys.modules["rem.cli.command"].COMMANDS
    (function,) = (command.function for command in declared if command.words == words)
    waiting, before, found = [function.__code__], set(loaded()), set()
    while waiting:
        for module, names in statements(waiting.pop()):
            __import__(module, fromlist=names)
        for name, file in loaded().items():
            if name not in before | found:
                found.add(name)
                waiting.append(compile(file.read_bytes(), file, "exec"))
    return sorted(found)


if __name__ == "__main__":
    for module in CLI:
        importlib.import_module(f"rem.cli.{module}")
    every = [command.words for command in sys.modules["rem.cli.command"].COMMANDS]
    print(json.dumps({" ".join(words): imported(words) for words in every}))

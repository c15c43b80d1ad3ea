"""Where a file comes from: a record beside each file that a command makes, and the check of all it was made of.

The record of `table4.md` is `.table4.md.record.json`: a file of its own, since CSV, Markdown and images have no room
for one. It holds no time and no process, so the same command on the same inputs leaves the same record, and DVC, which
compares contents, sees no change. It names what was read by the path from the record's folder, so a project that was
moved or cloned can still be traced.
"""

import functools
import itertools
import json
import os
import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rem.errors import RemError
from rem.files import notes
from rem.files.atomic import whole
from rem.files.digests import digest_all
from rem.files.provenance import provenance

KEYS = {"digest", "command", "inputs", "sources", "provenance"}
MACHINE = ("machine", "processor", "gpu")
MANY = 20  # sources of one folder, from which on they are told by their number: images that a CSV lists


def record_file(path: Path) -> Path:
    """Where a file's record lies."""
    return path.with_name(f".{path.name}.record.json")


@contextmanager
def recorded(command: Sequence[str]) -> Iterator[None]:
    """Leave a record beside every file that the block makes whole, if it succeeds.

    They were made of all that the block has read, and not made itself (`rem.files.notes`).

    Args:
        command: its words.
    """
    notes.forget()
    yield
    made = [path for path in dict.fromkeys(notes.made) if path.is_file()]
    read = {path: digest for path, digest in notes.read.items() if path not in made}
    for path in made:
        _write_record(path, read, shlex.join(command))


def _write_record(path: Path, read: dict[Path, str], command: str) -> None:
    record = {"digest": digest_all(path), "command": command, "inputs": {}, "sources": {}, "provenance": provenance()}
    for one, digest in read.items():
        kind = "inputs" if record_file(one).is_file() else "sources"
        record[kind][Path(os.path.relpath(one, path.parent)).as_posix()] = digest
    with whole(record_file(path)) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


@dataclass
class Trace:
    """All that files come from.

    Attributes:
        records: of every file that a command made: its digest, the command, the provenance, and the digests of what
            it was made of, `inputs` (which commands made too) and `sources`, by their paths from its folder.
        sources: the digests of the files that no command made.
        faults: a sentence for each file that is not what something was made of.
    """

    records: dict[Path, dict[str, Any]] = field(default_factory=dict)
    sources: dict[Path, str] = field(default_factory=dict)
    faults: dict[Path, str] = field(default_factory=dict)


def trace(paths: Sequence[Path]) -> Trace:
    """Follow files back to their sources by the records, and hold each against the digests recorded on the way.

    Content alone counts: a file that is newer than what was made of it, but the same, is no fault.

    Raises:
        RemError: one of the files has no record, or a record cannot be read.
    """
    found = Trace()
    digest = functools.cache(digest_all)
    for path in paths:
        if not path.exists() and not record_file(path).exists():
            raise RemError(f"{path} is not there; name a file that is, by its path from {Path.cwd()}.")
        if not record_file(path).is_file():
            raise RemError(f"{path} has no record ({record_file(path)}): only what a command of rem made has one.")
        _follow(path, found, digest)
    return found


def in_project(path: Path) -> Path:
    """A file by its path in the project, where its real one leads out of it: records go by the former.

    Of the project's folders `results` and `data` may be links to another disk. The project is the current folder, or
    one above it, as the shell names it.
    """
    here = Path(os.environ.get("PWD", "."))
    here = here if here.exists() and here.samefile(".") else Path.cwd()
    real = path.resolve()
    for folder in (here, *here.parents):
        for link in (folder / "results", folder / "data"):
            if link.is_symlink() and real.is_relative_to(link.resolve()):
                return link / real.relative_to(link.resolve())
    return path


def _follow(path: Path, found: Trace, digest: Callable[[Path], str]) -> None:
    """Add a file, and all it was made of, to what was found."""
    if path in found.records:
        return
    found.records[path] = record = _read_record(path)
    if not path.exists():
        found.faults[path] = f"{path} is missing; make it again."
    elif digest(path) != record["digest"]:
        found.faults[path] = f"{path} has changed since `{name_of(record)}` made it; make it again."
    for one, expected in paths_in(path, record["inputs"]):
        if not record_file(one).is_file():
            said = "is not there; bring it back, or give the path within the project."
            said = "has lost its record; make it again." if one.exists() else said
            found.faults.setdefault(one, f"{one}, of which {path} was made, {said}")
            continue
        _follow(one, found, digest)
        if one not in found.faults and digest(one) != expected:
            found.faults[one] = f"{one} was made anew, and differently, after {path}; make {path} again."
    for one, expected in paths_in(path, record["sources"]):
        found.sources[one] = expected
        if one not in found.faults and not one.exists():
            found.faults[one] = f"{one}, of which {path} was made, is missing; bring it back."
        elif one not in found.faults and digest(one) != expected:
            found.faults[one] = f"{one} has changed since {path} was made of it; restore it or make {path} again."


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(record_file(path).read_text(encoding="utf-8"))
        if record.keys() != KEYS:
            raise ValueError("its keys are others")
    except (OSError, ValueError, AttributeError) as error:
        raise RemError(f"{record_file(path)} is not a whole record ({error}); make {path} again.") from error
    return record


def paths_in(path: Path, digests: dict[str, str]) -> list[tuple[Path, str]]:
    """The inputs or sources in a file's record, by paths as the file's own."""
    return [(Path(os.path.normpath(path.parent / name)), digest) for name, digest in digests.items()]


def name_of(record: dict[str, Any]) -> str:
    """A record's command without its arguments, e.g. "rem train"."""
    return " ".join(record["command"].split()[:2])


class Step(NamedTuple):
    """How often a command ran by one revision on one machine, and how many of the files found it made."""

    name: str
    revision: str
    machine: str
    runs: int
    made: int


def steps(found: Trace) -> list[Step]:
    """The commands behind what was found, the last first."""
    commands: dict[tuple[str, str, str], list[str]] = {}
    for record in found.records.values():
        machine = ", ".join(record["provenance"][name] for name in MACHINE if name in record["provenance"])
        key = (name_of(record), record["provenance"]["revision"], machine)
        commands.setdefault(key, []).append(record["command"])
    return [Step(*key, len(set(ran)), len(ran)) for key, ran in commands.items()]


def revision_told(revision: str) -> str:
    """A revision, and whether the tree differed from it."""
    if revision.startswith("unknown"):
        return revision
    return f"{revision.rstrip('+')}, {'the tree differed from it' if revision.endswith('+') else 'the tree was clean'}"


def versions_told(provenance: dict[str, str]) -> str:
    """Python and its packages."""
    told = (f"{name} {version}" for name, version in provenance.items() if name not in ("revision", *MACHINE))
    return ", ".join(told)


def told(path: Path, found: Trace) -> str:
    """What was found of one file, for people."""
    record = found.records[path]
    rows = {
        "file": f"{path} {record['digest']}",
        "command": record["command"],
        "revision": revision_told(record["provenance"]["revision"]),
        "versions": versions_told(record["provenance"]),
    }
    wrap = textwrap.TextWrapper(120, subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False)
    lines = [wrap.fill(f"{name:8} {text}") for name, text in rows.items()]
    lines += ["", "it and what it was made of, back to what no command made:"]
    for step in steps(found):
        made = f"{step.made} {'file' if step.made == 1 else 'files'} by {step.runs} {step.name}"
        lines.append(f"  {made}, revision {step.revision}, on {step.machine}")
    by_folder = sorted(found.sources, key=lambda source: (source.parent, source))
    for folder, sources in itertools.groupby(by_folder, key=lambda source: source.parent):
        one_by_one = [f"  {source} {found.sources[source]}" for source in sources]
        lines += one_by_one if len(one_by_one) < MANY else [f"  {len(one_by_one)} files in {folder}"]
    return "\n".join(lines)

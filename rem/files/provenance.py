"""Where an artifact comes from: what is written beside its settings into every file of results."""

import os
import platform
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import requires, version
from pathlib import Path

# By these the environment, of a hook for one, names another repository.
ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")


@cache
def provenance() -> dict[str, str]:
    """Git revision (with `+` where the tree differs from it), machine, Python and package versions.

    The machine is its architecture, processor and, where this process has computed on one, GPU: what decides how
    sums are rounded.
    """
    needed = [re.match(r"[\w.-]+", text)[0] for text in requires("rem") or [] if "extra ==" not in text]
    machine = {"machine": platform.machine(), "processor": _processor()} | _gpu()
    packages = {name: version(name) for name in ("rem", *needed)}
    return {"revision": _revision(), **machine, "python": platform.python_version(), **packages}


def _revision() -> str:
    """That of the repository whose top folder holds the package: of one further up, the package may be no part."""
    top = Path(__file__).resolve().parents[2]
    describe = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    environment |= {"GIT_CEILING_DIRECTORIES": str(top.parent), "LC_ALL": "C"}
    try:
        done = subprocess.run(describe, cwd=top, env=environment, capture_output=True, encoding="utf-8", check=True)
    except subprocess.CalledProcessError as error:
        refused = error.stderr.strip().partition("\n")[0]
        return "unknown" if "not a git repository" in refused else f"unknown ({refused})"
    except OSError:
        return "unknown"  # there is no git
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _gpu() -> dict[str, str]:
    torch = sys.modules.get("torch")  # not imported for this: a process without it has used no GPU
    used = torch is not None and torch.cuda.is_initialized()
    return {"gpu": torch.cuda.get_device_name()} if used else {}

"""Where an artifact comes from: what is written beside its settings into every file of results."""

import platform
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import requires, version
from pathlib import Path


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
    describe = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(describe, cwd=Path(__file__).parent, capture_output=True, encoding="utf-8", check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # an installed package has no repository around it
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

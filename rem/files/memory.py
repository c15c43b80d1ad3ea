"""How much memory this process and those it starts may use."""

import os
from collections.abc import Iterator
from pathlib import Path


def memory_mb(root: Path = Path("/")) -> int:
    """Megabytes: what the machine has, or less where a control group, that of a container for one, allows less.

    Args:
        root: above `proc` and `sys`.
    """
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([has, *_limits(root)]) // 2**20


def _limits(root: Path) -> Iterator[int]:
    """The bytes that each control group above this process allows, of both versions of control groups."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        first = controllers == "memory"  # of version 1
        folder, file = ("memory", "memory.limit_in_bytes") if first else ("", "memory.max")
        path = Path(group.lstrip("/"))
        for above in (path, *path.parents):  # a limit of any of them holds
            try:
                text = (root / "sys/fs/cgroup" / folder / above / file).read_text(encoding="utf-8").strip()
            except OSError:  # no limit, or one that is not seen from inside a container
                continue
            if text.isdigit():
                yield int(text)

"""How much of the machine this process and those it starts may use: less than it has, in a container for one."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path


def memory_mb(root: Path = Path("/")) -> int:
    """Megabytes: what the machine has, or less where a control group allows less.

    Args:
        root: above `proc` and `sys`.
    """
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [*_texts(root, "", "memory.max"), *_texts(root, "memory", "memory.limit_in_bytes")]
    return min([has, *(int(text) for text in limits if text.isdigit())]) // 2**20


def cores(root: Path = Path("/")) -> int:
    """The cores that this process may use: those it may run on, or fewer by `cores_allowed`.

    Args:
        root: as of `memory_mb`.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()  # macOS has all
    return min([usable, *filter(None, [cores_allowed(root)])])


def cores_allowed(root: Path = Path("/")) -> int | None:
    """Of how many cores a control group allows the time, rounded up; None: of all.

    Args:
        root: as of `memory_mb`.
    """
    shares = [text.split() for text in _texts(root, "", "cpu.max")]  # microseconds of how many
    shares += zip(_texts(root, "cpu", "cpu.cfs_quota_us"), _texts(root, "cpu", "cpu.cfs_period_us"), strict=True)
    allowed = [ceil(int(quota) / int(period)) for quota, period in shares if quota.isdigit()]  # else max, or -1
    return min(allowed, default=None)


def _texts(root: Path, controller: str, file: str) -> Iterator[str]:
    """What a file says in each control group above this process; a limit of any of them holds.

    Args:
        root: as of `memory_mb`.
        controller: of version 1 of control groups; empty: the file is one of version 2.
        file: its name.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        path = Path(group.lstrip("/"))
        for above in (path, *path.parents):
            try:
                yield (root / "sys/fs/cgroup" / controllers / above / file).read_text(encoding="utf-8").strip()
            except OSError:  # no limit, or one that is not seen from inside a container
                continue

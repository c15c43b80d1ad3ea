"""The memory that may be used: the machine's, or what a control group leaves of it."""

import os

import pytest

from rem.files.memory import memory_mb

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/", {}, MACHINE),
        ("0::/", {"memory.max": "max"}, MACHINE),
        ("0::/", {"memory.max": f"{300 * 2**20}"}, 300),  # as seen from inside a container
        ("0::/a/b", {"a/memory.max": f"{200 * 2**20}", "a/b/memory.max": "max"}, 200),
        ("0::/a/b", {"a/memory.max": f"{200 * 2**20}", "a/b/memory.max": f"{100 * 2**20}"}, 100),
        ("3:cpu:/x\n4:memory:/x", {"memory/x/memory.limit_in_bytes": f"{400 * 2**20}"}, 400),
        ("4:memory:/x", {"memory/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
    ],
)
def test_a_limit_of_any_group_above_holds(tmp_path, groups, limits, expected):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{groups}\n", encoding="utf-8")
    for name, text in limits.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    assert memory_mb(tmp_path) == expected


def test_without_control_groups_it_is_the_machine_s(tmp_path):
    assert memory_mb(tmp_path) == MACHINE

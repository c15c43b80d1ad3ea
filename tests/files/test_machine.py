"""The memory and the cores that may be used: the machine's, or what a control group leaves of them."""

import os

import pytest

from rem.files.machine import cores, memory_mb

CORES = len(os.sched_getaffinity(0))
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def control_groups(root, groups, limits):
    """Write the groups of this process and the files of their limits, as Linux shows them."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"{groups}\n", encoding="utf-8")
    for name, text in limits.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")


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
    control_groups(tmp_path, groups, limits)
    assert memory_mb(tmp_path) == expected


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/", {}, CORES),
        ("0::/", {"cpu.max": "max 100000"}, CORES),
        ("0::/", {"cpu.max": "100000 100000"}, 1),
        ("0::/", {"cpu.max": "10000 100000"}, 1),  # a tenth of a core
        ("0::/", {"cpu.max": "1000000000 100000"}, CORES),
        ("0::/a/b", {"a/cpu.max": "90000 100000", "a/b/cpu.max": "max 100000"}, 1),
        (
            "3:cpu,cpuacct:/x\n4:memory:/x",
            {f"cpu,cpuacct/x/cpu.cfs_{name}_us": "50000" for name in ("quota", "period")},
            1,
        ),
        ("3:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, CORES),
        ("3:cpuset:/", {"cpuset/cpu.cfs_quota_us": "100000", "cpuset/cpu.cfs_period_us": "100000"}, CORES),
    ],
)
def test_time_of_the_cores_counts_as_cores(tmp_path, groups, limits, expected):
    control_groups(tmp_path, groups, limits)
    assert cores(tmp_path) == expected


def test_without_control_groups_they_are_the_machine_s(tmp_path):
    assert (memory_mb(tmp_path), cores(tmp_path)) == (MACHINE, CORES)

"""A run of the smoke config killed at random moments, again and again: is what it makes that of an undisturbed one?

`python -m benchmarks.kills 20` prints a line a kill; the last says how many were gone on from, and whether every file
of results is the same, byte for byte. It works in two copies of the project in a temporary folder.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.copies import copied

BESIDE = {"logs", "benchmarks", ".metadata"}  # in a folder of results, what is no result


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Snakemake on the smoke config, as the leader of a process group; its output in one stream."""
    command = ["snakemake", "--configfile", "config/smoke.yaml", *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def made(folder: Path) -> dict[str, str]:
    """The digest of every file that has been made, by its path; of what is half-written, too, if its name is final."""
    files = [path for top in ("results", "data/prepared") for path in (folder / top).rglob("*") if path.is_file()]
    names = {path: path.relative_to(folder) for path in files}
    return {
        str(name): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path, name in sorted(names.items())
        if not BESIDE & set(name.parts)
        and path.name != "state.pt"
        and not {"epochs.partial", "epochs.copied"} & set(name.parts)
    }


def differing(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """The files that are not those expected; one that a killed process left hidden is as good as none."""
    visible = {name: digest for name, digest in found.items() if not name.endswith(".partial")}
    return [name for name, digest in visible.items() if expected.get(name) != digest]


def kill_until_done(
    folder: Path, kills: int, seconds: float, draw: random.Random, expected: dict[str, str], *arguments: str
) -> tuple[int, list[str], str]:
    """Run to the end, killed so many times before: each after up to `seconds` from its start.

    Returns:
        The kills that hit a run at work; the files that ever differed from those expected; the last output.
    """
    hit, wrong = 0, []
    while True:
        process = start(folder, *arguments)
        if hit == kills:
            output, _ = process.communicate()
            return hit, wrong + differing(expected, made(folder)), output
        moment = draw.uniform(0, seconds)
        try:
            output, _ = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            hit += 1
            wrong += differing(expected, made(folder))
            last = [line for line in output.splitlines() if line.startswith(("rule", "localrule", "going"))][-2:]
            print(f"kill {hit} after {moment:.1f} s, {len(made(folder))} files: {'; '.join(last)}", flush=True)
        else:
            return hit, wrong + differing(expected, made(folder)), output


def main() -> int:
    """Compare a run that is killed with one that is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seconds", type=float, default=20, help="between two kills, at most (default: 20)")
    parser.add_argument("--seed", type=int, default=0)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        undisturbed, killed = (copied(Path(scratch) / name) for name in ("undisturbed", "killed"))
        began = time.perf_counter()
        output, _ = start(undisturbed, *options).communicate()
        expected = made(undisturbed)
        print(f"undisturbed: {time.perf_counter() - began:.0f} s, {len(expected)} files", flush=True)
        draw = random.Random(arguments.seed)
        hit, wrong, output = kill_until_done(killed, arguments.kills, arguments.seconds, draw, expected, *options)
        wrong += sorted(expected.keys() ^ made(killed).keys())
        verdict = f"different, lacking or left over: {wrong}" if wrong else "every file is the same"
        print(f"{hit} kills, gone on from each by the same command: {verdict}")
        if wrong:
            print(output[-3000:])
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

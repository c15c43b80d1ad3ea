"""Seconds and peak memory of calls, each side of a comparison in a process of its own."""

import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Calls = Mapping[str, Callable[..., Any]]


class Side:
    """A process that makes one side's calls when it is asked to, and says how long each took.

    Two sides in two processes share neither memory nor settings, and take turns, so that a slow moment of
    the machine meets both.

    Args:
        make: makes the calls, in the new process; a function of a module.
        arguments: for it.
    """

    def __init__(self, make: Callable[..., Calls], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self._process.start()

    def ask(self, name: str, *arguments: object) -> tuple[float, Any]:
        """Make a call; returns its seconds and its result."""
        self._connection.send((name, arguments))
        answer = self._connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        self._connection.send(None)
        self._process.join()


def _serve(connection: Connection, make: Callable[..., Calls], arguments: tuple[object, ...]) -> None:
    calls = make(*arguments)
    while (request := connection.recv()) is not None:
        name, values = request
        try:
            start = time.perf_counter()
            result = calls[name](*values)
            connection.send((time.perf_counter() - start, result))
        except Exception as error:
            connection.send(error)


def medians(asked: Mapping[str, tuple[Any, ...]], repeats: int) -> dict[str, float]:
    """The median seconds of calls, (side, name, arguments...) each, that take turns.

    In its turn each is made twice and the second time counts: a process that has waited finds its memory cold.
    """

    def turn(side: Side, *call: object) -> float:
        side.ask(*call)
        return side.ask(*call)[0]

    rounds = [{name: turn(*call) for name, call in asked.items()} for _ in range(repeats)]
    return {name: statistics.median(one[name] for one in rounds) for name in asked}


def seconds(call: Callable[[], object]) -> float:
    """The wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_new_process(function: Callable[..., Any], *arguments: object) -> Any:
    """What a function of a module returns in a process of its own, in which nothing lies about."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def peak_memory(call: Callable[[], object]) -> float:
    """What a call takes at the most beyond what is taken before it, in MB of resident memory; Linux only."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets the peak
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(name: str) -> float:
    line = next(
        line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if line.startswith(name)
    )
    return int(line.split()[1]) / 1024

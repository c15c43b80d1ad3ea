"""How a command of `rem` is declared: its arguments beside the one function that it calls."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Argument(NamedTuple):
    """The names of an argument, and what `argparse` is told of it."""

    names: tuple[str, ...]
    options: dict[str, object]


class Command(NamedTuple):
    """A command: its words, the function that does it, and the arguments that this is called with, by name."""

    words: tuple[str, ...]
    function: Callable[..., None]
    arguments: tuple[Argument, ...]


COMMANDS: list[Command] = []


def argument(*names: str, **options: object) -> Argument:
    """An argument, as `argparse` takes it; a path unless it says otherwise."""
    flag = options.get("action") in ("store_true", "store_false")
    return Argument(names, options if flag else {"type": Path} | options)


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """The type of an argument that is a whole number in that range, both ends included."""

    def integer(text: str) -> int:
        number = int(text)
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text} is not {least}{' or more' if most is None else f' to {most}'}")
        return number

    return integer


def not_negative(text: str) -> float:
    """The type of an argument that is a finite number, 0 or more."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return number


def command(*arguments: Argument, name: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command; its docstring is the help. `name` is the function's where none is given."""

    def declare(function: Callable[..., None]) -> Callable[..., None]:
        COMMANDS.append(Command(tuple((name or function.__name__).split()), function, arguments))
        return function

    return declare


def parser(version: str) -> argparse.ArgumentParser:
    """Of all commands declared so far; what it parses has the command's `function` and its arguments."""
    top = argparse.ArgumentParser(prog="rem", description="Routing entropy minimization for Capsule Networks.")
    top.add_argument("--version", action="version", version=f"rem {version}")
    groups = {(): top.add_subparsers(required=True, metavar="command")}
    for words, function, arguments in COMMANDS:
        *group, word = words
        if tuple(group) not in groups:
            of_group = groups[()].add_parser(group[0], help=f"make one: `rem {group[0]} --help` lists them")
            groups[tuple(group)] = of_group.add_subparsers(required=True, metavar=f"{group[0]} to make")
        added = groups[tuple(group)].add_parser(word, help=function.__doc__, description=function.__doc__)
        added.set_defaults(function=function)
        for names, options in arguments:
            added.add_argument(*names, **options)
    return top


DATA = argument("--data", required=True, help="the dataset's HDF5 file, from rem prepare")
DEVICE = argument("--device", type=str, default="auto", choices=["auto", "cpu", "cuda"])
THREADS = argument("--threads", type=whole(1, 1024), default=1, help="CPU threads (default: 1)")
COMPUTING = (DATA, DEVICE, THREADS)
OWN = argument("--architecture", type=str, help="of a network of your own, its network.architecture, whose file is run")

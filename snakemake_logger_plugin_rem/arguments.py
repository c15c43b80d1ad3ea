"""Snakemake's options of KEY=VALUE pairs swallow the targets behind them: `--resources gpu=1 all`.

A value of these options has a `=`, and a target has none. That tells them apart. `--forcerun train models` swallows
targets too; there a rule that makes no file is one, for it cannot be run anew.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import yaml

KEYED = {  # options whose values are KEY=VALUE, one or more
    *("--resources", "--res", "--default-resources", "--default-res", "--set-resources", "--set-resource-scopes"),
    *("--set-threads", "--set-scatter", "--config", "-C"),
}
FORCED = {"--forcerun", "-R"}
TARGETS = {  # the rules that make no file
    *("all", "data", "models", "couplings", "entropies", "controls", "dose_response", "iterations", "course"),
    *("trees", "structured", "architectures", "sharpen", "viewpoints", "report_html", "explorer"),
}


def in_order(words: Sequence[str]) -> list[str]:
    """The words of a command line with the targets that such an option would swallow in front of all options.

    Words that Snakemake understands as they are stay as they are, and so do those that it has written itself: the
    commands of its jobs, which have a `--mode` and encoded values.
    """
    if "--mode" in words:
        return list(words)
    kept, targets, option, values = [], [], None, 0
    for place, word in enumerate(words):
        if word == "--":  # what follows are targets, and known to be
            return [*kept, "--", *targets, *words[place + 1 :]]
        if word.startswith("-"):
            option, values = word, 0
        elif (option in KEYED and "=" not in word and word != "none") or (  # --default-resources none
            option in FORCED and values and word in TARGETS
        ):
            targets.append(word)
            continue
        else:
            values += 1
        kept.append(word)
    return [*targets, *kept]


def configfile_fault(words: Sequence[str]) -> str | None:
    """What is wrong with the first file of `--configfile` that Snakemake cannot read, as a sentence; None: nothing."""
    for place, word in enumerate(words):
        if word in ("--configfile", "--configfiles"):
            named = itertools.takewhile(lambda one: not one.startswith("-"), words[place + 1 :])
            return next(filter(None, map(_fault, named)), None)
    return None


def _fault(name: str) -> str | None:
    if not Path(name).is_file():
        return f"--configfile names {name}, which is no file. A target belongs in front of all options, or behind --."
    try:
        yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return f"{name} cannot be read as YAML: in line {mark.line + 1}, {error.problem}; mend that line."
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        pass  # Snakemake says it
    return None

"""Snakemake's options of KEY=VALUE pairs swallow the targets behind them: `--resources gpu=1 all`.

A value of these options has a `=`, and a target has none. That tells them apart. `--forcerun train models` swallows
targets too; there a rule that makes no file is one, for it cannot be run anew.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

KEYED = {  # options whose values are KEY=VALUE, one or more
    *("--resources", "--res", "--default-resources", "--default-res", "--set-resources", "--set-resource-scopes"),
    *("--set-threads", "--set-scatter", "--config", "-C"),
}
FORCED = {"--forcerun", "-R"}
TARGETS = {  # the rules that make no file
    *("all", "data", "models", "couplings", "entropies", "controls", "dose_response", "course", "trees"),
    *("structured", "architectures", "report_html", "explorer"),
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


def lacking_configfile(words: Sequence[str]) -> str | None:
    """The first word that Snakemake takes for a file of `--configfile` and that is none; None if all are there."""
    for place, word in enumerate(words):
        if word in ("--configfile", "--configfiles"):
            named = itertools.takewhile(lambda one: not one.startswith("-"), words[place + 1 :])
            return next((one for one in named if not Path(one).is_file()), None)
    return None

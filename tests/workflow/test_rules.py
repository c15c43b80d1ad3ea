"""The rules, read as text: a rule that calls a command of `rem` is done anew when the code of that command changes."""

import re

import pytest
import tiny
import yaml

from rem.cli import data, figures, results, training, trees  # noqa: F401  (each declares its commands)
from rem.cli.command import COMMANDS

HEAD = re.compile(r"^(?:use )?rule (\w+)(?: as (\w+) with)?:$", re.MULTILINE)
FETCH = "fetch"  # the one command without code: its files' checksums are known


def rules():
    """The text of every rule by its name; of one that uses another's, only what is its own."""
    found = {}
    for path in sorted((tiny.ROOT / "workflow/rules").glob("*.smk")):
        _, *parts = HEAD.split(path.read_text(encoding="utf-8"))
        for name, other, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            found[other or name] = text
    return found


CALLS = {
    name: call[1] for name, text in rules().items() if (call := re.search(r"^ +rem ([\w-]+) ", text, re.MULTILINE))
}


def code_of(rule):
    return re.findall(r"^        code=(.+),$", rules()[rule], re.MULTILINE)


def test_the_rules_call_every_command_but_those_for_people():
    assert set(CALLS.values()) == {command.words[0] for command in COMMANDS} - {
        "compact", "estimate", "export", "headline", "import", "publish", "sample", "schema", "sources", "trace",
        "verify",
    }  # fmt: skip


@pytest.mark.parametrize("rule", sorted(CALLS.keys() - {FETCH, "figure"}))
def test_a_rule_has_the_code_of_the_command_that_it_calls(rule):
    assert code_of(rule) == [f'code("{CALLS[rule]}")']


def test_a_figure_has_the_code_of_its_own_command():
    common = (tiny.ROOT / "workflow/rules/common.smk").read_text(encoding="utf-8")
    assert code_of("figure") == ["figure_code"]
    assert 'def figure_code(wildcards):\n    return code(f"figure {wildcards.figure}")\n' in common
    assert "rem figure {params.which} " in rules()["figure"]
    for which in ("controls", "dose_response", "course", "structured", "architectures", "tree_densities"):
        assert code_of(f"{which}_figure") == [f'code("figure {which}")']
        assert f'which="{which}",' in rules()[f"{which}_figure"]
    assert code_of("experiment_frontier") == ['code("figure frontier")']
    assert 'which="frontier",' in rules()["experiment_frontier"]


@pytest.mark.parametrize("rule", [name for name, text in rules().items() if re.search(r"^        epochs=", text, re.M)])
def test_what_is_made_of_a_folder_of_epochs_is_made_anew_where_other_epochs_are_kept(rule):
    """The folder itself is `ancient`, and the history beside it is the same whichever epochs are kept."""
    assert "        kept=keep_option," in rules()[rule]


def test_a_job_has_the_memory_that_the_profile_says():
    profile = yaml.safe_load((tiny.ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    told = re.search(
        r"JOB_MB = memory_mb\(\), (\d+)", (tiny.ROOT / "workflow/rules/common.smk").read_text(encoding="utf-8")
    )
    assert int(told[1]) == profile["default-resources"]["mem_mb"]

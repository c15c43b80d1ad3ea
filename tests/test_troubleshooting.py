"""docs/troubleshooting.md: every message in it is one that the program can print."""

import functools
import re

import pytest
import tiny

PAGE = tiny.ROOT / "docs/troubleshooting.md"
SOURCES = [*sorted((tiny.ROOT / "rem").rglob("*.py")), *sorted((tiny.ROOT / "workflow").rglob("*.smk"))]
TEXT = PAGE.read_text(encoding="utf-8")
MESSAGES = [message for _, message in re.findall(r"^\| (`+)(.+?)\1 \|", TEXT, re.MULTILINE)]


@functools.cache
def code() -> str:
    """The source, with the parts of a text that follow each other as one, and … for what is filled in."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    text = re.sub(r"""(["'])\s*\n\s*f?["']""", "", text)
    return re.sub(r"\{(?:[^{}]|\{[^{}]*\})*\}", "…", text)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_of_the_page_is_one_of_the_program(message):
    assert message in code()


def test_the_page_has_messages_in_all_its_rows():
    assert len(MESSAGES) == TEXT.count("\n| `") > 30

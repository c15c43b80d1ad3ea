"""What a run shows: few lines where nobody watches, one line that moves in a terminal, and what went wrong always."""

import io
import logging
import time
import types

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_rem import progress

QUIET = {"dryrun": False, "verbose": False, "printshellcmds": False, "debug_dag": False, "stdout": True}


def made(**options):
    """The handler of a run with these options, which shows things on a stream of its own."""
    handler = progress.LogHandler(types.SimpleNamespace(**QUIET | options), None)
    handler.stream = io.StringIO()
    return handler


@pytest.fixture
def handler():
    """The handler of a run that shows as little as it may."""
    handler = made()
    yield handler
    handler.close()


def shown(handler):
    return handler.stream.getvalue().splitlines()


def tell(handler, message="", level=logging.INFO, **event):
    """Give the handler a record of Snakemake's."""
    record = logging.LogRecord("snakemake", level, "", 0, message, (), None)
    record.__dict__ |= event
    handler.emit(record)


def train(handler, number, log):
    wildcards = {"dataset": "mnist", "variant": "rem", "seed": str(number)}
    tell(handler, event=LogEvent.JOB_INFO, jobid=number, rule_name="train", wildcards=wildcards, log=[log])


def test_a_run_says_what_it_will_do_and_each_network_that_is_trained(handler, tmp_path):
    tell(handler, event=LogEvent.RUN_INFO, stats={"total": 9, "train": 2, "entropy": 7})
    train(handler, 3, tmp_path / "a.log")
    tell(handler, event=LogEvent.JOB_INFO, jobid=4, rule_name="entropy", wildcards={}, log=[])
    for job in (3, 4):
        tell(handler, event=LogEvent.JOB_FINISHED, job_id=job)
    assert shown(handler) == [
        "9 jobs, 2 of them train a network",
        "network 1 of 2: mnist rem seed 3",
    ]


def test_every_tenth_of_the_jobs_is_told_once(handler):
    for done in range(1, 41):
        tell(handler, event=LogEvent.PROGRESS, done=done, total=40)
    assert shown(handler) == [f"{done} of 40 jobs done" for done in range(4, 41, 4)]


def test_epochs_are_those_in_the_logs_and_networks_to_come_have_as_many_as_those_begun(handler, tmp_path):
    tell(handler, event=LogEvent.RUN_INFO, stats={"total": 9, "train": 4})
    assert handler.epochs() == (0, 0, 0)
    for number, text in enumerate(["a  epoch 1/6  b\na  epoch 2/6  b\n", "a  epoch 3/10  b\n", "just begun\n"]):
        (tmp_path / f"{number}.log").write_text(text, encoding="utf-8")
        train(handler, number, tmp_path / f"{number}.log")
    train(handler, 3, tmp_path / "not there yet.log")
    assert handler.epochs() == (2 + 3, 4 * (6 + 10) / 2, 0)


def test_epochs_of_an_earlier_run_are_told_apart_for_they_took_none_of_this_run_s_time(handler, tmp_path):
    tell(handler, event=LogEvent.RUN_INFO, stats={"total": 9, "train": 2})
    (tmp_path / "a.log").write_text("going on after epoch 4\na  epoch 5/6  b\n", encoding="utf-8")
    train(handler, 1, tmp_path / "a.log")
    assert handler.epochs() == (5, 12, 4)


def test_a_job_that_failed_is_told_by_its_one_sentence_and_where_its_log_is(handler, tmp_path):
    log = tmp_path / "a.log"
    log.write_text("epoch 1\nrem: the disk is full; make room.\n", encoding="utf-8")
    tell(handler, event=LogEvent.JOB_ERROR, rule_name="train", log=[str(log)])
    assert shown(handler) == [f"rule train failed (log: {log})", "rem: the disk is full; make room."]


def test_of_a_job_without_such_a_sentence_the_end_of_the_log_is_told(handler, tmp_path):
    log = tmp_path / "a.log"
    log.write_text("\n".join(map(str, range(100))), encoding="utf-8")
    tell(handler, event=LogEvent.JOB_ERROR, rule_name="train", log=[str(log)])
    assert shown(handler)[1:] == [str(line) for line in range(88, 100)]


@pytest.mark.parametrize(
    ("message", "level", "told"),
    [
        ("Building DAG of jobs...", logging.INFO, False),
        ("Nothing to be done (all requested files are present and up to date).", logging.INFO, True),
        ("a warning", logging.WARNING, True),
    ],
)
def test_of_snakemakes_own_words_warnings_and_the_end_are_shown(handler, message, level, told):
    tell(handler, message, level)
    assert shown(handler) == [message] * told


@pytest.mark.parametrize("option", ["dryrun", "verbose", "printshellcmds", "debug_dag"])
def test_who_asks_for_more_sees_all(option):
    handler = made(**{option: True})
    tell(handler, "Building DAG of jobs...")
    assert shown(handler) == ["Building DAG of jobs..."]


def test_in_a_terminal_one_line_has_networks_epochs_and_the_time_left(handler, tmp_path, monkeypatch):
    monkeypatch.setattr(handler.stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "SECONDS", 0.01)
    (tmp_path / "a.log").write_text("a  epoch 5/10  b\n", encoding="utf-8")
    train(handler, 0, tmp_path / "a.log")
    tell(handler, event=LogEvent.RUN_INFO, stats={"total": 9, "train": 2})
    for _ in range(1000):
        if "left for training" in (said := handler.stream.getvalue()) and "of about" in said:
            break
        time.sleep(0.01)
    assert "0 of 2 networks, 5 of about 20 epochs" in said

"""What a run shows: in a terminal one line that moves, elsewhere a line a network, and always what went wrong.

The line has the networks that are trained, their epochs, and the time that is left by the pace so far. Epochs are read
off the logs of the trainings. A dry run, `--verbose` and `--printshellcmds` show all that Snakemake has to say; its own
log in `.snakemake/log` and the logs of the jobs have it in any case.
"""

import re
import sys
import threading
from collections.abc import Mapping
from logging import WARNING, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from tqdm import tqdm

SECONDS = 2  # between two looks at the logs
EPOCH = re.compile(r"  epoch (\d+)/(\d+)  ")  # in a line of a training's log
RESUMED = re.compile(r"going on after epoch (\d+)")
TOLD = ("Nothing to be done", "Complete log", "Error", "Not done")  # what is shown of what is no event


class LogHandler(LogHandlerBase):
    """Snakemake's log handler of this project."""

    writes_to_stream = True
    writes_to_file = has_filter = has_formatter = needs_rulegraph = False

    def __post_init__(self) -> None:
        settings = self.common_settings
        self.all = settings.dryrun or settings.verbose or settings.printshellcmds or settings.debug_dag
        self.stream = sys.stdout if settings.stdout else sys.stderr
        self.trainings: dict[int, tuple[str, Path]] = {}  # job -> what it trains, its log
        self.networks = self.trained = self.tenths = 0
        self.bar: tqdm | None = None
        self.closed = threading.Event()

    def emit(self, record: LogRecord) -> None:
        """Show what there is to show of a record."""
        event = getattr(record, "event", None)
        if self.all:
            self._write(self.format(record))
        elif event == LogEvent.JOB_ERROR:
            self._write(_failure(record))
        elif event == LogEvent.RUN_INFO:
            self._begin(record.stats)
        elif event == LogEvent.JOB_INFO and record.rule_name == "train":
            self.trainings[record.jobid] = _network(record.wildcards), Path(record.log[0])
        elif event == LogEvent.JOB_FINISHED and record.job_id in self.trainings:
            self.trained += 1
            self._tell(f"network {self.trained} of {self.networks}: {self.trainings[record.job_id][0]}")
        elif event == LogEvent.PROGRESS:
            self._pass(record.done, record.total)
        elif (event is None and (record.levelno >= WARNING or record.getMessage().startswith(TOLD))) or event in (
            LogEvent.ERROR,
            LogEvent.GROUP_ERROR,
        ):
            self._write(self.format(record))

    def close(self) -> None:
        """End the line that moves."""
        self.closed.set()
        if self.bar is not None:
            self.bar.close()
        super().close()

    def _begin(self, stats: dict[str, int]) -> None:
        jobs, self.networks = stats.get("total", 0), stats.get("train", 0)
        self._write(f"{jobs} jobs, {self.networks} of them train a network")
        if self.networks and self.stream.isatty():
            form = "{desc}  {elapsed} passed, {remaining} left for training"
            self.bar = tqdm(desc="no network yet", total=None, file=self.stream, bar_format=form)
            threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self.closed.wait(SECONDS):
            done, total, self.bar.initial = self.epochs()  # the pace is that of this run's epochs
            self.bar.total, self.bar.n = total, done
            self.bar.set_description_str(f"{self.trained} of {self.networks} networks, {done} of about {total} epochs")

    def epochs(self) -> tuple[int, int, int]:
        """Epochs done, how many there will be if the networks to come have as many, and those of earlier runs."""
        found = [_epochs(log) for _, log in list(self.trainings.values())]  # as they are now: jobs come in between
        begun = [one for one in found if one[1]]
        mean = sum(total for _, total, _ in begun) / len(begun) if begun else 0
        return sum(done for done, _, _ in begun), round(mean * self.networks), sum(before for *_, before in begun)

    def _pass(self, done: int, total: int) -> None:
        if self.bar is None and total and 10 * done // total > self.tenths:
            self.tenths = 10 * done // total
            self._write(f"{done} of {total} jobs done")

    def _tell(self, line: str) -> None:
        if self.bar is None:
            self._write(line)

    def _write(self, text: str) -> None:
        tqdm.write(text, file=self.stream)
        self.stream.flush()


def _network(wildcards: Mapping[str, str]) -> str:
    return f"{wildcards['dataset']} {wildcards['variant']} seed {wildcards['seed']}"


def _epochs(log: Path) -> tuple[int, int, int]:
    """The last epoch of a training, how many it will have, and the epoch that it went on from."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the job has not begun to write
        return 0, 0, 0
    found, before = EPOCH.findall(text), RESUMED.search(text)
    return (int(found[-1][0]), int(found[-1][1]), int(before[1]) if before else 0) if found else (0, 0, 0)


def _failure(record: LogRecord) -> str:
    """Which job failed, what its log ends with, and where that is."""
    lines, logs = [], [Path(log) for log in record.log or ()]
    for log in logs:
        if log.is_file():
            lines += log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-12:]
    told = [line for line in lines if line.startswith("rem: ")][-1:] or lines
    where = f" (log: {', '.join(map(str, logs))})" if logs else ""
    return "\n".join([f"rule {record.rule_name} failed{where}", *told])

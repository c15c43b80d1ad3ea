"""Which GPU a process takes of those that a machine has, so that jobs beside one another spread over them.

Loads no torch, so that the workflow can ask too.
"""

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rem.errors import RemError, first_line

VISIBLE = "CUDA_VISIBLE_DEVICES"  # the cards that CUDA shows a process, by index or UUID; unset: all
DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # on Linux, on Windows' Linux, of AMD
SEEN = "REM_GPUS_SEEN"
held: list[int] = []  # open files, whose locks end with the process


def take_card(count: int, folder: Path | None = None) -> bool:
    """Have CUDA show this process one card alone, the one that the fewest other processes have taken.

    The card is taken until the process ends, however it ends. Does nothing where there is at most one card to choose
    from, as on a cluster that gives each job its own. Call it before CUDA is initialised.

    Args:
        count: how many cards CUDA shows this process so far.
        folder: of the locks, which all jobs of a user on this machine must share; None: in that for temporary files.

    Returns:
        Whether a card was chosen.

    Raises:
        RemError: the folder cannot hold locks.
    """
    given = os.environ.get(VISIBLE)
    cards = [str(index) for index in range(count)] if given is None else given.split(",")[:count]
    if len(cards) < 2:
        return False
    card = lock_card([card.strip() for card in cards], folder or Path(tempfile.gettempdir(), f"rem-gpus-{os.getuid()}"))
    os.environ[VISIBLE] = card
    print(f"on GPU {card} of {', '.join(cards)}", file=sys.stderr)
    return True


def lock_card(cards: Sequence[str], folder: Path) -> str:
    """The card that the fewest processes hold, now held by this one too.

    A card has one lock for each process on it; every card's first is tried before any card's second. So of n cards and
    n * s processes none has more than s.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place, card in ((place, card) for place in itertools.count() for card in cards):
            file = os.open(folder / f"{card.replace('/', '-')}.{place}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
            else:
                held.append(file)
                return card
    except OSError as error:
        raise RemError(
            f"{folder} cannot hold the locks by which jobs share GPUs ({first_line(error)}); set TMPDIR to a folder of "
            f"yours on this machine, or {VISIBLE} to one card."
        ) from error


def seen() -> int:
    """How many GPUs torch can use here, asked once for this process and those that it starts.

    Torch is asked in a process of its own, since importing it takes seconds, and only where there is a driver.

    Raises:
        RemError: torch cannot be imported.
    """
    if SEEN not in os.environ:
        os.environ[SEEN] = str(_asked() if shutil.which("nvidia-smi") or any(map(os.path.exists, DRIVERS)) else 0)
    return int(os.environ[SEEN])


def _asked() -> int:
    program = "import torch; print(torch.cuda.device_count() if torch.cuda.is_available() else 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    if done.returncode:
        reason = done.stderr.strip().split("\n")[-1]
        raise RemError(f"device is auto, but torch cannot be asked for GPUs ({reason}); set device to cuda or cpu.")
    return int(done.stdout)

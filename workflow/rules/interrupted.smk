# A run that was killed, or stopped: the same command goes on.

import fcntl
import re
import shutil
import socket
import sys


def drop_lock_of_a_killed_run(state):
    """Remove Snakemake's lock, which outlives a run that is killed, where none is alive that it could be of.

    Every `snakemake` in this folder holds a lock of the kernel's, which dies with it, so the first to come knows. It
    trusts that only on the machine where Snakemake's lock was made: not every network file system tells others of it.

    Returns the file, to be kept open.
    """
    os.makedirs(state, exist_ok=True)
    alive, locks = open(f"{state}/alive", "a+", encoding="utf-8"), f"{state}/locks"
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alive.seek(0)
        if alive.read() == socket.gethostname() and os.path.isdir(locks) and os.listdir(locks):
            print("going on where a run was killed", file=sys.stderr)
            shutil.rmtree(locks)
        if not os.path.isdir(locks) or not os.listdir(locks):
            alive.truncate(0)
            alive.write(socket.gethostname())
            alive.flush()
    except BlockingIOError:  # another is alive
        pass
    fcntl.flock(alive, fcntl.LOCK_SH)
    return alive


try:
    ALIVE = drop_lock_of_a_killed_run(".snakemake")
except OSError:  # no such locks here, or nothing may be written: Snakemake's own lock is all there is
    pass


onerror:
    logs = [Path(file).read_text(encoding="utf-8", errors="replace") for file in log or []]  # one of each logger
    if any(re.search(r"exit (status|code) 137|SIGKILL", told) for told in logs):
        print(
            "A job was killed, most likely because memory ran out: run fewer at once (--cores), or lower "
            "training.batch_size.",
            file=sys.stderr,
        )
    print(
        "Not done: give the same command again to go on; mend first what is said above, if anything is.",
        file=sys.stderr,
    )


onstart:
    for told in filter(None, (device_told(), cores_told(), memory_told())):
        print(told, file=sys.stderr)
    for folder in (f"results/{CONFIG.name}", "data/prepared"):
        while not os.path.exists(folder):  # made by the run, in what is above it
            folder = os.path.dirname(folder) or "."
        if not os.access(folder, os.W_OK):
            raise WorkflowError(
                f"{folder} may not be written to; make it writable, then give the same command again."
            )

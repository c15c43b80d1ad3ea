"""The command line `rem`: finds the command, records what it made of what, and says what went wrong in a sentence."""

import os
import signal
import sys
from importlib.metadata import version

from rem.cli import data, figures, results, training, trees  # noqa: F401  (each declares its commands)
from rem.cli.command import parser
from rem.errors import AGAIN, FEWER, RemError, out_of_memory, unwritable


def main() -> int:
    """Run a command; a mistake the user can mend is one sentence and exit status 1, Ctrl-C one and 130.

    Where nobody reads on, it ends without a word, with the 141 of a shell.

    What is printed is UTF-8 in any locale.
    """
    for stream in (sys.stdout, sys.stderr):  # in any locale; a file's name that is no text comes out as it went in
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    os.environ["MPLBACKEND"] = "agg"  # in the place of a notebook's, which what it starts inherits
    arguments = vars(parser(version("rem")).parse_args())
    function = arguments.pop("function")
    try:
        from rem.files.trace import recorded

        with recorded(["rem", *sys.argv[1:]]):
            function(**arguments)
        sys.stdout.flush()  # here, where it is known what to do if nobody reads it
    except RemError as error:
        print(f"rem: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # what reads the output, `head` for one, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more as it ends
        return 128 + signal.SIGPIPE
    except OSError as error:
        reason = unwritable(error)
        if reason is None or isinstance(error, PermissionError):  # that might be of reading
            raise
        print(f"rem: {error.filename or 'a file'} cannot be written: {reason}.", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError, ImportError) as error:
        if out_of_memory(error) and not str(error).startswith("CUDA"):
            print(f"rem: memory ran out; {FEWER}, or lower training.batch_size, {AGAIN}.", file=sys.stderr)
            return 1
        if not str(error).startswith(("CUDA", "cuDNN")):
            raise
        reason = str(error).split("\n")[0].rstrip(".")
        print(f"rem: the GPU failed ({reason}); {_remedy(reason)}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rem: interrupted; give the same command again to go on.", file=sys.stderr)
        return 130  # as a shell reports SIGINT
    return 0


def _remedy(reason: str) -> str:
    if "out of memory" in reason:
        return "lower training.batch_size, or free its memory"
    return "see that it works, then give the same command again: what is done is kept"


if __name__ == "__main__":
    sys.exit(main())

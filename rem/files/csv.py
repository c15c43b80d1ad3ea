"""CSV files that a step has written, read back."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rem.errors import RemError
from rem.files.notes import note_read

NAMES = [
    *("dataset", "data", "variant", "model", "network", "against", "baseline"),
    *("checkpoint", "baseline_checkpoint", "split", "metric", "probe", "setting"),
]


def read_csv(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A CSV that a step has written; names are text, even if they look like numbers.

    Raises:
        RemError: the file cannot be read or lacks one of the columns.
    """
    note_read(path)
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(NAMES, str))
    except FileNotFoundError:
        raise RemError(f"{path} is missing; run the command that makes it.") from None
    except (OSError, ValueError) as error:
        raise RemError(f"{path} cannot be read as CSV: {error}.") from error
    lacking = [column for column in columns if column not in table]
    if lacking:
        raise RemError(f"{path} lacks the column {lacking[0]}; its columns must be {', '.join(columns)}.")
    return table

"""What Snakemake is given of ours before it reads its command line: arguments put in order, and a quiet terminal.

Snakemake imports every package of such a name while it builds the parser of its command line. So this is the one
place from which `snakemake --cores 8 --resources gpu=1 all` can be made to mean what it says (`arguments.py`).
`profiles/*/config.yaml` choose the log handler by its name, `rem` (`progress.py`).
"""

import sys
from pathlib import Path

from snakemake_logger_plugin_rem.arguments import configfile_fault, in_order
from snakemake_logger_plugin_rem.progress import LogHandler

__all__ = ["LogHandler"]

if Path(sys.argv[0]).name in ("snakemake", "__main__.py"):
    if fault := configfile_fault(sys.argv[1:]):
        sys.exit(fault)
    sys.argv[1:] = in_order(sys.argv[1:])

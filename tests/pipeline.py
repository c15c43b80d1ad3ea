"""The workflow, run in a copy of the project."""

import os
import re
import subprocess
from collections import Counter

RUNS = 2 * 2 + 2 + 2 + 2 + 2  # of the smoke config's experiments main, colour, decoder, affine and deep


def snakemake(folder, *arguments, config="config/smoke.yaml", **environment):
    """Run Snakemake on a config, or the default one: the finished process, all that it said in one string."""
    cores = [] if "--cores" in arguments else ["--cores", "2"]
    command = ["snakemake", *(["--configfile", config] if config else []), *cores, *arguments]
    environment = os.environ | {"PYTHONPATH": str(folder)} | environment
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=3600
    )


def planned(folder, *arguments, config="config/smoke.yaml"):
    """How many jobs of each rule a dry run plans, the settings' and the target's own left out."""
    done = snakemake(folder, "--dry-run", *arguments, config=config)
    assert done.returncode == 0, done.stdout
    jobs = Counter(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.MULTILINE))
    return {rule: count for rule, count in jobs.items() if rule != "all" and "_settings" not in rule}

"""A network of one's own in the workflow: its file is an input of its training, and what loads it is told its class."""

import os
import re
import subprocess

import pytest
import tiny

from benchmarks.kills import copied
from rem.files.code import modules

CONFIG = """
name: mine
select: [mine]
experiments: {mine: {datasets: [mnist], variants: [baseline], seeds: [42]}}
defaults:
  data: {source: mnist-sample, validation: 500, mean: [0.1307], std: [0.3081]}
  network: {architecture: "data/own/my net.py:CosineCapsNet", routing: null}
datasets: {mnist: {}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with a network of its own."""
    folder = copied(tmp_path_factory.mktemp("own") / "project")
    (code,) = re.findall(r"```python\n(.*?)```", (tiny.ROOT / "docs/own-network.md").read_text("utf-8"), re.DOTALL)
    (folder / "data/own/my net.py").write_text(code, encoding="utf-8")
    (folder / "mine.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


def planned(folder, *config, **environment):
    """The status of Snakemake's dry run of the couplings, and what it says."""
    command = ["snakemake", "--configfile", *config, "--cores", "1", "--dry-run", "--printshellcmds", "--", "couplings"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)} | environment,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout


def test_its_file_is_an_input_of_all_that_runs_it_and_its_class_an_argument_of_what_loads_it(project):
    status, plan = planned(project, "mine.yaml")
    assert status == 0, plan
    for rule in ("train", "extract_couplings"):
        (inputs,) = re.findall(rf"^rule {rule}:\n +input: (.*)$", plan, re.MULTILINE)
        assert "data/own/my net.py" in inputs.split(", "), rule
    (command,) = re.findall(r"^ +rem couplings .*$", plan, re.MULTILINE)
    assert "--architecture 'data/own/my net.py:CosineCapsNet'" in command


WITHOUT = {"features", "speed_table", "explore"}  # a backbone alone; refuses one's own; shows no votes of one's own


def test_every_rule_that_loads_a_network_has_its_file_as_an_input():
    texts = [path.read_text(encoding="utf-8") for path in (tiny.ROOT / "workflow/rules").glob("*.smk")]
    rules = [rule for text in texts for rule in re.split(r"^(?=(?:use )?rule )", text, flags=re.MULTILINE)]
    loading = {}
    for rule in rules:
        step = re.search(r'code\("([^"]+)"\)', rule)
        if step and "rem.training.checkpoints" in modules(step[1]):
            loading[re.match(r"rule (\w+):", rule)[1]] = "        architecture=architecture_file,\n" in rule
    assert {"train", "extract_couplings", "probe"} < loading.keys()
    assert {name for name, given in loading.items() if not given} == WITHOUT


def test_dvc_refuses_a_file_where_it_does_not_look(project):
    text = CONFIG.replace("data/own/my net.py", "net.py")
    (project / "elsewhere.yaml").write_text(text, encoding="utf-8")
    status, told = planned(project, "elsewhere.yaml", DVC_STAGE="models")
    assert status == 1
    assert "network.architecture is net.py:CosineCapsNet, where DVC does not look for changes; move the file" in told

"""`snakemake --resources gpu=1 all` means what it says, and so does whatever Snakemake understands by itself."""

import re

import pytest
import tiny

from snakemake_logger_plugin_rem.arguments import TARGETS, configfile_fault, in_order


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--cores 8 --resources gpu=1 all", "all --cores 8 --resources gpu=1"),
        ("--resources gpu=1 mem_mb=100 all", "all --resources gpu=1 mem_mb=100"),
        ("--resources gpu=1 models couplings", "models couplings --resources gpu=1"),
        ("--resources gpu=1 results/a/metrics.csv", "results/a/metrics.csv --resources gpu=1"),
        ("--set-threads train=2 all -n", "all --set-threads train=2 -n"),
        ("--config device=cpu all", "all --config device=cpu"),
        ("--forcerun train all", "all --forcerun train"),
        ("-R train results/a/metrics.csv models -n", "models -R train results/a/metrics.csv -n"),
        ("--resources gpu=1 all -- models", "--resources gpu=1 -- all models"),
    ],
)
def test_a_target_behind_values_goes_to_the_front(given, meant):
    assert in_order(given.split()) == meant.split()


@pytest.mark.parametrize(
    "given",
    [
        "--resources gpu=1 -- all",
        "all --resources gpu=1",
        "--resources gpu=1 --cores 2 all",
        "--cores 2 all",
        "--resources gpu=1",
        "--forcerun all",
        "--forcerun train metrics results/a/metrics.csv",
        "--until models couplings",
        "--configfile a.yaml b.yaml --resources gpu=1 -- all",
        "--mode remote --default-resources base64//bWVtX21i --set-threads base64//dHJhaW4 --cores 1",
        "",
    ],
)
def test_what_is_understood_stays_as_it_is(given):
    assert in_order(given.split()) == given.split()


def test_the_targets_are_the_rules_that_make_no_file():
    files = [tiny.ROOT / "Snakefile", *(tiny.ROOT / "workflow/rules").glob("*.smk")]
    rules = "\n".join(file.read_text(encoding="utf-8") for file in files)
    made = re.findall(r"^rule (\w+):\n((?:\n*    .*\n)*)", rules, re.MULTILINE)
    assert {name for name, body in made if "    output:" not in body} == TARGETS


def test_a_configfile_that_is_not_there_or_no_yaml_is_named(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    words = ["--cores", "2", "--configfile", str(first), str(second), "-n"]
    first.touch()
    assert configfile_fault(words).startswith(f"--configfile names {second}, which is no file.")
    second.write_text("name: mine\nselect: [mine\nseeds: 3\n", encoding="utf-8")
    told = configfile_fault(words)
    assert told.startswith(f"{second} cannot be read as YAML: in line 3, ")
    assert "\n" not in told
    assert configfile_fault(words[:4]) is None
    assert configfile_fault(["all"]) is None

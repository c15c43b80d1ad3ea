"""The command line: every command runs its step, and a mistake is one line and exit status 1."""

import json
import subprocess
import sys

import h5py
import pandas as pd
import pytest
import tiny
import torch
import yaml

from rem.__main__ import main
from rem.cli.command import COMMANDS as DECLARED
from rem.networks.build import build
from rem.settings.schema import config_schema
from rem.settings.sections import to_yaml
from rem.training.checkpoints import load_checkpoint, save_checkpoint

COMMANDS = [command.words for command in DECLARED]


@pytest.fixture
def rem(monkeypatch, tmp_path):
    """Runs `rem` with arguments, in tmp_path, and gives its exit status."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["rem", *map(str, arguments)])
        return main()

    return call


def assert_one_line(capfd, *parts):
    """On stderr, and nothing on stdout."""
    out, error = capfd.readouterr()
    assert out == ""
    assert error.startswith("rem: ")
    assert error.count("\n") == 1
    assert error.endswith("\n")
    for part in parts:
        assert part in error


def made_run(folder, run):
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(to_yaml(run), encoding="utf-8")
    return folder / "run.yaml"


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_of_every_command(rem, capsys, command):
    with pytest.raises(SystemExit) as raised:
        rem(*(command or []), "--help")
    assert raised.value.code == 0
    assert f"usage: rem {' '.join(command or [])}".strip() in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["reproduce"], ["train"], ["choose-levels", "a.csv", "--tolerance", "none"]])
def test_wrong_usage_is_exit_status_2(rem, arguments):
    with pytest.raises(SystemExit) as raised:
        rem(*arguments)
    assert raised.value.code == 2


def test_the_module_runs_as_a_program_and_its_status_is_the_commands(tmp_path):
    command = [
        sys.executable,
        "-m",
        "rem",
        "choose-levels",
        tmp_path / "levels.csv",
        "--couplings",
        tmp_path / "none.h5",
    ]
    done = subprocess.run(
        [*command, "--tolerance", "0", "--authors-levels", "11"], cwd=tiny.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"rem: {tmp_path / 'none.h5'} is missing; run the command that makes it")
    assert done.stderr.count("\n") == 1


def test_help_waits_for_no_heavy_package():
    code = "import sys, rem.__main__ as m; m.parser(''); print(*({'torch', 'pandas', 'seaborn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tiny.ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "")


def test_sources_lists_data_and_then_weights(rem, capsys):
    assert rem("sources") == 0
    data, weights = capsys.readouterr().out.split("\n\n")
    assert "mnist: 60,000 + 10,000 handwritten digits" in data
    assert "resnet18" not in data
    assert "resnet18: ResNet-18 trained on ImageNet" in weights


def test_fetch_gets_weights_too(rem, tmp_path, capfd):
    assert rem("fetch", "resnet18", tmp_path / "others.pth") == 1
    assert_one_line(capfd, "the weights of resnet18 have no file 'others.pth'")


def test_schema_prints_the_schema(rem, capsys):
    assert rem("schema") == 0
    assert json.loads(capsys.readouterr().out) == config_schema()


def test_compact_prints_the_table_that_it_writes(rem, prepared, tmp_path, capsys):
    run = tiny.run("blocks")
    save_checkpoint(tmp_path / "last.pt", build(run, torch.device("cpu")).state_dict(), run, 1)
    assert rem("compact", "last.pt", "compact.pt", "--data", prepared, "--device", "cpu") == 0
    printed = capsys.readouterr().out
    assert "| Parameters " in printed
    assert printed == (tmp_path / "compact-costs.md").read_text(encoding="utf-8")


# Mistakes


def test_an_unknown_key_in_run_yaml_is_one_line(rem, prepared, tmp_path, capfd):
    path = made_run(tmp_path / "run", tiny.run())
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["training"]["epoch"] = 3
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert rem("train", path, "--data", prepared, "--device", "cpu") == 1
    assert_one_line(capfd, "run.yaml: unknown key training.epoch; the keys valid there are epochs, patience")


def test_missing_files_are_one_line(rem, prepared, tmp_path, capfd):
    path = made_run(tmp_path / "run", tiny.run())
    assert rem("train", tmp_path / "none.yaml", "--data", prepared) == 1
    assert_one_line(capfd, "none.yaml")
    assert rem("train", path, "--data", tmp_path / "none.h5", "--device", "cpu") == 1
    assert_one_line(capfd, "none.h5")
    for folder in (tmp_path, tmp_path / "none"):
        checkpoint = ["--checkpoints", folder, "--files", "last.val", "--maximum-levels", 3]
        assert rem("couplings", tmp_path, *checkpoint, "--data", prepared, "--device", "cpu") == 1
        assert_one_line(capfd, f"{folder} has no checkpoint last.pt; train first")


def test_a_wrong_source_is_one_line(rem, tmp_path, capfd):
    settings = tmp_path / "data.yaml"
    settings.write_text(to_yaml(tiny.run(data={"source": "svhn"}).data), encoding="utf-8")
    assert rem("prepare", settings, tmp_path / "out.h5") == 1
    assert_one_line(capfd, "svhn")
    assert not (tmp_path / "out.h5").exists()


def test_a_loss_that_is_not_finite_is_one_line(rem, prepared, tmp_path, capfd):
    path = made_run(tmp_path / "run", tiny.run(training={"learning_rate": 1e30}))
    assert rem("train", path, "--data", prepared, "--device", "cpu") == 1
    assert_one_line(capfd, "thirds, baseline, seed 42", "learning_rate")


@pytest.mark.parametrize("command", ["train", "couplings"])
def test_cuda_without_a_gpu_is_a_mistake(rem, prepared, tmp_path, monkeypatch, capfd, command):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    path = made_run(tmp_path / "run", tiny.run())
    rest = ["--checkpoints", ".", "--files", "a.val", "--maximum-levels", 3] if command == "couplings" else []
    assert rem(command, path, "--data", prepared, "--device", "cuda", *rest) == 1
    assert_one_line(capfd, "no GPU can be used; set device to auto or cpu")
    assert [file.name for file in path.parent.iterdir()] == ["run.yaml"]


def test_faults_of_the_program_are_not_hidden(rem, monkeypatch):
    def fault():
        raise ZeroDivisionError

    monkeypatch.setattr("rem.settings.schema.config_schema", fault)
    with pytest.raises(ZeroDivisionError):
        rem("schema")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            OSError(28, "No space left on device", "a.csv"),
            "a.csv cannot be written: no space left on device; make room",
        ),
        (OSError(12, "Cannot allocate memory", "a.csv"), "a.csv cannot be written: cannot allocate memory; run fewer"),
        (RuntimeError("std::bad_alloc"), "memory ran out; run fewer jobs at once (--cores), or lower training.batch"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "memory ran out; run fewer jobs"),
        (
            RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors"),
            "the GPU failed (CUDA error: unsp",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "; lower training.batch_size"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "then give the same command again: what is done"),
    ],
)
def test_a_full_disk_and_a_failed_gpu_are_one_line(rem, monkeypatch, capfd, fault, line):
    def fails(*arguments):
        raise fault

    monkeypatch.setattr("rem.trees.levels.choose_levels", fails)
    assert rem("choose-levels", "levels.csv", "--couplings", "a.h5", "--tolerance", 0, "--authors-levels", 11) == 1
    assert_one_line(capfd, line)


@pytest.mark.parametrize(
    "fault", [OSError(5, "Input/output error"), RuntimeError("shapes do not match"), ImportError("no x")]
)
def test_other_errors_of_files_and_tensors_are_not_hidden(rem, monkeypatch, fault):
    def fails(*arguments):
        raise fault

    monkeypatch.setattr("rem.trees.levels.choose_levels", fails)
    with pytest.raises(type(fault)):
        rem("choose-levels", "levels.csv", "--couplings", "a.h5", "--tolerance", 0, "--authors-levels", 11)


# The chain


def test_prepare_writes_the_dataset_of_the_settings(rem, tmp_path):
    (tmp_path / "data.yaml").write_text(
        to_yaml(
            tiny.run(
                data={
                    "channels": 3,
                    "view": "resize",
                    "validation": 4,
                    "generate": [10, 6],
                    "mean": [0.5] * 3,
                    "std": [0.25] * 3,
                }
            ).data
        ),
        encoding="utf-8",
    )
    assert rem("prepare", tmp_path / "data.yaml", tmp_path / "out.h5") == 0
    with h5py.File(tmp_path / "out.h5") as file:
        assert {name: file[name]["images"].shape for name in file} == {
            "train": (6, 3, 19, 19),
            "val": (4, 3, 19, 19),
            "test": (6, 3, 19, 19),
        }


def test_the_chain_from_training_to_metrics(rem, prepared, tmp_path, capfd):
    models, files, levels = tmp_path / "models", tmp_path / "couplings", tmp_path / "levels.csv"
    computing = ["--data", prepared, "--device", "cpu", "--threads", 1]
    run = made_run(models, tiny.run("rem", training={"epochs": 2}))
    assert rem("train", run, *computing, "--keep-every", 1) == 0

    names = ["best.test", "last.test", "last.val"]
    more = ["--files", *names, "--maximum-levels", 6]
    assert rem("couplings", files, "--checkpoints", models, *more, *computing) == 0
    assert sorted(path.name for path in files.glob("[!.]*")) == [f"{name}.h5" for name in names]

    searched = ["--tolerance", 100, "--authors-levels", 6]
    assert rem("choose-levels", levels, "--couplings", files / "last.val.h5", *searched) == 0
    chosen = pd.read_csv(levels)
    assert chosen["levels"].tolist() == [2, 3, 4, 5, 6]

    entropies = tmp_path / "entropy.csv"
    trees = ["--folder", tmp_path / "dictionaries", "--couplings", files / "last.test.h5"]
    assert rem("entropy", entropies, *trees, "--levels", levels, "--swept", "last.test") == 0
    shared = chosen.loc[chosen["shared"], "levels"].item()
    assert pd.read_csv(entropies)["levels"].unique().tolist() == [shared, 6]
    assert [path.name for path in (tmp_path / "dictionaries").glob("[!.]*.*")] == ["last.test.h5"]
    sweep = tmp_path / "dictionaries/sweep/last.test.csv"
    assert pd.read_csv(sweep)["levels"].tolist() == [2, 3, 4, 5, 6]

    inputs = ["--couplings", files / "last.test.h5", "--entropies", entropies, "--levels", levels]
    inputs += ["--sweeps", sweep]
    assert rem("metrics", tmp_path / "metrics.csv", *inputs) == 0
    assert {"accuracy", "entropy", "sparsity", "shared_levels"} <= set(pd.read_csv(tmp_path / "metrics.csv")["metric"])

    measured = ["--metrics", tmp_path / "metrics.csv", "--runs", run]
    probed = tmp_path / "probe.csv"
    asked = ["--checkpoint", models / "last.pt", "--splits", "val", "test", "--levels", levels]
    assert rem("probe", probed, *asked, *computing) == 0
    assert pd.read_csv(probed)["split"].unique().tolist() == ["val", "test"]
    assert rem("probes", tmp_path, "--probes", probed, *measured) == 0
    for figure, further in (("frontier", []), ("interventions", ["--levels", levels])):
        assert rem("figure", figure, tmp_path / figure, tmp_path / "probes.csv", run, *further) == 0
        assert (tmp_path / f"{figure}.svg").stat().st_size > 10_000
    drawn = ["--images", tmp_path / "images.csv"]
    assert rem("resample", drawn[1], "--dictionaries", tmp_path / "dictionaries/last.test.h5") == 0
    assert rem("paired", tmp_path / "tables", *measured, *drawn) == 0
    assert pd.read_csv(tmp_path / "tables/paired.csv").empty  # one network has none to differ from
    assert rem("controls", tmp_path / "tables", *measured) == 0
    assert pd.read_csv(tmp_path / "tables/table_controls.csv")["levels"].tolist() == [shared, 6]
    published = ["--published", tiny.ROOT / "config/published.yaml"]
    told = ["--dataset", tiny.run().dataset, "--name", "trial"]
    assert rem("tables", tmp_path / "tables", *measured, *published, *told) == 0
    assert pd.read_csv(tmp_path / "tables/table5.csv")["levels"].tolist() == [shared, 6]
    assert rem("claims", tmp_path / "tables", *measured, *drawn, *told) == 0
    assert set(pd.read_csv(tmp_path / "tables/claims.csv")["claim_verdict"]) == {
        "not measured",
        "not decidable at this scale",  # one network decides nothing
    }

    epochs = tmp_path / "epochs"
    more = ["--files", "*.test", "--maximum-levels", 6]
    assert rem("couplings", epochs, "--checkpoints", models / "epochs", *more, *computing) == 0
    assert sorted(path.name for path in epochs.glob("[!.]*")) == ["epoch0001.test.h5", "epoch0002.test.h5"]
    assert rem("trajectory", tmp_path / "trajectory.csv", "--couplings", epochs, "--levels", levels) == 0
    trajectory = pd.read_csv(tmp_path / "trajectory.csv")
    assert trajectory["epoch"].tolist() == [1, 2]
    assert trajectory["levels"].tolist() == [shared, shared]

    figure = ["fig5", tmp_path / "fig5", tmp_path / "trajectory.csv", run]
    assert rem("figure", *figure) == 0
    tables = [tmp_path / f"tables/{name}.csv" for name in ("table5", "table6", "paired", "paper_vs_ours")]
    shown = ["--tables", *tables, "--figures", tmp_path / "fig5.svg", *measured]
    shown += ["--claims", tmp_path / "tables/claims.csv"]
    assert rem("report", tmp_path / "report.html", *shown, "--timings", tmp_path / "none", "--name", "trial") == 0
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "There are no timings" in report
    assert "all with the SHA-256" in report

    capfd.readouterr()
    assert rem("trace", tmp_path / "trajectory.csv") == 0
    out = capfd.readouterr().out
    assert f"rem trajectory {tmp_path / 'trajectory.csv'} --couplings" in out.replace("\n" + " " * 8, "")
    assert "4 files by 1 rem train, revision" in out  # best.pt and last.pt, from which K was chosen, and two epochs
    assert "all of them are as recorded" in out
    with h5py.File(prepared, "a") as file:
        file.attrs["class_names"] = ["other"] * 3
    assert rem("trace", tmp_path / "trajectory.csv") == 1
    error = capfd.readouterr().err
    assert error.startswith(f"rem: {prepared} has changed since {models}/")
    assert error.count("\n") == 1


def test_a_run_is_trained_as_sparse_as_the_one_it_follows(rem, prepared, tmp_path):
    computing = ["--data", prepared, "--device", "cpu"]
    magnitude = {"penalty": 0, "extent": "follow", "follows": "rem"}
    followed = made_run(tmp_path / "rem", tiny.run("rem", training={"epochs": 2}))
    follower = made_run(tmp_path / "magnitude", tiny.run("rem", training={"epochs": 2}, pruning=magnitude))
    assert rem("train", followed, *computing) == 0
    assert rem("train", follower, *computing, "--followed", tmp_path / "rem" / "history.csv") == 0
    histories = [pd.read_csv(run.parent / "history.csv") for run in (followed, follower)]
    assert histories[1]["sparsity"].tolist() == pytest.approx(histories[0]["sparsity"].tolist(), abs=0.1)


def test_a_run_that_follows_another_asks_for_its_history_in_one_line(rem, prepared, tmp_path, capfd):
    magnitude = {"penalty": 0, "extent": "follow", "follows": "rem"}
    run = made_run(tmp_path / "magnitude", tiny.run("rem", pruning=magnitude))
    assert rem("train", run, "--data", prepared, "--device", "cpu") == 1
    assert_one_line(capfd, "pruning.follows is rem; give that run's history.csv by --followed")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_training_on_a_gpu_is_repeatable_and_its_networks_load_without_one(rem, prepared, tmp_path):
    weights = []
    for name in ("one", "other"):
        run = made_run(tmp_path / name, tiny.run("rem", training={"epochs": 2}))
        assert rem("train", run, "--data", prepared, "--device", "cuda") == 0
        saved = ["--checkpoints", run.parent, "--files", "last.val", "--maximum-levels", 3]
        assert rem("couplings", run.parent, *saved, "--data", prepared, "--device", "cuda") == 0
        weights.append(load_checkpoint(run.parent / "last.pt", torch.device("cpu")).model.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_an_interruption_is_one_sentence_and_exit_status_130(rem, monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("rem.trees.levels.choose_levels", interrupted)
    assert rem("choose-levels", "levels.csv", "--couplings", "a.h5", "--tolerance", 0, "--authors-levels", 11) == 130
    assert capsys.readouterr().err == "rem: interrupted; give the same command again to go on.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["couplings", "runs", "folder", "--maximum-levels", "300"], "300 is not 2 to 256"),
        (["couplings", "runs", "folder", "--maximum-levels", "1"], "1 is not 2 to 256"),
        (["train", "run.yaml", "--data", "a.h5", "--threads", "0"], "0 is not 1 to 1024"),
        (["train", "run.yaml", "--data", "a.h5", "--threads", str(2**31)], f"{2**31} is not 1 to 1024"),
        (["choose-levels", "a.csv", "--tolerance", "-1"], "-1 is not a number of 0 or more"),
        (["choose-levels", "a.csv", "--tolerance", "nan"], "nan is not a number of 0 or more"),
        (["choose-levels", "a.csv", "--tolerance", "inf"], "inf is not a number of 0 or more"),
        (["train", "run.yaml", "--data", "a.h5", "--threads", "two"], "invalid integer value: 'two'"),
        (["estimate", "config.yaml", "--cores", "-2"], "-2 is not 1 or more"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_runs(rem, capsys, arguments, said):
    with pytest.raises(SystemExit) as raised:
        rem(*arguments)
    assert raised.value.code == 2
    assert said in capsys.readouterr().err


def test_a_reader_that_stops_reading_ends_a_command_without_a_word():
    command = f"{sys.executable} -m rem schema | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tiny.ROOT, check=True)
    assert done.stdout.split() == ["141"]
    assert done.stderr == ""

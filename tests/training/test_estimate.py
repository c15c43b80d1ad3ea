"""What is told before a config runs: what is to fetch, what to train, and how long that takes."""

import pytest
import tiny
import torch

from rem.training import estimate
from rem.training.estimate import Cost, told, training_seconds

CPU = torch.device("cpu")


@pytest.fixture
def costs(monkeypatch):
    """A step of every network takes a second, a pass of a batch a tenth."""
    monkeypatch.setattr(estimate, "_cost", lambda run, device: Cost(1.0, 0.1))


@pytest.fixture
def laptop(tmp_path, monkeypatch):
    """The laptop's config in a folder where nothing has run."""
    monkeypatch.chdir(tmp_path)
    return tiny.shipped_config("laptop")


def test_an_epoch_is_its_steps_one_validation_pass_and_five_of_the_search(costs, laptop):
    steps, batches = -(-54_500 // 128), 5_500 / 128
    baseline, rem = (training_seconds(laptop.run("mnist", variant, 42), CPU) for variant in ("baseline", "rem"))
    assert baseline == pytest.approx(20 * (steps + batches * 0.1))
    assert rem == pytest.approx(20 * (steps + 6 * batches * 0.1))


def test_a_search_for_connections_counts_as_one_of_weights(costs, laptop):
    searching, plain = (training_seconds(laptop.run("mnist", variant, 42), CPU) for variant in ("blocks", "baseline"))
    assert searching - plain == pytest.approx(20 * 5 * 5_500 / 128 * 0.1)


def test_where_the_test_images_validate_all_others_are_trained_on(costs):
    run = tiny.shipped_config("paper").run("expanded-mnist", "rem", 42)
    batch = run.training.batch_size
    expected = run.training.epochs * (-(-60_000 // batch) + 6 * 10_000 / batch * 0.1)
    assert training_seconds(run, CPU) == pytest.approx(expected)


def test_networks_that_are_trained_and_files_that_are_there_are_left_out(costs, laptop, tmp_path):
    before = told(laptop, 2, None, CPU).splitlines()
    assert before[0].startswith("to fetch: 4 files of mnist from https://")
    assert "to train: 24 of 24 networks" in before
    for name in ("data/raw/mnist/train-images-idx3-ubyte.gz", "results/laptop/models/mnist/rem/seed42/last.pt"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    after = told(laptop, 2, "/mirror", CPU).splitlines()
    assert after[0] == "to fetch: 3 files of mnist from /mirror/mnist/"
    assert "to train: 23 of 24 networks" in after
    (row,) = (line.split() for line in after if line.startswith("mnist") and " rem " in line)
    assert row[2] == "2"


def test_the_hours_are_divided_by_the_trainings_that_run_side_by_side(costs, laptop):
    def hours(cores):
        (line,) = (line for line in told(laptop, cores, None, CPU).splitlines() if "hours of training" in line)
        return float(line.split()[1])

    assert hours(1) == pytest.approx(4 * hours(4), abs=0.2)


def test_on_gpus_as_many_run_side_by_side_as_a_gpu_has_slots(costs, laptop):
    shared = laptop.model_copy(update={"slots_per_gpu": 4})
    assert "of training, 4 at a time;" in told(shared, 8, None, torch.device("cuda"))
    assert "of training, 1 at a time;" in told(laptop, 8, None, torch.device("cuda"))


def test_images_of_the_repository_are_restored_and_not_fetched(costs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = told(tiny.shipped_config("sample"), 2, None, CPU).splitlines()
    assert lines[0] == "missing, though in git: data/sample/mnist; give git checkout data/sample/mnist"
    assert not any(line.startswith("to fetch") for line in lines)


def test_a_step_of_a_real_network_takes_longer_than_a_pass():
    run = tiny.run("rem")
    cost = estimate._cost(run, CPU)
    assert 0 < cost.forward < cost.step


def test_images_of_ones_own_are_not_counted_beforehand(costs):
    run = tiny.run("baseline")
    assert (
        training_seconds(run.model_copy(update={"data": run.data.model_copy(update={"source": "folder"})}), CPU) is None
    )


def test_images_of_chosen_viewpoints_are_not_counted_beforehand(costs):
    paper = tiny.shipped_config("paper")
    assert training_seconds(paper.run("smallnorb", "baseline", 42), CPU) > 0
    assert training_seconds(paper.run("smallnorb-azimuth", "baseline", 42), CPU) is None
    assert training_seconds(tiny.shipped_config().run("shapes-poses", "baseline", 42), CPU) > 0

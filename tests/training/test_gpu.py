"""What must hold on a GPU; skipped where there is none."""

import warnings

import pytest
import tiny
import torch

from rem.data.batches import Split
from rem.networks.build import build
from rem.training.train import train
from rem.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.write_prepared(tmp_path_factory.mktemp("data") / "prepared.h5")


def test_a_gpu_trains_as_the_processor_does(data, tmp_path):
    histories = []
    for device in ("cpu", "cuda"):
        training = Trainer(tiny.run("rem"), data, torch.device(device))
        training.run_epoch()
        histories.append(training.history[0])
    for name in ("train_loss", "validation_loss"):
        assert histories[1][name] == pytest.approx(histories[0][name], rel=0.02)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_whole_training_leaves_every_file(data, tmp_path, precision):
    train(tiny.run("rem", training={"precision": precision}), data, tmp_path, torch.device("cuda"))
    assert {path.name for path in tmp_path.iterdir()} >= {"first.pt", "best.pt", "early.pt", "last.pt", "history.csv"}


def test_convolutions_have_the_channels_last_and_the_capsules_weights_do_not():
    model = build(tiny.run(), torch.device("cuda"))
    assert model.primary.weight.is_contiguous(memory_format=torch.channels_last)
    assert model.weight.is_contiguous()


def test_within_an_epoch_the_processor_never_waits_for_the_gpu(data):
    training = Trainer(tiny.run("rem"), data, torch.device("cuda"))
    training._fit(0.01, 0.01)  # allocates, and chooses kernels

    def waits(images: int) -> int:
        part = Split(training.train.images[:images], training.train.labels[:images])
        whole, training.train = training.train, part
        torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            training._fit(0.01, 0.01)
        torch.cuda.set_sync_debug_mode("default")
        training.train = whole
        return sum("synchroniz" in str(warning.message) for warning in caught)

    assert waits(32) == waits(16)  # two batches wait no more often than one: only the epoch's end does

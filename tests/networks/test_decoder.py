"""The reconstruction network: its masking, its shape, its loss."""

import numpy as np
import pandas as pd
import pytest
import tiny
import torch

import rem.training.trainer
from rem.data.batches import epoch_batches
from rem.errors import RemError
from rem.networks.build import build
from rem.networks.decoder import Decoder, perturb
from rem.networks.losses import reconstruction_losses
from rem.pruning.masks import Masks
from rem.training.checkpoints import load_checkpoint, load_tensors
from rem.training.train import train

CPU = torch.device("cpu")
WITH_DECODER = {"hidden": [12], "weight": 0.0005, "pixels": "raw"}


def tiny_decoder(hidden=(6, 7)) -> Decoder:
    torch.manual_seed(0)
    return Decoder(classes=3, dimensions=4, hidden=hidden, channels=2, size=5).double()


def poses(count=4) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(0).normal(size=(count, 3, 4)))


def test_it_follows_its_definition_in_numpy():
    decoder, shown = tiny_decoder(), [2, 0, 1, 1]
    found = decoder(poses(), torch.tensor(shown)).detach().numpy()
    weights = [parameter.detach().numpy() for parameter in decoder.parameters()]
    for image, pose, j in zip(found, poses().numpy(), shown, strict=True):
        x = np.zeros(12)
        x[4 * j : 4 * j + 4] = pose[j]
        for weight, bias in (weights[0:2], weights[2:4]):
            x = np.maximum(weight @ x + bias, 0)
        pixels = 1 / (1 + np.exp(-(weights[4] @ x + weights[5])))
        np.testing.assert_allclose(image, pixels.reshape(2, 5, 5), atol=1e-12)


def test_only_the_pose_of_the_class_shown_matters():
    decoder, changed = tiny_decoder(), poses()
    changed[:, [0, 2]] += 1
    shown = torch.ones(4, dtype=torch.int64)
    assert torch.equal(decoder(poses(), shown), decoder(changed, shown))
    changed[:, 1] += 1
    assert not torch.equal(decoder(poses(), shown), decoder(changed, shown))


def test_the_decoder_of_sabour_et_al_has_its_size():
    decoder = Decoder(classes=10, dimensions=16, hidden=[512, 1024], channels=1, size=28)
    assert sum(parameter.numel() for parameter in decoder.parameters()) == 1_411_344


@pytest.mark.parametrize("hidden", [(), (3,), (3, 4, 5)])
def test_any_number_of_layers(hidden):
    assert tiny_decoder(hidden)(poses(), torch.tensor([0, 1, 2, 0])).shape == (4, 2, 5, 5)


def test_reconstruction_loss_sums_squared_errors_of_an_image():
    draw = np.random.default_rng(1)
    one, other = draw.normal(size=(2, 3, 2, 5, 5))
    expected = [sum((a - b) ** 2 for a, b in zip(x.flat, y.flat, strict=True)) for x, y in zip(one, other, strict=True)]
    assert reconstruction_losses(torch.tensor(one), torch.tensor(other)).tolist() == pytest.approx(expected)


def test_perturbed_poses_are_moved_along_one_dimension():
    decoder, offsets, shown = tiny_decoder(), torch.tensor([-0.5, 0.0, 0.25], dtype=torch.float64), torch.tensor([2, 0])
    found = perturb(decoder, poses(2), shown, offsets)
    assert found.shape == (2, 4, 3, 2, 5, 5)
    for n, d, o in np.ndindex(2, 4, 3):
        moved = poses(2)[n : n + 1]
        moved[0, shown[n], d] += offsets[o]
        torch.testing.assert_close(found[n, d, o], decoder(moved, shown[n : n + 1])[0])


# Trained with the network


def history(folder):
    return pd.read_csv(folder / "history.csv")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.write_prepared(tmp_path_factory.mktemp("data") / "prepared.h5")


@pytest.fixture(scope="module", params=["baseline", "rem"])
def trained(request, data, tmp_path_factory):
    """The settings and the folder of a run with decoder."""
    run, folder = tiny.run(request.param, decoder=WITH_DECODER), tmp_path_factory.mktemp(request.param)
    train(run, data, folder, CPU)
    return run, folder


def test_the_decoder_is_trained_with_the_network_and_stored_with_it(trained):
    run, folder = trained
    first, last = (load_checkpoint(folder / f"{name}.pt", CPU).model for name in ("first", "last"))
    assert run.decoder.hidden == [12]
    assert all(
        not torch.equal(a, b) for a, b in zip(first.decoder.parameters(), last.decoder.parameters(), strict=True)
    )
    errors = history(folder)["reconstruction_loss"]
    assert errors.iloc[-1] < errors.iloc[0]


def test_the_decoder_is_not_pruned(trained):
    run, folder = trained
    model = load_checkpoint(folder / "last.pt", CPU).model
    assert all((parameter != 0).all() for parameter in model.decoder.parameters())
    prunable = {id(parameter) for parameter in Masks(model, ["convolution", "primary", "class"]).parameters}
    others = {id(parameter) for parameter in model.parameters()} - prunable
    assert others == {id(parameter) for parameter in model.decoder.parameters()}
    if run.variant == "rem":
        assert history(folder)["sparsity"].iloc[-1] > 0


def test_the_losses_are_told_apart(trained):
    """The margin loss is near that of training without decoder; the reconstruction loss is larger by far."""
    rows = history(trained[1])
    assert (rows["train_loss"] < 1).all()
    assert (rows["reconstruction_loss"] > 1).all()


def test_the_decoder_bends_the_network_below_it(trained, data, tmp_path):
    run, folder = trained
    train(run.model_copy(update={"decoder": None}), data, tmp_path, CPU)
    assert "reconstruction_loss" not in history(tmp_path)
    alone, both = (load_tensors(path / "first.pt", CPU)["model"]["weight"] for path in (tmp_path, folder))
    assert not torch.equal(alone, both)


def test_normalized_pixels_give_another_loss(trained, data, tmp_path):
    run, folder = trained
    train(tiny.run(run.variant, decoder=WITH_DECODER | {"pixels": "normalized"}), data, tmp_path, CPU)
    assert history(tmp_path)["reconstruction_loss"].iloc[0] > 2 * history(folder)["reconstruction_loss"].iloc[0]


def test_an_interrupted_training_goes_on_with_the_decoder(trained, data, tmp_path, monkeypatch):
    run, folder = trained
    epochs = []

    def interrupted(*arguments):
        epochs.append(1)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return epoch_batches(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(rem.training.trainer, "epoch_batches", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(run, data, tmp_path, CPU)
    assert (tmp_path / "state.pt").exists()
    train(run, data, tmp_path, CPU)
    pd.testing.assert_frame_equal(history(tmp_path), history(folder), check_exact=True)
    one, other = (load_tensors(path / "last.pt", CPU)["model"] for path in (tmp_path, folder))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("decoder", [{"hidden": [0]}, {"weight": 0}, {"pixels": "grey"}, {"layers": 3}])
def test_settings_out_of_range_are_refused(decoder):
    with pytest.raises(RemError, match="decoder"):
        tiny.run(decoder=WITH_DECODER | decoder)


def test_a_run_without_decoder_has_none():
    assert build(tiny.run(), CPU).decoder is None

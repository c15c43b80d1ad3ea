"""The reconstruction network: its masking, its shape, its loss."""

import numpy as np
import pytest
import torch

from rem.decoder import Decoder
from rem.losses import reconstruction_losses


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

"""Adam's step, against torch's class, and what a training does not wait for."""

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from rem.training.adam import Adam

PROGRAM = """
import sys
from pathlib import Path
import tiny, torch
from rem.training.train import train
folder = Path(sys.argv[1])
train(tiny.run("rem", training={"epochs": 1}), tiny.write_prepared(folder / "data.h5"), folder, torch.device("cpu"))
print("torch._dynamo" in sys.modules)
"""


def network():
    torch.manual_seed(4)
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(27, 4))
    layers[0].bias.requires_grad_(False)
    return layers


def step(optimizer, layers, number, *arguments):
    draw = torch.Generator().manual_seed(number)
    loss = layers(torch.randn(2, 1, 5, 5, generator=draw)).square().sum()
    if isinstance(optimizer, Adam):
        optimizer.backward(loss)
    else:
        optimizer.zero_grad()
        loss.backward()
    optimizer.step(*arguments)


def weights(layers):
    return torch.cat([parameter.detach().flatten() for parameter in layers.parameters()])


def test_it_is_torchs_to_the_bit_at_a_rate_that_falls():
    ours, theirs = network(), network()
    adam, reference = Adam(ours.parameters()), torch.optim.Adam(theirs.parameters(), fused=True)
    for number in range(5):
        reference.param_groups[0]["lr"] = 0.1 * 0.9**number
        step(reference, theirs, number)
        step(adam, ours, number, 0.1 * 0.9**number)
    assert torch.equal(weights(ours), weights(theirs))
    assert torch.equal(ours[0].bias, network()[0].bias)


def test_what_a_loss_does_not_depend_on_has_a_gradient_of_0_and_stays():
    layers = network()
    adam, before = Adam(layers.parameters()), layers[2].weight.detach().clone()
    step(adam, layers, 0, 0.1)
    moved = layers[2].weight.detach().clone()
    adam.backward(layers[0](torch.ones(1, 1, 5, 5)).sum())
    assert not layers[2].weight.grad.any()
    assert layers[0].weight.grad.any()
    assert layers[0].bias.grad is None  # it requires none
    assert not torch.equal(moved, before)
    fresh = network()
    alone = Adam(fresh.parameters())
    alone.backward(fresh[0](torch.ones(1, 1, 5, 5)).sum())
    alone.step(0.1)
    assert torch.equal(fresh[2].weight, before)
    assert not torch.equal(fresh[0].weight, network()[0].weight)


def test_it_goes_on_from_a_state(tmp_path):
    layers = network()
    adam = Adam(layers.parameters())
    step(adam, layers, 0, 0.1)
    torch.save([layers.state_dict(), adam.state()], tmp_path / "state.pt")
    step(adam, layers, 1, 0.1)
    other = network()
    parameters, state = torch.load(tmp_path / "state.pt", weights_only=True)
    other.load_state_dict(parameters)
    resumed = Adam(other.parameters())
    resumed.resume(state)
    step(resumed, other, 1, 0.1)
    assert torch.equal(weights(other), weights(layers))


def test_a_training_waits_for_no_compiler(tmp_path):
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(tests)!r}){PROGRAM}", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "False"

"""LOBSTER, the decay of Eq. 16, and the plain decay it is compared with."""

import math

import numpy as np
import pytest
import reference
import torch
from prunable import loss_of, tiny_network

from rem.errors import RemError
from rem.pruning.lobster import insensitivity, lobster, weight_decay


def test_lobster_agrees_with_the_reference():
    draw = np.random.default_rng(0)
    shapes = [(3, 4), (5,), (2, 2, 2)]
    parameters = [torch.nn.Parameter(torch.tensor(draw.normal(size=shape))) for shape in shapes]
    for parameter in parameters:
        parameter.grad = torch.tensor(draw.normal(size=parameter.shape))
    expected = [
        [
            reference.lobster_decay(w, g, 0.3)
            for w, g in zip(p.flatten().tolist(), p.grad.flatten().tolist(), strict=True)
        ]
        for p in parameters
    ]
    gradients = [parameter.grad.clone() for parameter in parameters]
    lobster(iter(parameters), 0.3)
    for parameter, values, gradient in zip(parameters, expected, gradients, strict=True):
        assert parameter.detach().flatten().tolist() == pytest.approx(values, abs=1e-15)
        assert torch.equal(parameter.grad, gradient)  # the optimiser's gradient is left alone


def test_a_parameter_the_loss_feels_strongly_is_not_decayed():
    parameter = torch.nn.Parameter(torch.tensor([2.0, -2.0, 2.0]))
    parameter.grad = torch.tensor([1.0, -5.0, 0.5])
    lobster([parameter], 0.1)
    assert parameter.tolist() == pytest.approx([2.0, -2.0, 1.9])


def test_an_insensitive_parameter_shrinks_by_the_sum_of_the_penalties():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -3.0], dtype=torch.float64))
    parameter.grad = torch.zeros(2, dtype=torch.float64)
    for _ in range(1000):
        lobster([parameter], 1e-3)
    assert parameter.tolist() == pytest.approx([math.exp(-1), -3 * math.exp(-1)], rel=1e-3)


def test_a_penalty_of_zero_changes_nothing():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -3.0]))
    parameter.grad = torch.tensor([0.1, 0.2])
    lobster([parameter], 0.0)
    assert parameter.tolist() == [1.0, -3.0]


@pytest.mark.parametrize("function", [lambda parameters: lobster(parameters, 0.1), insensitivity])
def test_a_missing_gradient_is_an_error_and_not_a_silent_skip(function):
    parameter = torch.nn.Parameter(torch.ones(3))
    with pytest.raises(RemError):
        function([parameter])


def test_insensitivity_is_the_mean_over_all_weights_however_they_are_laid_out():
    parameters = [torch.nn.Parameter(torch.ones(shape)) for shape in ((3, 1), (1,))]
    parameters[0].grad = torch.tensor([[0.0], [-0.5], [2.0]])  # 1, 1/2, 0
    parameters[1].grad = torch.tensor([0.25])  # 3/4
    assert float(insensitivity(iter(parameters))) == (1 + 0.5 + 0 + 0.75) / 4
    assert parameters[0].grad.flatten().tolist() == [0, -0.5, 2]


def test_biases_and_routing_bias_decay_like_weights():
    network = tiny_network()
    with torch.no_grad():
        network.routing_bias.fill_(0.1)
    loss_of(network).backward()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    lobster(network.parameters(), 0.5)
    for name, parameter in network.named_parameters():
        felt = parameter.grad.abs() >= 1
        assert (parameter.detach().abs() < before[name].abs())[~felt & (before[name] != 0)].all(), name


def test_weight_decay_shrinks_every_weight_alike_however_much_the_loss_feels_it():
    parameters = [torch.nn.Parameter(torch.tensor([2.0, -4.0])), torch.nn.Parameter(torch.tensor([8.0]))]
    parameters[0].grad = torch.tensor([0.0, 5.0])
    weight_decay(iter(parameters), 0.25)
    assert [parameter.tolist() for parameter in parameters] == [[1.5, -3.0], [6.0]]
    assert parameters[0].grad.tolist() == [0.0, 5.0]


def test_weight_decay_is_lobster_where_the_loss_feels_nothing():
    parameters = [torch.nn.Parameter(torch.linspace(-3, 3, 20)) for _ in range(2)]
    parameters[0].grad = torch.zeros(20)
    lobster(parameters[:1], 0.3)
    weight_decay(parameters[1:], 0.3)
    assert torch.allclose(*parameters, rtol=1e-6, atol=0)

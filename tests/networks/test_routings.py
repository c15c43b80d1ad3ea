"""Every routing against a slow reading of its paper, and what all of them must keep."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tiny
import torch
from reference_routings import SLOW
from tensors import assert_equal, finite_differences, random_tensor

from rem.networks.build import ROUTINGS
from rem.networks.routing import squash, votes
from rem.networks.routings.sda import bounded_votes
from rem.settings import network

BATCH, CAPSULES, CLASSES, DIMENSIONS, INPUTS = 2, 7, 3, 4, 5
every = pytest.mark.parametrize("name", sorted(ROUTINGS))
OF_CLASS = {"weight": 1, "routing_prior": 0, "routing_beta_u": 0, "routing_beta_a": 0}  # the axis of the classes
OF_CAPSULE = {"weight": 0, "routing_prior": 1}


def parameters_of(name):
    """Those of a routing, far from where they begin."""
    shapes = ROUTINGS[name].parameters(CAPSULES, CLASSES, DIMENSIONS, INPUTS)
    return {
        key: 0.7 * random_tensor(*value.shape, seed=seed) for seed, (key, value) in enumerate(sorted(shapes.items()), 5)
    }


def poses():
    """Of primary capsules, some of them short."""
    return 0.6 * random_tensor(BATCH, CAPSULES, INPUTS)


def routed(name, u=None, iterations=3, change=None, **changed):
    return ROUTINGS[name].route(poses() if u is None else u, iterations, change, **parameters_of(name) | changed)


def axis(name, key, places):
    """Where the classes or the capsules of a parameter are; None: nowhere."""
    if key == "routing_bias":
        of_self = {"class": 1, "capsule": 0}
        return of_self[places] if name == "self" else (0 if places == "class" else None)
    return (OF_CLASS if places == "class" else OF_CAPSULE).get(key)


def reordered(name, order, places):
    """The parameters with their classes or capsules in another order."""
    found = {}
    for key, value in parameters_of(name).items():
        where = axis(name, key, places)
        found[key] = value if where is None else value.index_select(where, torch.tensor(order))
    return found


def test_the_settings_know_every_routing():
    assert sorted(ROUTINGS) == network.ROUTINGS == sorted(SLOW)


@every
@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_a_routing_is_what_its_paper_says(name, iterations):
    found = routed(name, iterations=iterations)
    own = {key: value.numpy() for key, value in parameters_of(name).items()}
    expected = [SLOW[name](u, own, iterations) for u in poses().numpy()]
    for tensor, values in zip(found, zip(*expected, strict=True), strict=True):
        assert_equal(tensor, np.array(values), tolerance=1e-9)


@every
def test_a_change_is_made_to_the_last_couplings_alone(name):
    other = torch.softmax(random_tensor(BATCH, CLASSES, CAPSULES, seed=9), dim=1)
    lengths, class_poses, couplings = routed(name, change=lambda _: other)
    own = {key: value.numpy() for key, value in parameters_of(name).items()}
    expected = [SLOW[name](u, own, 3, used) for u, used in zip(poses().numpy(), other.numpy(), strict=True)]
    for tensor, values in zip((lengths, class_poses, couplings), zip(*expected, strict=True), strict=True):
        assert_equal(tensor, np.array(values), tolerance=1e-9)
    assert torch.equal(couplings, routed(name)[2])


@every
def test_couplings_of_a_capsule_are_positive_and_sum_to_1(name):
    couplings = routed(name)[2]
    assert couplings.shape == (BATCH, CLASSES, CAPSULES)
    assert (couplings > 0).all()
    torch.testing.assert_close(couplings.sum(dim=1), torch.ones(BATCH, CAPSULES, dtype=torch.float64))


@every
def test_lengths_are_between_0_and_1(name):
    lengths = routed(name)[0]
    assert ((lengths > 0) & (lengths < 1)).all()


@every
def test_relabelling_the_classes_relabels_all_three(name):
    order = [2, 0, 1]
    for found, expected in zip(routed(name, **reordered(name, order, "class")), routed(name), strict=True):
        torch.testing.assert_close(found, expected[:, order])


@every
def test_reordering_the_capsules_reorders_the_couplings_alone(name):
    order = [3, 1, 6, 0, 2, 5, 4]
    found = routed(name, poses()[:, order], **reordered(name, order, "capsule"))
    lengths, class_poses, couplings = routed(name)
    for tensor, expected in zip(found, (lengths, class_poses, couplings[:, :, order]), strict=True):
        torch.testing.assert_close(tensor, expected)


@every
def test_images_are_routed_independently(name):
    for found, expected in zip(routed(name, poses()[1:]), routed(name), strict=True):
        torch.testing.assert_close(found, expected[1:])


@every
def test_the_first_couplings_of_a_routing_that_iterates_are_uniform(name):
    couplings = routed(name, iterations=1)[2]
    assert ((couplings - 1 / CLASSES).abs().max() < 1e-12) == (ROUTINGS[name].iterates or name == "uniform")


@every
def test_iterations_matter_where_a_routing_says_so(name):
    once, thrice = routed(name, iterations=1)[0], routed(name, iterations=3)[0]
    assert torch.equal(once, thrice) != ROUTINGS[name].iterates


@every
def test_every_parameter_has_a_gradient(name):
    own = {key: value.requires_grad_() for key, value in parameters_of(name).items()}
    routed(name, **own)[0][0, 1].backward()
    assert all(value.grad.abs().sum() > 0 for value in own.values())


@pytest.mark.parametrize("name", ["em", "sda", "self", "attention"])
def test_gradients_flow_through_the_couplings_where_a_routing_says_so(name):
    start = parameters_of(name)["weight"]
    weight = start.clone().requires_grad_()
    routed(name, weight=weight)[0][0, 1].backward()
    at = start.numpy()

    def length(values):
        return float(routed(name, weight=torch.tensor(values))[0][0, 1])

    assert_equal(weight.grad, finite_differences(length, at), tolerance=1e-7)


@every
def test_sums_of_the_terms_that_couplings_weigh_make_the_class_capsules(name):
    """For any couplings: they need not sum to 1, as quantized ones do not, and may be 0."""
    others = torch.stack([routed(name)[2], random_tensor(BATCH, CLASSES, CAPSULES, seed=9).abs().round(decimals=1)])
    own, routing = parameters_of(name), ROUTINGS[name]
    sums = others.permute(1, 2, 0, 3) @ routing.terms(poses(), **own)  # (B, J, L, S)
    found = routing.of_sums(sums, poses(), 3, **own)
    for kind, used in enumerate(others):
        expected = routed(name, change=lambda _, used=used: used)[:2]
        torch.testing.assert_close((found[0][:, :, kind], found[1][:, :, kind]), expected)


@every
def test_a_routing_tells_agreement_where_it_is_the_squash_of_its_weighted_votes(name):
    own, (_, class_poses, couplings) = parameters_of(name), routed(name)
    seen = votes(own["weight"], poses())  # (B, J, I, D)
    sums = (couplings.unsqueeze(3) * seen).sum(dim=2)
    bias = own.get("routing_bias", torch.zeros(()))
    squashed = squash(sums + bias) if bias.shape in ((), sums.shape[1:]) else None
    alike = squashed is not None and squashed.shape == class_poses.shape and torch.allclose(squashed, class_poses)
    assert alike == (ROUTINGS[name].agreement is not None)
    if alike:
        expected = (seen * class_poses.unsqueeze(2)).sum(dim=3)
        torch.testing.assert_close(ROUTINGS[name].agreement(poses(), class_poses, **own), expected)


def test_a_small_variance_of_em_is_left_beside_large_votes():
    """Votes far from 0 and close together, in float32, in which the squares of such votes would lose it."""
    u, own = poses().float(), {key: value.float() for key, value in parameters_of("em").items()}
    own["weight"] = 1e-2 * own["weight"]
    own["weight"][..., 0] += 3.0
    u[..., 0] = 1.0
    used = routed("em", u, **own)[2]
    sums = used.double().unsqueeze(2) @ ROUTINGS["em"].terms(u, **own)
    lengths, mean = ROUTINGS["em"].of_sums(sums, u, 3, **own)
    assert lengths.dtype == mean.dtype == torch.float32
    torch.testing.assert_close((lengths[:, :, 0], mean[:, :, 0]), routed("em", u, **own)[:2])


def test_a_vote_of_scaled_distance_agreement_is_no_longer_than_its_capsule():
    seen, u = bounded_votes(5 * parameters_of("sda")["weight"], poses()), poses()
    torch.testing.assert_close(seen.norm(dim=3), u.norm(dim=2).unsqueeze(1).expand(-1, CLASSES, -1))


def test_em_clusters_the_votes_of_capsules_that_agree():
    """Capsules vote alike for class 0 and anyhow for class 1: they are coupled to class 0, which is the more active."""
    u = random_tensor(1, 40, 2).abs() + 0.2
    weight = random_tensor(40, 2, 3, 2, seed=1)
    agreed = torch.tensor([0.5, -0.2, 0.1]).double()
    weight[:, 0] = agreed[None, :, None] * u[0, :, None, :] / u[0].square().sum(dim=1)[:, None, None]  # W u = agreed
    zero = torch.zeros(2, dtype=torch.float64)
    lengths, class_poses, couplings = ROUTINGS["em"].route(
        u, 3, None, weight=weight, routing_beta_u=zero, routing_beta_a=zero
    )
    assert lengths[0, 0] > lengths[0, 1]
    assert (couplings[0, 0] > 0.99).all()
    torch.testing.assert_close(class_poses[0, 0], agreed)


def test_one_more_routing_is_a_file_and_an_entry(tmp_path):
    """In a copy of the package: the settings know it, and the network that is built routes by it."""
    shutil.copytree(tiny.ROOT / "rem", tmp_path / "rem", ignore=shutil.ignore_patterns("__pycache__"))
    routings, build = tmp_path / "rem/networks/routings", tmp_path / "rem/networks/build.py"
    (routings / "mean.py").write_text((routings / "uniform.py").read_text(encoding="utf-8"), encoding="utf-8")
    text = build.read_text(encoding="utf-8").replace("routings import attention,", "routings import mean, attention,")
    build.write_text(text.replace('"self": self', '"mean": mean.ROUTING,\n    "self": self'), encoding="utf-8")
    code = (
        "import tiny, torch; from rem.networks.build import build\n"
        "model = build(tiny.run(network={'routing': 'mean'}), torch.device('cpu'))\n"
        "print(model.routing.route.__module__, model(torch.zeros(1, 1, 19, 19))[2].unique().numel())"
    )
    path = os.pathsep.join([str(tmp_path), str(tiny.ROOT / "tests")])
    environment = os.environ | {"PYTHONPATH": path}
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert printed.split() == ["rem.networks.routings.mean", "1"]

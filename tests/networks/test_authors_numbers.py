"""What the public codes of the routings' papers return on fixed inputs: numbers alone, written down to seven digits.

Entry n of an input, counted from 1 with the last axis fastest, is scale * sin(step * n).
"""

import math

import torch

from rem.networks.routing import votes
from rem.networks.routings import attention, em, sda
from rem.networks.routings import self as self_routing
from rem.networks.spatial_routing import route_in_space, spatial_votes

CAPSULES, CLASSES, DIMENSIONS = 4, 3, 4


def wave(*shape, step, scale=1.0):
    count = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    return (scale * torch.sin(step * count)).view(shape)


def poses():
    return wave(2, CAPSULES, DIMENSIONS, step=1.7, scale=0.6)


def matrices():
    return wave(CAPSULES, CLASSES, DIMENSIONS, DIMENSIONS, step=0.9, scale=0.7)


def assert_near(found, expected, tolerance=1e-6):
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=tolerance, rtol=0)


def test_scaled_distance_agreement_of_one_capsule():
    """github.com/peerdavid/gamma-capsule-network, capsule/gamma_capsule_layer.py: `GammaCapsule`.

    Of one capsule in one image, for there the mean of the distances is over all capsules of a batch.
    """
    bias = wave(CLASSES, DIMENSIONS, step=0.4, scale=0.3)
    _, found, couplings = sda.route(poses()[:1, :1], 3, None, matrices()[:1], bias)
    assert_near(couplings[0, :, 0], [0.1634143, 0.8092469, 0.0273388])
    expected = [
        [0.0421191, 0.0714321, 0.1269324, 0.0870115],
        [0.2951556, -0.0418382, 0.1244482, -0.0104781],
        [-0.0543425, -0.0855655, -0.1171137, -0.1129421],
    ]
    assert_near(found[0], expected, tolerance=1e-5)  # another constant inside the squash's norm


def test_self_attention():
    """github.com/EscVM/Efficient-CapsNet, utils/layers.py: `FCCaps`."""
    prior = wave(CLASSES, CAPSULES, step=0.4, scale=0.3)
    lengths, found, couplings = attention.route(poses(), 1, None, matrices(), prior)
    assert_near(lengths, [[0.293529, 0.1834604, 0.098254], [0.298792, 0.5561587, 0.3711124]])
    assert_near(found[1, 1], [-0.3749711, 0.3353133, -0.2264188, 0.0707727])
    assert_near(couplings[0, 0], [0.3631128, 0.330431, 0.3014618, 0.3199713])
    assert_near(couplings[0, 1], [0.2991479, 0.3142482, 0.3776964, 0.3900194])


def test_self_routing():
    """github.com/coder3000/SR-CapsNet, modules.py: `SelfRouting2d`, without poses, as in their last layer."""
    weight = wave(CAPSULES, CLASSES, 1, DIMENSIONS, step=0.9, scale=0.7)
    bias = wave(CAPSULES, CLASSES, step=0.4, scale=0.3)
    lengths, _, couplings = self_routing.route(poses(), 1, None, weight, bias)
    assert_near(lengths, [[0.3085848, 0.3527949, 0.3386203], [0.3415177, 0.3781537, 0.2803286]])
    assert_near(couplings[0, 0], [0.2722283, 0.316189, 0.4484007, 0.190572])
    assert_near(couplings[0, 1], [0.263822, 0.45093, 0.1662125, 0.5390815])


def as_vectors(products):
    """Matrices (I, J, 2, 2) by which poses of 2x2 are multiplied from the right, for poses as vectors: (I, J, 4, 4)."""
    one = torch.eye(2, dtype=torch.float64)
    return torch.einsum("ijqd,rs->ijrdsq", products, one).flatten(4, 5).flatten(2, 3)


def test_em_clusters_as_theirs_and_its_costs_are_theirs_over_the_sum_of_all_that_is_given():
    """github.com/coder3000/SR-CapsNet, modules.py: `m_step` and `e_step` of `EmRouting2d`."""
    seen = votes(as_vectors(wave(CAPSULES, CLASSES, 2, 2, step=0.9, scale=0.7)), poses())
    shared = wave(2, CAPSULES, CLASSES, step=1.1).abs()
    shared = shared / shared.sum(dim=2, keepdim=True)
    given = shared.transpose(1, 2) * poses().norm(dim=2).unsqueeze(1)
    beta_u, beta_a = wave(CLASSES, step=0.8, scale=0.5), wave(CLASSES, step=0.5, scale=0.5)
    inverse = 0.01 * (1 - 0.95)
    mean, variance, _ = em.maximized(given, seen, beta_u, beta_a, inverse)
    assert_near(mean[0, 0], [0.0378668, 0.0876715, -0.0098429, -0.0823138])
    assert_near(variance[0, 0], [0.0994644, 0.1083622, 0.0934763, 0.1041272], tolerance=2e-6)  # 1e-6 is added here
    total = given[0].sum()
    _, _, active = em.maximized(given, seen, beta_u, beta_a / total, inverse * total)
    assert_near(active[0], [0.5006911, 0.5003989, 0.5003282])
    couplings = em.expected(seen, mean, variance, active)
    assert_near(couplings[0, 0], [0.4227857, 0.0524069, 0.6213872, 0.47368], tolerance=2e-5)
    assert_near(couplings[0, 1], [0.3100147, 0.215164, 0.2527397, 0.3032162], tolerance=2e-5)


def spatially_routed(rows, columns):
    grid = wave(1, 3, 5, rows, columns, step=1.7, scale=0.6)
    kernels, bias = wave(2, 4, 5, 3, 3, step=0.9, scale=0.5), wave(2, 4, step=0.4, scale=0.3)
    return route_in_space(spatial_votes(kernels, grid), bias, 3)


def test_the_spatial_routing_on_a_grid_of_one_place():
    """github.com/brjathu/deepcaps, capslayers.py: `ConvCapsuleLayer3D`."""
    found, couplings = spatially_routed(1, 1)
    assert_near(found[0, 0, :, 0, 0], [-0.0155346, 0.1806729, 0.0378759, 0.2194563], tolerance=5e-6)
    assert_near(found[0, 1, :, 0, 0], [0.0963567, 0.0606572, 0.033634, -0.0028851], tolerance=5e-6)
    assert_near(couplings[0, :, 0, 0, 0], [0.5556516, 0.4158809, 0.5462379], tolerance=2e-6)


def test_the_spatial_routing_on_a_grid_of_several():
    """The same code, but for two things: the axes of the grid are moved, and each capsule is squashed by itself."""
    found, couplings = spatially_routed(3, 2)
    assert_near(found[0, 0, :, 0, 0], [0.0515308, 0.0870233, 0.1028916, 0.1327936], tolerance=5e-6)
    assert_near(found[0, 1, :, 2, 1], [0.053702, 0.0948748, 0.0038859, 0.0150552], tolerance=5e-6)
    assert_near(couplings[0, 0, :, 0, 0], [0.083658, 0.0867533], tolerance=2e-6)

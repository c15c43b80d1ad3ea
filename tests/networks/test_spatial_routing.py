"""The routing of DeepCaps' last cell against loops over one image in float64."""

import math

import numpy as np
import reference
import torch
from tensors import assert_equal, finite_differences, random_tensor

from rem.networks.spatial_routing import route_in_space, spatial_coupling, spatial_votes

IMAGES, INPUTS, TYPES, DIMENSIONS, POSE, ROWS, COLUMNS = 2, 3, 2, 4, 5, 3, 2


def grid():
    return 0.6 * random_tensor(IMAGES, INPUTS, POSE, ROWS, COLUMNS)


def weight():
    return 0.5 * random_tensor(TYPES, DIMENSIONS, POSE, 3, 3, seed=1)


def bias():
    return 0.3 * random_tensor(TYPES, DIMENSIONS, seed=2)


def routed(iterations=3):
    return route_in_space(spatial_votes(weight(), grid()), bias(), iterations)


def slow_votes(kernels, capsules):
    """V[s][r][d][row][column]: what type s says of type r from the 3x3 window, with nothing outside the grid."""
    votes = np.zeros((INPUTS, TYPES, DIMENSIONS, ROWS, COLUMNS))
    for s, r, d, row, column in np.ndindex(votes.shape):
        for p, y, x in np.ndindex(POSE, 3, 3):
            at = row + y - 1, column + x - 1
            if 0 <= at[0] < ROWS and 0 <= at[1] < COLUMNS:
                votes[s, r, d, row, column] += kernels[r, d, p, y, x] * capsules[s, p, at[0], at[1]]
    return votes


def slow_routing(votes, added, iterations):
    """Rajasegaran et al.: a type's couplings are one softmax over the whole next grid."""
    logits = np.zeros((INPUTS, TYPES, ROWS, COLUMNS))
    for iteration in range(1, iterations + 1):
        couplings, poses = np.zeros_like(logits), np.zeros((TYPES, DIMENSIONS, ROWS, COLUMNS))
        for s in range(INPUTS):
            total = sum(math.exp(b) for b in logits[s].flat)
            for at in np.ndindex(TYPES, ROWS, COLUMNS):
                couplings[(s, *at)] = math.exp(logits[(s, *at)]) / total
        for r, row, column in np.ndindex(TYPES, ROWS, COLUMNS):
            sums = [
                sum(couplings[s, r, row, column] * votes[s, r, d, row, column] for s in range(INPUTS)) + added[r, d]
                for d in range(DIMENSIONS)
            ]
            poses[r, :, row, column] = reference.squash(sums)
        if iteration < iterations:
            for s, r, row, column in np.ndindex(logits.shape):
                logits[s, r, row, column] += sum(
                    poses[r, d, row, column] * votes[s, r, d, row, column] for d in range(DIMENSIONS)
                )
    return poses, couplings


def test_votes_are_those_of_a_window_with_the_same_kernels_for_every_type():
    expected = [slow_votes(weight().numpy(), one) for one in grid().numpy()]
    assert_equal(spatial_votes(weight(), grid()), np.array(expected), tolerance=1e-12)


def test_votes_are_a_3d_convolution_that_moves_by_one_capsule_in_depth():
    """Kernels of (P, 3, 3) over the P dimensions of one capsule after the other."""
    volume = grid().flatten(1, 2).unsqueeze(1)  # (B, 1, I*P, M, N)
    kernels = weight().flatten(0, 1).unsqueeze(1)  # (J*D, 1, P, 3, 3)
    said = torch.nn.functional.conv3d(volume, kernels, stride=(POSE, 1, 1), padding=(0, 1, 1))  # (B, J*D, I, M, N)
    expected = said.transpose(1, 2).unflatten(2, (TYPES, DIMENSIONS))
    torch.testing.assert_close(spatial_votes(weight(), grid()), expected)


def test_the_routing_is_what_its_paper_says():
    for iterations in (1, 2, 3):
        poses, couplings = routed(iterations)
        votes = spatial_votes(weight(), grid()).numpy()
        expected = [slow_routing(of_one, bias().numpy(), iterations) for of_one in votes]
        assert_equal(poses, np.array([one for one, _ in expected]), tolerance=1e-12)
        assert_equal(couplings, np.array([one for _, one in expected]), tolerance=1e-12)


def test_couplings_of_a_type_sum_to_1_over_the_next_grid():
    couplings = routed()[1]
    assert (couplings > 0).all()
    assert_equal(couplings.sum(dim=(2, 3, 4)), np.ones((IMAGES, INPUTS)), tolerance=1e-12)
    assert not torch.allclose(couplings.sum(dim=2), couplings.sum(dim=2)[..., :1, :1])  # and not at each place


def test_relabelling_the_types_relabels_poses_and_couplings():
    order = [1, 0]
    poses, couplings = route_in_space(spatial_votes(weight()[order], grid()), bias()[order], 3)
    torch.testing.assert_close(poses, routed()[0][:, order])
    torch.testing.assert_close(couplings, routed()[1][:, :, order])


def test_reordering_the_types_below_reorders_the_couplings_alone():
    order = [2, 0, 1]
    poses, couplings = route_in_space(spatial_votes(weight(), grid()[:, order]), bias(), 3)
    torch.testing.assert_close(poses, routed()[0])
    torch.testing.assert_close(couplings, routed()[1][:, order])


def test_gradients_flow_through_all_iterations():
    start = weight()
    kernels = start.clone().requires_grad_()
    route_in_space(spatial_votes(kernels, grid()), bias(), 3)[0][0, 1, 2, 1, 1].backward()

    def entry(values):
        votes = spatial_votes(torch.tensor(values), grid())
        return float(route_in_space(votes, bias(), 3)[0][0, 1, 2, 1, 1])

    assert_equal(kernels.grad, finite_differences(entry, start.numpy()), tolerance=1e-7)


def test_a_coupling_is_the_same_whatever_is_added_to_all_logits_of_a_type():
    logits = random_tensor(IMAGES, INPUTS, TYPES, ROWS, COLUMNS)
    shifted = logits + random_tensor(IMAGES, INPUTS, 1, 1, 1, seed=1)
    torch.testing.assert_close(spatial_coupling(shifted), spatial_coupling(logits))

"""The measure of equivariance, on drawings whose movement is known."""

import numpy as np
import pytest
from scipy import stats

from rem.reconstruction.equivariance import PROPERTIES, equivariance, properties, spearman

OFFSETS = np.linspace(-0.25, 0.25, 11)


def blob(x=0.0, y=0.0, width=2.0, height=3.0, slant=0.0, mass=10.0, side=41):
    """A Gaussian of given mass, middle (from the image's), standard deviations and lean: (1, side, side)."""
    v, u = np.mgrid[:side, :side] - (side - 1) / 2
    u, v = u - x - slant * (v - y), v - y
    drawn = np.exp(-(u**2) / (2 * width**2) - v**2 / (2 * height**2))
    return mass * drawn[None] / drawn.sum()


def moving(signs, draw):
    """Reconstructions (N, 1, O, 1, S, S) of one dimension: `draw` at offset times sign."""
    return np.array([[[draw(sign * offset) for offset in OFFSETS]] for sign in signs])


def test_properties_are_the_moments_of_a_known_shape():
    found = properties(blob(x=3, y=-2, width=2, height=3, slant=0.5, mass=7))
    assert dict(zip(PROPERTIES, found.tolist(), strict=True)) == pytest.approx(
        {
            "mass": 7,
            "centroid_x": 23,
            "centroid_y": 18,
            "width": np.hypot(2, 0.5 * 3),
            "height": 3,
            "slant": 0.5,
        },
        abs=1e-3,
    )


def test_properties_average_the_channels_and_bear_a_black_image():
    one = blob()
    np.testing.assert_allclose(properties(np.concatenate([one, 3 * one])), properties(2 * one))
    assert properties(np.zeros((2, 3, 1, 9, 9))).shape == (2, 3, 6)
    assert np.isfinite(properties(np.zeros((1, 9, 9)))).all()


def test_spearman_is_scipys_and_0_of_a_constant():
    values = np.random.default_rng(0).integers(0, 6, size=(4, 11, 3)).astype(float)  # with ties
    values[0, :, 0] = 5
    found = spearman(OFFSETS, values)
    assert found.shape == (4, 3)
    assert found[0, 0] == 0
    for n, p in np.ndindex(4, 3):
        if (n, p) != (0, 0):
            assert found[n, p] == pytest.approx(stats.spearmanr(OFFSETS, values[n, :, p])[0])


@pytest.mark.parametrize(
    ("name", "draw"),
    [
        ("mass", lambda t: blob(mass=10 + t)),
        ("centroid_x", lambda t: blob(x=4 * t)),
        ("centroid_y", lambda t: blob(y=-4 * t)),
        ("width", lambda t: blob(width=2 + t)),
        ("height", lambda t: blob(height=3 + t)),
    ],
)
def test_a_dimension_that_moves_one_thing_one_way_is_fully_consistent(name, draw):
    found = equivariance(moving([1] * 12, draw), OFFSETS)
    assert PROPERTIES[found.best[0]] == name
    assert found.consistency[0] == pytest.approx(1)
    assert found.monotony[0] == pytest.approx(1)
    assert found.chance[0] < 0.8


def test_a_dimension_that_goes_either_way_is_monotone_but_not_consistent():
    found = equivariance(moving([1, -1] * 10, lambda t: blob(x=4 * t, y=4 * t, slant=t, mass=10 + t)), OFFSETS)
    assert found.consistency[0] < found.chance[0]
    assert 0.3 < found.chance[0] < 0.6  # 1.96 / sqrt(20) = 0.44


def test_monotony_does_not_ask_for_one_direction():
    rho = spearman(OFFSETS, properties(moving([1, -1] * 10, lambda t: blob(x=4 * t))))[:, 0]  # (N, P)
    column = PROPERTIES.index("centroid_x")
    assert rho[:, column].tolist() == pytest.approx([1, -1] * 10)
    mostly = equivariance(moving([1] * 15 + [-1] * 5, lambda t: blob(x=4 * t)), OFFSETS)
    assert PROPERTIES[mostly.best[0]] == "centroid_x"
    assert mostly.consistency[0] == pytest.approx(0.5)
    assert mostly.monotony[0] == pytest.approx(1)


def test_moved_is_the_change_relative_to_the_middle():
    found = equivariance(moving([1], lambda t: (1 + t) * blob()), OFFSETS)
    assert found.moved[0] == pytest.approx(0.5)
    still = equivariance(moving([1], lambda t: blob()), OFFSETS)
    assert still.moved[0] == still.consistency[0] == still.chance[0] == 0


def test_dimensions_are_measured_apart_and_repeatably():
    across = moving([1] * 5, lambda t: blob(x=4 * t))
    both = np.concatenate([across, moving([1] * 5, lambda t: blob(y=4 * t))], axis=1)
    found = equivariance(both, OFFSETS)
    assert [PROPERTIES[best] for best in found.best] == ["centroid_x", "centroid_y"]
    again = equivariance(both, OFFSETS)
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))

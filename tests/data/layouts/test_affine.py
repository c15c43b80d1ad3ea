"""Random affine maps: their ranges, the whole digit on the canvas, and an independent reading of the map."""

import numpy as np
import pytest

from rem.data.layouts.affine import ROTATION, SCALE, SHEAR, SIDE, AffineMapped, draw
from rem.errors import RemError


def digits(count=8, seed=0):
    """Strokes of random brightness in the middle 20x20 of 28x28."""
    images = np.zeros((count, 1, 28, 28), np.uint8)
    images[:, :, 5:24, 9:20] = np.random.default_rng(seed).integers(1, 256, (count, 1, 19, 11))
    return images


def parts_of(matrix):
    """The rotation (degrees), shear and scales of a map, by QR decomposition: another way than it was made."""
    turn, triangle = np.linalg.qr(matrix[::-1, ::-1])  # on (column, row), so that the shear is above the diagonal
    signs = np.sign(np.diag(triangle))
    turn, triangle = turn * signs, triangle * signs[:, None]
    return np.degrees(np.arctan2(-turn[1, 0], turn[0, 0])), triangle[0, 1] / triangle[1, 1], np.diag(triangle)


def test_maps_fill_their_ranges_and_do_not_leave_them():
    matrices, places = draw(2000, np.random.default_rng(0))
    drawn = [parts_of(matrix) for matrix in matrices]
    for values, low, high in (
        ([turn for turn, _, _ in drawn], -ROTATION, ROTATION),
        ([shear for _, shear, _ in drawn], -SHEAR, SHEAR),
        ([scales[0] for _, _, scales in drawn], *SCALE),
        ([scales[1] for _, _, scales in drawn], *SCALE),
        (places[:, 0], 0, 1),
        (places[:, 1], 0, 1),
    ):
        assert low - 1e-9 <= min(values) < low + 0.01 * (high - low)
        assert high + 1e-9 >= max(values) > high - 0.01 * (high - low)


def bilinear(image, row, column):
    """The image between its pixels, zero outside."""
    value = 0.0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            weight = max(0.0, 1 - abs(row - y)) * max(0.0, 1 - abs(column - x))
            value += weight * float(image[y, x])
    return value


def test_canvases_are_the_mapped_image_pixel_by_pixel():
    image = digits(1)[0, 0]
    mapped = AffineMapped(digits(1), 1, (0,))
    canvas = mapped[np.array([0])][0, 0]
    matrix, place = mapped.matrices[0], mapped.places[0]
    inked = np.argwhere(image)
    reach = np.abs(matrix).sum(1)
    low, high = -1 + reach - (inked @ matrix.T).min(0), SIDE - reach - (inked @ matrix.T).max(0)
    shift = low + place * (high - low)
    for row, column in [(y, x) for y in range(2, SIDE, 7) for x in range(1, SIDE, 5)]:
        source = np.linalg.solve(matrix, np.array([row, column]) - shift)
        assert canvas[row, column] == pytest.approx(bilinear(image, *source), abs=0.51)


def test_no_pixel_of_a_digit_is_lost_and_places_reach_the_border():
    images = np.full((1, 1, 20, 20), 255, np.uint8)
    canvases = AffineMapped(images, 200, (0,))[np.arange(200)][:, 0].astype(int)
    matrices = AffineMapped(images, 200, (0,)).matrices
    # Ink keeps its mass: the determinant says how much of it a map makes.
    assert np.allclose(canvases.sum((1, 2)), 255 * 400 * np.linalg.det(matrices), rtol=0.01)
    assert all(edge.any() for edge in (canvases[:, 0], canvases[:, -1], canvases[:, :, 0], canvases[:, :, -1]))


def test_a_positive_turn_is_counter_clockwise():
    matrices, _ = draw(100, np.random.default_rng(1))
    turn, matrix = max((parts_of(matrix)[0], index) for index, matrix in enumerate(matrices))
    down, right = matrices[matrix] @ np.array([0.0, 1.0])  # where "to the right" goes
    assert turn > 15
    assert right > 0
    assert down < 0


def test_each_digit_is_mapped_anew_in_each_round():
    images = digits()
    mapped = AffineMapped(images, 3, (0,))
    assert mapped.shape == (24, 1, SIDE, SIDE)
    canvases = mapped[np.arange(24)]
    assert len({canvas.tobytes() for canvas in canvases}) == 24
    only = AffineMapped(images[2:3], 1, (0,))
    only.matrices, only.places = mapped.matrices[10:11], mapped.places[10:11]
    assert np.array_equal(only[np.array([0])][0], canvases[10])  # 10 = 8 + 2


def test_blocks_and_order_of_asking_do_not_matter_but_the_seed_does():
    mapped = AffineMapped(digits(), 2, (0,))
    whole = mapped[np.arange(16)]
    assert np.array_equal(np.concatenate([mapped[np.arange(9, 16)], mapped[np.arange(9)]]), np.roll(whole, 7, axis=0))
    assert not np.array_equal(AffineMapped(digits(), 2, (1,))[np.arange(16)], whole)


def test_what_cannot_fit_is_said():
    with pytest.raises(RemError, match="a digit of 39x39 pixels does not fit on 40x40"):
        AffineMapped(np.full((1, 1, 39, 39), 9, np.uint8), 20, (0,))[np.arange(20)]

"""The generator of textured shapes."""

import numpy as np
import pytest

from rem.data.layouts.shapes import CLASSES, POSE, RANGES, Part, _cover, _distance, _draw, _frame, generate, parted
from rem.errors import RemError
from rem.settings.images import Viewpoints


def test_equal_arguments_give_equal_bits():
    first, second, other = generate(40, 32, 10, 7), generate(40, 32, 10, 7), generate(40, 32, 10, 8)
    for a, b, c in zip(first, second, other, strict=True):
        assert a.tobytes() == b.tobytes() != c.tobytes()


@pytest.mark.parametrize(("classes", "size"), [(10, 32), (20, 64)])
def test_shapes_and_types(classes, size):
    images, labels, pose = generate(40, size, classes, 0)
    assert images.shape == (40, 3, size, size)
    assert images.dtype == labels.dtype == np.uint8
    assert pose.shape == (40, len(POSE))
    assert pose.dtype == np.float32


def test_classes_are_balanced_and_shuffled():
    labels = generate(205, 9, 10, 0).labels
    assert sorted(np.bincount(labels)) == [20] * 5 + [21] * 5
    assert (np.diff(labels.astype(int)) < 0).any()
    assert not np.array_equal(labels, np.arange(205) % 10)


def test_more_classes_than_defined_are_refused():
    assert len(CLASSES) == 20
    with pytest.raises(RemError, match=r"20 classes at most, but data\.classes is 21"):
        generate(1, 32, 21, 0)


@pytest.mark.parametrize(
    ("pose", "trained"),
    [("rotation", (-13, 13)), ("rotation", (-40, 0)), ("scale", (0.26, 0.31)), ("scale", (0.3, 0.42))],
)
def test_trained_poses_and_held_out_ones_share_a_range_between_them(pose, trained):
    """Both parts fill their share of the range evenly, and no other pose changes."""
    column, (low, high, _) = POSE.index(pose), RANGES[pose]
    everywhere = generate(2000, 9, 10, 0).pose
    inside, outside = (
        generate(2000, 9, 10, 0, ranges).pose for ranges in parted(Viewpoints(pose=pose, trained=trained))
    )
    for part in (inside, outside):
        np.testing.assert_array_equal(np.delete(part, column, 1), np.delete(everywhere, column, 1))
    inside, outside = inside[:, column], outside[:, column]
    close = (high - low) / 1e6  # poses are rounded to float32
    assert ((inside >= trained[0] - close) & (inside <= trained[1] + close)).all()
    assert ((outside <= trained[0] + close) | (outside >= trained[1] - close)).all()
    assert low - close <= outside.min() < outside.max() <= high + close
    below, above = trained[0] - low, high - trained[1]
    assert (outside < np.mean(trained)).mean() == pytest.approx(below / (below + above), abs=0.04)
    assert inside.mean() == pytest.approx(np.mean(trained), abs=0.03 * (trained[1] - trained[0]))


@pytest.mark.parametrize("trained", [(-40, 40), (-41, 0), (0, 41), (5, 5)])
def test_a_range_that_is_no_part_of_the_poses_is_refused(trained):
    with pytest.raises(RemError, match="the rotation of source shapes goes from -40 to 40; name a part of that"):
        parted(Viewpoints(pose="rotation", trained=trained))


def test_pose_places_the_shape():
    """Of a shape drawn at a pose, against the same chance elsewhere, only pixels near the pose differ."""
    size = 64
    pose = np.array([[0.25, 0.25, 0, 0.2, 0, 0, 0], [0.75, 0.75, 0, 0.2, 0, 0, 0]], np.float32)
    labels = np.array([3], np.uint8)
    here, there = (_draw(labels, row[None], size, np.random.default_rng(0))[0].astype(int) for row in pose)
    differs = np.abs(here - there).max(0) > 3
    assert differs[:32, :32].any()
    assert differs[32:, 32:].any()
    assert not differs[:32, 32:].any()
    assert not differs[32:, :32].any()


def test_frame_inverts_the_documented_map():
    x, y, rotation, scale, shear = (np.array([value], np.float32) for value in (0.4, 0.6, 30, 0.3, 0.2))
    u, v = _frame(x, y, rotation, scale, shear, 16)
    sheared = np.array([u + shear[0] * v, v]).reshape(2, -1)
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    pixels = np.array([[0.4], [0.6]]) + 0.3 * np.array([[cos, -sin], [sin, cos]]) @ sheared
    rows, columns = np.mgrid[:16, :16]
    np.testing.assert_allclose(pixels.reshape(2, 16, 16), (np.array([columns, rows]) + 0.5) / 16, atol=1e-6)


@pytest.mark.parametrize(
    ("part", "area"),
    [
        (Part("disc", 0, 0, 0.5), np.pi / 4),
        (Part("ring", 0, 0, 0.5, 0.1), np.pi * (0.36 - 0.16)),
        (Part("bar", 0.1, 0, 0.6, 0.2, 30), 0.48),
        (Part("triangle", 0, 0.2, 0.7, 0.4, 70), 0.56),
    ],
)
def test_parts_cover_their_area(part, area):
    one = np.ones(1, np.float32)
    u, v = _frame(one / 2, one / 2, one * 0, one / 2, one * 0, 64)
    cover = _cover(_distance(part, u, v), one * 32)
    assert ((cover > 0) & (cover < 1)).any()
    assert cover.sum() / 32**2 == pytest.approx(area, rel=0.02)


def test_every_class_fits_its_frame_and_differs_from_the_others():
    one = np.ones(1, np.float32)
    u, v = _frame(one / 2, one / 2, one * 0, one / 3, one * 0, 48)
    covers = [
        _cover(np.minimum.reduce([_distance(part, u, v) for part in parts]), one * 16)[0] for parts in CLASSES.values()
    ]
    outside = np.hypot(u[0], v[0]) > 1.25
    for number, cover in enumerate(covers):
        assert not cover[outside].any()
        assert all(np.abs(cover - other).sum() > 0.2 * cover.sum() for other in covers[:number])


@pytest.mark.parametrize("kind", ["disc", "ring", "bar", "triangle"])
def test_distance_grows_by_one_a_unit(kind):
    one, step = np.ones(1, np.float32), 2 / 64
    u, v = _frame(one / 2, one / 2, one * 0, one / 2, one * 0, 64)
    distance = _distance(Part(kind, 0.05, 0.05, 0.6, 0.3, 20), u, v)[0]
    slope = np.hypot(*(difference / step for difference in np.gradient(distance)))
    assert np.median(slope) == pytest.approx(1, abs=0.01)

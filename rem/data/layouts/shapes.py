"""The generated source `shapes`: textured shapes under random pose before a cluttered background.

A class is an arrangement of simple parts. An image shows one class under a random position,
rotation, scale and shear, in random colours and texture, before a random background strewn with
stray parts, under pixel noise. So parts, poses and backgrounds are known.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rem.data.contents import Contents, Labelled
from rem.data.streams import Stream
from rem.errors import RemError
from rem.settings.images import Data, Viewpoints


def read_shapes(data: Data) -> Contents:
    """Generated images, of side 32 for sizes up to 32 and of side 64 above, as photographs would come.

    Raises:
        RemError: as `generate` and `parted`.
    """
    side = 32 if data.size <= 32 else 64
    parts = zip(
        (Stream.TRAIN_IMAGES, Stream.TEST_IMAGES), data.generate or (0, 0), parted(data.viewpoints), strict=True
    )
    train, test = (
        Labelled(*generate(count, side, data.classes, (data.split_seed, stream), ranges))
        for stream, count, ranges in parts
    )
    return Contents(train, test, list(CLASSES)[: data.classes], POSE)


Array = np.ndarray[Any, np.dtype[np.float32]]


class Part(NamedTuple):
    """A part in the unit frame of its class: x to the right, y down, the shape within a radius of about 1.

    `kind` and (a, b): disc (radius, -), ring (radius, half its stroke), bar (half width, half
    height), triangle (half base, half height; apex up).
    """

    kind: str
    x: float
    y: float
    a: float
    b: float = 0.0
    turn: float = 0.0  # degrees, clockwise


CLASSES: dict[str, tuple[Part, ...]] = {
    "tee": (Part("bar", 0, -0.65, 0.8, 0.19), Part("bar", 0, 0.15, 0.19, 0.75)),
    "house": (Part("triangle", 0, -0.45, 0.85, 0.4), Part("bar", 0, 0.37, 0.55, 0.48)),
    "dumbbell": (Part("disc", -0.62, 0, 0.38), Part("bar", 0, 0, 0.5, 0.14), Part("disc", 0.62, 0, 0.38)),
    "target": (Part("ring", 0, 0, 0.8, 0.14), Part("disc", 0, 0, 0.36)),
    "key": (
        Part("ring", -0.5, 0, 0.36, 0.14),
        Part("bar", 0.38, 0, 0.52, 0.13),
        Part("bar", 0.75, 0.25, 0.13, 0.3),
    ),
    "hourglass": (Part("triangle", 0, 0.45, 0.7, 0.45), Part("triangle", 0, -0.45, 0.7, 0.45, 180)),
    "zed": (
        Part("bar", 0, -0.7, 0.75, 0.17),
        Part("bar", 0, 0, 0.85, 0.17, -45),
        Part("bar", 0, 0.7, 0.75, 0.17),
    ),
    "clover": (Part("disc", 0, -0.45, 0.43), Part("disc", -0.48, 0.38, 0.43), Part("disc", 0.48, 0.38, 0.43)),
    "arrow": (Part("triangle", 0, -0.5, 0.7, 0.42), Part("bar", 0, 0.4, 0.19, 0.6)),
    "gate": (
        Part("bar", 0, -0.65, 0.85, 0.19),
        Part("bar", -0.5, 0.15, 0.17, 0.75),
        Part("bar", 0.5, 0.15, 0.17, 0.75),
    ),
    "cross": (Part("bar", 0, 0, 0.85, 0.2), Part("bar", 0, 0, 0.2, 0.85)),
    "ell": (Part("bar", -0.45, 0, 0.2, 0.85), Part("bar", 0.1, 0.65, 0.7, 0.2)),
    "aitch": (
        Part("bar", -0.58, 0, 0.18, 0.85),
        Part("bar", 0, 0, 0.5, 0.17),
        Part("bar", 0.58, 0, 0.18, 0.85),
    ),
    "kite": (Part("triangle", 0, -0.48, 0.6, 0.35), Part("triangle", 0, 0.33, 0.6, 0.5, 180)),
    "snowman": (Part("disc", 0, -0.55, 0.36), Part("disc", 0, 0.32, 0.6)),
    "eyes": (Part("ring", 0, 0, 0.84, 0.12), Part("disc", -0.32, -0.15, 0.21), Part("disc", 0.32, -0.15, 0.21)),
    "lollipop": (Part("disc", 0, -0.42, 0.52), Part("bar", 0, 0.5, 0.14, 0.5)),
    "stairs": (
        Part("bar", -0.56, 0.56, 0.3, 0.3),
        Part("bar", 0, 0, 0.3, 0.3),
        Part("bar", 0.56, -0.56, 0.3, 0.3),
    ),
    "fir": (
        Part("triangle", 0, -0.55, 0.55, 0.35),
        Part("triangle", 0, 0.1, 0.8, 0.4),
        Part("bar", 0, 0.72, 0.17, 0.25),
    ),
    "no-entry": (Part("ring", 0, 0, 0.8, 0.14), Part("bar", 0, 0, 0.75, 0.14, 45)),
}


class Range(NamedTuple):
    """Where a pose lies: from `low` to `high`, but not in the `gap`."""

    low: float
    high: float
    gap: tuple[float, float] | None = None


RANGES = {
    "x": Range(0.38, 0.62),
    "y": Range(0.38, 0.62),
    "rotation": Range(-40, 40),
    "scale": Range(0.26, 0.42),
    "shear": Range(-0.3, 0.3),
}
POSE = (*RANGES, "texture", "background")
TEXTURES = ("plain", "stripes", "checks", "noise")
STRAY = ("disc", "bar", "triangle", "ring")  # the clutter, drawn in this order
BATCH = 256  # images drawn at a time: their arrays stay in the processor's cache


class Shapes(NamedTuple):
    """Generated images, their labels and the pose of the shape in each."""

    images: np.ndarray  # (N, 3, S, S) uint8
    labels: np.ndarray  # (N,) uint8, positions in CLASSES
    pose: np.ndarray  # (N, 7) float32, columns POSE


def parted(viewpoints: Viewpoints | None) -> tuple[dict[str, Range], dict[str, Range]]:
    """The ranges of the poses of training images and those of test images: alike, but for one pose of `viewpoints`.

    Raises:
        RemError: `trained` is not a part of that pose's range.
    """
    if viewpoints is None:
        return RANGES, RANGES
    name, (start, end), whole = viewpoints.pose, viewpoints.trained, RANGES[viewpoints.pose]
    if not whole.low <= start < end <= whole.high or (start, end) == (whole.low, whole.high):
        raise RemError(
            f"data.viewpoints.trained goes from {start:g} to {end:g}, but the {name} of source shapes goes from "
            f"{whole.low:g} to {whole.high:g}; name a part of that."
        )
    return RANGES | {name: Range(start, end)}, RANGES | {name: whole._replace(gap=(start, end))}


def generate(
    count: int, size: int, classes: int, seed: int | Sequence[int], ranges: Mapping[str, Range] = RANGES
) -> Shapes:
    """Generate `count` images of side `size`, as many of each of the first `classes` CLASSES as of any other.

    The frame of a class is laid on the image as p = (x, y) + scale * R(rotation) * [[1, shear], [0, 1]] * q,
    which places every part. Columns of the pose: the centre x, y and the scale in fractions of the side
    (from the upper left corner), the rotation in degrees clockwise, the shear, and the textures of
    shape and background as positions in TEXTURES. Equal arguments give equal bits.

    Raises:
        RemError: more classes than are defined.
    """
    if classes > len(CLASSES):
        raise RemError(f"source shapes has {len(CLASSES)} classes at most, but data.classes is {classes}; lower it.")
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(count) % classes).astype(np.uint8)
    pose = _poses(count, ranges, generator)
    images = np.empty((count, 3, size, size), np.uint8)
    for start in range(0, count, BATCH):
        batch = slice(start, start + BATCH)
        images[batch] = _draw(labels[batch], pose[batch], size, generator)
    return Shapes(images, labels, pose)


def _poses(count: int, ranges: Mapping[str, Range], generator: np.random.Generator) -> np.ndarray:
    columns = [_evenly(count, ranges[name], generator) for name in RANGES]
    columns += [generator.integers(0, len(TEXTURES), count) for _ in ("texture", "background")]
    return np.stack(columns, axis=1).astype(np.float32)


def _evenly(count: int, within: Range, generator: np.random.Generator) -> np.ndarray:
    """Numbers drawn evenly from a range, as many a unit on both sides of its gap."""
    start, end = within.gap or (within.high, within.high)
    values = generator.uniform(within.low, within.high - (end - start), count)
    return np.where(values < start, values, values + (end - start))


def _draw(labels: np.ndarray, pose: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw a batch: background, stray parts, shape, noise. (B,), (B, 7) -> (B, 3, S, S) uint8."""
    count = len(labels)
    x, y, rotation, scale, shear, texture, background = pose.T
    behind, before = _colours(count, generator)
    image = _paint(behind, _texture(background, size, generator))  # (B, 3, S, S)
    for kind in STRAY:
        centre = generator.uniform(0, 1, (2, count)).astype(np.float32)
        turn = generator.uniform(0, 360, count).astype(np.float32)
        radius = generator.uniform(0.08, 0.18, count).astype(np.float32)
        shown = (generator.random(count) < 0.7).astype(np.float32)
        u, v = _frame(*centre, turn, radius, np.zeros_like(turn), size)
        a, b = {"ring": (0.75, 0.25), "triangle": (0.9, 0.8), "bar": (1.0, 0.35), "disc": (0.8, 0.0)}[kind]
        cover = _cover(_distance(Part(kind, 0, 0, a, b), u, v), radius * size) * shown[:, None, None]
        colour = generator.uniform(0, 1, (count, 3)).astype(np.float32)
        image += cover[:, None] * (colour[:, :, None, None] - image)
    u, v = _frame(x, y, rotation, scale, shear, size)
    distance = np.empty_like(u)
    for label in np.unique(labels):
        own = labels == label
        parts = list(CLASSES.values())[label]
        distance[own] = np.minimum.reduce([_distance(part, u[own], v[own]) for part in parts])
    image += _cover(distance, scale * size)[:, None] * (_paint(before, _texture(texture, size, generator)) - image)
    image += generator.normal(0, 0.04, image.shape).astype(np.float32)
    return (image.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _frame(x: Array, y: Array, rotation: Array, scale: Array, shear: Array, size: int) -> tuple[Array, Array]:
    """Coordinates, in the frames of given pose, of the centres of all pixels: (B,) each -> two of (B, S, S)."""
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    right = (centres[None, None, :] - x[:, None, None]) / scale[:, None, None]
    down = (centres[None, :, None] - y[:, None, None]) / scale[:, None, None]
    angle = np.deg2rad(rotation)[:, None, None]
    v = down * np.cos(angle) - right * np.sin(angle)
    u = right * np.cos(angle) + down * np.sin(angle) - shear[:, None, None] * v
    return u, v


def _distance(part: Part, u: Array, v: Array) -> Array:
    """Signed distance (negative inside) to a part's outline, in the units of the frame."""
    u, v = u - np.float32(part.x), v - np.float32(part.y)
    if part.turn:
        cos, sin = np.cos(np.deg2rad(part.turn, dtype=np.float32)), np.sin(np.deg2rad(part.turn, dtype=np.float32))
        u, v = u * cos + v * sin, v * cos - u * sin
    if part.kind == "disc":
        return np.hypot(u, v) - np.float32(part.a)
    if part.kind == "ring":
        return np.abs(np.hypot(u, v) - np.float32(part.a)) - np.float32(part.b)
    if part.kind == "bar":
        return np.maximum(np.abs(u) - np.float32(part.a), np.abs(v) - np.float32(part.b))
    side = np.float32(np.hypot(part.a, 2 * part.b))
    flank = (np.abs(u) * np.float32(2 * part.b) - (v + np.float32(part.b)) * np.float32(part.a)) / side
    return np.maximum(flank, v - np.float32(part.b))


def _cover(distance: Array, pixels: Array) -> Array:
    """Share of each pixel that a shape covers (anti-aliasing); `pixels` (B,) is the frame's unit in pixels."""
    return (0.5 - distance * pixels[:, None, None]).clip(0, 1)


def _colours(count: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Two colours each for backgrounds and shapes: (B, 2, 3). In lightness the shape stands out from its background."""
    lightness = generator.uniform(0, 1, (count, 1, 1))
    apart = (lightness + generator.uniform(0.35, 0.65, (count, 1, 1))) % 1
    hues = generator.uniform(-0.3, 0.3, (2, count, 1, 3)) + generator.uniform(-0.12, 0.12, (2, count, 2, 3))
    behind, before = (
        np.clip(0.1 + 0.8 * light + hue, 0, 1) for light, hue in zip((lightness, apart), hues, strict=True)
    )
    return behind.astype(np.float32), before.astype(np.float32)


def _paint(colours: Array, mix: Array) -> Array:
    """Mix two colours (B, 2, 3) by a texture (B, S, S) into (B, 3, S, S)."""
    first, second = colours[:, 0, :, None, None], colours[:, 1, :, None, None]
    return first + mix[:, None] * (second - first)


def _texture(kind: Array, size: int, generator: np.random.Generator) -> Array:
    """A texture of each image's kind, in [0, 1], at a random angle, phase and wavelength: (B,) -> (B, S, S)."""
    count = len(kind)
    wavelength = generator.uniform(0.1, 0.3, count).astype(np.float32)
    phase = generator.uniform(0, 1, (2, count)).astype(np.float32)
    turn = generator.uniform(0, 180, count).astype(np.float32)
    u, v = _frame(*phase, turn, wavelength, np.zeros_like(turn), size)
    across, along = np.sin(2 * np.pi * u), np.sin(2 * np.pi * v)
    grain = generator.random((count, size, size), np.float32)
    fields = (np.float32(0), 0.5 + 0.5 * across, (across * along > 0).astype(np.float32), grain)
    return np.choose(kind.astype(int)[:, None, None], fields)

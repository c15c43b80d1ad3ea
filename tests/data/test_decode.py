"""An image file as it is to be seen: every format, upright, opaque, 8 bits a channel."""

import io

import numpy as np
import pytest
from PIL import Image

from rem.data.decode import decode, formats, suffixes
from rem.errors import RemError

RAMP = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)


def encoded(picture, kind="PNG", **options):
    """A file's bytes; the picture is an image, or an array."""
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(content, channels=1):
    return np.asarray(decode(content, channels, "a"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM", "JPEG2000"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_grey_is_scaled_by_the_range_of_its_format(kind, channels):
    made = decoded(encoded(RAMP, kind), channels)
    expected = np.arange(256).reshape(16, 16)
    assert np.array_equal(made, expected if channels == 1 else np.stack([expected] * 3, axis=2))


def test_16_bit_grey_is_rounded_to_the_nearest():
    values = np.array([[0, 128, 129, 385, 386, 65406, 65407, 65535]], np.uint16)  # 257 a step
    assert decoded(encoded(values)).tolist() == [[0, 0, 1, 1, 2, 254, 255, 255]]


@pytest.mark.parametrize(
    ("kind", "values"), [("int32", "integers of 32 bits or with a sign"), ("int16", "integers of 32 bits or with"),
                         ("uint32", "integers of 32 bits"), ("float32", "floating-point numbers")],
)  # fmt: skip
def test_values_of_no_known_range_are_refused_by_name(kind, values):
    content = encoded(np.ones((3, 3), kind), "TIFF")
    with pytest.raises(RemError, match=f"^train/cat/a.tif holds {values}.*, whose black and white are not known; save"):
        decode(content, 1, "train/cat/a.tif")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright_however_the_camera_was_held(kind, orientation):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8] = 255  # the upper left
    turned = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
              6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1)}  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = decoded(encoded(Image.fromarray(turned[orientation]).convert("RGB"), kind, exif=exif.tobytes()))
    assert made.shape == upright.shape
    assert abs(made.astype(int) - upright).max() < 30


def transparent(mode):
    """Two pixels: grey 200 in sight, and 90 behind nothing."""
    if mode in ("LA", "RGBA"):
        image = Image.new("LA", (2, 1), (200, 255))
        image.putpixel((1, 0), (90, 0))
        return encoded(image.convert(mode))
    grey = Image.fromarray(np.array([[200, 90]], np.uint8))
    if mode == "P":
        palette = Image.new("P", (2, 1))
        palette.putpalette([200] * 3 + [90] * 3)
        palette.putpixel((1, 0), 1)
        return encoded(palette, transparency=1)
    if mode == "I;16":
        return encoded(np.array([[200, 90]], np.uint16) * 257, transparency=90 * 257)
    return encoded(grey.convert(mode), transparency=90 if mode == "L" else (90, 90, 90))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_shows_black_and_not_the_colour_behind_it(mode, channels):
    assert decoded(transparent(mode), channels).reshape(2, channels).tolist() == [[200] * channels, [0] * channels]


def test_what_is_half_transparent_is_half_as_bright():
    assert decoded(encoded(Image.new("LA", (1, 1), (200, 128)))).tolist() == [[100]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK"])
def test_images_without_such_things_are_those_of_pillow(mode):
    draw = np.random.default_rng(0)
    image = Image.fromarray(draw.integers(0, 256, (5, 7, 3), np.uint8)).convert(mode)
    content = encoded(image, "TIFF")
    for channels, wanted in ((1, "L"), (3, "RGB")):
        assert np.array_equal(decoded(content, channels), np.asarray(image.convert(wanted)))


def test_of_several_frames_the_first_counts():
    frames = [Image.new("L", (2, 2), value) for value in (10, 250)]
    assert (decoded(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])) == 10).all()


def test_every_suffix_of_a_format_that_is_decoded_counts():
    assert {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".jp2"} <= suffixes()
    assert not {".eps", ".pdf", ".h5", ".txt", ".csv", ".npy"} & suffixes()


def test_no_program_is_run_on_a_file_whatever_its_name_says():
    assert "EPS" not in formats()
    with pytest.raises(ValueError, match=r"^[^\n<]+$"):  # a reason, without the address of a buffer
        decode(encoded(Image.new("RGB", (2, 2)), "EPS"), 1, "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM"])
@pytest.mark.parametrize("share", [0, 0.1, 0.5])
def test_damaged_files_are_no_images(kind, share):
    content = encoded(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8), kind)
    with pytest.raises(ValueError, match=r"^[^\n<]+$"):  # a reason, without the address of a buffer
        decode(content[: int(share * len(content))], 1, "a.png")

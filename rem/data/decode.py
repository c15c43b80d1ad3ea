"""An image file as it is to be seen: upright, opaque, 8 bits a channel.

- Any format that Pillow decodes counts; of several frames or pages the first.
- The orientation that a camera noted (EXIF) is applied.
- Grey of 16 bits is scaled from 0..65,535 to 0..255. Images whose range no format fixes (32-bit or signed integers,
  floats) are refused.
- What is transparent shows black, as the padding round an image does.
"""

import io
import struct
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from rem.errors import RemError, first_line

# Formats that Pillow knows and does not decode itself; of EPS, it would run Ghostscript on the file.
NOT_DECODED = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
SIXTEEN_BITS = {"PNG", "PPM"}  # formats whose integers of more than 8 bits Pillow gives as 0..65,535 in mode I


@cache
def formats() -> tuple[str, ...]:
    """The formats that are decoded, by Pillow's names."""
    Image.init()
    return tuple(name for name in Image.OPEN if name not in NOT_DECODED)


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of those formats, in lower case: ".png", ".tif" and so on."""
    return frozenset(suffix for suffix, name in Image.registered_extensions().items() if name in formats())


def decode(content: bytes, channels: int, name: str) -> Image.Image:
    """An image file's first image in mode L (1 channel) or RGB (3 channels).

    Args:
        content: the file's bytes.
        channels: 1 or 3.
        name: what an error calls it.

    Raises:
        ValueError: it is no image, damaged or too large; says which.
        RemError: its values have a range that is not known.
    """
    try:
        with Image.open(io.BytesIO(content), formats=formats()) as image:
            return _opaque(_eight_bits(ImageOps.exif_transpose(image), image.format, name)).convert(
                "L" if channels == 1 else "RGB"
            )
    except UnidentifiedImageError as error:
        raise ValueError("no image of a known format") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels, which is too large") from error
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, struct.error) as error:
        raise ValueError(first_line(error)) from error


def _eight_bits(image: Image.Image, kind: str | None, name: str) -> Image.Image:
    """Grey of more than 8 bits, scaled to 8; all else as it is."""
    if image.mode.startswith("I;16") or (image.mode == "I" and kind in SIXTEEN_BITS):
        values = np.asarray(image).astype(np.int64)
        scaled = (2 * 255 * values + 65535) // (2 * 65535)  # to the nearest
        scaled[values == image.info.get("transparency", -1)] = 0
        return Image.fromarray(scaled.astype(np.uint8))
    if image.mode in ("I", "F"):
        what = "integers of 32 bits or with a sign" if image.mode == "I" else "floating-point numbers"
        raise RemError(f"{name} holds {what}, whose black and white are not known; save it with 8 or 16 bits a pixel.")
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """The image on a black ground."""
    if not image.has_transparency_data:
        return image
    seen = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, (0, 0, 0, 255)), seen)

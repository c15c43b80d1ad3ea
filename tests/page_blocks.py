"""Blocks of the page read back, as its decoder does."""

import zlib

import numpy as np


def unpacked(block: bytes, columns: int) -> np.ndarray:
    """What `packed` packed: uint16 (R, C)."""
    low, high = np.frombuffer(zlib.decompress(block), np.uint8).reshape(2, -1).astype(np.uint16)
    return (low | high << 8).reshape(-1, columns)

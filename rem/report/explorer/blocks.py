"""The data of the page: numbers and names as JSON, and blocks of bytes as base64 text."""

import base64
import zlib
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Collected:
    """What goes into the page.

    Attributes:
        most: bytes that all blocks may have together, as text.
        content: numbers, names, and the numbers of blocks, for JSON.
        blocks: base64 text, each with its number.
    """

    most: int
    content: dict[str, object] = field(default_factory=dict)
    blocks: dict[str, int] = field(default_factory=dict)
    size: int = 0

    def has_room(self, *data: bytes) -> bool:
        """Whether these bytes, as text, leave all blocks within `most`."""
        return self.size + sum(4 * -(-len(one) // 3) for one in data) <= self.most

    def add(self, data: bytes) -> int:
        """Keep a block, once; returns its number."""
        text = base64.b64encode(data).decode("ascii")
        if text not in self.blocks:
            self.blocks[text] = len(self.blocks)
            self.size += len(text)
        return self.blocks[text]


def packed(numbers: np.ndarray) -> bytes:
    """Numbers (R, C) uint16, a row after another: all low bytes and then all high ones, deflated."""
    rows = np.ascontiguousarray(numbers).astype("<u2").ravel()
    return zlib.compress(rows.view(np.uint8).reshape(-1, 2).T.tobytes(), 6)

"""The data of the page: blocks are kept once, as long as there is room, and numbers come back."""

import base64

import numpy as np
import pytest
from page_blocks import unpacked

from rem.report.explorer.blocks import Collected, packed


def test_packed_numbers_come_back():
    found = np.random.default_rng(0).integers(0, 65536, (7, 5)).astype(np.uint16)
    np.testing.assert_array_equal(unpacked(packed(found), 5), found)


def test_the_same_bytes_are_kept_once():
    found = Collected(100)
    assert [found.add(b"one"), found.add(b"two"), found.add(b"one")] == [0, 1, 0]
    assert [base64.b64decode(block) for block in found.blocks] == [b"one", b"two"]


@pytest.mark.parametrize(("size", "room"), [(7, True), (8, True), (9, True), (10, False)])
def test_there_is_room_as_long_as_all_text_has_at_most_so_many_bytes(size, room):
    found = Collected(16)
    found.add(b"abc")  # 4 letters
    assert found.has_room(bytes(size)) == room
    if room:
        found.add(bytes(size))
        assert found.size <= 16

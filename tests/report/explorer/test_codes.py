"""Codes of couplings: at every K, and to three decimals, they give what the couplings themselves give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rem.report.explorer import codes
from rem.trees import quantizer

LEVELS = range(2, 65)


@pytest.mark.parametrize("cells", [False, True])
@given(couplings=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30))
def test_a_code_gives_the_key_at_every_K_and_three_decimals(cells, couplings):
    cuts, couplings = codes.thresholds(LEVELS, cells), np.array(couplings, np.float32)
    inside = cuts[codes.codes(couplings, cuts)]
    for level in LEVELS:
        np.testing.assert_array_equal(
            quantizer.keys(inside, level, cells), quantizer.keys(couplings, level, cells), str(level)
        )
    np.testing.assert_array_equal(
        quantizer.nearest(inside, codes.DECIMALS), quantizer.nearest(couplings, codes.DECIMALS)
    )


@pytest.mark.parametrize("cells", [False, True])
def test_so_do_codes_of_the_numbers_around_every_edge(cells):
    cuts = codes.thresholds(LEVELS, cells)
    around = np.concatenate([cuts, np.nextafter(cuts[1:], np.float32(0)), np.nextafter(cuts[:-1], np.float32(1))])
    inside = cuts[codes.codes(around, cuts)]
    for level in LEVELS:
        np.testing.assert_array_equal(quantizer.keys(inside, level, cells), quantizer.keys(around, level, cells))

"""The names of random streams: they are numbers, and the same numbers are the same images."""

import numpy as np

from rem.data.streams import Stream


def test_a_name_draws_what_its_number_does():
    assert [stream.value for stream in Stream] == list(range(8))
    for stream in Stream:
        named, numbered = (np.random.default_rng((7, seed)).random() for seed in (stream, stream.value))
        assert named == numbered

"""The table of sources."""

import hashlib
import re

from rem.data.sources import SOURCES


def test_every_checksum_is_a_whole_digest():
    for source in SOURCES.values():
        for digest in filter(None, (source.files or {}).values()):
            algorithm, value = digest.split(":")
            assert re.fullmatch(r"[0-9a-f]+", value)
            assert len(value) == 2 * hashlib.new(algorithm).digest_size

"""Accuracy and entropy at every K."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from rem.files.atomic import whole
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import row_of, run_of
from rem.trees import entropy, quantizer
from rem.trees.dictionaries import ROWS
from rem.trees.levels import edge_distance


def write_sweep(couplings: Path, target: Path) -> None:
    """Write the entropy against K, at every K of a coupling file: a row per K.

    The CSV's columns: `dataset`, `variant`, `seed`, `checkpoint`, `split`, `levels` (K), `edge_distance` (delta_K,
    `rem.trees.levels.edge_distance`), `accuracy` in % with the couplings quantized; `entropy` (Eq. 9),
    `entropy_ceiling` and `entropy_chao_shen` in bits, `keys` of all classes, and `uniform_share`, as `write_entropies`
    has them for all classes.

    Couplings are read once; a key is kept as its 64-bit hash alone.
    """
    with whole(target) as partial:
        pd.DataFrame(_rows(couplings)).to_csv(partial, index=False)


def hashed_keys(
    couplings: h5py.Dataset, levels: Sequence[int], classes: int, cells: bool
) -> tuple[np.ndarray, np.ndarray]:
    """At each of L K the hash of every image's key, uint64 (L, N), and the share of it in the level of 1/J, (L, N)."""
    words = np.empty((len(levels), len(couplings)), np.uint64)
    uniform = np.empty(words.shape)
    for start in range(0, len(couplings), ROWS):
        rows = slice(start, start + ROWS)
        values = couplings[rows]
        for row, level in enumerate(levels):
            keys = quantizer.keys(values, level, cells)  # (ROWS, I)
            words[row, rows] = entropy.digests(keys)
            uniform[row, rows] = (keys == quantizer.keys(np.float32(1 / classes), level, cells)).mean(axis=1)
    return words, uniform


def _rows(couplings: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(couplings) as source:
        run, where = run_of(source), row_of(source)
        levels, accuracy = source["sweep/levels"][:].tolist(), source["sweep/accuracy"][:]
        predicted, classes, cells = source["predicted"][:], run.data.classes, source.attrs["cells"]
        digests, uniform = hashed_keys(source["couplings"], levels, classes, cells)
    members = [np.flatnonzero(predicted == label) for label in range(classes)]
    for level, percent, words, shares in zip(levels, accuracy, digests, uniform, strict=True):
        counts = entropy.words_counts(words, members)
        yield where | {
            "levels": level,
            "edge_distance": float(edge_distance(level, classes, cells)),
            "accuracy": percent,
            "entropy": entropy.mean_entropy([entropy.entropy(own) for own in counts]),
            "entropy_ceiling": entropy.mean_entropy([entropy.ceiling(len(images)) for images in members]),
            "entropy_chao_shen": entropy.mean_entropy([entropy.chao_shen(own) for own in counts]),
            "keys": sum(map(len, counts)),
            "uniform_share": np.mean([shares[images].mean() for images in members if len(images)]),
        }

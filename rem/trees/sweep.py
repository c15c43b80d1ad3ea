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
from rem.trees.layers import read_layers
from rem.trees.levels import edge_distance
from rem.trees.parents import with_parents


def write_sweep(couplings: Path, target: Path) -> None:
    """Write the entropy against K, at every K of a coupling file: a row per routed layer and K.

    The CSV's columns: `dataset`, `variant`, `seed`, `checkpoint`, `split`, `layer` (1 is that of the class capsules),
    `levels` (K), `edge_distance` (delta_K, `rem.trees.levels.edge_distance`), `accuracy` in % with the couplings
    quantized, those of layer 1, and blank below it; `entropy` (Eq. 9), `entropy_ceiling` and `entropy_chao_shen` in
    bits, `keys` of all classes, and `uniform_share`, as `write_entropies` has them for all classes.

    Couplings are read once; a key is kept as its 64-bit hash alone.
    """
    with whole(target) as partial:
        pd.DataFrame(_rows(couplings)).to_csv(partial, index=False)


def hashed_keys(
    couplings: h5py.Dataset,
    levels: Sequence[int],
    classes: int,
    cells: bool,
    parents: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """At each of L K the hash of every image's key, uint64 (L, N), and the share of it in the level of 1/J, (L, N).

    Of a lower layer, `classes` are the capsules among which a child's couplings are shared out, and `parents` (N,) are
    a part of the keys.
    """
    words = np.empty((len(levels), len(couplings)), np.uint64)
    uniform = np.empty(words.shape)
    for start in range(0, len(couplings), ROWS):
        rows = slice(start, start + ROWS)
        values = couplings[rows]
        for row, level in enumerate(levels):
            keys = quantizer.keys(values, level, cells)  # (ROWS, I)
            words[row, rows] = entropy.digests(with_parents(keys, None if parents is None else parents[rows]))
            uniform[row, rows] = (keys == quantizer.keys(np.float32(1 / classes), level, cells)).mean(axis=1)
    return words, uniform


def _rows(couplings: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(couplings) as source:
        run, where = run_of(source), row_of(source)
        levels, accuracy = source["sweep/levels"][:].tolist(), source["sweep/accuracy"][:]
        predicted, classes, cells = source["predicted"][:], run.data.classes, source.attrs["cells"]
        members = [np.flatnonzero(predicted == label) for label in range(classes)]
        for layer in read_layers(source):
            digests, uniform = hashed_keys(layer.couplings, levels, layer.capsules, cells, layer.parents)
            measured = accuracy if layer.parents is None else np.full(len(levels), np.nan)
            for level, percent, words, shares in zip(levels, measured, digests, uniform, strict=True):
                counts = entropy.words_counts(words, members)
                yield where | {
                    "layer": layer.number,
                    "levels": level,
                    "edge_distance": float(edge_distance(level, layer.capsules, cells)),
                    "accuracy": percent,
                    "entropy": entropy.mean_entropy([entropy.entropy(own) for own in counts]),
                    "entropy_ceiling": entropy.mean_entropy([entropy.ceiling(len(images)) for images in members]),
                    "entropy_chao_shen": entropy.mean_entropy([entropy.chao_shen(own) for own in counts]),
                    "keys": sum(map(len, counts)),
                    "uniform_share": np.mean([shares[images].mean() for images in members if len(images)]),
                }

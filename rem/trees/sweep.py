"""Accuracy and entropy at every K."""

from pathlib import Path

import numpy as np
import pandas as pd

from rem.files.atomic import whole
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import row_of, run_of
from rem.trees import entropy, quantizer
from rem.trees.dictionaries import ROWS


def write_sweep(couplings: Path, target: Path) -> None:
    """Write the entropy against K, at every K of a coupling file: a row per K.

    The CSV's columns: `dataset`, `variant`, `seed`, `checkpoint`, `split`, `levels` (K), `accuracy` in % with the
    couplings quantized; `entropy` (Eq. 9), `entropy_ceiling` and `entropy_chao_shen` in bits, `keys` of all classes,
    and `uniform_share`, as `write_entropies` has them for all classes.

    The couplings are read once; a key is kept as its 64-bit hash alone.
    """
    with open_hdf5(couplings) as source:
        run, where = run_of(source), row_of(source)
        levels, accuracy = source["sweep/levels"][:], source["sweep/accuracy"][:]
        predicted, classes, cells = source["predicted"][:], run.data.classes, source.attrs["cells"]
        digests = np.empty((len(levels), len(predicted)), np.uint64)  # (L, N)
        uniform = np.empty(digests.shape)  # (L, N)
        for start in range(0, len(predicted), ROWS):
            rows = slice(start, start + ROWS)
            values = source["couplings"][rows]
            for row, level in enumerate(levels):
                keys = quantizer.keys(values, level, cells)  # (ROWS, I)
                digests[row, rows] = entropy.digests(keys)
                uniform[row, rows] = (keys == quantizer.keys(np.float32(1 / classes), level, cells)).mean(axis=1)
    members = [np.flatnonzero(predicted == label) for label in range(classes)]
    table = []
    for level, percent, words, shares in zip(levels, accuracy, digests, uniform, strict=True):
        counts = [np.unique(words[images], return_counts=True)[1] for images in members]
        table.append(
            where
            | {
                "levels": level,
                "accuracy": percent,
                "entropy": entropy.mean_entropy([entropy.entropy(own) for own in counts]),
                "entropy_ceiling": entropy.mean_entropy([entropy.ceiling(len(images)) for images in members]),
                "entropy_chao_shen": entropy.mean_entropy([entropy.chao_shen(own) for own in counts]),
                "keys": sum(map(len, counts)),
                "uniform_share": np.mean([shares[images].mean() for images in members if len(images)]),
            }
        )
    with whole(target) as partial:
        pd.DataFrame(table).to_csv(partial, index=False)

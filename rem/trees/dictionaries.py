"""Couplings to dictionaries of parse trees, and their entropies (section 3.1).

Couplings are read `ROWS` images at a time. What is held of a whole split are keys, a byte a coupling, and of these
no more than one class's, or `BYTES` where more classes fit in.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from rem.files.atomic import whole
from rem.files.hdf5 import open_hdf5, whole_hdf5
from rem.settings.stamp import row_of, run_of, stamp
from rem.trees import entropy, quantizer
from rem.trees.layers import read_layers
from rem.trees.parents import with_parents, without_parents

ROWS = 1024  # images whose couplings are held at a time
BYTES = 1 << 28  # of keys held at a time
REPLICATES = 200  # of the bootstrap


class ClassTrees(NamedTuple):
    """The parse trees of the images predicted as one class, at one K."""

    label: int
    images: np.ndarray  # (N,) their positions in the split
    trees: entropy.Dictionary
    uniform: float  # share of their couplings in the level that 1/J falls in; 1/M, in a lower layer
    parents: np.ndarray | None = None  # (M,) of each key of `trees`, in a lower layer


def parse_trees(
    couplings: np.ndarray | h5py.Dataset,
    predicted: np.ndarray,
    classes: int,
    levels: int,
    cells: bool = False,
    *,
    parents: np.ndarray | None = None,
    capsules: int | None = None,
) -> Iterator[ClassTrees]:
    """The dictionary of every class.

    Args:
        couplings: (N, I), c_{-j} of each image's predicted class.
        predicted: (N,), that class.
        classes: J.
        levels: K of the quantizer (Eq. 7).
        cells: whether that has cells.
        parents: (N,), of a lower layer, where a key is of a parent and of the couplings of its children.
        capsules: M of a lower layer, among which a child's couplings are shared out; None: J.
    """
    undecided = quantizer.keys(np.float32(1 / (capsules or classes)), levels, cells)
    images = np.bincount(predicted, minlength=classes)  # (J,)
    block = (np.cumsum(images) - 1) * couplings.shape[1] // BYTES  # (J,) classes that are read together
    for number in np.unique(block):
        labels = np.flatnonzero(block == number)
        members = np.flatnonzero(np.isin(predicted, labels))
        keys = _keys(couplings, members, levels, cells)
        for label in labels.tolist():
            one = predicted[members] == label
            own = keys[one] if len(labels) > 1 else keys
            uniform = float((own == undecided).mean()) if len(own) else float("nan")
            of = None if parents is None else parents[members[one]]
            trees = entropy.dictionary(with_parents(own, of))
            if of is not None:
                own, of = without_parents(trees.keys)
                trees = trees._replace(keys=own)
            yield ClassTrees(label, members[one], trees, uniform, of)


def _keys(couplings: np.ndarray | h5py.Dataset, images: np.ndarray, levels: int, cells: bool) -> np.ndarray:
    """The keys of the images at these positions, which ascend: uint8 (n, I)."""
    keys = np.empty((len(images), couplings.shape[1]), np.uint8)
    for start in range(0, len(couplings), ROWS):
        first, last = np.searchsorted(images, [start, start + ROWS])
        if first < last:
            values = couplings[start : start + ROWS][images[first:last] - start]
            keys[first:last] = quantizer.keys(values, levels, cells)
    return keys


def write_entropies(couplings: list[Path], levels: list[int], folder: Path, target: Path) -> None:
    """Write each coupling file's dictionaries, under its own name in `folder`, and all entropies to one CSV.

    A dictionary file holds, under `levels<K>/class<j>`: `keys` uint8 (M, I), most frequent first;
    `counts` (M,); `images` (n,), the images of the split predicted as j; `members` (n,), the row
    of `keys` that each of them has. Beside them `label` (N,) is the class of every image. Of a network with several
    routed layers there is the same of layer 2 under `layers/2` and so on, and in each class `parents` (M,): the keys of
    a lower layer are of a parent (`rem.trees.parents.strongest_path`) and of the couplings of its children to it.

    The CSV has a row per file, layer, K and class, and one for all classes (`class` empty): `dataset`, `variant`,
    `seed`, `checkpoint`, `split`, `layer` (1 is that of the class capsules), `levels` (K), `class`, `images`
    predicted as the class, `keys`, `entropy` (Eq. 8, bits) with its 95% bootstrap interval from `entropy_low` to
    `entropy_high`, its `entropy_ceiling` log2(images), the `entropy_miller_madow` and `entropy_chao_shen` estimates
    (bits), Good-Turing `coverage`, `lower_bound`, and `uniform_share`: the share of the couplings in the level that 1/J
    falls in (1/M in a lower layer, of M capsules among which a child's are shared out), which is the wider the lower K
    (`near_uniform_share` of the couplings' file depends on no K).

    Where too few of the keys were seen (`rem.trees.entropy.is_known`) the entropy is a lower bound: `lower_bound` is
    1, else 0, and the interval is blank. `entropy_chao_shen` is blank below a coverage of `rem.trees.entropy.LEAST`.

    For all classes, `images` and `keys` are sums and the others means over the J classes as in Eq. 9, every class alike
    however many images it has. A class that nobody predicted counts with its zeros, but in `uniform_share`, of
    which it has none. So `coverage` is not the share of all images whose key was seen but the mean of the classes'
    shares, and the interval is that of Eq. 9, from the means of the classes' replicates. The mean is a lower bound
    where the entropy of any class is; Chao and Shen's is blank where it is for any class.
    """
    rows = [row for path in couplings for row in _write_dictionaries(path, levels, folder / path.name)]
    with whole(target) as partial:
        pd.DataFrame(rows).astype({"class": "Int64"}).to_csv(partial, index=False)


def _write_dictionaries(couplings: Path, levels: list[int], target: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(couplings) as source, whole_hdf5(target) as file:
        run, where = run_of(source), row_of(source)
        stamp(file, run, checkpoint=where["checkpoint"], split=where["split"])
        file["label"] = source["label"][:]
        predicted = source["predicted"][:]
        for layer in read_layers(source):
            place = file if layer.parents is None else file.create_group(f"layers/{layer.number}")
            of = {"parents": layer.parents, "capsules": layer.capsules}
            for level in levels:
                trees = parse_trees(layer.couplings, predicted, run.data.classes, level, source.attrs["cells"], **of)
                for row in _write_level(place.create_group(f"levels{level}"), trees, level):
                    yield where | {"layer": layer.number, "levels": level} | row


def _write_level(file: h5py.Group, classes: Iterator[ClassTrees], level: int) -> list[dict[str, object]]:
    """Write the dictionaries of one K; returns a row a class and one for all."""
    rows, replicates, counted = [], [], []
    for label, images, trees, uniform, parents in classes:
        group = file.create_group(f"class{label}")
        group.create_dataset("keys", data=trees.keys, compression="gzip", compression_opts=1)
        group["counts"], group["members"], group["images"] = trees.counts, trees.members, images
        if parents is not None:
            group["parents"] = parents
        bits, ceiling = entropy.entropy(trees.counts), entropy.ceiling(len(images))
        counted.append(trees.counts)
        low, high = np.nan, np.nan
        if known := entropy.is_known(trees.counts):
            replicates.append(entropy.bootstrap(trees.counts, REPLICATES, np.random.default_rng([level, label])))
            low, high = entropy.interval(bits, replicates[-1], ceiling)
        rows.append(
            {
                "class": label,
                "images": len(images),
                "keys": len(trees.counts),
                "entropy": bits,
                "entropy_low": low,
                "entropy_high": high,
                "lower_bound": int(not known),
                "entropy_ceiling": ceiling,
                "entropy_miller_madow": entropy.miller_madow(trees.counts),
                "entropy_chao_shen": entropy.chao_shen(trees.counts),
                "coverage": entropy.coverage(trees.counts),
                "uniform_share": uniform,
            }
        )
    return [*rows, _of_all(pd.DataFrame(rows), counted, replicates)]


def _of_all(table: pd.DataFrame, counted: list[np.ndarray], replicates: list[np.ndarray]) -> dict[str, object]:
    """The row of all classes: from those of each, their counts, and the replicates of those that have an interval."""
    low, high, bits = np.nan, np.nan, entropy.mean_entropy(table["entropy"])
    if known := entropy.is_known(*counted):
        low, high = entropy.interval(bits, np.mean(replicates, axis=0), table["entropy_ceiling"].mean())
    return table.mean(skipna=False).to_dict() | {
        "class": None,
        "images": table["images"].sum(),
        "keys": table["keys"].sum(),
        "entropy": bits,
        "entropy_low": low,
        "entropy_high": high,
        "lower_bound": int(not known),
        "uniform_share": table["uniform_share"].mean(),
    }

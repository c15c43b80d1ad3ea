"""Couplings to dictionaries of parse trees, and their entropies (section 3.1)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from rem import entropy
from rem.files import open_hdf5, whole
from rem.provenance import record
from rem.quantize import indices
from rem.settings import Run


class ClassTrees(NamedTuple):
    """The parse trees of the images predicted as one class, at one K."""

    label: int
    images: np.ndarray  # (N,) their positions in the split
    trees: entropy.Dictionary
    uniform: float  # share of their couplings in the level that 1/J falls in


def parse_trees(couplings: np.ndarray, predicted: np.ndarray, classes: int, levels: int) -> Iterator[ClassTrees]:
    """The dictionary of every class.

    Args:
        couplings: (N, I), c_{-j} of each image's predicted class.
        predicted: (N,), that class.
        classes: J.
        levels: K of the quantizer (Eq. 7).
    """
    keys = indices(couplings, levels)  # (N, I)
    undecided = indices(np.float32(1 / classes), levels)
    for label in range(classes):
        images = np.flatnonzero(predicted == label)
        own = keys[images]
        yield ClassTrees(
            label, images, entropy.dictionary(own), float((own == undecided).mean()) if len(own) else float("nan")
        )


def write_entropies(couplings: list[Path], levels: list[int], folder: Path, target: Path) -> None:
    """Write each coupling file's dictionaries, under its own name in `folder`, and all entropies to one CSV.

    A dictionary file holds, under `levels<K>/class<j>`: `keys` uint8 (M, I), most frequent first;
    `counts` (M,); `images` (n,), the images of the split predicted as j; `members` (n,), the row
    of `keys` that each of them has.

    The CSV has a row per file, K and class: `dataset`, `variant`, `seed`, `checkpoint`, `split`, `levels`
    (K), `class`, `images` predicted as the class, `keys`, `entropy` (Eq. 8, bits), its `entropy_ceiling`
    log2(images), `entropy_miller_madow` and `entropy_chao_shen` estimates (bits), Good-Turing
    `coverage`, and `uniform_share`: the share of the couplings in the level that 1/J falls in.
    """
    rows = [row for path in couplings for row in _write_dictionaries(path, levels, folder / path.name)]
    with whole(target) as partial:
        pd.DataFrame(rows).to_csv(partial, index=False)


def _write_dictionaries(couplings: Path, levels: list[int], target: Path) -> Iterator[dict[str, object]]:
    with open_hdf5(couplings) as source, whole(target) as partial, h5py.File(partial, "w") as file:
        run = Run.model_validate_json(source.attrs["run"])
        where = {"checkpoint": source.attrs["checkpoint"], "split": source.attrs["split"]}
        record(file, run, **where)
        where = {"dataset": run.dataset, "variant": run.variant, "seed": run.seed} | where
        values, predicted = source["couplings"][:], source["predicted"][:]
        for level in levels:
            for label, images, trees, uniform in parse_trees(values, predicted, run.data.classes, level):
                group = file.create_group(f"levels{level}/class{label}")
                group.create_dataset("keys", data=trees.keys, compression="gzip", compression_opts=1)
                group["counts"], group["members"], group["images"] = trees.counts, trees.members, images
                yield where | {
                    "levels": level,
                    "class": label,
                    "images": len(images),
                    "keys": len(trees.counts),
                    "entropy": entropy.entropy(trees.counts),
                    "entropy_ceiling": entropy.ceiling(len(images)),
                    "entropy_miller_madow": entropy.miller_madow(trees.counts),
                    "entropy_chao_shen": entropy.chao_shen(trees.counts),
                    "coverage": entropy.coverage(trees.counts),
                    "uniform_share": uniform,
                }


def write_trajectory(couplings: list[Path], levels: int, target: Path) -> None:
    """Write how a run went (Figure 5): a row per checkpoint kept.

    The CSV's columns: `epoch`, `sparsity` (%), `accuracy` (%) and `entropy` (Eq. 9, bits) at K, `keys` of
    all classes, `levels` (K).
    """
    rows = []
    for path in couplings:
        with open_hdf5(path) as file:
            classes = Run.model_validate_json(file.attrs["run"]).data.classes
            trees = list(parse_trees(file["couplings"][:], file["predicted"][:], classes, levels))
            rows.append(
                {
                    "epoch": file.attrs["epoch"],
                    "sparsity": 100 * json.loads(file.attrs["sparsity"])["all"],
                    "accuracy": file["levels/accuracy"][file["levels/K"][:] == levels].item(),
                    "entropy": entropy.mean_entropy([entropy.entropy(one.trees.counts) for one in trees]),
                    "keys": sum(len(one.trees.counts) for one in trees),
                    "levels": levels,
                }
            )
    with whole(target) as partial:
        pd.DataFrame(rows).sort_values("epoch").to_csv(partial, index=False)

"""Couplings to dictionaries of parse trees, and their entropies (section 3.1)."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from rem import entropy
from rem.files import open_hdf5, whole
from rem.provenance import record
from rem.quantize import indices
from rem.settings import Run


def build_dictionaries(couplings: Path, levels: list[int], target: Path) -> pd.DataFrame:
    """Write the dictionary of every class at each K, and give the entropies.

    The HDF5 file holds, under `levels<K>/class<j>`: `keys` uint8 (M, I), most frequent first;
    `counts` (M,); `images` (n,), the images of the split predicted as j; `members` (n,), the row
    of `keys` that each of them has.

    Args:
        couplings: a file of `rem couplings`.
        levels: the K to quantize at.
        target: the HDF5 file.

    Returns:
        A row per K and class: `checkpoint`, `split`, `levels`, `class`, `images` predicted as the class,
        `keys`, `entropy` (Eq. 8, bits), its `ceiling` log2(images), `miller_madow` and `chao_shen`
        estimates (bits), Good-Turing `coverage`, and `uniform`: the share of the couplings in the
        level that 1/J falls in.
    """
    rows = []
    with open_hdf5(couplings) as source, whole(target) as partial, h5py.File(partial, "w") as file:
        run = Run.model_validate_json(source.attrs["run"])
        values, predicted = source["couplings"][:], source["predicted"][:]  # (N, I), (N,)
        for level in levels:
            keys = indices(values, level)  # (N, I)
            undecided = indices(np.float32(1 / run.data.classes), level)
            for label in range(run.data.classes):
                images = np.flatnonzero(predicted == label)
                found = entropy.dictionary(keys[images])
                group = file.create_group(f"levels{level}/class{label}")
                group.create_dataset("keys", data=found.keys, compression="gzip", compression_opts=1)
                group["counts"], group["members"], group["images"] = found.counts, found.members, images
                rows.append(
                    {
                        "checkpoint": source.attrs["checkpoint"],
                        "split": source.attrs["split"],
                        "levels": level,
                        "class": label,
                        "images": len(images),
                        "keys": len(found.counts),
                        "entropy": entropy.entropy(found.counts),
                        "ceiling": entropy.ceiling(len(images)),
                        "miller_madow": entropy.miller_madow(found.counts),
                        "chao_shen": entropy.chao_shen(found.counts),
                        "coverage": entropy.coverage(found.counts),
                        "uniform": float((keys[images] == undecided).mean()) if len(images) else float("nan"),
                    }
                )
        record(file, run, checkpoint=source.attrs["checkpoint"], split=source.attrs["split"])
    return pd.DataFrame(rows)


def write_entropies(couplings: list[Path], levels: list[int], folder: Path, target: Path) -> None:
    """Write each coupling file's dictionaries under its own name in `folder`, and all entropies to one CSV."""
    tables = [build_dictionaries(path, levels, folder / path.name) for path in couplings]
    with whole(target) as partial:
        pd.concat(tables, ignore_index=True).to_csv(partial, index=False)

"""What the test images leave open of a difference between networks: images drawn anew, the same ones for all."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from rem.files.atomic import whole
from rem.files.hdf5 import open_hdf5
from rem.settings.stamp import row_of
from rem.tables.measurements import OVER_IMAGES
from rem.trees import entropy

ACCURACIES = 2000  # replicates
ENTROPIES = 200  # which are the first of them


@dataclass
class Keys:
    """The keys of a network's images at one K.

    Attributes:
        of: (N,) the number of each image's key, over all classes.
        classes: (M,) the class of each key.
    """

    of: np.ndarray
    classes: np.ndarray

    def entropy(self, times: np.ndarray) -> float:
        """The mean over classes of the entropy in bits (Eq. 9), image n being there `times`[n] times: (N,)."""
        counts = np.bincount(self.of, times, len(self.classes))
        images = np.bincount(self.classes, counts)
        logs = np.bincount(self.classes, counts * np.log2(np.maximum(counts, 1)))
        some = np.maximum(images, 1)
        return float(np.mean(np.log2(some) - logs / some))


@dataclass
class Network:
    """What was measured of the images of a split (N,) by one network.

    Attributes:
        where: its columns `dataset`, `variant`, `seed`, `checkpoint` and `split`.
        correct: (N,) whether it classifies each correctly, its couplings not quantized.
        keys: by K, of those at which its entropy is known and no lower bound.
    """

    where: dict[str, object]
    correct: np.ndarray
    keys: dict[int, Keys] = field(default_factory=dict)


def write_resampled(dictionaries: list[Path], target: Path) -> None:
    """Write the intervals over images of the differences between every two networks of a dataset.

    The images of a split are drawn anew, as many as there are, the same ones for all networks and seeds; a difference
    is the mean over the seeds that both have. The CSV has a row a split, two networks, metric and K, with
    `rem.tables.measurements.OVER_IMAGES`: `difference` (variant - baseline), its 95% basic bootstrap interval `low` to
    `high`, which mirrors the quantiles of the replicates at the difference, and the number of `replicates`. That of two
    entropies is widened by what it corrects the bias of either, as in `rem.trees.entropy.interval`. Metrics:
    `accuracy` in %, of couplings that are not quantized (`levels` is empty); `entropy` in bits, where that of neither
    network, of any seed, is but a lower bound (`rem.trees.entropy.is_known`).

    Args:
        dictionaries: files of `rem entropy`, of one dataset.
        target: the CSV.

    Raises:
        RemError: a file is missing or damaged.
    """
    networks = [_read(path) for path in dictionaries]
    splits = dict.fromkeys(network.where["split"] for network in networks)
    rows = [
        row for split in splits for row in _rows([network for network in networks if network.where["split"] == split])
    ]
    with whole(target) as partial:
        pd.DataFrame(rows, columns=OVER_IMAGES).astype({"levels": "Int64"}).to_csv(partial, index=False)


def _read(path: Path) -> Network:
    with open_hdf5(path) as file:
        label = file["label"][:]
        found = Network(row_of(file), np.zeros(len(label), bool))
        for name in (name for name in file if name.startswith("levels")):
            of, classes, counted = np.zeros(len(label), np.int64), [], []
            for number in range(len(file[name])):
                group = file[f"{name}/class{number}"]
                counts, images = group["counts"][:], group["images"][:]
                of[images] = group["members"][:] + sum(map(len, classes))
                classes.append(np.full(max(len(counts), 1), number))  # one at least, so that it counts with its zero
                counted.append(counts)
                found.correct[images] = label[images] == number
            if entropy.is_known(*counted):
                found.keys[int(name.removeprefix("levels"))] = Keys(of, np.concatenate(classes))
        return found


def _rows(networks: list[Network]) -> Iterator[dict[str, object]]:
    """The rows of one split."""
    measured = _replicates(networks)
    pairs = itertools.permutations(dict.fromkeys((variant, checkpoint) for variant, checkpoint, *_ in measured), 2)
    wheres = dict.fromkeys((metric, levels) for *_, metric, levels in measured)
    for pair, where in itertools.product(pairs, wheres):
        (own, other) = (measured.get((*network, *where), {}) for network in pair)
        seeds = own.keys() & other.keys()
        if not seeds or (where[0] == "entropy" and not _known(networks, pair, where[1])):
            continue
        means = [np.mean([of[seed] for seed in sorted(seeds)], axis=0) for of in (own, other)]  # (1 + replicates,) each
        difference, *replicates = means[0] - means[1]
        low, high = 2 * difference - np.quantile(replicates, [0.975, 0.025])
        if where[0] == "entropy":
            above, below = (max(0.0, of[0] - of[1:].mean()) for of in means)
            low, high = low - below, high + above
        names = (networks[0].where["dataset"], networks[0].where["split"], *pair[0], *pair[1], where[1], where[0])
        yield dict(zip(OVER_IMAGES, (*names, difference, low, high, len(replicates)), strict=True))


def _known(networks: list[Network], pair: tuple[tuple[str, str], ...], levels: int | None) -> bool:
    """Whether no network of the two, of any seed, has an entropy at K that is but a lower bound."""
    both = [network for network in networks if (network.where["variant"], network.where["checkpoint"]) in pair]
    return all(levels in network.keys for network in both)


def _replicates(networks: list[Network]) -> dict[tuple[str, str, str, int | None], dict[int, np.ndarray]]:
    """By variant, checkpoint, metric and K, and then by seed: what was measured, and behind it its replicates."""
    images = len(networks[0].correct)
    correct = np.stack([network.correct for network in networks]).astype(np.float32)  # (networks, N); sums are exact
    accuracies = np.empty((len(networks), 1 + ACCURACIES))
    entropies = {(place, levels): [] for place, network in enumerate(networks) for levels in network.keys}
    draw = np.random.default_rng(0)
    for replicate in range(1 + ACCURACIES):
        drawn = draw.integers(images, size=images) if replicate else np.arange(images)
        times = np.bincount(drawn, minlength=images)
        accuracies[:, replicate] = correct @ times.astype(np.float32)
        if replicate <= ENTROPIES:
            for place, levels in entropies:
                entropies[place, levels].append(networks[place].keys[levels].entropy(times))
    found: dict[tuple[str, str, str, int | None], dict[int, np.ndarray]] = {}
    for place, network in enumerate(networks):
        variant, seed, checkpoint = (network.where[name] for name in ("variant", "seed", "checkpoint"))
        found.setdefault((variant, checkpoint, "accuracy", None), {})[seed] = 100 * accuracies[place] / images
        for levels in network.keys:
            own = np.array(entropies[place, levels])
            found.setdefault((variant, checkpoint, "entropy", levels), {})[seed] = own
    return found

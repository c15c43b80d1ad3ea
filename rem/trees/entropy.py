"""Dictionaries of parse trees and their entropy (section 3.1, Eq. 8 and 9): arrays in, arrays out.

R. Renzulli, E. Tartaglione, M. Grangetto: REM: Routing Entropy Minimization for Capsule Networks, 2022,
https://arxiv.org/abs/2204.01298.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rem.errors import RemError

if TYPE_CHECKING:
    import torch

LEAST = 0.1  # coverage below which Chao and Shen's estimate is an extrapolation: it may exceed any number of bits
KNOWN = 0.8  # coverage below which nothing is said of an entropy but that it is a lower bound


class Dictionary(NamedTuple):
    """The distinct keys of one class, most frequent first; ties in lexicographic order of the keys."""

    keys: np.ndarray  # (M, I) uint8
    counts: np.ndarray  # (M,) images per key
    members: np.ndarray  # (N,) row in `keys` of each image's key


def dictionary(keys: "np.ndarray | torch.Tensor") -> Dictionary:
    """Collect the keys of the images predicted as one class (section 3.1, "Extracting the parse tree").

    >>> trees = rem.dictionary(np.array([[0, 1, 1], [2, 0, 0], [0, 1, 1]], np.uint8))
    >>> trees.counts, trees.members
    (array([2, 1]), array([0, 1, 0]))

    From Renzulli et al. (2022), https://arxiv.org/abs/2204.01298.

    Args:
        keys: (N, I) uint8, a row per image: the quantization indices of the couplings c_{-j}; an array, or a tensor on
            the CPU.

    Raises:
        RemError: these are no such numbers, but couplings or their centres for one.
    """
    keys = np.asarray(keys)
    if keys.dtype != np.uint8 and (keys.dtype.kind not in "ui" or keys.min(initial=0) < 0 or keys.max(initial=0) > 255):
        raise RemError("keys are no whole numbers from 0 to 255; make them of couplings with rem.keys.")
    keys = np.ascontiguousarray(keys, dtype=np.uint8)
    images, capsules = keys.shape
    rows = keys.view(np.dtype((np.void, capsules))).reshape(images)
    _, first, members, counts = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Dictionary(keys[first[order]], counts[order], rank[members])


def digests(keys: np.ndarray) -> np.ndarray:
    """A 64-bit hash of every key, (N,) uint64, by which keys are counted without being kept.

    It is the sum of the key's numbers, each times a random odd one, modulo 2^64. Two different keys share it with a
    probability of at most 2^-56, for they differ by less than 2^8 somewhere: any two of n keys with one below
    n^2 / 2^57, which is one in 10^9 for 10,000.

    Args:
        keys: (N, I) uint8, a row per image.
    """
    return (keys * _factors(keys.shape[1])).sum(axis=1, dtype=np.uint64)


@functools.cache
def _factors(capsules: int) -> np.ndarray:
    """Random odd numbers, the same in every process."""
    return np.random.default_rng(0).integers(2**63, size=capsules, dtype=np.uint64) * 2 + 1


def entropy(counts: np.ndarray) -> float:
    """Eq. 8: H_j = -sum_key P(key | y = j) log2 P(key | y = j), in bits; 0 for no image.

    The sum runs over the distinct keys with their frequencies among the images predicted as j.

    >>> rem.entropy(np.array([2, 1, 1]))  # 1/2 log2(2) + 2 * 1/4 log2(4)
    1.5

    From Renzulli et al. (2022), https://arxiv.org/abs/2204.01298.

    Args:
        counts: (M,) images per key; a key of no image adds nothing.
    """
    counts = counts[counts > 0]
    total = counts.sum()
    if total == 0:
        return 0.0
    frequency = counts / total
    return max(0.0, float(-(frequency * np.log2(frequency)).sum()))


def mean_entropy(entropies: Sequence[float]) -> float:
    """Eq. 9: H, the mean over the J classes of H_j, in bits; a class nobody predicted counts as 0.

    >>> rem.mean_entropy([1.5, 0.0, 3.0])
    1.5

    From Renzulli et al. (2022), https://arxiv.org/abs/2204.01298.
    """
    return float(np.mean(entropies))


def words_counts(words: np.ndarray, members: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of every class, how many of its images have each key, of keys as `words_entropy` has them."""
    return [np.unique(words[images], return_counts=True)[1] for images in members]


def words_entropy(words: np.ndarray, members: Sequence[np.ndarray]) -> float:
    """`mean_entropy` of keys that are known by their hashes alone, in bits.

    Args:
        words: (N,), the hash of each image's key.
        members: of every class, the images predicted as it.
    """
    return mean_entropy([entropy(counts) for counts in words_counts(words, members)])


def ceiling(images: int) -> float:
    """log2(n), the most bits that the plug-in entropy (Eq. 8) of n images can have; 0 for no image."""
    return float(np.log2(images)) if images else 0.0


def miller_madow(counts: np.ndarray) -> float:
    """The entropy corrected for its bias by Miller (1955): Eq. 8 + (M - 1) / (2 n ln 2) bits for M keys."""
    total = counts.sum()
    return entropy(counts) + (len(counts) - 1) / (2 * total * np.log(2)) if total else 0.0


def coverage(counts: np.ndarray) -> float:
    """Good-Turing: the estimated share of the population whose key was seen, 1 - f1 / n; 0 for no image."""
    total = counts.sum()
    return float((total - (counts == 1).sum()) / total) if total else 0.0


def chao_shen(counts: np.ndarray) -> float:
    """The coverage-adjusted entropy estimate of Chao and Shen (2003), in bits; 0 for no image, NaN below `LEAST`.

    Frequencies are shrunk by the coverage and each term is divided by the probability of having seen its key at all.
    Where nearly every key was seen once, that probability is nearly 0 and the estimate tells nothing.
    """
    total = counts.sum()
    if total == 0:
        return 0.0
    covered = coverage(counts)
    if covered < LEAST:
        return float("nan")
    frequency = covered * counts / total
    return max(0.0, float(-(frequency * np.log2(frequency) / (1 - (1 - frequency) ** total)).sum()))


def is_known(*classes: np.ndarray) -> bool:
    """Whether the mean entropy of classes can have an interval: the coverage of each with images is `KNOWN` or more.

    Else it is a lower bound. The bias of a mean over classes is no smaller than that of each, so one class of which too
    little was seen is enough.

    Args:
        classes: the counts (M,) of each class, images per key; one, for the entropy of a class.
    """
    return all(len(counts) == 0 or coverage(counts) >= KNOWN for counts in classes)


def bootstrap(counts: np.ndarray, replicates: int, generator: np.random.Generator) -> np.ndarray:
    """Replicates of Eq. 8, each of as many images drawn anew from those at hand: (replicates,) bits; 0 for no image.

    Drawing the images is drawing the counts of their keys from a multinomial of the observed frequencies.
    """
    total = int(counts.sum())
    if total == 0:
        return np.zeros(replicates)
    key_of = np.repeat(np.arange(len(counts)), counts)  # (n,)
    times = np.arange(total + 1)
    surprise = times * np.log2(np.maximum(times, 1))  # n log2 n of every count there can be
    drawn = (np.bincount(key_of[generator.integers(total, size=total)]) for _ in range(replicates))
    return np.array([np.log2(total) - surprise[anew].sum() / total for anew in drawn])


def interval(estimate: float, replicates: np.ndarray, most: float) -> tuple[float, float]:
    """A 95% bootstrap interval of an entropy, in bits: the basic (reverse percentile) one, widened upwards.

    The plug-in entropy is biased down, and that of a resample once more: it misses keys that the sample has, as the
    sample misses keys that the population has. An interval between the quantiles of the replicates would therefore
    have the bias twice; the basic interval mirrors them at the estimate, 2 H - q, and so corrects for it. But it
    corrects for too little, for the resample misses less than the sample does. So its upper end is moved by the same
    correction once more. It may lie above the estimate. No sample can tell of more than its ceiling: the interval is
    cut off there. The 95% are nominal: in simulations it holds the truth in 85% and more where that `is_known`.

    Args:
        estimate: the plug-in entropy H, of a class (Eq. 8) or as the mean over classes (Eq. 9).
        replicates: the same of every resample.
        most: its ceiling.
    """
    low, high = 2 * estimate - np.quantile(replicates, [0.975, 0.025])
    high += max(0.0, estimate - replicates.mean())
    return float(np.clip(low, 0, most)), float(np.clip(high, 0, most))

"""The paper, read slowly: every equation in float64 Python loops, to test the package against.

Nothing here is fast and nothing is shared with the package. Functions take one image at a time;
arrays are containers only. i counts primary capsules, j class capsules, d and p the dimensions of
their poses. Couplings and logits are indexed [j][i], votes [j][i][d].
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

EPSILON = 1e-6  # under the root of the norm that the squash divides by


class Routing(NamedTuple):
    """What the last iteration of the routing saw and made."""

    poses: np.ndarray  # v, (J, D)
    couplings: np.ndarray  # c, (J, I), as they come out of the softmax
    used: np.ndarray  # (J, I), the couplings that weighted the votes: c, or its quantized values
    logits: np.ndarray  # b, (J, I), of which c is the softmax


def squash(s: Sequence[float]) -> np.ndarray:
    """Eq. 3: |s|^2 / (1 + |s|^2) times s / |s|, the |s| divided by being sqrt(|s|^2 + 1e-6)."""
    square = sum(x * x for x in s)
    return np.array([square / (1 + square) * x / math.sqrt(square + EPSILON) for x in s])


def length(pose: Sequence[float]) -> float:
    """|v|, the probability that the capsule's entity is there."""
    return math.sqrt(sum(x * x for x in pose))


def votes(weight: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Eq. 1: the matrix W_ij times the pose u_i, for every i and j."""
    capsules, classes, dimensions, inputs = weight.shape
    result = np.zeros((classes, capsules, dimensions))
    for i in range(capsules):
        for j in range(classes):
            for d in range(dimensions):
                result[j, i, d] = sum(weight[i, j, d, p] * poses[i, p] for p in range(inputs))
    return result


def coupling(logits: np.ndarray, connected: np.ndarray | None = None) -> np.ndarray:
    """Eq. 4: each primary capsule shares itself out among the class capsules that it is connected to (I, J), or all."""
    classes, capsules = logits.shape
    result = np.zeros((classes, capsules))
    for i in range(capsules):
        parents = [j for j in range(classes) if connected is None or connected[i, j]]
        total = sum(math.exp(logits[k, i]) for k in parents)
        for j in parents:
            result[j, i] = math.exp(logits[j, i]) / total
    return result


def output_poses(votes: np.ndarray, bias: np.ndarray, couplings: np.ndarray) -> np.ndarray:
    """Eq. 2 and 3: the votes weighted by given couplings, plus the routing bias, squashed."""
    classes, capsules, dimensions = votes.shape
    result = np.zeros((classes, dimensions))
    for j in range(classes):
        s = [sum(couplings[j, i] * votes[j, i, d] for i in range(capsules)) + bias[j, d] for d in range(dimensions)]
        result[j] = squash(s)
    return result


def route(
    votes: np.ndarray,
    bias: np.ndarray,
    iterations: int,
    levels: int | None = None,
    connected: np.ndarray | None = None,
) -> Routing:
    """Eq. 2 to 5, `iterations` times from logits of 0; `levels` quantizes the last couplings only."""
    classes, capsules, dimensions = votes.shape
    logits = np.zeros((classes, capsules))
    for iteration in range(1, iterations + 1):
        couplings = coupling(logits, connected)
        used = couplings.copy()
        if iteration == iterations and levels is not None:
            for j in range(classes):
                for i in range(capsules):
                    used[j, i] = quantize(couplings[j, i], levels)
        poses = output_poses(votes, bias, used)
        if iteration < iterations:
            for j in range(classes):
                for i in range(capsules):
                    logits[j, i] += sum(poses[j, d] * votes[j, i, d] for d in range(dimensions))
    return Routing(poses, couplings, used, logits)


def convolve(image: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """A convolution without padding: (channels, rows, columns) -> (filters, rows, columns)."""
    filters, channels, height, width = weight.shape
    rows = (image.shape[1] - height) // stride + 1
    columns = (image.shape[2] - width) // stride + 1
    pixels, kernels = image.tolist(), weight.tolist()
    result = np.zeros((filters, rows, columns))
    for f in range(filters):
        for row in range(rows):
            for column in range(columns):
                result[f, row, column] = bias[f] + sum(
                    kernels[f][c][y][x] * pixels[c][row * stride + y][column * stride + x]
                    for c in range(channels)
                    for y in range(height)
                    for x in range(width)
                )
    return result


def primary_capsules(features: np.ndarray, dimensions: int) -> np.ndarray:
    """Squashed poses u_i; i runs over (type, row, column), channel type * dimensions + p is entry p."""
    channels, rows, columns = features.shape
    return np.array(
        [
            squash([features[kind * dimensions + p, row, column] for p in range(dimensions)])
            for kind in range(channels // dimensions)
            for row in range(rows)
            for column in range(columns)
        ]
    )


def margin_loss(lengths: Sequence[float], label: int) -> float:
    """The margin loss of Sabour et al. for one image: m+ 0.9, m- 0.1, lambda 0.5, summed over classes."""
    loss = 0.0
    for j, x in enumerate(lengths):
        loss += max(0.0, 0.9 - x) ** 2 if j == label else 0.5 * max(0.0, x - 0.1) ** 2
    return loss


def lobster_decay(theta: float, gradient: float, penalty: float) -> float:
    """The last term of Eq. 16 taken off a parameter."""
    return theta - penalty * theta * max(0.0, 1 - abs(gradient))


def group_lobster_decay(block: np.ndarray, gradient: np.ndarray, scale: float, penalty: float) -> np.ndarray:
    """Eq. 16's last term on a block as a whole, whose sensitivity is the norm of its gradient on a scale."""
    sensitivity = math.sqrt(sum(g * g for g in gradient.ravel())) / scale
    return block - penalty * block * max(0.0, 1 - sensitivity)


def largest_threshold(magnitudes: Iterable[float], loss: Callable[[float], float], bound: float) -> float:
    """By trying them all: the largest threshold under which pruning leaves the loss within the bound."""
    holding = [t for t in [*sorted(set(magnitudes)), math.inf] if loss(t) <= bound]
    return max(holding, default=0.0)


def index(coupling: float, levels: int) -> int:
    """The index of the nearest of the centres 0, 1/(K-1) ... 1."""
    return min(range(levels), key=lambda k: abs(coupling - k / (levels - 1)))


def quantize(coupling: float, levels: int) -> float:
    """q_K, Eq. 7: the nearest centre itself."""
    return index(coupling, levels) / (levels - 1)


def predicted_class(poses: np.ndarray) -> int:
    """The class whose capsule is longest."""
    return max(range(len(poses)), key=lambda j: length(poses[j]))


def key(couplings: np.ndarray, predicted: int, levels: int) -> tuple[int, ...]:
    """The quantization indices of the couplings to the predicted class, a word of I letters."""
    return tuple(index(c, levels) for c in couplings[predicted])


def dictionaries(keys: Sequence[tuple[int, ...]], predicted: Sequence[int], classes: int) -> list[Counter]:
    """For every class, how often each key occurs among the images predicted as it."""
    result: list[Counter] = [Counter() for _ in range(classes)]
    for word, j in zip(keys, predicted, strict=True):
        result[j][word] += 1
    return result


def entropy(counts: Iterable[int]) -> float:
    """Eq. 8 in bits, from how often each key of one class occurs."""
    counts = list(counts)
    total = sum(counts)
    return -sum(n / total * math.log2(n / total) for n in counts)


def mean_entropy(entropies: Sequence[float]) -> float:
    """Eq. 9: the mean over all J classes."""
    return sum(entropies) / len(entropies)


def ceiling(images: int) -> float:
    """The entropy of as many different keys as images: no empirical entropy can be larger."""
    return math.log2(images)


def coverage(counts: Sequence[int]) -> float:
    """Good and Turing: the probability that the next image's key has been seen, 1 - f1 / n."""
    return 1 - sum(1 for n in counts if n == 1) / sum(counts)


def miller_madow(counts: Sequence[int]) -> float:
    """Entropy plus (keys - 1) / 2n nats."""
    return entropy(counts) + (len(counts) - 1) / (2 * sum(counts)) / math.log(2)


def chao_shen(counts: Sequence[int]) -> float:
    """Horvitz and Thompson's sum over frequencies shrunk by the coverage.

    Where every key was seen once only, the coverage is taken for 1/n instead of 0, as usual.
    """
    total = sum(counts)
    seen = coverage(counts) if any(n > 1 for n in counts) else 1 / total
    result = 0.0
    for n in counts:
        p = seen * n / total
        if p < 1:
            result -= p * math.log2(p) / (1 - (1 - p) ** total)
    return result

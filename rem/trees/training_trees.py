"""What the training images say of each class's tree: what replaces routing, and what test keys are held to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rem.networks.network import Network
from rem.trees import entropy, quantizer
from rem.trees.parents import own_column


class TrainingTrees(NamedTuple):
    """Of training images, by predicted class; where nobody was predicted as a class, its couplings are 1/J."""

    class_mean: Tensor  # (J, I) the mean column of each class
    overall_mean: Tensor  # (J, I) the mean of all images
    latest: Tensor  # (J, J, I) the couplings of the last image of each class
    modal: dict[int, Tensor]  # K -> (J, I), the most frequent key of each class, as couplings
    modal_share: dict[int, float]  # K -> the share of a class's images that have it, averaged over the classes
    words: dict[int, np.ndarray]  # K -> the different words (`words`), ascending
    counts: dict[int, np.ndarray]  # K -> how many images have each

    def times(self, levels: int, words: np.ndarray) -> np.ndarray:
        """How many training images have each of these keys and classes, at K: (N,) `words` to (N,)."""
        known, counts = self.words[levels], self.counts[levels]
        place = np.searchsorted(known, words).clip(max=len(known) - 1)
        return np.where(known[place] == words, counts[place], 0)


def words(keys: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each key and the class that it is of: (N, I) uint8 and (N,) to (N,) uint64."""
    labels = predicted.astype("<u2")[:, None].view(np.uint8)  # (N, 2)
    return entropy.digests(np.hstack([labels, keys]))


@torch.no_grad()
def routed_images(model: Network, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The couplings (B, J, I) of images (B, C, S, S), normalised, and their predicted classes (B,)."""
    lengths, _, couplings = model(pixels)
    return couplings, lengths.argmax(dim=1)


def training_trees(
    batches: Callable[[], Iterable[Tensor]],
    routed: Callable[[Tensor], tuple[Tensor, Tensor]],
    classes: int,
    levels: Sequence[int],
    cells: bool = False,
) -> TrainingTrees:
    """Go through the training images, and once more for the few that have the modal keys.

    Args:
        batches: gives all training images, batch by batch, alike each time.
        routed: gives the couplings (B, J, I) and the predicted classes (B,) of such a batch.
        classes: J.
        levels: every K of which keys are counted.
        cells: whether the quantizer has cells.
    """
    sums, latest, images = None, None, torch.zeros(classes, dtype=torch.float64)
    found: dict[int, list[np.ndarray]] = {level: [] for level in levels}
    labels = []
    for batch in batches():
        couplings, predicted = routed(batch)
        own, indices = own_column(couplings, predicted), predicted.cpu()
        if sums is None:
            uniform = torch.full_like(couplings[0], 1 / classes)
            sums = torch.zeros(2, *uniform.shape, dtype=torch.float64, device=uniform.device)  # by class, overall
            latest = uniform.repeat(classes, 1, 1)  # (J, J, I)
        sums[0].index_add_(0, predicted, own.double())
        sums[1] += couplings.double().sum(dim=0)
        images += torch.bincount(indices, minlength=classes)
        last = {label: row for row, label in enumerate(indices.tolist())}
        latest[list(last)] = couplings[list(last.values())]
        labels.append(indices.numpy())
        for level, parts in found.items():
            parts.append(words(quantizer.keys(own.cpu().numpy(), level, cells), labels[-1]))
    count = images.to(sums.device).unsqueeze(1)  # (J, 1)
    class_mean = torch.where(count > 0, sums[0] / count, 1 / classes).to(latest.dtype)
    overall = (sums[1] / images.sum()).to(latest.dtype)
    of_image = np.concatenate(labels)
    digests = {level: np.concatenate(parts) for level, parts in found.items()}
    wanted = {level: _modal_images(own, of_image) for level, own in digests.items()}
    modal = {level: torch.full_like(class_mean, 1 / classes) for level in levels}
    for label, level, column in _columns(batches(), routed, wanted):
        modal[level][label] = quantizer.quantize(column, level, cells)
    counted = {level: np.unique(own, return_counts=True) for level, own in digests.items()}
    shares = {level: _modal_share(wanted[level], digests[level], of_image) for level in levels}
    return TrainingTrees(
        class_mean,
        overall,
        latest,
        modal,
        shares,
        {level: own for level, (own, _) in counted.items()},
        {level: number for level, (_, number) in counted.items()},
    )


def _modal_images(digests: np.ndarray, predicted: np.ndarray) -> dict[int, int]:
    """The first image of each class's most frequent key; of equally frequent ones, the key that was seen first."""
    first = {}
    for label in np.unique(predicted).tolist():
        members = np.flatnonzero(predicted == label)
        _, seen, counts = np.unique(digests[members], return_index=True, return_counts=True)
        first[label] = int(members[seen[counts == counts.max()].min()])
    return first


def _modal_share(first: dict[int, int], digests: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean([(digests[predicted == label] == digests[image]).mean() for label, image in first.items()]))


def _columns(
    batches: Iterable[Tensor],
    routed: Callable[[Tensor], tuple[Tensor, Tensor]],
    wanted: dict[int, dict[int, int]],
) -> Iterator[tuple[int, int, Tensor]]:
    """Class, K and column c_{-j} (I,) of each of the wanted images (K -> class -> position)."""
    start = 0
    for batch in batches:
        here = range(start, start + len(batch))
        of_batch = [
            (label, level, image)
            for level, images in wanted.items()
            for label, image in images.items()
            if image in here
        ]
        if of_batch:
            couplings, _ = routed(batch)
            for label, level, image in of_batch:
                yield label, level, couplings[image - start, label]
        start += len(batch)

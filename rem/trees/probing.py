"""What a network makes of images when the couplings of its last iteration are changed, batch by batch."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from rem.networks.losses import margin_losses
from rem.networks.network import Network
from rem.trees import entropy, quantizer
from rem.trees.interventions import delete, one_hot, temper
from rem.trees.parents import own_column
from rem.trees.probe_kinds import DELETED, FREQUENCIES, ITERATIONS, TAUS, Setting
from rem.trees.replaced import with_couplings
from rem.trees.strength import CapsuleEntropy, Instability, polarization, strongest_coupling
from rem.trees.training_trees import TrainingTrees, words


class Probing:
    """The sums over the images of one split.

    Args:
        model: the network.
        trees: of its training images.
        band: every K at which entropies are measured; they are at those of `trees` too.
        cells: whether the quantizer has cells.
        count: images of the split.
    """

    def __init__(self, model: Network, trees: TrainingTrees, band: Sequence[int], cells: bool, count: int) -> None:
        self.model, self.trees, self.band, self.cells = model, trees, band, cells
        self.levels = sorted({*band, *trees.words})
        capsules, self.classes = model.capsules, model.classes
        self.sums: dict[Setting, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.spread = Instability(self.classes, capsules, model.connections)
        self.letters = {level: CapsuleEntropy(self.classes, capsules, level) for level in trees.words}
        self.latest = trees.latest.clone()  # (J, J, I) couplings of the last image of each class
        self.chance = torch.Generator().manual_seed(0)
        self.done = 0
        # Of every image at every tau, the class and, at every K, the hash of the key: in a file, for they grow with N.
        self.scratch = tempfile.TemporaryFile()  # noqa: SIM115  # as long as this is
        shape = (len(TAUS), 1 + len(self.levels), count)
        self.hashes = np.memmap(self.scratch, np.uint64, "w+", shape=shape)

    @torch.no_grad()
    def add(self, images: Tensor, labels: Tensor) -> None:
        """Take in a batch: (B, C, S, S) and (B,)."""
        model = self.model
        primary = model.primary_capsules(model.stem(images))
        lengths, _, couplings = model.route(primary)  # (B, J), ., (B, J, I)
        predicted = lengths.argmax(dim=1)
        right = predicted == labels
        self.spread.add(couplings, predicted)

        replaced = self._replacements(couplings, predicted)
        every, poses = with_couplings(model, primary, list(replaced.values()))  # (L, B, J), (L, B, J, D)
        for (setting, changed), found in zip(replaced.items(), every, strict=True):
            self._count(setting, found, labels, right)
            if setting[0] == "temperature":
                self._temper(setting, changed, found.argmax(dim=1))
        self._temper(self._count(("temperature", "1", None), lengths, labels, right), couplings, predicted)
        uniform = poses[list(replaced).index(("intervention", "uniform", None))]  # (B, J, D)
        self._delete(primary, couplings, uniform, predicted, labels, right)
        for t in ITERATIONS if model.iterations else ():
            found, at_t = lengths, couplings
            if t != model.iterations:
                found, _, at_t = model.route(primary, iterations=t)
            self._strengths(self._count(("iterations", str(t), None), found, labels, right), at_t)
        self._compare_keys(own_column(couplings, predicted), lengths, predicted, labels, right)
        self.done += len(labels)

    def _replacements(self, couplings: Tensor, predicted: Tensor) -> dict[Setting, Tensor]:
        """What stands in place of the couplings (B, J, I), of which it has the shape, under each setting."""
        trees, of_all = self.trees, couplings.shape
        same, other = self._donors(couplings, predicted)
        found = {("temperature", f"{tau:g}", None): temper(couplings, tau) for tau in TAUS if tau != 1}
        fixed = {
            ("uniform", None): found["temperature", "inf", None],
            ("class-mean", None): trees.class_mean.expand(of_all),
            ("overall-mean", None): trees.overall_mean.expand(of_all),
            ("same-class", None): same,
            ("other-class", None): other,
            ("one-hot", None): one_hot(couplings),
        }
        fixed |= {("modal-key", level): tree.expand(of_all) for level, tree in trees.modal.items()}
        return found | {("intervention", name, level): tree for (name, level), tree in fixed.items()}

    def _donors(self, couplings: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
        """The couplings of another image of each one's class, and of another class, (B, J, I) each."""
        last, same, other = list(range(self.classes)), [], []
        steps = torch.randint(1, self.classes, (len(predicted),), generator=self.chance).tolist()
        for row, (label, step) in enumerate(zip(predicted.tolist(), steps, strict=True)):
            same.append(last[label])
            other.append(last[(label + step) % self.classes])
            last[label] = self.classes + row
        pool = torch.cat([self.latest, couplings])  # (J + B, J, I)
        self.latest = pool[last]
        return pool[same], pool[other]

    def _count(self, setting: Setting, lengths: Tensor, labels: Tensor, right: Tensor) -> Setting:
        """Count what the lengths (B, J) make of images, beside those (B,) that are right as the network is."""
        found = lengths.argmax(dim=1) == labels
        self._add(
            setting,
            images=torch.ones_like(labels),
            accuracy=100 * found.double(),
            loss=margin_losses(lengths, labels),
            lost=right & ~found,
            gained=found & ~right,
        )
        return setting

    def _add(self, setting: Setting, **values: Tensor) -> None:
        for metric, of_images in values.items():
            self.sums[setting][metric] += float(of_images.double().sum())

    def _strengths(self, setting: Setting, couplings: Tensor) -> None:
        self._add(
            setting,
            strongest_coupling=strongest_coupling(couplings),
            polarization=polarization(couplings),
            coupling_spread=(couplings - 1 / self.classes).square().mean(dim=(1, 2)).sqrt(),
        )

    def _temper(self, setting: Setting, couplings: Tensor, predicted: Tensor) -> None:
        self._strengths(setting, couplings)
        place = [f"{tau:g}" for tau in TAUS].index(setting[1])
        rows = slice(self.done, self.done + len(predicted))
        column, labels = own_column(couplings, predicted).cpu().numpy(), predicted.cpu().numpy()
        self.hashes[place, 0, rows] = labels
        every = np.array(self.levels, column.dtype).reshape(-1, 1, 1)
        keys = quantizer.keys(column, every, self.cells)  # (L, B, I)
        self.hashes[place, 1:, rows] = entropy.digests(keys.reshape(-1, keys.shape[2])).reshape(len(keys), -1)

    def _delete(
        self, primary: Tensor, couplings: Tensor, uniform: Tensor, predicted: Tensor, labels: Tensor, right: Tensor
    ) -> None:
        rows = torch.arange(len(predicted), device=predicted.device)
        scores = {
            "strongest": own_column(couplings, predicted),
            "random": torch.rand(len(couplings), couplings.shape[2], generator=self.chance).to(couplings.device),
        }
        agreeing = self.model.agreement(primary, uniform)  # (B, J, I), or None
        if agreeing is not None:
            scores["agreeing"] = agreeing[rows, predicted].abs()
        changed = [delete(couplings, score, DELETED) for score in scores.values()]
        for name, lengths in zip(scores, with_couplings(self.model, primary, changed)[0], strict=True):
            setting = self._count(("deletion", name, None), lengths, labels, right)
            self._add(setting, length=lengths[rows, predicted])

    def _compare_keys(self, own: Tensor, lengths: Tensor, predicted: Tensor, labels: Tensor, right: Tensor) -> None:
        values, classes = own.cpu().numpy(), predicted.cpu().numpy()
        for level, letter in self.letters.items():
            keys = quantizer.keys(values, level, self.cells)
            letter.add(keys, classes)
            times = torch.from_numpy(self.trees.times(level, words(keys, classes))).to(labels.device)  # (B,)
            least = 0
            for name, most in FREQUENCIES.items():
                chosen = (times >= least) & (times <= most)
                self._count(("key", name, level), lengths[chosen], labels[chosen], right[chosen])
                least = most + 1

    def rows(self) -> Iterator[dict[str, object]]:
        """A row a probe, setting, K and metric: `probe`, `setting`, `levels`, `metric`, `value`."""
        for setting, sums in self.sums.items():
            for metric, total in sums.items():
                if metric in ("images", "lost", "gained"):
                    yield row(setting, metric, total)
                elif sums["images"]:
                    yield row(setting, metric, total / sums["images"])
            if setting[0] == "key":
                yield row(setting, "share", 100 * sums["images"] / self.done)
        for tau, (labels, *hashes) in zip(TAUS, self.hashes, strict=True):
            setting = ("temperature", f"{tau:g}", None)
            members = [np.flatnonzero(labels == label) for label in range(self.classes)]
            bits = {level: entropy.words_entropy(own, members) for level, own in zip(self.levels, hashes, strict=True)}
            for level, found in bits.items():
                yield row((*setting[:2], level), "entropy", found)
            yield row(setting, "band_entropy", float(np.mean([bits[level] for level in self.band])))
        yield row(("stability", "unchanged", None), "instability", self.spread.rho())
        for level, letter in self.letters.items():
            yield row(("stability", "unchanged", level), "capsule_entropy", letter.bits())
            yield row(("intervention", "modal-key", level), "modal_share", 100 * self.trees.modal_share[level])


def row(setting: Setting, metric: str, value: float) -> dict[str, object]:
    """What was measured under a setting, as `Probing.rows` gives it."""
    return dict(zip(("probe", "setting", "levels"), setting, strict=True)) | {"metric": metric, "value": value}

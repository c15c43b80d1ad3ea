"""What was measured here about each claim of the paper: a function a claim, from results to findings."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from rem.claims.findings import Compared, Finding, at_ceiling, compare, over_runs
from rem.claims.rules import (
    BY_CHANCE,
    FAILS,
    HOLDS,
    UNDECIDED,
    ZERO_BLOCKS,
    Rule,
    higher,
    lower,
    lower_at_all,
    not_lower,
    same,
)
from rem.tables.measurements import Results, main_dataset, others, with_decoder, with_transfer
from rem.tables.statistics import welch

BASELINE, REM = Compared("baseline"), Compared("rem")
VARIANTS = ("baseline", "rem")


@dataclass(frozen=True)
class Evidence:
    """What claims are decided by; `trajectory` and `equivariance` are None where they were not measured."""

    results: Results
    dataset: str
    trajectory: pd.DataFrame | None
    equivariance: pd.DataFrame | None

    def at_levels(
        self,
        dataset: str,
        metric: str,
        network: Compared,
        against: Compared,
        rule: Rule,
        split: str = "test",
        *,
        decides: bool = True,
    ) -> list[Finding]:
        """The comparison at the shared K, which decides unless told otherwise, and beside it at the authors' one."""
        images = self.results.names.transfer(dataset) if split == "transfer" else None
        data = images.name if images else dataset
        found = []
        for levels in self.results.reported(dataset):
            counts = decides and levels == self.results.shared[dataset]
            found += compare(self.results, dataset, metric, network, against, rule, levels, counts, split, data)
        return found


def rises_in_training(evidence: Evidence) -> list[Finding]:
    """Entropy of the unpruned network: best epoch against the first."""
    first, best = Compared("baseline", "first"), Compared("baseline", "best")
    return [
        finding
        for dataset in main_dataset(evidence.results, evidence.dataset)
        for finding in evidence.at_levels(dataset, "entropy", best, first, higher)
    ]


def _costs_nothing(evidence: Evidence, dataset: str) -> list[Finding]:
    plain = compare(evidence.results, dataset, "accuracy", REM, BASELINE, not_lower, None)
    return plain + evidence.at_levels(dataset, "accuracy", REM, BASELINE, not_lower)


def costs_nothing(evidence: Evidence) -> list[Finding]:
    """Accuracy of the main dataset, without and with quantization."""
    chosen = main_dataset(evidence.results, evidence.dataset)
    return [finding for dataset in chosen for finding in _costs_nothing(evidence, dataset)]


def costs_nothing_elsewhere(evidence: Evidence) -> list[Finding]:
    """Accuracy of the datasets of Table 6, without and with quantization."""
    chosen = others(evidence.results, evidence.dataset)
    return [finding for dataset in chosen for finding in _costs_nothing(evidence, dataset)]


def _falls(evidence: Evidence, datasets: list[str], metric: str, network: Compared = REM) -> list[Finding]:
    return [
        finding for dataset in datasets for finding in evidence.at_levels(dataset, metric, network, BASELINE, lower)
    ]


def keys_fall(evidence: Evidence) -> list[Finding]:
    """Keys of all classes on the main dataset."""
    return _falls(evidence, main_dataset(evidence.results, evidence.dataset), "keys")


def entropy_falls(evidence: Evidence) -> list[Finding]:
    """Entropy on the main dataset."""
    return _falls(evidence, main_dataset(evidence.results, evidence.dataset), "entropy")


def both_fall_elsewhere(evidence: Evidence) -> list[Finding]:
    """Entropy and keys on the datasets of Table 6."""
    chosen = others(evidence.results, evidence.dataset)
    return _falls(evidence, chosen, "entropy") + _falls(evidence, chosen, "keys")


def couplings_strengthen(evidence: Evidence) -> list[Finding]:
    """Mean max_j c of all primary capsules, and the share of couplings in the level of 1/J."""
    found = []
    for dataset in [*main_dataset(evidence.results, evidence.dataset), *others(evidence.results, evidence.dataset)]:
        found += compare(evidence.results, dataset, "strongest_coupling", REM, BASELINE, higher, None)
        found += evidence.at_levels(dataset, "uniform_share", REM, BASELINE, lower)
    return found


def falls_late(evidence: Evidence) -> list[Finding]:
    """Kendall's tau of entropy and epoch over the later half of the epochs of the run of Figure 5."""
    if evidence.trajectory is None:
        return []
    late = evidence.trajectory.sort_values("epoch").pipe(lambda frame: frame.iloc[len(frame) // 2 :])
    test = stats.kendalltau(late["epoch"], late["entropy"])
    verdict = UNDECIDED if not test.pvalue < 0.05 else HOLDS if test.statistic < 0 else FAILS
    first, last = late["entropy"].iloc[[0, -1]]
    epochs = late["epoch"].iloc[[0, -1]].tolist()
    return [
        Finding(
            evidence.dataset,
            evidence.dataset,
            "test",
            int(late["levels"].iloc[0]),
            "entropy",
            f"{REM.name()}, epoch {epochs[1]:.0f}",
            f"epoch {epochs[0]:.0f}",
            last,
            first,
            last - first,
            np.nan,
            np.nan,
            test.pvalue,
            1,
            verdict,
            note=f"Kendall's tau {test.statistic:+.2f} over {len(late)} epochs of one run",
        )
    ]


def less_evident(evidence: Evidence) -> list[Finding]:
    """The fall of entropy in % of CapsNet+Q's, on the datasets in question against Fashion-MNIST."""
    easier, harder = (
        [each for each in evidence.results.datasets if evidence.results.names.images(each).paper in papers]
        for papers in (("fashion-mnist",), ("cifar10", "tiny-imagenet"))
    )
    return [
        finding
        for easy in easier
        for dataset in harder
        for authors in (False, True)
        for finding in _relative_falls(evidence, dataset, easy, authors)
    ]


def _relative_falls(evidence: Evidence, dataset: str, easy: str, authors: bool) -> list[Finding]:
    results = evidence.results
    levels = results.authors if authors else results.shared

    def seeds(of: str, network: Compared, metric: str) -> pd.Series:
        return results.over_seeds(of, network.variant, results.checkpoint(of, network.variant), levels[of], metric)

    def fall(of: str) -> np.ndarray:
        before = seeds(of, BASELINE, "entropy")
        return (100 * (before - seeds(of, REM, "entropy")) / before.where(before > 0)).dropna().to_numpy()

    def full(of: str, network: Compared) -> bool:
        return at_ceiling("entropy", *(seeds(of, network, metric).mean() for metric in ("entropy", "entropy_ceiling")))

    value, reference = fall(dataset), fall(easy)
    if not (len(value) and len(reference)):
        return []
    low, high, p = welch(value, reference)
    verdict = lower(low, high, 0)
    unknown = easy if value.mean() > reference.mean() else dataset  # its true fall may be the larger
    reached = [network for network in (BASELINE, REM) if full(unknown, network)]
    if reached:
        verdict = UNDECIDED
    return [
        Finding(
            dataset,
            dataset,
            "test",
            levels[dataset],
            "relative fall of entropy",
            dataset,
            easy,
            value.mean(),
            reference.mean(),
            value.mean() - reference.mean(),
            low,
            high,
            p,
            min(len(value), len(reference)),
            verdict,
            not authors,
            f"{reached[0].name()} of {unknown} is at the ceiling" if reached else "Welch's interval",
        )
    ]


def robust_when_undertrained(evidence: Evidence) -> list[Finding]:
    """Accuracy and entropy on the transfer set of the under-trained networks, and beside them of the well-trained."""
    found = []
    for state in ("early", None):
        network, against = Compared("rem", state), Compared("baseline", state)
        for dataset in with_transfer(evidence.results):
            for metric, rule in (("accuracy", higher), ("entropy", lower)):
                early = state == "early"
                found += evidence.at_levels(dataset, metric, network, against, rule, "transfer", decides=early)
    return found


def decoder_undoes(evidence: Evidence) -> list[Finding]:
    """Entropy of REM with a decoder against CapsNet+Q without, which it is said to equal; beside it, what REM does."""
    found = []
    for dataset in with_decoder(evidence.results):
        pruned, unpruned = (
            [Compared(variant, decoder_on=network) for variant in evidence.results.decoders_on(dataset, network)]
            for network in VARIANTS[::-1]
        )
        for network in pruned:
            found += evidence.at_levels(dataset, "entropy", network, BASELINE, same)
        for network, against in [(REM, BASELINE), *itertools.product(pruned, unpruned)]:
            found += evidence.at_levels(dataset, "entropy", network, against, lower, decides=False)
    return found


def stays_equivariant(evidence: Evidence) -> list[Finding]:
    """Dimensions that move the reconstruction one way: more than by chance, and as consistently as without REM."""
    if evidence.equivariance is None:
        return []
    table = evidence.equivariance.assign(above=lambda frame: 100.0 * (frame["consistency"] > frame["chance"]))
    means = table.groupby(["dataset", "variant", "seed"])[["above", "consistency"]].mean()
    found = []
    for dataset in means.index.unique("dataset"):
        runs = {variant: means.loc[dataset].query("variant == @variant").droplevel("variant") for variant in VARIANTS}
        rem, baseline = runs["rem"], runs["baseline"]
        above = rem["above"]
        found += over_runs(
            dataset, "dimensions above chance", REM.name(), "by chance", above, 0 * above + BY_CHANCE, higher
        )
        pair = rem["consistency"], baseline["consistency"]
        found += over_runs(dataset, "consistency", REM.name(), BASELINE.name(), *pair, not_lower)
    return found


def blocks_vanish(evidence: Evidence) -> list[Finding]:
    """Wholly zero W_ij blocks of pruned networks, in %: enough for Eq. 15 in each of several runs, or in none."""
    results, found = evidence.results, []
    for dataset in [*main_dataset(results, evidence.dataset), *others(results, evidence.dataset)]:
        checkpoint = results.checkpoint(dataset, "rem")
        share = results.over_seeds(dataset, "rem", checkpoint, None, "sparsity_class_blocks")
        if share.empty:
            continue
        (one,) = over_runs(dataset, "zero W_ij", REM.name(), "needed", share, 0 * share + ZERO_BLOCKS, higher)
        enough = share >= ZERO_BLOCKS
        agree = len(share) > 1 and enough.nunique() == 1
        verdict = (HOLDS if enough.all() else FAILS) if agree else UNDECIDED
        found.append(replace(one, verdict=verdict, note=f"in {enough.sum()} of {len(share)} networks"))
    return found


def pruning_lowers(evidence: Evidence) -> list[Finding]:
    """Entropy after magnitude pruning to the same sparsity, without LOBSTER's penalty."""
    return _falls(evidence, evidence.results.datasets, "entropy", Compared("magnitude"))


def zeros_are_needed(evidence: Evidence) -> list[Finding]:
    """Entropy of REM against that of its penalty alone, which prunes nothing; beside it, what shrinking alone does."""
    found = []
    for dataset in evidence.results.datasets:
        found += evidence.at_levels(dataset, "entropy", REM, Compared("penalty"), lower_at_all)
        for variant in ("penalty", "weight-decay"):
            found += evidence.at_levels(dataset, "entropy", Compared(variant), BASELINE, lower, decides=False)
    return found


def votes_suffice(evidence: Evidence) -> list[Finding]:
    """Entropy with REM on the transformation matrices W_ij alone."""
    return _falls(evidence, evidence.results.datasets, "entropy", Compared("rem-votes"))

"""What was measured here about each claim of the paper: a function a claim, from results to findings.

These compare networks over seeds; `otherwise.py` has the claims that are decided in other ways.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rem.claims.findings import Compared, Finding, compare, together
from rem.claims.rules import Rule, higher, lower, lower_at_all, not_lower, same
from rem.tables.measurements import Results, main_dataset, others, with_decoder
from rem.tables.probes import Probes

BASELINE, REM = Compared("baseline"), Compared("rem")
VARIANTS = ("baseline", "rem")


@dataclass(frozen=True)
class Evidence:
    """What claims are decided by; what comes behind the dataset is None where it was not measured."""

    results: Results
    dataset: str
    trajectory: pd.DataFrame | None
    equivariance: pd.DataFrame | None
    accuracies: pd.DataFrame | None
    probes: Probes | None = None

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
        found = []
        for levels in self.results.reported(dataset):
            counts = decides and levels == self.results.shared[dataset]
            found += compare(self.results, dataset, metric, network, against, rule, levels, counts, split)
        return found

    def over_band(
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
        """The comparison of means over the band, which decides unless told otherwise; beside it those at single K."""
        found = compare(self.results, dataset, f"band_{metric}", network, against, rule, None, decides, split)
        found = [self._with_signs(finding, metric, network, against) for finding in found]
        return found + self.at_levels(dataset, metric, network, against, rule, split, decides=False)

    def _with_signs(self, finding: Finding, metric: str, network: Compared, against: Compared) -> Finding:
        """Told at how many K of the band the difference has the sign of that of the means."""
        results, dataset = self.results, finding.dataset
        pair = [of.state(results, dataset) for of in (network, against)]
        differences = []
        for k in results.bands.get(dataset, []):
            own, other = (results.over_seeds(dataset, *of, k, metric, split=finding.split) for of in pair)
            differences.append((own - other).mean())  # over the seeds that both have, as the finding is
        alike = sum(np.sign(one) == np.sign(finding.difference) for one in differences)
        note = f"this way at {alike} of {len(differences)} K of the band"
        return replace(finding, note="; ".join(filter(None, (note, finding.note))))


def rises_in_training(evidence: Evidence) -> list[Finding]:
    """Entropy of the unpruned network: best epoch against the first."""
    first, best = Compared("baseline", "first"), Compared("baseline", "best")
    return [
        finding
        for dataset in main_dataset(evidence.results, evidence.dataset)
        for finding in evidence.over_band(dataset, "entropy", best, first, higher)
    ]


def _costs_nothing(evidence: Evidence, dataset: str) -> list[Finding]:
    plain = compare(evidence.results, dataset, "accuracy", REM, BASELINE, not_lower, None)
    return together(plain, evidence.at_levels(dataset, "accuracy", REM, BASELINE, not_lower))


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
        finding for dataset in datasets for finding in evidence.over_band(dataset, metric, network, BASELINE, lower)
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
    return together(_falls(evidence, chosen, "entropy"), _falls(evidence, chosen, "keys"))


def couplings_strengthen(evidence: Evidence) -> list[Finding]:
    """Mean max_j c of all primary capsules, and the share of couplings in the level of 1/J."""
    found = []
    for dataset in [*main_dataset(evidence.results, evidence.dataset), *others(evidence.results, evidence.dataset)]:
        strength = compare(evidence.results, dataset, "strongest_coupling", REM, BASELINE, higher, None)
        found += together(strength, evidence.at_levels(dataset, "uniform_share", REM, BASELINE, lower))
    return found


def decoder_undoes(evidence: Evidence) -> list[Finding]:
    """Entropy of REM with a decoder against CapsNet+Q without, which it is said to equal; beside it, what REM does.

    The decoder that decides is Sabour et al.'s, whose loss is of raw pixels; beside it stands one of normalized pixels.
    """
    results, found = evidence.results, []
    for dataset in with_decoder(results):
        pruned, unpruned = (
            [Compared(variant) for variant in results.decoders_on(dataset, network)] for network in VARIANTS[::-1]
        )
        for network in pruned:
            raw = results.of(dataset, network.variant)[0].decoder.pixels == "raw"
            found += evidence.over_band(dataset, "entropy", network, BASELINE, same, decides=raw)
        for network, against in [(REM, BASELINE), *itertools.product(pruned, unpruned)]:
            found += evidence.over_band(dataset, "entropy", network, against, lower, decides=False)
    return found


def pruning_lowers(evidence: Evidence) -> list[Finding]:
    """Entropy after magnitude pruning to the same sparsity, without LOBSTER's penalty."""
    return _falls(evidence, evidence.results.datasets, "entropy", Compared("magnitude"))


def zeros_are_needed(evidence: Evidence) -> list[Finding]:
    """Entropy of REM against that of its penalty alone, which prunes nothing; beside it, what shrinking alone does."""
    found = []
    for dataset in evidence.results.datasets:
        found += evidence.over_band(dataset, "entropy", REM, Compared("penalty"), lower_at_all)
        for variant in ("penalty", "weight-decay"):
            found += evidence.over_band(dataset, "entropy", Compared(variant), BASELINE, lower, decides=False)
    return found


def votes_suffice(evidence: Evidence) -> list[Finding]:
    """Entropy with REM on the transformation matrices W_ij alone."""
    return _falls(evidence, evidence.results.datasets, "entropy", Compared("rem-votes"))

"""Comparisons of networks over seeds, what they show, and the verdict."""

from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from rem.claims.rules import (
    ALPHA,
    FAILS,
    HOLDS,
    KEYS_AT_CEILING,
    MARGINS,
    MISSING,
    NEAR_CEILING,
    UNDECIDED,
    Rule,
    different,
    lower,
    lower_at_all,
    same,
    undecidable,
)
from rem.tables.measurements import Results
from rem.tables.names import Images, Names
from rem.tables.quantities import METRICS
from rem.tables.statistics import Interval, from_95, student


@dataclass(frozen=True)
class Compared:
    """Whose measurement is meant: a variant at its own checkpoint, unless one is named."""

    variant: str
    checkpoint: str | None = None

    def name(self, names: Names, dataset: str, quantized: bool = True) -> str:
        """For people, with the checkpoint if one is named."""
        name = names.model(self.variant, dataset, quantized)
        return name + (f" ({self.checkpoint})" if self.checkpoint else "")

    def state(self, results: Results, dataset: str) -> tuple[str, str | None]:
        """The variant and the checkpoint."""
        return self.variant, self.checkpoint or results.checkpoint(dataset, self.variant)


def data_of(results: Results, dataset: str, split: str) -> str:
    """Whose images a finding is of: the dataset's, or on the transfer split those of its further source."""
    images = results.names.transfer(dataset) if split == "transfer" else None
    return images.name if images else dataset


class Judged(NamedTuple):
    """By what a finding is judged: the interval of its difference at any level, and the rule that reads it."""

    interval: Interval
    rule: Rule


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One comparison: `value` (of `network`) beside `reference`, both means over seeds, and what it says of the claim.

    `data` is the dataset, or on the transfer split the source of that set. `low` and `high` are the interval of
    `difference` at the level `confidence`, `images_low` and `images_high` the 95% one over images; NaN where there is
    none. Only findings that `decides` count for the claim's verdict.
    """

    dataset: str
    data: str
    split: str = "test"
    levels: int | None = None
    metric: str
    network: str
    against: str
    value: float
    reference: float
    difference: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    seeds: int
    verdict: str = UNDECIDED
    decides: bool = True
    note: str = ""
    confidence: float = 1 - ALPHA
    images_low: float = np.nan
    images_high: float = np.nan
    judged: Judged | None = field(default=None, compare=False, repr=False)  # None: by nothing that can be corrected

    def at(self, confidence: float) -> "Finding":
        """With the interval of that level, and the verdict by it; as it is where it is judged by none."""
        if self.judged is None:
            return self
        low, high = map(float, self.judged.interval(confidence))
        verdict = self.judged.rule(low, high, MARGINS.get(self.metric, 0))
        return replace(self, low=low, high=high, confidence=confidence, verdict=verdict)


COLUMNS = [each.name for each in fields(Finding) if each.name != "judged"]  # of a finding on disk


def compare(
    results: Results,
    dataset: str,
    metric: str,
    network: Compared,
    against: Compared,
    rule: Rule,
    levels: int | None,
    decides: bool = True,
    split: str = "test",
) -> list[Finding]:
    """What the difference of two networks of the same seed says; nothing where no seed has both measurements.

    An entropy or a number of keys at its ceiling is a lower bound of the true one: where the lower of the two is
    there nothing is decided, nor where either is that two networks are the same.
    """
    pair = [of.state(results, dataset) for of in (network, against)]
    values, references = (results.over_seeds(dataset, *of, levels, metric, split=split) for of in pair)
    described = METRICS[metric]
    quantized = levels is not None or described.over_band
    names = [of.name(results.names, dataset, quantized) for of in (network, against)]
    images = results.over_images(dataset, *pair, levels, metric, split=split)
    found = over_runs(dataset, metric, *names, values, references, rule, images)
    if not found:
        return []
    (finding,) = found
    if bound := described.ceiling:
        at = results.shared[dataset] if described.over_band else levels  # it is the same at every K
        common = values.index.intersection(references.index)  # the seeds of the finding
        ceilings = [results.over_seeds(dataset, *of, at, bound, split=split).reindex(common).mean() for of in pair]
        means = (finding.value, finding.reference)
        reached = [at_ceiling(metric, *each) for each in zip(means, ceilings, strict=True)]
        if reached[int(np.argmin(means))]:
            finding = _bounded(finding, undecidable, "at the ceiling")
        elif any(reached):
            note = f"{names[reached.index(True)]} is at the ceiling: the true difference is larger"
            finding = _bounded(finding, {same: different, lower_at_all: lower}.get(rule, rule), note)
    return [replace(finding, decides=decides, levels=levels, split=split, data=data_of(results, dataset, split))]


def _bounded(finding: Finding, rule: Rule, note: str) -> Finding:
    judged = finding.judged and finding.judged._replace(rule=rule)
    return replace(finding, judged=judged, note="; ".join(filter(None, (finding.note, note)))).at(1 - ALPHA)


def over_runs(
    dataset: str,
    metric: str,
    network: str,
    against: str,
    values: pd.Series,
    references: pd.Series,
    rule: Rule,
    images: tuple[float, float] | None = None,
) -> list[Finding]:
    """The finding of values and references, each by seed, of the test split; none where no seed was measured for both.

    Where one of these is blank for a seed, the finding decides nothing: the other seeds are no fair choice of all.

    Args:
        dataset: on which they were measured.
        metric: what was.
        network: whose values they are, for people.
        against: whose references.
        values: by seed.
        references: by seed.
        rule: that decides.
        images: the 95% interval of the mean difference over images, which decides where all seeds differ alike.
    """
    both = pd.concat({"value": values, "reference": references}, axis=1, join="inner")
    if both.empty:
        return []
    pair = both.dropna()
    differences, blank = pair["value"] - pair["reference"], len(both) - len(pair)
    interval, p = (None, np.nan) if blank else student(differences.to_numpy())
    note = ""
    if blank:
        images, note = None, f"blank for {blank} of {len(both)} seeds"
        note += ", and those that are left are no fair choice" if len(pair) else ""
    elif len(pair) == 1:
        note = "one seed has no interval"
    elif interval is None:
        note = "all seeds differ alike: the interval is that of the images" if images else ALIKE
        interval = from_95(*images) if images else None
    low, high = images or (np.nan, np.nan)
    finding = Finding(
        dataset=dataset,
        data=dataset,
        metric=metric,
        network=network,
        against=against,
        value=pair["value"].mean(),
        reference=pair["reference"].mean(),
        difference=differences.mean(),
        p=p,
        seeds=len(pair),
        images_low=low,
        images_high=high,
        note=note,
        judged=Judged(interval, rule) if interval else None,
    )
    return [finding.at(1 - ALPHA)]


def counted(
    dataset: str,
    metric: str,
    network: str,
    against: str,
    values: pd.Series,
    reference: float,
    verdict: str,
    note: str,
) -> list[Finding]:
    """The finding of values by seed beside a number, whose verdict is by how many networks and by no interval."""
    found = over_runs(dataset, metric, network, against, values, 0 * values + reference, undecidable)
    return [replace(finding, judged=None, verdict=verdict, note=note) for finding in found]


ALIKE = "all seeds differ alike, which leaves no interval"


def at_ceiling(metric: str, value: float, ceiling: float) -> bool:
    """Whether an entropy, or a number of keys, is as high as the number of images lets it be."""
    return bool(ceiling - value < NEAR_CEILING if METRICS[metric].unit == "bits" else value > KEYS_AT_CEILING * ceiling)


def corrected(findings: list[Finding]) -> list[Finding]:
    """The findings of a claim, those that decide it with the intervals and verdicts of Holm's procedure (1979).

    All that are left are judged at the level 1 - alpha / (their number), until that decides none of them: what a test
    rejects at its corrected p, and in the end with an interval that shows it.
    """
    found = list(findings)
    left = [place for place, finding in enumerate(found) if finding.decides and finding.judged]
    decided_now = True
    while left and decided_now:
        for place in left:
            found[place] = found[place].at(1 - ALPHA / len(left))
        still = [place for place in left if found[place].verdict == UNDECIDED]
        decided_now, left = len(still) < len(left), still
    return found


def together(*parts: list[Finding]) -> list[Finding]:
    """The findings of a claim that speaks of several things at once; none decides where one was not measured."""
    whole = all(any(finding.decides for finding in part) for part in parts)
    return [replace(finding, decides=finding.decides and whole) for part in parts for finding in part]


def decided(findings: list[Finding], names: Names) -> str:
    """The verdict on a claim from what decides it.

    It does not hold where one finding says so, holds where all do, and is otherwise not decidable. What was shown on
    other data than the paper's is said to be so there.
    """
    deciding = [finding for finding in findings if finding.decides]
    if not deciding:
        return MISSING
    failing = [finding for finding in deciding if finding.verdict == FAILS]
    if not failing and {finding.verdict for finding in deciding} != {HOLDS}:
        return UNDECIDED
    places = {
        _place(names.transfer(finding.dataset) if finding.split == "transfer" else names.images(finding.dataset))
        for finding in failing or deciding
    }
    if failing:
        return FAILS + ("" if "" in places else max(places))
    return HOLDS + (", in part on other data than the paper's" if len(places) > 1 else places.pop())


def _place(images: Images | None) -> str:
    if images is None or images.paper is None:
        return " on other data than the paper's"
    return " on the stand-in" if images.stand_in else ""

"""The rules that decide a claim: a comparison over seeds, what it shows, and the verdict."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rem.claims.rules import (
    FAILS,
    HOLDS,
    KEYS_AT_CEILING,
    MARGINS,
    MISSING,
    NEAR_CEILING,
    UNDECIDED,
    Rule,
    same,
)
from rem.tables.measurements import Results
from rem.tables.names import Images, Names, model_name
from rem.tables.quantities import METRICS
from rem.tables.statistics import paired_test


@dataclass(frozen=True)
class Compared:
    """Whose measurement is meant: a variant at its own checkpoint, unless one is named; `decoder_on` is `Run`'s."""

    variant: str
    checkpoint: str | None = None
    decoder_on: str | None = None

    def name(self, quantized: bool = True) -> str:
        """For people, with the checkpoint if one is named."""
        name = model_name(self.variant, quantized, self.decoder_on)
        return name + (f" ({self.checkpoint})" if self.checkpoint else "")


@dataclass(frozen=True)
class Finding:
    """One comparison: `value` (of `network`) beside `reference`, both means over seeds, and what it says of the claim.

    `data` is the dataset, or on the transfer split the source of that set. `low` and `high` are the 95% interval of
    `difference`; NaN where there is none. Only findings that `decides` count for the claim's verdict.
    """

    dataset: str
    data: str
    split: str
    levels: int | None
    metric: str
    network: str
    against: str
    value: float
    reference: float
    difference: float
    low: float
    high: float
    p: float
    seeds: int
    verdict: str
    decides: bool = True
    note: str = ""


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
    data: str | None = None,
) -> list[Finding]:
    """What the difference of two networks of the same seed says; nothing where no seed has both measurements.

    An entropy or a number of keys at its ceiling is a lower bound of the true one: where the lower of the two is
    there nothing is decided, nor where either is that two networks are the same.
    """

    def measured(of: Compared, what: str) -> pd.Series:
        checkpoint = of.checkpoint or results.checkpoint(dataset, of.variant)
        return results.over_seeds(dataset, of.variant, checkpoint, levels, what, split=split)

    values, references = measured(network, metric), measured(against, metric)
    names = [of.name(quantized=levels is not None) for of in (network, against)]
    found = over_runs(dataset, metric, *names, values, references, rule)
    if not found:
        return []
    (finding,) = found
    verdict, note = finding.verdict, finding.note
    if bound := METRICS[metric].ceiling:
        ceilings = (measured(of, bound).mean() for of in (network, against))
        means = (finding.value, finding.reference)
        reached = [at_ceiling(metric, *pair) for pair in zip(means, ceilings, strict=True)]
        if reached[int(np.argmin(means))] or (rule is same and verdict == HOLDS and any(reached)):
            verdict, note = UNDECIDED, "at the ceiling"
        elif any(reached):
            note = f"{names[reached.index(True)]} is at the ceiling: the true difference is larger"
    shown = {"levels": levels, "split": split, "data": data or dataset}
    return [replace(finding, verdict=verdict, note=note, decides=decides, **shown)]


def over_runs(
    dataset: str, metric: str, network: str, against: str, values: pd.Series, references: pd.Series, rule: Rule
) -> list[Finding]:
    """The finding of values and references, each by seed, of the test split; none where no seed has both."""
    pair = pd.concat({"value": values, "reference": references}, axis=1).dropna()
    if pair.empty:
        return []
    test = paired_test((pair["value"] - pair["reference"]).to_numpy())
    low, high = test.get("low", np.nan), test.get("high", np.nan)
    note = ""
    if np.isnan(low):
        note = "one seed has no interval" if len(pair) == 1 else "all seeds differ alike, which leaves no interval"
    return [
        Finding(
            dataset,
            dataset,
            "test",
            None,
            metric,
            network,
            against,
            *pair.mean()[["value", "reference"]],
            test["difference"],
            low,
            high,
            test.get("p", np.nan),
            len(pair),
            rule(low, high, MARGINS.get(metric, 0)),
            note=note,
        )
    ]


def at_ceiling(metric: str, value: float, ceiling: float) -> bool:
    """Whether an entropy, or a number of keys, is as high as the number of images lets it be."""
    return bool(ceiling - value < NEAR_CEILING if metric == "entropy" else value > KEYS_AT_CEILING * ceiling)


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

"""The rules that decide a claim: a comparison over seeds, what it shows, and the verdict."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rem.differences import paired_test
from rem.results import STANDS_FOR, UNQUANTIZED, Results, model_name

HOLDS, FAILS, UNDECIDED, MISSING = "holds", "does not hold", "not decidable at this scale", "not measured"
PAPERS = ("mnist", "fashion-mnist", "cifar10", "tiny-imagenet", "expanded-mnist", "affnist")
MARGINS = {"accuracy": 0.5, "entropy": 0.5, "consistency": 0.1}  # a smaller difference counts as none: points, bits, 1
ZERO_BLOCKS = 1.0  # % of the W_ij that must be wholly zero before Eq. 15 can explain anything
BY_CHANCE = 5.0  # % of the dimensions whose consistency exceeds `chance` if none means anything
NEAR_CEILING = 0.1  # bits below log2 n within which an entropy says only that nearly every image has its own key
KEYS_AT_CEILING = 0.95  # keys an image from which on a number of keys says no more than that
CEILINGS = {"entropy": "entropy_ceiling", "keys": "images"}

Rule = Callable[[float, float, float], str]  # (low, high, margin) of a 95% interval to a verdict


@dataclass(frozen=True)
class Network:
    """Whose measurement is meant: a variant at its own checkpoint, unless one is named."""

    variant: str
    checkpoint: str | None = None

    def name(self, quantized: bool = True) -> str:
        """For people, with the checkpoint if one is named."""
        return model_name(self.variant, quantized) + (f" ({self.checkpoint})" if self.checkpoint else "")


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


def higher(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is above 0, does not where it is below."""
    return HOLDS if low > 0 else FAILS if high < 0 else UNDECIDED


def lower(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is below 0, does not where it is above."""
    return higher(-high, -low, margin)


def not_lower(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is above -margin (non-inferiority); does not where it is below 0 but not that."""
    return HOLDS if low > -margin else FAILS if high < 0 else UNDECIDED


def lower_at_all(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is below 0; does not where it is above -margin, so that there is no fall."""
    return HOLDS if high < 0 else FAILS if low > -margin else UNDECIDED


def same(low: float, high: float, margin: float) -> str:
    """Holds where the whole interval is within the margin (equivalence); does not where it is wholly outside."""
    return HOLDS if -margin < low and high < margin else FAILS if low > margin or high < -margin else UNDECIDED


def compare(
    results: Results,
    dataset: str,
    metric: str,
    network: Network,
    against: Network,
    rule: Rule,
    levels: int,
    decides: bool = True,
    split: str = "test",
    data: str | None = None,
) -> list[Finding]:
    """What the difference of two networks of the same seed says; nothing where no seed has both measurements.

    An entropy or a number of keys at its ceiling is a lower bound of the true one: where the lower of the two is
    there nothing is decided, nor where either is that two networks are the same.
    """

    def measured(of: Network, what: str) -> pd.Series:
        checkpoint = of.checkpoint or results.checkpoint(dataset, of.variant)
        return results.over_seeds(dataset, of.variant, checkpoint, levels, what, split=split)

    values, references = measured(network, metric), measured(against, metric)
    names = [of.name(quantized=levels != UNQUANTIZED) for of in (network, against)]
    found = over_runs(dataset, metric, *names, values, references, rule)
    if not found:
        return []
    (finding,) = found
    verdict, note = finding.verdict, finding.note
    if metric in CEILINGS:
        ceilings = (measured(of, CEILINGS[metric]).mean() for of in (network, against))
        means = (finding.value, finding.reference)
        reached = [at_ceiling(metric, *pair) for pair in zip(means, ceilings, strict=True)]
        if reached[int(np.argmin(means))] or (rule is same and verdict == HOLDS and any(reached)):
            verdict, note = UNDECIDED, "at the ceiling"
        elif any(reached):
            note = f"{names[reached.index(True)]} is at the ceiling: the true difference is larger"
    shown = {"levels": levels if levels != UNQUANTIZED else None, "split": split, "data": data or dataset}
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


def decided(findings: list[Finding]) -> str:
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
    places = {_place(finding.data) for finding in failing or deciding}
    if failing:
        return FAILS + ("" if "" in places else max(places))
    return HOLDS + (", in part on other data than the paper's" if len(places) > 1 else places.pop())


def _place(data: str) -> str:
    return "" if data in PAPERS else " on the stand-in" if data in STANDS_FOR else " on other data than the paper's"


RULES = f"""\
- A difference is that of networks of the same seed, meaned over seeds; in brackets its 95% interval, of Student's \
t. n is the number of seeds. The intervals are not corrected for their number.
- *rises*, *falls*: holds if the whole interval lies on that side of 0, does not hold if it lies on the other.
- *no loss*: holds if the whole interval lies above -{MARGINS["accuracy"]:g} points of accuracy \
(-{MARGINS["consistency"]:g} of consistency); does not hold if it lies below 0 but not above that.
- *the same*: holds if the whole interval lies within ±{MARGINS["entropy"]:g} bits, does not hold if it lies wholly \
outside.
- *lower at all*: holds if the whole interval lies below 0, does not hold if it lies above -{MARGINS["entropy"]:g} \
bits.
- Otherwise: not decidable at this scale, that is, with so few seeds or seeds that differ all alike. One seed decides \
nothing, but for the trend within a run.
- An entropy within {NEAR_CEILING:g} bits of its ceiling (mean of log2 n, n the images predicted as a class), or \
more keys than {KEYS_AT_CEILING:.0%} of the images, say only that nearly every image has a key of its own. Where the \
lower of two is there, nothing is decided; where either is, no two are said to be *the same*.
- The fall of entropy on two datasets is compared in % of CapsNet+Q's, by Welch's interval; where the smaller fall \
could be the larger but for a ceiling, nothing is decided.
- The trend of one run over its epochs is Kendall's tau with p < 0.05; it speaks of that run only, and its epochs \
are not independent.
- A dimension moves the image one way where its consistency exceeds what {BY_CHANCE:g} % of dimensions would exceed \
by chance; more than by chance: the interval of their share lies above {BY_CHANCE:g} %.
- Zero W_ij: holds if at least {ZERO_BLOCKS:g} % of the blocks are wholly zero in every network, does not hold if in \
none.
- A claim does not hold if one of the findings that decide it says so, holds if all do. The shared K decides; what \
stands *beside it* (the published K, further comparisons) does not. What holds only on other data than the paper's, \
as whose a sample of them counts, is said to hold there. Without a measurement: {MISSING}."""

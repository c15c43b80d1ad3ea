"""The claims that two networks over seeds do not decide: a run's course, falls in percent, counts."""

from dataclasses import replace

import numpy as np
import pandas as pd

from rem.claims.evidence import BASELINE, REM, VARIANTS, Evidence
from rem.claims.findings import Compared, Finding, Judged, at_ceiling, compare, counted, data_of, over_runs, together
from rem.claims.rules import (
    ALPHA,
    BY_CHANCE,
    EQUAL_DOSES,
    FAILS,
    HOLDS,
    LATE_EPOCHS,
    UNDECIDED,
    ZERO_BLOCKS,
    higher,
    lower,
    not_lower,
    undecidable,
)
from rem.tables.equal_accuracy import by_seed
from rem.tables.measurements import main_dataset, others, with_transfer
from rem.tables.statistics import exact_binomial, trend, welch

ONE_ITERATION = Compared("one-iteration")


def falls_late(evidence: Evidence) -> list[Finding]:
    """The straight line through the entropies of the later half of the epochs of the run of Figure 5."""
    if evidence.trajectory is None:
        return []
    late = evidence.trajectory.sort_values("epoch").pipe(lambda frame: frame.iloc[len(frame) // 2 :])
    times, values = (late[column].to_numpy(float) for column in ("epoch", "entropy"))
    first, last, p, judged = values[0], values[-1], np.nan, None
    note = f"{len(late)} epochs in the later half of one run; a trend takes {LATE_EPOCHS}"
    if len(late) >= LATE_EPOCHS:
        first, last, interval, p, block = trend(times, values)
        judged = Judged(interval, lower)
        note = f"a straight line through the later {len(late)} epochs of one run, in moving blocks of {block} epochs"
    name = REM.name(evidence.results.names, evidence.dataset)
    finding = Finding(
        dataset=evidence.dataset,
        data=evidence.dataset,
        levels=int(late["levels"].iloc[0]),
        metric="entropy",
        network=f"{name}, epoch {times[-1]:.0f}",
        against=f"epoch {times[0]:.0f}",
        value=last,
        reference=first,
        difference=last - first,
        p=p,
        seeds=1,
        note=note,
        judged=judged,
    )
    return [finding.at(1 - ALPHA)]


def less_evident(evidence: Evidence) -> list[Finding]:
    """The fall of entropy in % of CapsNet+Q's, on the datasets in question against Fashion-MNIST, at equal doses."""
    easier, harder = (
        [each for each in evidence.results.datasets if evidence.results.names.images(each).paper in papers]
        for papers in (("fashion-mnist",), ("cifar10", "tiny-imagenet"))
    )
    shared, authors = evidence.results.shared, evidence.results.authors
    return [
        finding
        for easy in easier
        for dataset in harder
        for metric, levels in (("band_entropy", None), ("entropy", shared), ("entropy", authors))
        for finding in _relative_falls(evidence, dataset, easy, metric, levels)
    ]


def _relative_falls(
    evidence: Evidence, dataset: str, easy: str, metric: str, levels: dict[str, int] | None
) -> list[Finding]:
    results = evidence.results

    def seeds(of: str, network: Compared, what: str, at: dict[str, int] | None = levels) -> pd.Series:
        at_levels = at[of] if at else None
        return results.over_seeds(of, network.variant, results.checkpoint(of, network.variant), at_levels, what)

    def fall(of: str) -> np.ndarray:
        before = seeds(of, BASELINE, metric)
        after = seeds(of, REM, metric)
        common = before.index.intersection(after.index)
        return (100 * (before[common] - after[common]) / before[common].where(before[common] > 0)).to_numpy()

    def full(of: str, network: Compared) -> bool:
        most = seeds(of, network, "entropy_ceiling", levels or results.shared)
        return at_ceiling(metric, seeds(of, network, metric).mean(), most.mean())

    value, reference = fall(dataset), fall(easy)
    if not (len(value) and len(reference)):
        return []
    blank = np.isnan([*value, *reference]).any()
    interval, p = (None, np.nan) if blank else welch(value, reference)
    rule, note = lower, "Welch's interval" if interval else "no spread over seeds, and so no interval"
    unknown = easy if value.mean() > reference.mean() else dataset  # its true fall may be the larger
    reached = [network for network in (BASELINE, REM) if full(unknown, network)]
    doses = [seeds(of, REM, "dose").mean() for of in (dataset, easy)]
    if blank:
        note = "blank for a seed, or a fall from no entropy"
    elif reached:
        rule, note = undecidable, f"{reached[0].name(results.names, unknown)} of {unknown} is at the ceiling"
    elif np.isnan(doses).any():
        rule, note = undecidable, "doses not known"
    elif abs(doses[0] - doses[1]) > EQUAL_DOSES * max(doses):
        rule, note = undecidable, "doses of {:.2f} and {:.2f}".format(*doses)
    finding = Finding(
        dataset=dataset,
        data=dataset,
        levels=levels and levels[dataset],
        metric="relative fall of entropy",
        network=dataset,
        against=easy,
        value=value.mean(),
        reference=reference.mean(),
        difference=value.mean() - reference.mean(),
        p=p,
        seeds=min(len(value), len(reference)),
        decides=levels is None,
        note=note if levels else f"means over the band; {note}",
        judged=Judged(interval, rule) if interval else None,
    )
    return [finding.at(1 - ALPHA)]


def stays_equivariant(evidence: Evidence) -> list[Finding]:
    """Dimensions that move the reconstruction one way: more than by chance, and as consistently as without REM."""
    if evidence.equivariance is None:
        return []
    table = evidence.equivariance
    found = []
    for dataset in table["dataset"].unique():
        own = table[table["dataset"] == dataset]
        rem, baseline = (own[own["variant"] == variant] for variant in VARIANTS[::-1])
        above = [] if rem.empty else [_above_chance(evidence, dataset, rem)]
        names = [of.name(evidence.results.names, dataset) for of in (REM, BASELINE)]
        consistency = [of.groupby("seed")["consistency"].mean() for of in (rem, baseline)]
        found += together(above, over_runs(dataset, "consistency", *names, *consistency, not_lower))
    return found


def _above_chance(evidence: Evidence, dataset: str, rem: pd.DataFrame) -> Finding:
    """The share of the dimensions of all of REM's networks whose consistency chance would seldom give."""
    above, dimensions, seeds = int((rem["consistency"] > rem["chance"]).sum()), len(rem), rem["seed"].nunique()
    interval, p = exact_binomial(above, dimensions, BY_CHANCE / 100)

    def difference(confidence: float) -> tuple[float, float]:
        low, high = interval(confidence)
        return 100 * low - BY_CHANCE, 100 * high - BY_CHANCE

    share = 100 * above / dimensions
    finding = Finding(
        dataset=dataset,
        data=dataset,
        metric="dimensions above chance",
        network=REM.name(evidence.results.names, dataset),
        against="by chance",
        value=share,
        reference=BY_CHANCE,
        difference=share - BY_CHANCE,
        p=p,
        seeds=seeds,
        note="one seed decides nothing" if seeds == 1 else f"exact binomial over {dimensions} dimensions",
        judged=Judged(difference, higher) if seeds > 1 else None,
    )
    return finding.at(1 - ALPHA)


def blocks_vanish(evidence: Evidence) -> list[Finding]:
    """Wholly zero W_ij blocks of pruned networks, in %: enough for Eq. 15 in each of several runs, or in none."""
    results, found = evidence.results, []
    for dataset in [*main_dataset(results, evidence.dataset), *others(results, evidence.dataset)]:
        share = results.over_seeds(dataset, "rem", results.checkpoint(dataset, "rem"), None, "sparsity_class_blocks")
        enough = share >= ZERO_BLOCKS
        agree = len(share) > 1 and enough.nunique() == 1
        verdict = (HOLDS if enough.all() else FAILS) if agree else UNDECIDED
        name, note = REM.name(results.names, dataset), f"in {enough.sum()} of {len(enough)} networks"
        found += counted(dataset, "zero W_ij", name, "needed", share, ZERO_BLOCKS, verdict, note)
    return found


def needs_no_iterations(evidence: Evidence) -> list[Finding]:
    """Networks routed once: no less accurate than CapsNet+Q, without and with quantization, and with no entropy."""
    results, found = evidence.results, []
    for dataset in results.datasets:
        plain = compare(results, dataset, "accuracy", ONE_ITERATION, BASELINE, not_lower, None)
        quantized = evidence.at_levels(dataset, "accuracy", ONE_ITERATION, BASELINE, not_lower)
        checkpoint = results.checkpoint(dataset, ONE_ITERATION.variant)
        entropies = []
        for levels in results.reported(dataset):
            bits = results.over_seeds(dataset, ONE_ITERATION.variant, checkpoint, levels, "entropy")
            none = bits == 0
            verdict = (HOLDS if none.all() else FAILS) if len(bits) > 1 else UNDECIDED
            name, note = ONE_ITERATION.name(results.names, dataset), f"in {none.sum()} of {len(none)} networks"
            beside = counted(dataset, "entropy", name, "none", bits, 0, verdict, note)
            decides = levels == results.shared[dataset]
            entropies += [replace(finding, levels=levels, decides=decides) for finding in beside]
        found += together(plain, quantized, entropies)
    return found


def robust_when_undertrained(evidence: Evidence) -> list[Finding]:
    """Accuracy and entropy on the transfer set of the under-trained networks.

    Beside them stand those of the well-trained, and the accuracy there while both were as accurate on the test set.
    """
    found = []
    for state in ("early", None):
        network, against = Compared("rem", state), Compared("baseline", state)
        for dataset in with_transfer(evidence.results):
            decides = state == "early"
            found += together(
                evidence.at_levels(dataset, "accuracy", network, against, higher, "transfer", decides=decides),
                evidence.over_band(dataset, "entropy", network, against, lower, "transfer", decides=decides),
            )
    return found + _at_equal_accuracy(evidence)


def _at_equal_accuracy(evidence: Evidence) -> list[Finding]:
    """The accuracy on the transfer set at equal test accuracy, over seeds."""
    if evidence.accuracies is None:
        return []
    names, found = evidence.results.names, []
    for dataset, courses in evidence.accuracies.groupby("dataset"):
        means = by_seed(courses, REM.variant, BASELINE.variant)
        pair = [of.name(names, dataset, quantized=False) for of in (REM, BASELINE)]
        metric = "accuracy at equal test accuracy"
        for one in over_runs(dataset, metric, *pair, means["value"], means["reference"], higher):
            low, high = means[["low", "high"]].mean()
            note = f"averaged over the test accuracies that both pass through, {low:.1f} to {high:.1f} %"
            note += f"; {one.note}" if one.note else ""
            shown = {"split": "transfer", "data": data_of(evidence.results, dataset, "transfer")}
            found.append(replace(one, decides=False, note=note, **shown))
    return found

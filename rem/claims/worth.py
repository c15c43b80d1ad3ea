"""The claims about what routing and pruning are worth: trees, a temperature, iterations, connections, channels."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd

from rem.claims.evidence import BASELINE, REM, Evidence
from rem.claims.findings import Compared, Finding, compare, counted, over_runs, together
from rem.claims.rules import FAILS, HOLDS, NEAR_UNIFORM, UNDECIDED, higher, not_lower
from rem.tables.alike import began_with
from rem.tables.measurements import Results, main_dataset, others
from rem.tables.probes import Probes, at
from rem.tables.trees import above_uniform, drawn_beside, lost_with_rare_keys, purity, whole_beside
from rem.trees.probe_kinds import UNCHANGED

STATIC = ("intervention", "class-mean")
STRONGEST = ("deletion", "strongest")


def _probed(evidence: Evidence) -> Iterator[tuple[str, Probes]]:
    """The datasets in question, and the probes, if there are any."""
    if evidence.probes is not None:
        for dataset in [*main_dataset(evidence.results, evidence.dataset), *others(evidence.results, evidence.dataset)]:
            yield dataset, evidence.probes


def static_trees_cost_nothing(evidence: Evidence) -> list[Finding]:
    """Accuracy with each class's mean column of the training images in place of routing, against the routing's own.

    Beside it: the same of the unpruned network, which nothing has pruned, and of the most frequent keys.
    """
    found = []
    for dataset, probes in _probed(evidence):
        shared = evidence.results.shared[dataset]
        for of, setting, levels, what in (
            (REM, STATIC, 0, "static trees"),
            (BASELINE, STATIC, 0, "static trees"),
            (REM, ("intervention", "modal-key"), shared, "its most frequent keys"),
        ):
            name = of.name(evidence.results.names, dataset, quantized=False)
            values = probes.over_seeds(dataset, of.variant, *setting, "accuracy", levels)
            own = probes.over_seeds(dataset, of.variant, *UNCHANGED, "accuracy")
            decides = (of, setting) == (REM, STATIC)
            for one in over_runs(dataset, "accuracy", f"{name}, {what}", name, values, own, not_lower):
                found.append(replace(one, decides=decides, levels=levels or None))
    return found


def better_than_a_temperature(evidence: Evidence) -> list[Finding]:
    """Accuracy of REM against that of the unpruned network at the temperature of REM's entropy; beside it, strength."""
    found = []
    for dataset, probes in _probed(evidence):
        names = [of.name(evidence.results.names, dataset, quantized=False) for of in (REM, BASELINE)]
        bits = probes.over_seeds(dataset, REM.variant, *UNCHANGED, "band_entropy")
        for metric in ("accuracy", "strongest_coupling"):
            values = probes.over_seeds(dataset, REM.variant, *UNCHANGED, metric)
            lines = {seed: probes.line(dataset, BASELINE.variant, seed) for seed in bits.index}
            on_line = {seed: at(line, "band_entropy", bits[seed], metric) for seed, line in lines.items() if len(line)}
            against = f"{names[1]} at the temperature of the same entropy"
            for one in over_runs(dataset, metric, names[0], against, values, pd.Series(on_line, dtype=float), higher):
                note = f"means over the band of {bits.mean():.2f} bits"
                decides = metric == "accuracy"
                found.append(replace(one, decides=decides, note="; ".join(filter(None, (note, one.note)))))
    return found


def iterations_polarize(evidence: Evidence) -> list[Finding]:
    """Polarization of the unpruned network's couplings: 5 iterations at test time against 3, and 3 against 2.

    Beside it: mean max_j c of networks that were trained with as many.
    """
    found = []
    for dataset, probes in _probed(evidence):
        by_t = {t: probes.over_seeds(dataset, "baseline", "iterations", str(t), "polarization") for t in (2, 3, 5)}
        pairs = [
            over_runs(dataset, "polarization", f"t = {more}", f"t = {fewer}", by_t[more], by_t[fewer], higher)
            for more, fewer in ((3, 2), (5, 3))
        ]
        found += together(*pairs)
    for dataset in evidence.results.datasets:
        for variant, more in (("two-iterations", False), ("five-iterations", True)):
            pair = (Compared(variant), BASELINE) if more else (BASELINE, Compared(variant))
            trained = compare(evidence.results, dataset, "strongest_coupling", *pair, higher, None)
            found += [replace(one, decides=False) for one in trained]
    return found


def untrained_is_uniform(evidence: Evidence) -> list[Finding]:
    """Mean max_j c before the first step of training beside 1/J: within a tenth of it in each of several networks."""
    found = []
    for dataset, probes in _probed(evidence):
        strongest = probes.over_seeds(dataset, "baseline", "untrained", "unchanged", "strongest_coupling")
        uniform = 1 / evidence.results.of(dataset)[0].data.classes
        near = strongest <= (1 + NEAR_UNIFORM) * uniform
        verdict = (HOLDS if near.all() else FAILS) if len(near) > 1 and near.nunique() == 1 else UNDECIDED
        note = f"within {NEAR_UNIFORM:.0%} of 1/J in {near.sum()} of {len(near)} networks"
        found += counted(dataset, "strongest_coupling", "untrained", "1/J", strongest, uniform, verdict, note)
    return found


def better_than_random_trees(evidence: Evidence) -> list[Finding]:
    """Accuracy of connections that were learned against as many drawn by lot; beside it, what keys tell.

    That is the points of accuracy that a network loses without the capsules coupled most to the predicted class, and
    with keys that no training image has, and the purity of those that one has, both at the shared K.
    """
    found, results, probes = [], evidence.results, evidence.probes
    for dataset, learned, lot in _beside(results, drawn_beside):
        found += compare(results, dataset, "accuracy", Compared(learned), Compared(lot), higher, None)
        if probes is not None:
            shared = results.shared[dataset]
            for metric, levels, measure in (
                ("accuracy lost by deletion", None, lambda of: -probes.over_seeds(*of, *STRONGEST, "difference")),
                ("accuracy lost with rare keys", shared, lambda of, k=shared: lost_with_rare_keys(probes, *of, k)),
                ("purity of keys", shared, lambda of, k=shared: purity(probes, *of, k)),
            ):
                values, references = measure((dataset, learned)), measure((dataset, lot))
                beside = over_runs(dataset, metric, learned, lot, values, references, higher)
                found += [replace(one, decides=False, levels=levels) for one in beside]
    return found


def connections_strengthen(evidence: Evidence) -> list[Finding]:
    """Mean max_j c and accuracy of learned connections against all of them, trained and shrunk alike.

    Beside it: what the routing adds to the strength. With n connections a capsule has max_j c = 1/n if it couples to
    each alike, so that mean max_j c rises by counting alone.
    """
    found, results, probes = [], evidence.results, evidence.probes
    for dataset, learned, whole in _beside(results, whole_beside):
        pair = Compared(learned), Compared(whole)
        found += together(
            compare(results, dataset, "strongest_coupling", *pair, higher, None),
            compare(results, dataset, "accuracy", *pair, not_lower, None),
        )
        if probes is not None:
            values = [above_uniform(probes, dataset, of) for of in (learned, whole)]
            beside = over_runs(dataset, "strength above 1/n", learned, whole, *values, higher)
            found += [replace(one, decides=False) for one in beside]
    return found


def removing_beats_a_smaller_network(evidence: Evidence) -> list[Finding]:
    """Accuracy of networks from which channels and types went, against such as were as small from the start.

    Beside it: against the whole network that they began as.
    """
    found, results = [], evidence.results
    for dataset in results.datasets:
        for variant in results.variants(dataset):
            run = results.of(dataset, variant)[0]
            if left := run.structure:
                whole = run.network.convolution_channels, run.network.primary_types
                for sizes, rule, decides in (((left.channels, left.types), higher, True), (whole, not_lower, False)):
                    if against := began_with(results, run, *sizes):
                        pair = Compared(variant), Compared(against)
                        found += compare(results, dataset, "accuracy", *pair, rule, None, decides)
    return found


def _beside(results: Results, control: Callable[[Results, str, str], str | None]) -> Iterator[tuple[str, str, str]]:
    """Dataset, learned variant, and the variant that `control` holds against it, where there is one."""
    for dataset in results.datasets:
        for variant in results.variants(dataset):
            if against := control(results, dataset, variant):
                yield dataset, variant, against

"""Claims on hand-made measurements: each measurement turned round turns the verdict round."""

from dataclasses import replace

import pandas as pd
import pytest
from measurements import made_results, metrics, run_yaml
from scipy import stats

from rem.claims import evidence, otherwise
from rem.claims.evidence import Evidence
from rem.claims.findings import decided
from rem.claims.paper import CLAIMS
from rem.claims.rules import FAILS, HOLDS, MISSING, UNDECIDED
from rem.claims.write import BESIDE, COLUMNS, read_claims, told, write_claims
from rem.errors import RemError

LAST = {"baseline": "best", "baseline-decoder": "best", "one-iteration": "best"}
NOISE = (0.0, 0.1, -0.1)
SCALES = {"baseline": 1.0, "penalty": 0.0}  # of the others -1: no two differ alike in all seeds


def seeds(mean, scale=1.0):
    return [mean + scale * noise for noise in NOISE]


def measured(of, dataset="mnist", split="test", checkpoint=None, levels=(7, 11), ceiling=20.0):
    """`of`: (variant, metric) -> mean. The interval of baseline and another is 0.5 to either side.

    Of entropies and keys the mean over the band is that of K = 7.
    """
    values = {}
    for (variant, metric), mean in of.items():
        where = (dataset, variant, checkpoint or LAST.get(variant, "last"), split)
        for level in levels:
            values[*where, level, metric] = seeds(mean, SCALES.get(variant, -1.0))
            if level == 7 and metric in ("entropy", "keys"):
                values[*where, 0, f"band_{metric}"] = values[*where, 7, metric]
            values[*where, level, "entropy_ceiling"] = [ceiling] * 3
            values[*where, level, "images"] = [1e6] * 3
    return values


def found(values, dataset="mnist", transfer=None, trajectory=None, equivariance=None, accuracies=None):
    return Evidence(made_results(values, transfer=transfer), dataset, trajectory, equivariance, accuracies)


def verdict(decide, values, **how):
    evidence = found(values, **how)
    return decided(decide(evidence), evidence.results.names)


def pair(metric, baseline, rem, **how):
    return measured({("baseline", metric): baseline, ("rem", metric): rem}, **how)


def test_without_measurements_nothing_is_decided():
    nothing = found(measured({("baseline", "loss"): 1}))
    assert {decided(claim.decide(nothing), nothing.results.names) for claim in CLAIMS} == {MISSING}


@pytest.mark.parametrize(("decide", "metric"), [(evidence.entropy_falls, "entropy"), (evidence.keys_fall, "keys")])
def test_a_fall_with_rem(decide, metric):
    assert verdict(decide, pair(metric, 9, 5)) == HOLDS
    assert verdict(decide, pair(metric, 5, 9)) == FAILS
    assert verdict(decide, pair(metric, 5, 5)) == UNDECIDED
    assert verdict(decide, pair(metric, 9, 5, dataset="shapes")) == MISSING


def test_the_band_decides_and_single_k_stand_beside_it():
    values = pair("entropy", 9, 5, levels=(7,)) | pair("entropy", 5, 9, levels=(11,))
    measurements = found(values)
    measurements.results.bands["mnist"] = [7, 11]
    findings = evidence.entropy_falls(measurements)
    assert [(one.levels, one.metric, one.decides, one.verdict) for one in findings] == [
        (None, "band_entropy", True, HOLDS),
        (7, "entropy", False, HOLDS),
        (11, "entropy", False, FAILS),
    ]
    assert findings[0].note == "this way at 1 of 2 K of the band"
    assert findings[0].network == "CapsNet+REM"
    assert decided(findings, measurements.results.names) == HOLDS


def test_the_signs_at_single_k_are_those_of_the_seeds_that_both_have():
    values = pair("entropy", 9, 8.5, levels=(7,))
    for of in [place for place in values if place[1] == "baseline"]:
        values[of] = [*values[of], -90.0]  # of a seed that REM does not have
    measurements = found(values)
    measurements.results.bands["mnist"] = [7]
    assert evidence.entropy_falls(measurements)[0].note == "this way at 1 of 1 K of the band"


def test_a_mean_over_the_band_at_the_ceiling_decides_nothing():
    values = pair("entropy", 19.98, 19.95)
    assert verdict(evidence.entropy_falls, values) == UNDECIDED
    assert "at the ceiling" in evidence.entropy_falls(found(values))[0].note


def test_entropy_rises_in_training():
    def run(first, best):
        return {
            ("mnist", "baseline", checkpoint, "test", 7, metric): values
            for checkpoint, mean in (("first", first), ("best", best))
            for metric, values in {"band_entropy": seeds(mean, mean), "entropy_ceiling": [20.0] * 3}.items()
        }

    assert verdict(evidence.rises_in_training, run(2, 9)) == HOLDS
    assert verdict(evidence.rises_in_training, run(9, 2)) == FAILS


def test_no_loss_needs_both_kinds_of_network_and_allows_half_a_point():
    def run(plain, quantized):
        return pair("accuracy", 99, plain, levels=(0,)) | pair("accuracy", 99, quantized)

    assert verdict(evidence.costs_nothing, run(99.9, 99.2)) == HOLDS
    assert verdict(evidence.costs_nothing, run(99, 97)) == FAILS
    assert verdict(evidence.costs_nothing, run(99, 98.3)) == UNDECIDED  # a loss, and perhaps within the margin
    assert verdict(evidence.costs_nothing, run(97, 99)) == FAILS
    assert verdict(evidence.costs_nothing, run(99, 98.6)) == UNDECIDED


def test_other_datasets_are_told_apart_from_what_stands_in_their_place():
    def both(dataset):
        return pair("entropy", 9, 5, dataset=dataset) | pair("keys", 900, 500, dataset=dataset)

    assert verdict(evidence.both_fall_elsewhere, both("fashion-mnist")) == HOLDS
    assert verdict(evidence.both_fall_elsewhere, both("shapes")) == f"{HOLDS} on the stand-in"
    assert verdict(evidence.both_fall_elsewhere, both("mnist")) == MISSING


def test_stronger_couplings_are_larger_and_away_from_uniform():
    def run(strongest, uniform):
        return pair("strongest_coupling", 2, strongest, levels=(0,)) | pair("uniform_share", 2, uniform)

    assert verdict(evidence.couplings_strengthen, run(5, 1)) == HOLDS
    assert verdict(evidence.couplings_strengthen, run(5, 3)) == FAILS
    assert verdict(evidence.couplings_strengthen, run(1, 1)) == FAILS


WAVES = [0.2, 0.3, 0.1, -0.1, -0.3, -0.2] * 10  # neighbours are alike


def course(slope, epochs):
    """Entropies that rise by a bit an epoch, and from the middle on fall by the slope, in waves."""
    half = epochs // 2
    bits = [*range(half), *(half + slope * step for step in range(epochs - half))]
    return [bit + wave for bit, wave in zip(bits, WAVES[:epochs], strict=True)]


@pytest.mark.parametrize(
    ("entropies", "expected"),
    [
        (course(-0.2, 30), HOLDS),
        (course(0.2, 30), FAILS),
        (course(0, 30), UNDECIDED),
        (range(40), FAILS),
        (course(-0.5, 20), HOLDS),
        (course(-1, 18), UNDECIDED),  # 9 epochs in the later half
        ([9, 5, 4, 3, 2, 1], UNDECIDED),
        ([1], UNDECIDED),
    ],
)
def test_a_late_fall_is_a_trend_of_the_later_half_if_that_has_ten_epochs(entropies, expected):
    frame = pd.DataFrame({"epoch": range(1, len(entropies) + 1), "entropy": entropies, "levels": 7})
    shuffled = frame.sample(frac=1, random_state=0)
    assert verdict(otherwise.falls_late, pair("entropy", 1, 1), trajectory=shuffled) == expected


def test_the_trend_says_of_how_many_epochs_it_is_and_in_what_blocks():
    def note(epochs):
        frame = pd.DataFrame({"epoch": range(epochs), "entropy": course(-0.2, epochs), "levels": 7})
        (finding,) = otherwise.falls_late(found(pair("entropy", 1, 1), trajectory=frame))
        return finding.note

    assert note(30) == "a straight line through the later 15 epochs of one run, in moving blocks of 4 epochs"
    assert note(9) == "5 epochs in the later half of one run; a trend takes 10"


def falls(easy, hard, ceiling=20.0, doses=(0.8, 0.8)):
    """REM's entropies and doses on Fashion-MNIST, where the baseline has 10 bits, and on shapes, where it has 5."""
    values = pair("entropy", 10, easy, dataset="fashion-mnist")
    values |= pair("entropy", 5, hard, dataset="shapes", ceiling=ceiling)
    for dataset, dose in zip(("fashion-mnist", "shapes"), doses, strict=False):
        values[dataset, "rem", "last", "", 0, "dose"] = [dose] * 3
    return values


def test_less_evident_compares_falls_in_percent():
    run = falls

    (finding, *beside) = otherwise.less_evident(found(run(5, 4.5)))
    assert (finding.value, finding.reference) == (pytest.approx(10, abs=0.1), pytest.approx(50, abs=0.1))
    assert [(one.levels, one.decides) for one in (finding, *beside)] == [(None, True), (7, False), (11, False)]
    assert verdict(otherwise.less_evident, run(5, 4.5)) == f"{HOLDS} on the stand-in"
    assert verdict(otherwise.less_evident, run(9, 1)) == f"{FAILS} on the stand-in"
    assert verdict(otherwise.less_evident, run(5, 4.5, ceiling=5.05)) == UNDECIDED


def test_a_fall_that_is_blank_for_a_seed_was_measured_and_decides_nothing():
    values = falls(5, 4.5)
    values["shapes", "baseline", "best", "test", 0, "band_entropy"] = [0, 2, 2.1]  # of no entropy there is no fall in %
    (finding, *_) = otherwise.less_evident(found(values))
    assert (finding.verdict, finding.decides) == (UNDECIDED, True)
    assert finding.note == "means over the band; blank for a seed, or a fall from no entropy"
    (claim,) = (one for one in CLAIMS if one.name.startswith("entropy falls less on CIFAR10"))
    (line,) = told(claim, [finding])
    assert line.text.endswith(f"relative fall of entropy, shapes against fashion-mnist: {UNDECIDED} ({finding.note})")


def test_one_seed_of_each_dataset_has_no_interval_of_a_fall_and_none_is_named():
    one = {place: values[:1] for place, values in falls(5, 4.5).items()}
    (finding, *_) = otherwise.less_evident(found(one))
    assert (finding.verdict, finding.seeds) == (UNDECIDED, 1)
    assert finding.note == "means over the band; no spread over seeds, and so no interval"


@pytest.mark.parametrize(
    ("doses", "decidable", "note"),
    [
        ((0.8, 0.8), True, "Welch's interval"),
        ((0.8, 0.73), True, "Welch's interval"),
        ((0.8, 0.31), False, "doses of 0.31 and 0.80"),
        ((0.31, 0.8), False, "doses of 0.80 and 0.31"),
        ((0.8,), False, "doses not known"),
        ((), False, "doses not known"),
    ],
)
def test_less_evident_is_decided_at_equal_doses_alone(doses, decidable, note):
    (finding, *_) = otherwise.less_evident(found(falls(5, 4.5, doses=doses)))
    assert finding.verdict == (HOLDS if decidable else UNDECIDED)
    assert finding.note == f"means over the band; {note}"
    assert finding.high < 0


def test_robustness_is_that_of_the_early_checkpoint_on_the_transfer_set():
    def run(accuracy, entropy):
        early = {"dataset": "expanded-mnist", "split": "transfer", "checkpoint": "early"}
        return pair("accuracy", 78, accuracy, **early) | pair("entropy", 8.6, entropy, **early)

    stand_in, real = "affnist-like-sample", "affnist"
    assert verdict(otherwise.robust_when_undertrained, run(82, 6), transfer=stand_in) == f"{HOLDS} on the stand-in"
    assert verdict(otherwise.robust_when_undertrained, run(82, 6), transfer=real) == HOLDS
    assert verdict(otherwise.robust_when_undertrained, run(82, 9.5), transfer=real) == FAILS
    assert verdict(otherwise.robust_when_undertrained, run(74, 6), transfer=real) == FAILS


def test_a_decoder_undoes_what_leaves_the_entropy_of_the_plain_baseline():
    def run(with_decoder, ceiling=20.0):
        return measured(
            {("baseline", "entropy"): 9, ("rem", "entropy"): 5, ("rem-decoder", "entropy"): with_decoder},
            ceiling=ceiling,
        )

    assert verdict(evidence.decoder_undoes, run(9)) == HOLDS
    assert verdict(evidence.decoder_undoes, run(8.5)) == UNDECIDED
    assert verdict(evidence.decoder_undoes, run(5)) == FAILS
    assert verdict(evidence.decoder_undoes, run(9, ceiling=9.05)) == UNDECIDED


def test_the_loss_of_the_released_code_stands_beside_the_decoder_that_decides():
    variants = {"baseline": 9, "rem": 5, "rem-decoder": 5, "rem-decoder-normalized": 9}
    findings = evidence.decoder_undoes(found(measured({(name, "entropy"): mean for name, mean in variants.items()})))
    told = {(one.network, one.levels): (one.decides, one.verdict) for one in findings if one.against == "CapsNet+Q"}
    normalized = "CapsNet+REM, decoder of normalized pixels"
    assert told[normalized, 7][0] is False
    same = [(one.network, one.decides, one.verdict) for one in findings if one.levels is None][:2]
    assert same == [("CapsNet+REM, decoder", True, FAILS), (normalized, False, HOLDS)]


def equivariance(**consistency):
    rows = [
        {
            "dataset": "mnist",
            "variant": variant,
            "seed": 42 + seed,
            "dimension": dimension,
            "consistency": mean + noise * (0.1 if variant == "rem" else 0.2),
            "chance": 0.2 + 0.5 * (dimension > 6 + seed),
        }
        for variant, mean in consistency.items()
        for seed, noise in enumerate(NOISE)
        for dimension in range(10)
    ]
    return pd.DataFrame(rows)


def test_equivariance_is_above_chance_and_no_less_than_without_rem():
    def of(**consistency):
        return verdict(otherwise.stays_equivariant, pair("entropy", 1, 1), equivariance=equivariance(**consistency))

    assert of(rem=0.6, baseline=0.6) == HOLDS
    assert of(rem=0.1, baseline=0.1) == UNDECIDED  # none of 30 dimensions: 5 % are possible
    assert of(rem=0.3, baseline=0.6) == FAILS
    assert of(baseline=0.6) == MISSING


@pytest.mark.parametrize(("above", "expected"), [(10, HOLDS), (0, FAILS)])
def test_dimensions_are_counted_where_all_seeds_have_as_many(above, expected):
    of_one = pd.DataFrame({"consistency": [0.9] * above + [0.1] * (10 - above), "chance": 0.2})
    runs = [of_one.assign(dataset="mnist", variant="rem", seed=seed) for seed in range(12)]
    (finding,) = otherwise.stays_equivariant(found(pair("entropy", 1, 1), equivariance=pd.concat(runs)))
    expected_interval = stats.binomtest(12 * above, 120).proportion_ci(0.95)
    assert (finding.low + 5, finding.high + 5) == pytest.approx(tuple(100 * bound for bound in expected_interval))
    assert (finding.verdict, finding.note) == (expected, "exact binomial over 120 dimensions")
    (single,) = otherwise.stays_equivariant(found(pair("entropy", 1, 1), equivariance=runs[0]))
    assert (single.verdict, single.note) == (UNDECIDED, "one seed decides nothing")


@pytest.mark.parametrize(
    ("shares", "expected"), [([0, 0, 0], FAILS), ([5, 2, 1], HOLDS), ([0, 0, 9], UNDECIDED), ([0], UNDECIDED)]
)
def test_equation_15_needs_blocks_that_are_wholly_zero(shares, expected):
    values = {("mnist", "rem", "last", "", 0, "sparsity_class_blocks"): shares}
    assert verdict(otherwise.blocks_vanish, values) == expected


def routed_once(accuracy, entropy):
    values = pair("accuracy", 98, 98, levels=(0, 7)) | pair("entropy", 7, 3)
    values |= measured({("one-iteration", "accuracy"): accuracy}, levels=(0, 7))
    for levels in (7, 11):
        values["mnist", "one-iteration", "best", "test", levels, "entropy"] = entropy
    return values


@pytest.mark.parametrize(
    ("accuracy", "entropy", "expected"),
    [
        (98, [0, 0, 0], HOLDS),
        (97, [0, 0, 0], FAILS),
        (98, [0, 0.1, 0], FAILS),
        (98, [0], UNDECIDED),
        (97.5, [0, 0, 0], UNDECIDED),
    ],
)
def test_one_iteration_has_no_entropy_at_no_loss(accuracy, entropy, expected):
    assert verdict(otherwise.needs_no_iterations, routed_once(accuracy, entropy)).startswith(expected)


def test_one_iteration_that_has_no_baseline_beside_it_decides_nothing():
    values = {key: value for key, value in routed_once(98, [0, 0, 0]).items() if key[1] != "baseline"}
    assert verdict(otherwise.needs_no_iterations, values) == MISSING


def accuracies(seed, variant, *points):
    columns = ["accuracy", "transfer_accuracy"]
    course = pd.DataFrame(points, columns=columns).assign(epoch=range(1, len(points) + 1))
    return course.assign(dataset="expanded-mnist", variant=variant, seed=seed)


def test_beside_the_under_trained_networks_stand_those_of_equal_test_accuracy():
    courses = []
    for seed, noise in enumerate(NOISE, start=42):
        courses += [
            accuracies(seed, "baseline", (80, 50), (90, 60), (94, 64)),
            accuracies(seed, "rem", (82, 55 + noise), (92, 65 + noise)),
        ]
    early = {"dataset": "expanded-mnist", "split": "transfer", "checkpoint": "early"}
    values = pair("accuracy", 78, 82, **early)
    *_, finding = otherwise.robust_when_undertrained(
        found(values, transfer="affnist-like-sample", accuracies=pd.concat(courses))
    )
    assert (finding.metric, finding.split, finding.data) == (
        "accuracy at equal test accuracy",
        "transfer",
        "affnist-like-sample",
    )
    assert (finding.value, finding.reference) == pytest.approx((60, 57))
    assert finding.decides is False
    assert finding.verdict == HOLDS
    assert finding.note == "averaged over the test accuracies that both pass through, 82.0 to 92.0 %"


def test_the_controls_say_which_part_of_rem_does_the_work():
    def run(**entropies):
        return measured({(variant.replace("_", "-"), "entropy"): mean for variant, mean in entropies.items()})

    assert verdict(evidence.pruning_lowers, run(baseline=9, magnitude=5)) == HOLDS
    assert verdict(evidence.pruning_lowers, run(baseline=9, magnitude=9)) == UNDECIDED
    assert verdict(evidence.votes_suffice, run(baseline=5, rem_votes=9)) == FAILS
    assert verdict(evidence.zeros_are_needed, run(baseline=9, penalty=6, rem=3)) == HOLDS
    assert verdict(evidence.zeros_are_needed, run(baseline=9, penalty=3, rem=3)) == FAILS
    assert verdict(evidence.zeros_are_needed, run(baseline=9, penalty=3, rem=6)) == FAILS


@pytest.fixture
def written(tmp_path):
    """The files of the claims from hand-made files."""
    runs = [run_yaml(tmp_path, "mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    csv, trajectory = metrics(tmp_path), tmp_path / "trajectory.csv"
    pd.DataFrame({"epoch": range(1, 21), "entropy": range(20), "levels": 7}).to_csv(trajectory, index=False)
    moved = tmp_path / "equivariance.csv"
    equivariance(rem=0.6, baseline=0.6).to_csv(moved, index=False)
    write_claims(csv, runs, [], trajectory, [moved], [], None, "trial", "mnist", tmp_path / "tables")
    return tmp_path / "tables"


def test_the_csv_has_every_finding_and_every_claim(written):
    frame = pd.read_csv(written / "claims.csv")
    assert list(frame) == COLUMNS
    assert list(frame["claim"].unique()) == [claim.name for claim in CLAIMS]
    falls = frame[frame["claim"] == "entropy falls"]
    assert falls[["levels", "value", "reference", "difference", "seeds"]].values.tolist() == [
        [7, 2, 5, -3, 3],
        [11, 2, 5, -3, 3],
    ]
    unmeasured = frame[frame["claim"] == "sparse W_ij lower the entropy"]
    assert unmeasured["claim_verdict"].tolist() == [MISSING]
    assert unmeasured["metric"].isna().all()


def test_the_markdown_has_every_verdict_and_then_the_findings_by_claim(written):
    text = (written / "claims.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    sections = text.split("\n### ")[1:]
    assert len(rows) == len(sections) == len(CLAIMS)
    for row, section, claim in zip(rows, sections, CLAIMS, strict=True):
        name, where, said = row.strip("| ").split(" | ")
        assert (name, where) == (claim.name, claim.section)
        assert said.strip("*").startswith((HOLDS, FAILS, UNDECIDED, MISSING))
        assert section.startswith(f"{claim.name}\n\n> “{claim.sentence}” ({claim.section})")
        assert "\n- " in section
    assert "- none: run `snakemake controls`, whose own claims.md decides it\n" in text
    assert "config `trial` on the data sources mnist-sample" in text
    assert "nan" not in text.lower()


def test_what_is_written_is_read_again(written):
    rows = pd.read_csv(written / "claims.csv")
    for claim, verdict, findings in read_claims(written / "claims.csv"):
        own = rows[rows["claim"] == claim.name]
        assert verdict == own["claim_verdict"].iloc[0]
        assert [finding.value for finding in findings] == own["value"].dropna().tolist()
        for line in told(claim, findings):
            beside = "" if line.decides else f"*{BESIDE}* "
            assert f"- {beside}{line.text}\n" in (written / "claims.md").read_text(encoding="utf-8")


def test_a_finding_tells_the_level_of_its_interval_and_what_the_images_leave_open():
    values = measured({("baseline", "entropy"): 7.0, ("rem", "entropy"): 4.0}, levels=(7,))
    (over_band, finding) = evidence.entropy_falls(found(values))
    assert told(CLAIMS[0], [over_band])[0].text.startswith(
        "mnist, mean over the band of K: entropy 7.00 bits (CapsNet+Q)"
    )
    finding = replace(finding, images_low=-3.25, images_high=-2.75)
    for one, interval in ((finding, "[-3.50, -2.50]"), (finding.at(0.975), "[-3.72, -2.28 at 97.5 %]")):
        (line,) = told(CLAIMS[0], [one])
        assert line.text == (
            "mnist, K = 7: entropy 7.00 bits (CapsNet+Q), 4.00 bits (CapsNet+REM); "
            f"-3.00 {interval}, images [-3.25, -2.75], n = 3: holds"
        )


def test_several_findings_that_decide_a_claim_are_corrected():
    falls, costs = (
        next(claim for claim in CLAIMS if claim.name == name) for name in ("entropy falls", "pruning costs no accuracy")
    )
    single = falls.findings(found(pair("entropy", 9, 5)))
    several = costs.findings(found(pair("accuracy", 99, 99, levels=(0, 7, 11))))
    assert {one.confidence for one in single} == {0.95}
    assert {one.confidence for one in several if one.decides} == {0.975}
    assert [one.confidence for one in several if not one.decides] == [0.95]


def test_a_csv_that_lacks_a_claim_is_named(written):
    rows = pd.read_csv(written / "claims.csv")
    rows[rows["claim"] != "entropy falls"].to_csv(written / "claims.csv", index=False)
    with pytest.raises(RemError, match=r'claims.csv lacks the claim "entropy falls"; make it again'):
        read_claims(written / "claims.csv")


def test_a_claim_can_be_read_by_itself():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert not claim.name.startswith(("and ", "nor ", "less so"))
        assert "as above" not in claim.measurement
        assert not claim.name.endswith(" do it")


def test_an_unreadable_file_is_named(tmp_path):
    runs = [run_yaml(tmp_path, "mnist", "rem", 42)]
    with pytest.raises(RemError, match=r"absent\.csv is missing; run the command that makes it\.$"):
        write_claims(metrics(tmp_path), runs, [], tmp_path / "absent.csv", [], [], None, "trial", "mnist", tmp_path)

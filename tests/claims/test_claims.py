"""Claims on hand-made measurements: each measurement turned round turns the verdict round."""

import pandas as pd
import pytest
from measurements import made_results, metrics, run_yaml

from rem.claims import evidence
from rem.claims.evidence import Evidence
from rem.claims.findings import decided
from rem.claims.paper import CLAIMS
from rem.claims.rules import FAILS, HOLDS, MISSING, UNDECIDED
from rem.claims.write import BESIDE, COLUMNS, read_claims, told, write_claims
from rem.errors import RemError

LAST = {"baseline": "best", "baseline-decoder": "best"}
NOISE = (0.0, 0.1, -0.1)
SCALES = {"baseline": 1.0, "penalty": 0.0}  # of the others -1: no two differ alike in all seeds


def seeds(mean, scale=1.0):
    return [mean + scale * noise for noise in NOISE]


def measured(of, dataset="mnist", split="test", checkpoint=None, levels=(7, 11), ceiling=20.0):
    """`of`: (variant, metric) -> mean. The interval of baseline and another is 0.5 to either side."""
    values = {}
    for (variant, metric), mean in of.items():
        where = (dataset, variant, checkpoint or LAST.get(variant, "last"), split)
        for level in levels:
            values[*where, level, metric] = seeds(mean, SCALES.get(variant, -1.0))
            values[*where, level, "entropy_ceiling"] = [ceiling] * 3
            values[*where, level, "images"] = [1e6] * 3
    return values


def found(values, dataset="mnist", transfer=None, trajectory=None, equivariance=None):
    return Evidence(made_results(values, transfer=transfer), dataset, trajectory, equivariance)


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


def test_the_shared_k_decides_and_the_published_stands_beside_it():
    values = pair("entropy", 9, 5, levels=(7,)) | pair("entropy", 5, 9, levels=(11,))
    measurements = found(values)
    findings = evidence.entropy_falls(measurements)
    assert [(one.levels, one.decides, one.verdict) for one in findings] == [(7, True, HOLDS), (11, False, FAILS)]
    assert decided(findings, measurements.results.names) == HOLDS


def test_entropy_rises_in_training():
    def run(first, best):
        return {
            ("mnist", "baseline", checkpoint, "test", 7, metric): values
            for checkpoint, mean in (("first", first), ("best", best))
            for metric, values in {"entropy": seeds(mean, mean), "entropy_ceiling": [20.0] * 3}.items()
        }

    assert verdict(evidence.rises_in_training, run(2, 9)) == HOLDS
    assert verdict(evidence.rises_in_training, run(9, 2)) == FAILS


def test_no_loss_needs_both_kinds_of_network_and_allows_half_a_point():
    def run(plain, quantized):
        return pair("accuracy", 99, plain, levels=(0,)) | pair("accuracy", 99, quantized)

    assert verdict(evidence.costs_nothing, run(99.9, 99.2)) == HOLDS
    assert verdict(evidence.costs_nothing, run(99, 97)) == FAILS
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


@pytest.mark.parametrize(
    ("entropies", "expected"),
    [([9, 1, 2, 9, 8, 7, 6, 5], UNDECIDED), ([0, 1, 2, 3, 4, 9, 8, 7, 6, 5], HOLDS), (range(10), FAILS)],
)
def test_a_late_fall_is_a_trend_of_the_later_half(entropies, expected):
    frame = pd.DataFrame({"epoch": range(1, len(entropies) + 1), "entropy": entropies, "levels": 7})
    shuffled = frame.sample(frac=1, random_state=0)
    assert verdict(evidence.falls_late, pair("entropy", 1, 1), trajectory=shuffled) == expected


def test_less_evident_compares_falls_in_percent():
    def run(easy, hard, ceiling=20.0):
        return pair("entropy", 10, easy, dataset="fashion-mnist") | pair(
            "entropy", 5, hard, dataset="shapes", ceiling=ceiling
        )

    (finding, beside) = evidence.less_evident(found(run(5, 4.5)))
    assert (finding.value, finding.reference) == (pytest.approx(10, abs=0.1), pytest.approx(50, abs=0.1))
    assert (finding.decides, beside.decides) == (True, False)
    assert verdict(evidence.less_evident, run(5, 4.5)) == f"{HOLDS} on the stand-in"
    assert verdict(evidence.less_evident, run(9, 1)) == f"{FAILS} on the stand-in"
    assert verdict(evidence.less_evident, run(5, 4.5, ceiling=5.05)) == UNDECIDED


def test_robustness_is_that_of_the_early_checkpoint_on_the_transfer_set():
    def run(accuracy, entropy):
        early = {"dataset": "expanded-mnist", "split": "transfer", "checkpoint": "early"}
        return pair("accuracy", 78, accuracy, **early) | pair("entropy", 8.6, entropy, **early)

    stand_in, real = "affnist-like-sample", "affnist"
    assert verdict(evidence.robust_when_undertrained, run(82, 6), transfer=stand_in) == f"{HOLDS} on the stand-in"
    assert verdict(evidence.robust_when_undertrained, run(82, 6), transfer=real) == HOLDS
    assert verdict(evidence.robust_when_undertrained, run(82, 9.5), transfer=real) == FAILS
    assert verdict(evidence.robust_when_undertrained, run(74, 6), transfer=real) == FAILS


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
        return verdict(evidence.stays_equivariant, pair("entropy", 1, 1), equivariance=equivariance(**consistency))

    assert of(rem=0.6, baseline=0.6) == HOLDS
    assert of(rem=0.1, baseline=0.1) == UNDECIDED  # no dimension of any seed: an interval of no width
    assert of(rem=0.3, baseline=0.6) == FAILS
    assert of(baseline=0.6) == MISSING


@pytest.mark.parametrize(
    ("shares", "expected"), [([0, 0, 0], FAILS), ([5, 2, 1], HOLDS), ([0, 0, 9], UNDECIDED), ([0], UNDECIDED)]
)
def test_equation_15_needs_blocks_that_are_wholly_zero(shares, expected):
    values = {("mnist", "rem", "last", "", 0, "sparsity_class_blocks"): shares}
    assert verdict(evidence.blocks_vanish, values) == expected


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
    write_claims(csv, runs, trajectory, [moved], "trial", "mnist", tmp_path / "tables")
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
    with pytest.raises(RemError, match="cannot be read as CSV"):
        write_claims(metrics(tmp_path), runs, tmp_path / "absent.csv", [], "trial", "mnist", tmp_path)

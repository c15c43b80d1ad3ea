"""Paired comparisons over seeds, against SciPy's own tests and numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest
from measurements import metrics, run_yaml, settings
from scipy import stats

from rem.tables.measurements import OVER_IMAGES, Results, read_results
from rem.tables.paired import COLUMNS, COMPARED, compare_pairs, paired_test, write_paired
from rem.tables.quantities import METRICS
from rem.tables.statistics import holm

MEANS = {"baseline": 7.0, "rem": 4.0}


def results(values, shared=7, authors=11):
    """`values`: (dataset, split, variant, levels, metric) -> value by seed."""
    rows = [
        (dataset, variant, seed, settings(dataset, variant, seed).checkpoint, split, levels, -1, metric, value)
        for (dataset, split, variant, levels, metric), by_seed in values.items()
        for seed, value in by_seed.items()
    ]
    columns = ["dataset", "variant", "seed", "checkpoint", "split", "levels", "class", "metric", "value"]
    frame = pd.DataFrame(rows, columns=columns)
    runs = [settings(*run) for run in frame[["dataset", "variant", "seed"]].drop_duplicates().itertuples(index=False)]
    return Results(runs, frame, dict.fromkeys(frame["dataset"], shared), dict.fromkeys(frame["dataset"], authors))


def of_variants(**entropies):
    return results(
        {("mnist", "test", variant.replace("_", "-"), 7, "entropy"): by_seed for variant, by_seed in entropies.items()}
    )


def test_the_numbers_are_those_of_a_paired_t_test():
    baseline, rem = [9.1, 8.7, 9.4, 9.0, 8.8], [6.2, 6.4, 6.1, 6.9, 5.5]
    seeds = range(42, 47)
    of_seeds = of_variants(baseline=dict(zip(seeds, baseline, strict=True)), rem=dict(zip(seeds, rem, strict=True)))
    row = compare_pairs(of_seeds).iloc[0]
    expected = stats.ttest_rel(rem, baseline)
    difference = np.subtract(rem, baseline)
    assert row["seeds"] == 5
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["std"] == pytest.approx(difference.std(ddof=1))
    assert (row["t"], row["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert row["effect_size"] == pytest.approx(difference.mean() / difference.std(ddof=1))


def test_a_test_worked_out_by_hand():
    found = paired_test(np.array([-1.0, -2.0, -3.0]))  # mean -2, std 1; t(2) at 97.5%: 4.3027
    assert found["t"] == pytest.approx(-2 * 3**0.5)
    assert (found["low"], found["high"]) == pytest.approx((-2 - 4.30265 / 3**0.5, -2 + 4.30265 / 3**0.5), abs=1e-5)
    assert found["p"] == pytest.approx(1 - found["t"] / (found["t"] ** 2 + 2) ** 0.5 * -1, abs=1e-12)
    assert found["effect_size"] == -2


def test_seeds_are_paired_and_not_the_order_of_rows():
    one = of_variants(baseline={42: 5.0, 43: 7.0, 44: 9.0}, rem={42: 4.0, 43: 6.5, 44: 7.0})
    other = of_variants(baseline={44: 9.0, 42: 5.0, 43: 7.0}, rem={43: 6.5, 44: 7.0, 42: 4.0})
    pd.testing.assert_frame_equal(compare_pairs(one), compare_pairs(other))


def test_only_seeds_that_both_have_are_compared():
    row = compare_pairs(of_variants(baseline={42: 5.0, 43: 7.0}, rem={43: 4.0, 44: 1.0})).iloc[0]
    assert (row["seeds"], row["difference"]) == (1, -3)
    assert row[["std", "low", "high", "t", "p", "p_holm", "effect_size"]].isna().all()
    assert compare_pairs(of_variants(baseline={42: 5.0}, rem={43: 4.0})).empty


def test_what_is_blank_for_one_of_the_seeds_is_not_tested_on_the_others():
    plain, rem = {42: 9.0, 43: 9.1}, {42: 5.0, 43: 5.2, 44: 5.1}
    assert compare_pairs(of_variants(baseline=plain | {44: np.nan}, rem=rem)).empty
    assert len(compare_pairs(of_variants(baseline=plain, rem=rem))) == 1


def test_differences_that_are_all_the_same_are_not_tested():
    row = compare_pairs(of_variants(baseline={1: 5.1, 2: 7.3, 3: 8.8}, rem={1: 4.0, 2: 6.2, 3: 7.7})).iloc[0]
    assert row["difference"] == pytest.approx(-1.1)
    assert row["std"] == pytest.approx(0, abs=1e-9)
    assert row[["low", "high", "t", "p", "p_holm", "effect_size"]].isna().all()


def test_every_variant_meets_the_baseline_and_the_decoders_each_other():
    seeds = {42: 5.0, 43: 6.0}
    table = compare_pairs(
        of_variants(baseline=seeds, rem=seeds, penalty=seeds, baseline_decoder=seeds, rem_decoder=seeds)
    )
    assert list(zip(table["baseline"], table["variant"], strict=True)) == [
        ("baseline", "rem"),
        ("baseline", "penalty"),
        ("baseline", "baseline-decoder"),
        ("baseline", "rem-decoder"),
        ("baseline-decoder", "rem-decoder"),
    ]
    assert table["baseline_checkpoint"].tolist() == ["best"] * 5
    assert table["variant_checkpoint"].tolist() == ["last", "last", "best", "last", "last"]


def test_without_a_baseline_there_is_nothing_to_compare():
    table = compare_pairs(of_variants(rem={42: 5.0}, penalty={42: 5.0}))
    assert table.empty
    assert list(table.columns) == COLUMNS


def test_datasets_splits_levels_and_metrics_are_not_mixed():
    values = {}
    for number, (dataset, split, levels, metric) in enumerate(
        (dataset, split, levels, metric)
        for dataset in ("mnist", "shapes")
        for split in ("test", "transfer")
        for levels in (7, 11)
        for metric in COMPARED
        if METRICS[metric].sweep
    ):
        values[dataset, split, "baseline", levels, metric] = {42: 0.0, 43: 0.0}
        values[dataset, split, "rem", levels, metric] = {42: number, 43: number + 1.0}
    table = compare_pairs(results(values))
    assert table["difference"].tolist() == [number + 0.5 for number in range(32)]
    assert table[["dataset", "split", "levels", "metric"]].drop_duplicates().shape == (32, 4)


def test_a_mean_over_the_band_is_compared_once():
    values = {("mnist", "test", variant, 0, "band_entropy"): {1: bits, 2: bits + 1} for variant, bits in MEANS.items()}
    table = compare_pairs(results(values))
    assert table[["metric", "difference"]].values.tolist() == [["band_entropy", -3.0]]
    assert table["levels"].isna().all()


def test_accuracies_are_compared_without_quantization_too():
    values = {("mnist", "test", "baseline", levels, "accuracy"): {1: 90.0, 2: 91.0} for levels in (0, 7)}
    values |= {("mnist", "test", "rem", levels, "accuracy"): {1: 89.0, 2: 90.5 - levels} for levels in (0, 7)}
    table = compare_pairs(results(values))
    assert table["levels"].isna().tolist() == [True, False]
    assert table["difference"].tolist() == [-0.75, -4.25]


def images(folder, **changed):
    """The CSV of `rem resample` with one row."""
    row = dict.fromkeys(OVER_IMAGES, 0) | {"dataset": "mnist", "split": "test", "metric": "entropy", "levels": 7}
    row |= {"variant": "rem", "checkpoint": "last", "baseline": "baseline", "baseline_checkpoint": "best"}
    path = folder / f"{len(list(folder.iterdir()))}.csv"
    pd.DataFrame([row | {"low": -3.5, "high": -2.5} | changed]).to_csv(path, index=False)
    return path


def test_the_interval_over_images_stands_beside_that_over_seeds(tmp_path):
    yamls = [run_yaml(tmp_path, "mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    files = [
        images(tmp_path),
        images(tmp_path, metric="accuracy", levels=None, low=-1.25, high=0.25),
        images(tmp_path, checkpoint="best"),
        images(tmp_path, split="transfer"),
        images(tmp_path, dataset="shapes"),
    ]
    write_paired(metrics(tmp_path), yamls, files, tmp_path / "tables")
    table = pd.read_csv(tmp_path / "tables/paired.csv")
    entropy, plain = (table[table["metric"] == metric].iloc[0] for metric in ("entropy", "accuracy"))
    assert (entropy["levels"], entropy["images_low"], entropy["images_high"]) == (7, -3.5, -2.5)
    assert pd.isna(plain["levels"])
    assert (plain["images_low"], plain["images_high"]) == (-1.25, 0.25)
    assert table["images_low"].notna().sum() == 2
    text = (tmp_path / "tables/paired.md").read_text(encoding="utf-8")
    assert "| -3.5 .. -2.5 " in text
    assert "what is not resampled: accuracies at a K" in text
    assert "nan" not in text.lower()


def test_one_k_stands_once():
    values = {("mnist", "test", variant, 7, "entropy"): {42: 1.0, 43: 1.0} for variant in ("baseline", "rem")}
    table = compare_pairs(results(values, authors=7))
    assert table["levels"].tolist() == [7]


def test_holm_worked_out_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    assert holm(np.array([0.02])) == pytest.approx([0.02])
    assert holm(np.array([])).shape == (0,)


def test_holm_rejects_what_its_step_down_procedure_does():
    draw = np.random.default_rng(0)
    for _ in range(50):
        p = draw.random(8) ** 4
        rejected = np.zeros(8, dtype=bool)
        for step, one in enumerate(np.argsort(p)):
            if p[one] > 0.05 / (8 - step):
                break
            rejected[one] = True
        assert ((holm(p) <= 0.05) == rejected).all()


def test_only_entropies_are_corrected_and_all_of_a_table_together():
    values = {}
    for levels in (7, 11):
        for metric, start in (("entropy", 9.0), ("accuracy", 95.0)):
            values["mnist", "test", "baseline", levels, metric] = {1: start, 2: start + 1, 3: start + 2}
            values["mnist", "test", "rem", levels, metric] = {1: start - 3, 2: start - 2.5, 3: start - levels / 10}
    table = compare_pairs(results(values)).set_index(["metric", "levels"])
    assert table.loc["accuracy", "p_holm"].isna().all()
    assert table.loc["entropy", "p_holm"].tolist() == pytest.approx(holm(table.loc["entropy", "p"].to_numpy()))


def test_the_files_say_what_few_seeds_can_decide(tmp_path):
    runs = [("mnist", variant, seed) for variant in ("baseline", "rem") for seed in (42, 43, 44)]
    yamls = [run_yaml(tmp_path, *run) for run in runs]
    path = metrics(tmp_path)
    frame = pd.read_csv(path)
    frame.loc[(frame["seed"] == 42) & (frame["variant"] == "rem") & (frame["metric"] == "entropy"), "value"] -= 1
    frame.to_csv(path, index=False)
    write_paired(path, yamls, [], tmp_path / "tables")
    written = pd.read_csv(tmp_path / "tables/paired.csv")
    pd.testing.assert_frame_equal(written, compare_pairs(read_results(path, yamls)), check_dtype=False)
    text = (tmp_path / "tables/paired.md").read_text(encoding="utf-8")
    assert "With 3 seeds p < 0.05 before correction takes |d_z| > 2.48." in text
    assert "the 2 tests of an entropy" in text
    assert "CapsNet+REM" in text
    assert "| -3.33 ± 0.577 | -4.77 .. -1.9 " in text
    assert "nan" not in text.lower()


def test_without_a_pair_the_files_say_so(tmp_path):
    write_paired(metrics(tmp_path), [run_yaml(tmp_path, "shapes", "baseline", 42)], [], tmp_path / "tables")
    assert pd.read_csv(tmp_path / "tables/paired.csv").empty
    assert "No two networks" in (tmp_path / "tables/paired.md").read_text(encoding="utf-8")

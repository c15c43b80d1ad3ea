"""The table of the probes, against numbers worked out by hand and SciPy's own tests."""

import numpy as np
import pandas as pd
import pytest
from measurements import metrics, run_yaml
from scipy import stats

from rem.errors import RemError
from rem.tables.probes import at, paired_images, read_probes, write_probes
from rem.trees.probe_kinds import COLUMNS, UNCHANGED

LOST = {42: 3, 43: 4, 44: 8}
TAUS = (0.5, 1.0, 2.0)


def rows(variant, seed, of_scale):
    """A network whose logits are scaled by `of_scale`: a line over tau, and a static tree that loses some images."""
    found = {
        ("temperature", f"{tau:g}", None): {
            "accuracy": 98.0,
            "coupling_spread": 0.08 * of_scale / tau,
            "strongest_coupling": 0.12,
            "band_entropy": 6.0 * of_scale / tau,
        }
        for tau in TAUS
    }
    found |= {("temperature", f"{tau:g}", k): {"entropy": 4.0 * of_scale / tau} for tau in TAUS for k in (7, 11)}
    found["intervention", "class-mean", None] = {"accuracy": 97.0, "images": 200, "lost": LOST[seed], "gained": 1}
    found["stability", "unchanged", None] = {"instability": 0.25}
    checkpoint = "best" if variant == "baseline" else "last"
    return [
        ("mnist", variant, seed, checkpoint, "test", *setting, metric, value)
        for setting, values in found.items()
        for metric, value in values.items()
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("probes")
    networks = [(variant, seed) for variant in ("baseline", "rem") for seed in LOST]
    files = [made / f"{variant}-{seed}.csv" for variant, seed in networks]
    for path, (variant, seed) in zip(files, networks, strict=True):
        pd.DataFrame(rows(variant, seed, 1 if variant == "baseline" else 0.5), columns=COLUMNS).to_csv(
            path, index=False
        )
    write_probes(files, metrics(made), [run_yaml(made, "mnist", *one) for one in networks], made)
    return made


def test_the_difference_on_the_same_images_is_mcnemars():
    """8 lost and 1 gained of 200: McNemar's exact test is the binomial one of 1 in 9."""
    found = paired_images(8, 1, 200)
    assert found["difference"] == pytest.approx(-3.5)
    assert found["mcnemar_p"] == pytest.approx(stats.binomtest(1, 9).pvalue) == pytest.approx(2 * 10 / 2**9)
    low, high = stats.binomtest(1, 9).proportion_ci(0.95, "exact")
    assert found["difference_low"] == pytest.approx(100 * 9 / 200 * (2 * low - 1))
    assert found["difference_high"] == pytest.approx(100 * 9 / 200 * (2 * high - 1))
    assert found["difference_low"] < found["difference"] < found["difference_high"]


def test_no_image_changed_is_no_difference():
    assert paired_images(0, 0, 50) == {
        "difference": 0.0,
        "difference_low": 0.0,
        "difference_high": 0.0,
        "mcnemar_p": 1.0,
    }


def test_every_network_has_the_tests_of_its_interventions(folder):
    probes = read_probes(folder / "probes.csv")
    found = probes.over_seeds("mnist", "rem", "intervention", "class-mean", "difference")
    assert found.to_dict() == {seed: pytest.approx(100 * (1 - lost) / 200) for seed, lost in LOST.items()}
    p = probes.over_seeds("mnist", "rem", "intervention", "class-mean", "mcnemar_p")
    assert p[44] == pytest.approx(stats.binomtest(1, 9).pvalue)
    assert probes.over_seeds("mnist", "rem", "intervention", "uniform", "difference").empty


def test_the_summary_has_means_and_students_interval_over_seeds(folder):
    table = pd.read_csv(folder / "tables/probes.csv", dtype={"setting": str}).set_index(
        ["variant", "setting", "metric"]
    )
    row = table.loc[("baseline", "class-mean", "difference")]
    differences = [100 * (1 - lost) / 200 for lost in LOST.values()]
    interval = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (row["mean"], row["seeds"]) == (pytest.approx(np.mean(differences)), 3)
    assert (row["low"], row["high"]) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert row["std"] == pytest.approx(np.std(differences, ddof=1))
    assert pd.isna(table.loc[("baseline", "class-mean", "accuracy"), "low"])


def test_what_is_blank_for_a_seed_has_no_mean_and_no_text(tmp_path):
    files = [tmp_path / f"rem-{seed}.csv" for seed in LOST]
    for path, seed in zip(files, LOST, strict=True):
        table = pd.DataFrame(rows("rem", seed, 0.5), columns=COLUMNS)
        if seed == 44:
            table.loc[table["metric"] == "instability", "value"] = np.nan
        table.to_csv(path, index=False)
    write_probes(files, metrics(tmp_path), [run_yaml(tmp_path, "mnist", "rem", seed) for seed in LOST], tmp_path)
    table = pd.read_csv(tmp_path / "tables/probes.csv").set_index("metric")
    assert table.loc["instability", ["mean", "std"]].isna().all()
    assert table.loc["coupling_spread", "mean"].notna().all()
    assert "nan" not in (tmp_path / "tables/probes.md").read_text(encoding="utf-8")


def test_a_line_has_its_temperatures_in_order_and_k_where_it_is_asked_for(folder):
    line = read_probes(folder / "probes.csv").line("mnist", "rem", 42, levels=11)
    assert line.index.tolist() == list(TAUS)
    assert line["entropy"].tolist() == [4.0, 2.0, 1.0]
    assert line["band_entropy"].tolist() == [6.0, 3.0, 1.5]


def test_between_two_temperatures_a_line_is_straight_and_beyond_its_ends_unknown():
    line = pd.DataFrame({"band_entropy": [6.0, 4.0, 0.0], "accuracy": [98.0, 97.0, 95.0]})
    assert at(line, "band_entropy", 5.0, "accuracy") == 97.5
    assert at(line, "band_entropy", 1.0, "accuracy") == 95.5
    assert np.isnan(at(line, "band_entropy", 6.5, "accuracy"))


def test_of_two_temperatures_with_the_same_entropy_the_larger_counts():
    line = pd.DataFrame({"band_entropy": [7.0, 7.2, 4.0], "strength": [0.9, 0.3, 0.1]}, index=[0.1, 0.5, 1.0])
    assert at(line, "band_entropy", 7.1, "strength") == pytest.approx(0.3 - 0.1 / 3.2 * 0.2)
    assert at(line, "band_entropy", 7.2, "strength") == pytest.approx(0.3)


def test_scaled_logits_have_the_baselines_entropy_at_the_baselines_spread(folder):
    """REM's logits are half the baseline's here: at tau = 1/2 its couplings spread alike, and so is its entropy."""
    probes = read_probes(folder / "probes.csv")
    matched = probes.over_seeds("mnist", "rem", "stability", "unchanged", "matched_entropy", 11)
    unscaled = probes.over_seeds("mnist", "baseline", *UNCHANGED, "entropy", 11)
    assert matched.tolist() == pytest.approx(unscaled.tolist())
    assert matched.tolist() == pytest.approx([4.0] * 3)


def test_the_text_says_what_a_static_tree_costs(folder):
    text = (folder / "tables/probes.md").read_text(encoding="utf-8")
    assert "% ()" not in text  # of iterations, which nobody asked for
    assert "-2.00 [-5.29, +1.29]" in text  # -1, -1.5 and -3.5 points
    assert "CapsNet+REM" in text


def test_a_file_without_its_columns_is_named(tmp_path):
    (tmp_path / "probes.csv").write_text("dataset,value\n", encoding="utf-8")
    with pytest.raises(RemError, match=r"probes\.csv lacks the column variant"):
        read_probes(tmp_path / "probes.csv")

"""`metrics.csv` read back: splits are kept apart, and what depends on no split or K is found on every one."""

import pandas as pd
import pytest
from measurements import metrics, run_yaml, settings

from rem.errors import RemError
from rem.tables.measurements import COLUMNS, read_metrics, read_results
from rem.tables.names import Images, images_of, model_name, transfer_of


@pytest.fixture
def files(tmp_path):
    """The measurements with a transfer split, on which rem is 20 points and 2 bits below; and the run.yamls."""
    path = metrics(tmp_path)
    frame = pd.read_csv(path)
    transfer = frame[(frame["split"] == "test") & (frame["variant"] == "rem")].assign(split="transfer")
    transfer.loc[transfer["metric"] == "accuracy", "value"] -= 20
    transfer.loc[transfer["metric"] == "entropy", "value"] -= 2
    pd.concat([frame, transfer]).to_csv(path, index=False)
    return path, [run_yaml(tmp_path, "mnist", "rem", seed) for seed in (42, 43, 44)]


@pytest.fixture
def results(files):
    return read_results(*files)


def test_splits_are_kept_apart(results):
    where = ("mnist", "rem", "last", 7)
    assert results.cell(*where, "accuracy")["mean"] == 94
    assert results.cell(*where, "accuracy", split="transfer")["mean"] == 74
    assert results.over_seeds(*where, "entropy").to_dict() == {42: 1, 43: 2, 44: 3}
    assert results.over_seeds(*where, "entropy", split="transfer").to_dict() == {42: -1, 43: 0, 44: 1}


def test_the_spread_over_classes_is_one_of_each_split(results):
    for split in ("test", "transfer"):
        assert results.cell("mnist", "rem", "last", 7, "entropy", split=split)["std_classes"] == pytest.approx(2**0.5)


@pytest.mark.parametrize("split", ["test", "transfer"])
@pytest.mark.parametrize("levels", [None, 7, 11])
def test_sparsity_is_the_same_on_every_split_and_at_every_k(results, split, levels):
    assert results.cell("mnist", "rem", "last", levels, "sparsity", split=split)["median"] == 60
    assert results.over_seeds("mnist", "rem", "last", levels, "sparsity", split=split).tolist() == [60, 60, 70]


@pytest.fixture
def layered(files):
    """The files with a layer below, of which the seeds 42 and 43 of rem have an entropy of 9 bits."""
    frame = pd.read_csv(files[0])
    chosen = (frame["metric"] == "entropy") & (frame["variant"] == "rem") & frame["seed"].isin([42, 43])
    pd.concat([frame, frame[chosen].assign(layer=2, value=9.0)]).to_csv(files[0], index=False)
    return files


def test_the_layer_of_the_class_capsules_is_read_unless_another_is_asked_for(layered, results):
    found, where = read_results(*layered), ("mnist", "rem", "last", 7, "entropy")
    pd.testing.assert_series_equal(found.over_seeds(*where), results.over_seeds(*where))
    assert found.at_layer(2).over_seeds(*where).to_dict() == {42: 9, 43: 9}
    assert found.at_layer(3).over_seeds(*where).empty
    assert set(read_metrics(layered[0])["layer"].dropna()) == {1}
    assert set(read_metrics(layered[0], layer=2).query("metric == 'entropy'")["value"]) == {9}
    assert set(read_metrics(layered[0], layer=2)["layer"].dropna()) == {2}
    assert len(read_metrics(layered[0], layer=None)) == len(pd.read_csv(layered[0]))


def test_a_file_without_layers_is_read_as_that_of_the_class_capsules(files, results):
    frame = pd.read_csv(files[0])
    frame.drop(columns="layer").to_csv(files[0], index=False)
    where = ("mnist", "rem", "last", 7, "entropy")
    pd.testing.assert_series_equal(read_results(*files).over_seeds(*where), results.over_seeds(*where))
    read = read_metrics(files[0])
    assert list(read.columns) == COLUMNS
    assert len(read) == len(frame)
    assert (read["layer"].isna() == read["variant"].isna()).all()


def test_the_validation_split_is_not_reported(results):
    assert set(results.rows["split"]) == {"", "test", "transfer"}


def test_what_was_not_measured_is_nan_or_empty(results):
    assert results.cell("mnist", "baseline", "best", 7, "entropy").isna().all()  # the run is not selected
    assert results.cell("mnist", "rem", "last", 9, "entropy", split="transfer").isna().all()
    assert results.over_seeds("mnist", "rem", "last", 9, "entropy").empty
    assert results.checkpoint("mnist", "baseline") is None


def test_what_is_blank_for_one_seed_is_blank_over_seeds(files):
    path, runs = files
    frame = pd.read_csv(path)
    frame.loc[(frame["metric"] == "entropy_chao_shen") & (frame["seed"] == 43) & (frame["levels"] == 7), "value"] = None
    frame.to_csv(path, index=False)
    results = read_results(path, runs)
    assert results.cell("mnist", "rem", "last", 7, "entropy_chao_shen").isna().all()
    assert results.cell("mnist", "rem", "last", 11, "entropy_chao_shen")["mean"] == 0.5


def test_a_row_that_stands_twice_is_refused(files):
    path, runs = files
    frame = pd.read_csv(path)
    pd.concat([frame, frame[frame["split"] == "transfer"].head(1)]).to_csv(path, index=False)
    with pytest.raises(RemError, match=r"two rows for .*'transfer'"):
        read_results(path, runs)


def named(variant):
    """A run of a variant of the default config, or of one with a decoder that the config lacks."""
    if variant != "magnitude-decoder":
        return settings("mnist", variant, 42)
    decoder = settings("mnist", "rem-decoder", 42).decoder
    return settings("mnist", "magnitude", 42).model_copy(update={"variant": variant, "decoder": decoder})


@pytest.mark.parametrize(
    ("variant", "quantized", "plain"),
    [
        ("baseline", "CapsNet+Q", "CapsNet"),
        ("rem", "CapsNet+REM", "CapsNet (pruned)"),
        ("baseline-decoder", "CapsNet+Q, decoder", "CapsNet, decoder"),
        ("rem-decoder", "CapsNet+REM, decoder", "CapsNet (pruned), decoder"),
        ("rem-votes", "rem-votes", "rem-votes"),
        ("penalty", "penalty", "penalty"),
        ("magnitude-decoder", "magnitude-decoder", "magnitude-decoder"),
    ],
)
def test_models_have_the_papers_names_and_others_their_own(variant, quantized, plain):
    run = named(variant)
    assert (model_name(variant, True, run.decoder_on), model_name(variant, False, run.decoder_on)) == (quantized, plain)


@pytest.mark.parametrize("change", ["routing", "connections", "sharpening"])
def test_another_network_with_a_decoder_is_not_the_papers(change):
    decoder = settings("mnist", "baseline-decoder", 42).decoder
    variant = {"routing": "uniform", "connections": "random-07", "sharpening": "sharpen-3"}[change]
    assert settings("mnist", variant, 42).model_copy(update={"decoder": decoder}).decoder_on is None


def test_generated_images_are_never_passed_off_as_the_papers():
    assert images_of(settings("shapes-20", "rem", 42)).title == "shapes-20 (in Tiny ImageNet's place)"
    assert images_of(settings("mnist", "rem", 42)).title == "mnist"  # a sample of MNIST
    for source, title in (("affnist-like-sample", "affnist-like-sample (in affNIST's place)"), ("affnist", "affnist")):
        assert transfer_of(settings("expanded-mnist", "rem", 42, transfer=source)).title == title


def test_whose_place_a_dataset_takes_is_told_by_its_settings_and_not_by_its_name():
    run = settings("mnist", "rem", 42)
    shapes = run.data.model_copy(update={"source": "shapes"})
    assert images_of(run.model_copy(update={"data": shapes})).title == "mnist (in MNIST's place)"
    assert images_of(run.model_copy(update={"data": shapes, "stands_for": None})).title == "mnist"
    assert images_of(run.model_copy(update={"dataset": "digits"})) == Images("digits", "mnist")

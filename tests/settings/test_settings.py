"""Settings: layers merge, every value is checked, and a mistake is one sentence with the way out."""

import copy
import functools
import itertools
import json
import re

import pytest
import tiny
import torch
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rem.errors import RemError
from rem.networks.build import build
from rem.settings import network
from rem.settings.config import Config, overlay, read_config
from rem.settings.images import Data
from rem.settings.run import Run, read_run
from rem.settings.schema import config_schema
from rem.settings.sections import parse, read_yaml, to_yaml

SHIPPED = [(), ("networks",), ("smoke",), ("paper",), ("paper", "first-epochs"), ("laptop",), ("laptop", "long")]


@pytest.fixture
def values():
    """The sample's config, to be spoilt."""
    return functools.reduce(overlay, (read_yaml(tiny.ROOT / f"config/{name}.yaml") for name in ("config", "sample")))


def put(values, path, value):
    """Set a dotted key."""
    *parents, last = path.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def every_run(*overlays):
    """The runs of all experiments of a shipped config."""
    config = tiny.shipped_config(*overlays)
    return config.runs(config.experiments)


def refusal(values):
    """The sentence with which a config is refused."""
    with pytest.raises(RemError) as raised:
        parse(Config, values, "config").selected()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def keys(runs):
    """Which networks runs are of."""
    return [(run.dataset, run.variant, run.seed) for run in runs]


# Layers


def test_overlay_merges_key_by_key():
    below = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "f": {"g": 4}, "h": None, "i": [1, 2]}
    above = {"b": {"d": {"e": 5, "new": 6}}, "f": None, "h": {"j": 7}, "i": [3]}
    assert overlay(below, above) == {
        "a": 1,
        "b": {"c": 2, "d": {"e": 5, "new": 6}},
        "f": None,
        "h": {"j": 7},
        "i": [3],
    }


nested = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
mappings = st.dictionaries(st.sampled_from("abc"), nested, max_size=3)


@hypothesis_settings(derandomize=True, deadline=None, max_examples=100)
@given(mappings, mappings)
def test_overlay_changes_neither_layer_and_nothing_or_itself_changes_nothing(below, above):
    before = copy.deepcopy((below, above))
    merged = overlay(below, above)
    assert (below, above) == before
    assert overlay(below, {}) == below == overlay({}, below) == overlay(below, below)
    assert overlay(merged, above) == merged


def test_a_run_is_the_defaults_under_its_dataset_under_its_variant(values):
    put(values, "defaults.training.epochs", 3)
    put(values, "datasets.mnist", {"training": {"epochs": 4, "batch_size": 8}})
    put(values, "variants.rem.training", {"epochs": 5})
    put(values, "datasets.shapes", {})
    config = parse(Config, values, "config")
    assert config.run("shapes", "baseline", 1).training.epochs == 3
    assert config.run("mnist", "baseline", 1).training.epochs == 4
    run = config.run("mnist", "rem", 1)
    assert (run.training.epochs, run.training.batch_size, run.seed) == (5, 8, 1)
    assert (run.dataset, run.variant) == ("mnist", "rem")


def test_a_dataset_can_change_one_variant_alone(values):
    put(values, "datasets.mnist.variants.rem.pruning.penalty", 0.5)
    config = parse(Config, values, "config")
    assert config.run("mnist", "rem", 42).pruning.penalty == 0.5
    assert config.run("mnist", "baseline", 42).pruning is None
    assert config.run("shapes", "rem", 42).pruning.penalty != 0.5


def test_a_variant_that_changes_the_prepared_images_is_refused(values):
    put(values, "datasets.mnist.variants.rem.data", {"validation": 100})
    assert refusal(values) == (
        "config: variant rem changes data of dataset mnist, which has one prepared file for all its variants; make a "
        "dataset of its own of it."
    )


def test_a_change_of_an_unknown_variant_is_refused(values):
    put(values, "datasets.mnist.variants", {"rme": {}})
    assert refusal(values).startswith("config: datasets.mnist.variants has the unknown variant 'rme'; the config has ")


# Variants like another


def epochs_of(values, variant, dataset="mnist"):
    """`training.epochs` of a run: what the tests of layers set."""
    return parse(Config, values, "config").run(dataset, variant, 1).training.epochs


def test_a_variant_like_another_has_its_settings_but_for_its_own(values):
    put(values, "variants.rem.training", {"epochs": 5, "batch_size": 8})
    put(values, "variants.mine", {"like": "rem", "training": {"epochs": 6}})
    mine, rem = (parse(Config, values, "config").run("mnist", variant, 1) for variant in ("mine", "rem"))
    assert (mine.variant, mine.training.epochs, mine.training.batch_size) == ("mine", 6, 8)
    assert mine.model_copy(update={"variant": "rem", "training": rem.training}) == rem


def test_a_chain_of_variants_is_walked_to_its_end_the_nearest_winning(values):
    put(values, "variants.one.training", {"epochs": 11, "batch_size": 11, "patience": 11})
    put(values, "variants.two", {"like": "one", "training": {"epochs": 12, "batch_size": 12}})
    put(values, "variants.three", {"like": "two", "training": {"epochs": 13}})
    training = parse(Config, values, "config").run("mnist", "three", 1).training
    assert (training.epochs, training.batch_size, training.patience) == (13, 12, 11)


def test_what_a_dataset_changes_of_a_variant_holds_for_those_like_it(values):
    put(values, "datasets.shapes", {})
    put(values, "variants.mine", {"like": "rem"})
    put(values, "variants.own", {"like": "rem", "training": {"epochs": 7}})
    put(values, "datasets.mnist.variants.rem", {"training": {"epochs": 5}})
    assert [epochs_of(values, variant) for variant in ("rem", "mine", "own")] == [5, 5, 7]
    put(values, "datasets.mnist.variants.mine", {"training": {"epochs": 6}})
    assert [epochs_of(values, variant) for variant in ("rem", "mine", "own")] == [5, 6, 7]
    unchanged = values["defaults"]["training"]["epochs"]
    assert epochs_of(values, "mine", "shapes") == epochs_of(values, "rem", "shapes") == unchanged


@pytest.mark.parametrize("likes", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}])
def test_a_circle_of_variants_is_refused_with_its_names(values, likes):
    values["variants"] |= {name: {"like": other} for name, other in likes.items()}
    put(values, "experiments.main.variants", ["a"])
    sentence = refusal(values)
    assert "is like itself" in sentence
    assert all(name in sentence.partition(";")[2] for name in likes)


def test_a_variant_like_an_unknown_one_is_refused(values):
    put(values, "variants.rem.like", "rme")
    assert refusal(values).startswith("config: variants.rem.like has the unknown variant 'rme'; the config has ")


# Experiments


def test_runs_of_several_experiments_are_their_union_each_once_and_in_order(values):
    one = {"datasets": ["mnist"], "variants": ["baseline", "rem"], "seeds": [1]}
    two = {"datasets": ["mnist", "shapes"], "variants": ["rem"], "seeds": [1, 2]}
    config = parse(Config, values | {"experiments": {"one": one, "two": two}}, "config")
    of_one = [("mnist", "baseline", 1), ("mnist", "rem", 1)]
    of_two = [("mnist", "rem", 1), ("mnist", "rem", 2), ("shapes", "rem", 1), ("shapes", "rem", 2)]
    assert keys(config.runs(["one"])) == of_one
    assert keys(config.runs(["two"])) == keys(config.runs(["two", "two"])) == of_two
    assert keys(config.runs(config.experiments)) == [*of_one, *of_two[1:]]
    assert config.runs([]) == []


# Controls


@pytest.mark.parametrize("overlays", [(), ("paper",)])
@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist"])
def test_a_control_is_rem_without_one_of_its_parts(overlays, dataset):
    config = tiny.shipped_config(*overlays)
    rem = config.run(dataset, "rem", 43)
    without = {
        "penalty": {"extent": "none"},
        "magnitude": {"penalty": 0, "dose": None, "extent": "follow", "follows": "rem"},
        "weight-decay": {"extent": "none", "regularizer": "weight-decay"},
        "rem-votes": {"layers": ["class"]},
    }
    assert (rem.pruning.regularizer, rem.pruning.extent) == ("lobster", "search")
    for variant, change in without.items():
        pruning = rem.pruning.model_copy(update=change)
        assert config.run(dataset, variant, 43) == rem.model_copy(update={"variant": variant, "pruning": pruning})


@pytest.mark.parametrize(
    ("extent", "follows"), [("follow", None), ("search", "rem"), ("none", "rem"), ("search", "rme")]
)
def test_an_extent_that_follows_names_whom_and_no_other_does(values, extent, follows):
    put(values, "variants.rem.pruning", values["variants"]["rem"]["pruning"] | {"extent": extent})
    put(values, "variants.rem.pruning.follows", follows)
    assert refusal(values) == (
        "config, run of dataset mnist, variant rem: "
        "pruning.follows names a variant where pruning.extent is follow, and only there."
    )


def test_whom_a_threshold_follows_is_a_variant_of_the_config(values):
    put(values, "variants.magnitude.pruning.follows", "rme")
    put(values, "select", ["controls"])
    assert refusal(values).startswith("config: pruning.follows has the unknown variant 'rme'")


@pytest.mark.parametrize(
    ("follows", "layers", "said"),
    [
        (
            "magnitude",
            ["class"],
            "follows magnitude, which follows magnitude itself; name one that is pruned by itself.",
        ),
        ("other", ["class"], "follows other, which follows rem itself; name one that is pruned by itself."),
        (
            "rem",
            ["class", "primary"],
            "follows rem, in which convolution is pruned too; add that to its pruning.layers.",
        ),
    ],
)
def test_whom_a_threshold_follows_is_pruned_by_itself_and_in_no_further_layer(values, follows, layers, said):
    values["variants"]["other"] = {"like": "rem", "pruning": {"extent": "follow", "follows": "rem"}}
    values["variants"]["magnitude"]["pruning"] |= {"follows": follows, "layers": layers}
    put(values, "select", ["controls"])
    assert refusal(values) == f"config: variant magnitude {said}"


def test_a_config_that_only_changes_another_is_told_to_be_laid_over_it():
    with pytest.raises(RemError, match="there is no dataset; a config that only changes another is laid over it"):
        read_config([tiny.ROOT / f"config/{name}.yaml" for name in ("config", "long")])


def test_an_experiment_that_lacks_the_variant_followed_is_refused(values):
    put(values, "experiments.main.variants", ["baseline", "magnitude"])
    assert refusal(values) == "config: in experiment main, magnitude follows rem; add that to its variants."


@pytest.mark.parametrize(("penalty", "dose"), [(0.1, 4.3), (None, None), (0, 0)])
def test_a_penalty_or_a_dose_is_given_and_not_both(values, penalty, dose):
    values["variants"]["rem"]["pruning"] |= {"penalty": penalty, "dose": dose}
    assert refusal(values) == (
        "config, run of dataset mnist, variant rem: "
        f"pruning.penalty is {penalty if penalty is None else float(penalty)} and pruning.dose is "
        f"{dose if dose is None else float(dose)}; give one of them a number and set the other to null."
    )


def test_dose_response_has_every_dose_without_zeros_as_rem_and_as_rems_zeros_alone():
    config = tiny.shipped_config()
    found = {}
    for run in config.runs(["dose-response"]):
        followed = config.run("mnist", run.pruning.follows, run.seed) if run.pruning.follows else run
        found.setdefault(run.pruning.extent, set()).add(followed.pruning.dose)
        assert (run.pruning.penalty, run.pruning.dose) == (
            (0, None) if run.pruning.follows else (None, run.pruning.dose)
        )
    assert found == {"none": {0, 0.5, 1, 2, 4.3}, "search": {0, 0.5, 1, 2, 4.3}, "follow": {0.5, 1, 2, 4.3}}


def test_a_network_pruned_by_a_dose_is_rem_and_one_of_no_dose_is_not(values):
    for dose, is_rem in ((4.3, True), (0, False)):
        values["variants"]["rem"]["pruning"] |= {"penalty": None, "dose": dose}
        assert parse(Config, values, "config").run("mnist", "rem", 42).pruning.is_rem == is_rem


# The quantizer's levels


@pytest.mark.parametrize(("published", "maximum"), [(11, 11), (11, 128), (3, 3)])
def test_the_published_levels_are_among_those_searched(values, published, maximum):
    values["quantizer"] |= {"authors": published, "maximum": maximum}
    assert parse(Config, values, "config").quantizer.authors == published


def test_published_levels_above_the_maximum_are_refused(values):
    values["quantizer"] |= {"authors": 12, "maximum": 11}
    assert refusal(values) == "config: quantizer.authors is 12, above quantizer.maximum 11; raise that."
    values["quantizer"] |= {"authors": 11, "authors_of": {"shapes-20": 128}}
    assert refusal(values) == "config: quantizer.authors_of.shapes-20 is 128, above quantizer.maximum 11; raise that."


@pytest.mark.parametrize(("key", "value"), [("authors_of", {"shapes-2": 12}), ("cells", ["shapes-2"])])
def test_what_the_quantizer_of_a_dataset_is_names_a_known_one(values, key, value):
    put(values, f"quantizer.{key}", value)
    assert refusal(values).startswith(f"config: quantizer.{key} has the unknown dataset 'shapes-2'; the config has ")


def test_a_dataset_selected_without_a_variant_that_chooses_its_levels_is_refused(values):
    put(values, "quantizer.variants", ["rem"])
    put(values, "experiments.affine.variants", ["baseline"])
    assert refusal(values) == (
        "config: dataset expanded-mnist is selected without any variant that chooses its K (quantizer.variants: rem); "
        "add one to its experiment or there."
    )


def test_another_selected_experiment_may_choose_a_datasets_levels_and_one_not_selected_need_not_have_any(values):
    assert parse(Config, values, "config").selected()  # of decoder's datasets, main has the variants that choose
    put(values, "select", ["main"])
    put(values, "experiments.affine.variants", ["baseline-decoder"])
    assert parse(Config, values, "config").selected()


def test_the_papers_config_knows_the_authors_quantizer_of_tiny_imagenet():
    quantizer = tiny.shipped_config("paper").quantizer
    assert (quantizer.authors, quantizer.authors_of) == (11, {"tiny-imagenet": 128})
    assert quantizer.cells == ["tiny-imagenet"]


def test_the_papers_config_guards_expanded_mnist_and_normalizes_cifar10_as_the_published_code():
    config = tiny.shipped_config("paper")
    assert config.run("expanded-mnist", "rem", 42).pruning.guard == 50
    assert config.run("mnist", "rem", 42).pruning.guard is None
    cifar10 = config.run("cifar10", "rem", 42)
    assert cifar10.data.std == [0.2023, 0.1994, 0.2010]
    assert cifar10.augment.jitter.model_dump() == {"brightness": 0.25, "contrast": 0.8, "saturation": 0.0}


# Shipped configs


@pytest.mark.parametrize("overlays", SHIPPED)
def test_shipped_configs_resolve(overlays):
    config = tiny.shipped_config(*overlays)
    assert config.name == (overlays[-1] if overlays else "sample")
    for name, experiment in config.experiments.items():
        expected = itertools.product(experiment.datasets, experiment.variants, experiment.seeds)
        assert keys(config.runs([name])) == list(expected)
    for run in config.runs(config.experiments):
        unpruned = (
            run.variant.startswith("baseline")
            or run.variant in {*network.ROUTINGS, *network.ARCHITECTURES}
            or "iteration" in run.variant
            or run.variant.startswith(("sharpen-", "smaller-"))
        )
        assert (run.pruning is None and run.structure is None) == (run.checkpoint == "best") == unpruned
        assert len(run.data.mean) == len(run.data.std) == run.data.channels


def test_the_networks_of_the_laptops_trees_are_trained_alike():
    config = tiny.shipped_config("laptop")
    runs = {run.variant: run for run in config.runs(["trees"])}
    assert {run.training.model_dump_json() for run in runs.values()} == {runs["baseline"].training.model_dump_json()}
    assert {run.pruning.dose for run in runs.values() if run.pruning} == {4.26}


@pytest.mark.parametrize(
    ("dataset", "parameters"), [("mnist", 6_804_384), ("fashion-mnist", 6_804_384), ("cifar10", 11_990_688)]
)
def test_the_paper_config_builds_networks_of_the_papers_size(dataset, parameters):
    run = tiny.shipped_config("paper").run(dataset, "rem", 42)
    with torch.device("meta"):
        model = build(run, torch.device("meta"))
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_the_paper_config_has_the_papers_schedule():
    run = tiny.shipped_config("paper").run("mnist", "rem", 42)
    training = run.training
    assert (training.learning_rate, training.learning_rate_decay) == (0.001, 0.99)
    assert (training.batch_size, training.patience) == (128, 200)
    assert (run.pruning.penalty, run.pruning.penalty_decay) == (0.0001, 0.99)
    assert (run.augment.padding, run.data.validation, run.network.routing_iterations) == (2, 5500, 3)


def test_the_papers_config_repeats_nothing_that_it_is_laid_over():
    def repeated(below, above, where=""):
        for key, value in above.items():
            if isinstance(value, dict) and isinstance(below.get(key), dict):
                yield from repeated(below[key], value, f"{where}{key}.")
            elif key in below and below[key] == value and value != {}:
                yield where + key

    config, paper = (read_yaml(tiny.ROOT / f"config/{name}.yaml") for name in ("config", "paper"))
    told = {
        "defaults.training.patience",
        "defaults.training.precision",
        "stacked_decoder.learning_rate",
    }  # a choice of its own
    assert set(repeated(config, paper)) <= told


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("levels", {}, "key levels is called quantizer now."),
        ("stacked", {}, "key stacked is called stacked_decoder now."),
        ("quantizer.published", 11, "key quantizer.published is called quantizer.authors now."),
        ("variants.rem.pruning.threshold", "search", "key pruning.threshold is called pruning.extent now."),
        ("defaults.training.keep_every", 1, "key training.keep_every is called figures.every now."),
    ],
)
def test_a_key_that_was_renamed_says_what_it_is_called_now(values, key, value, sentence):
    put(values, key, value)
    assert refusal(values).endswith(sentence)


def test_which_epochs_a_figure_shows_is_no_setting_of_a_training():
    values = [tiny.shipped_config().model_dump(), tiny.shipped_config().model_dump()]
    values[1]["figures"]["every"] = 7
    one, other = (parse(Config, each, "config").run("mnist", "rem", 42) for each in values)
    assert one == other


# Mistakes


@pytest.mark.parametrize(
    ("path", "valid"),
    [
        (
            "colour",
            "name, device, slots_per_gpu, mirror, select, experiments, quantizer, probed, figures, stacked_decoder, "
            "defaults, "
            "datasets, variants",
        ),
        ("experiments.main.colour", "datasets, variants, seeds"),
        ("quantizer.colour", "maximum, tolerance, skip_edges, authors, authors_of, cells, variants"),
        ("figures.colour", "dataset, seed, every"),
        ("defaults.colour", "dataset, variant, seed, stands_for, data, augment, network, decoder, training, "),
        ("defaults.augment.colour", "padding, flip, rotation, jitter"),
        ("defaults.augment.jitter.colour", "brightness, contrast, saturation"),
        (
            "defaults.network.colour",
            "architecture, routing, backbone, weights, input_size, views, convolution_channels",
        ),
        ("defaults.training.colour", "epochs, patience, batch_size"),
        ("datasets.shapes.data.colour", "source, folder, classes"),
        ("variants.rem.pruning.colour", "regularizer, penalty, dose, penalty_decay, extent, start, guard"),
    ],
)
def test_an_unknown_key_is_named_with_the_valid_ones(values, path, valid):
    put(values, path, 1)
    key = path.split(".", 2)[2] if path.startswith(("datasets", "variants")) else path.removeprefix("defaults.")
    assert f"unknown key {key}; the keys valid there are {valid}" in refusal(values)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("dataset", "experiments.main.datasets", ["svhn"]),
        ("variant", "experiments.main.variants", ["svhn"]),
        ("experiment", "select", ["svhn"]),
        ("variant", "quantizer.variants", ["svhn"]),
    ],
)
def test_an_unknown_name_is_named_with_the_known_ones(values, kind, path, value):
    known = ", ".join(values[f"{kind}s"])
    put(values, path, value)
    assert refusal(values) == f"config: {path} has the unknown {kind} 'svhn'; the config has {known}."


def test_figures_of_a_dataset_that_a_config_lacks_are_named_by_their_key(values):
    put(values, "figures.dataset", "svhn")
    known = " or ".join(values["datasets"])
    assert refusal(values) == f"config: figures.dataset is svhn, which is no dataset of this config; set it to {known}."


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("quantizer.maximum", 257),
        ("quantizer.maximum", 2),
        ("quantizer.tolerance", -0.1),
        ("quantizer.authors", 1),
        ("figures.every", 0),
        ("device", "gpu"),
        ("select", []),
        ("experiments.main.seeds", []),
        ("experiments.main.seeds", ["a"]),
        ("experiments.main.seeds", [-1]),
        ("defaults.data.channels", 4),
        ("defaults.data.classes", 1),
        ("defaults.data.view", "zoom"),
        ("defaults.augment.jitter", 0.2),
        ("defaults.augment.jitter.contrast", 1.0),
        ("defaults.augment.padding", -1),
        ("defaults.network.routing_iterations", 0),
        ("defaults.training.learning_rate", 0),
        ("defaults.training.learning_rate_decay", 1.1),
        ("defaults.training.epochs", "many"),
        ("variants.rem.pruning.penalty", -1),
        ("variants.rem.pruning.dose", -1),
        ("variants.rem.pruning.guard", 101),
        ("variants.rem.pruning.penalty_decay", 0),
        ("variants.rem.pruning.regularizer", "dropout"),
        ("variants.rem.pruning.extent", "guess"),
        ("variants.rem.pruning.layers", []),
        ("variants.rem.pruning.layers", ["backbone"]),
        ("defaults.training.early_accuracy", 101),
        ("defaults.checkpoint", "first"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_key(values, path, value):
    put(values, path, value)
    key = path.removeprefix("defaults.").removeprefix("variants.rem.")
    sentence = refusal(values)
    assert f"key {key}" in sentence
    assert f"has the value {value!r}" in sentence or f".0 has the value {value[0]!r}" in sentence
    assert sentence.endswith(".")


def test_the_run_with_the_mistake_is_named(values):
    put(values, "datasets.shapes.data.size", 3)
    assert refusal(values).startswith("config, run of dataset shapes, variant baseline: key data.size has the value 3")


@pytest.mark.parametrize("path", ["variants.mine.pruning", "datasets.mine.data", "variants.mine.like"])
def test_a_mistake_in_what_no_experiment_names_is_told_all_the_same(values, path):
    put(values, path, {"sorce": "mnist"})
    said = r"mine.*: unknown key (data|pruning)\.sorce|unknown variant"
    with pytest.raises(RemError, match=said):
        parse(Config, values, "config").check_unused()


def test_a_variant_that_only_does_not_fit_these_networks_is_no_mistake(values):
    put(values, "variants.mine", {"structure": {"channels": 999, "types": 2, "epochs": 1}})
    parse(Config, values, "config").check_unused()


@pytest.mark.parametrize(
    "path", ["name", "experiments.main.seeds", "quantizer.tolerance", "defaults.data.mean", "defaults.pruning"]
)
def test_a_missing_key_is_named(values, path):
    *parents, last = path.split(".")
    inner = values
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    sentence = refusal(values)
    assert sentence.endswith(f"key {path.removeprefix('defaults.')} is missing.")
    inner[f"{last}s"] = 1  # misspelt, it is named as it stands there
    assert f"unknown key {path.removeprefix('defaults.')}s; the keys valid there are " in refusal(values)


@pytest.mark.parametrize("name", ["a/b", "a b", "a'b", 'a"b', "..", "a;b", "$a", "a\n", "", "-a", 61 * "a"])
@pytest.mark.parametrize("where", ["name", "experiments", "datasets", "variants"])
def test_names_that_cannot_be_a_folder_are_refused(values, name, where):
    put(values, where, name if where == "name" else values[where] | {name: {}})
    sentence = refusal(values)
    key = "key name: " if where == "name" else ""
    assert sentence.startswith(
        f"config: {key}the name {name!r} must begin with a letter, a digit or _ and have at most"
    )


def test_settings_cannot_be_changed_later():
    with pytest.raises(ValueError, match="frozen"):
        tiny.run().seed = 1


# Files


@pytest.mark.parametrize("variant", ["baseline", "rem"])
def test_run_yaml_comes_back_as_it_was(tmp_path, variant):
    (tmp_path / "run.yaml").write_text(to_yaml(tiny.run(variant)), encoding="utf-8")
    assert read_run(tmp_path / "run.yaml") == tiny.run(variant)


@pytest.mark.parametrize("overlays", SHIPPED)
def test_run_yaml_of_shipped_configs_comes_back_as_it_was(tmp_path, overlays):
    for run in {run.dataset + run.variant: run for run in every_run(*overlays)}.values():
        (tmp_path / "run.yaml").write_text(to_yaml(run), encoding="utf-8")
        assert read_run(tmp_path / "run.yaml") == run


def test_yaml_keeps_the_order_of_the_definition():
    assert list(yaml.safe_load(to_yaml(tiny.run()))) == list(Run.model_fields)
    viewpoints = {"pose": "rotation", "trained": [-9, 9]}
    assert list(yaml.safe_load(to_yaml(tiny.data(viewpoints=viewpoints)))) == list(Data.model_fields)


def test_settings_without_viewpoints_are_written_as_before_there_were_any():
    written = yaml.safe_load(to_yaml(tiny.data(viewpoints=None)))
    assert list(written) == [key for key in Data.model_fields if key != "viewpoints"]
    assert parse(Data, written, "data").viewpoints is None
    run = tiny.run(data={"viewpoints": {"pose": "scale", "trained": [0.3, 0.4]}})
    assert Run.model_validate_json(run.model_dump_json()) == run


@pytest.mark.parametrize(
    ("viewpoints", "reason"),
    [
        ({"pose": "elevation", "trained": [40, 30]}, "trained goes from 40 down to 30; name the lower end first"),
        ({"pose": "shear", "trained": [0, 1]}, "key viewpoints.pose has the value 'shear'"),
        ({"pose": "scale", "trained": [0.3]}, "key viewpoints.trained.1 is missing"),
    ],
)
def test_viewpoints_that_mean_nothing_are_refused(viewpoints, reason):
    with pytest.raises(RemError, match=reason):
        tiny.data(viewpoints=viewpoints)


def test_a_run_yaml_with_a_mistake_names_the_file_and_the_key(tmp_path):
    values = yaml.safe_load(to_yaml(tiny.run("rem")))
    values["pruning"]["penalti"] = 1
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(RemError) as raised:
        read_run(tmp_path / "run.yaml")
    assert str(raised.value) == (
        f"{tmp_path / 'run.yaml'}: unknown key pruning.penalti; the keys valid there are "
        "regularizer, penalty, dose, penalty_decay, extent, start, guard, resolution, follows, layers."
    )


def test_a_file_that_is_missing_is_one_sentence(tmp_path):
    with pytest.raises(RemError, match=r"run\.yaml is not there; name a file that is, by its path from /"):
        read_yaml(tmp_path / "run.yaml")


@pytest.mark.parametrize("content", ["a: [1, 2", "a: b: c"])
def test_a_file_that_is_no_yaml_is_one_sentence(tmp_path, content):
    (tmp_path / "run.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(RemError, match="cannot be read as YAML") as raised:
        read_yaml(tmp_path / "run.yaml")
    assert str(raised.value).startswith(str(tmp_path / "run.yaml"))
    assert "\n" not in str(raised.value)


def test_a_binary_file_is_one_sentence(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RemError, match="cannot be read as YAML"):
        read_yaml(tmp_path / "run.yaml")


def test_an_empty_run_yaml_is_refused(tmp_path):
    (tmp_path / "run.yaml").touch()
    with pytest.raises(RemError, match=r"run\.yaml"):
        read_run(tmp_path / "run.yaml")


# The schema


def test_the_committed_schema_is_the_settings_own():
    assert (
        json.loads((tiny.ROOT / "workflow/schemas/config.schema.json").read_text(encoding="utf-8")) == config_schema()
    )


def test_the_schema_accepts_the_shipped_configs_each_by_itself():
    Draft202012Validator.check_schema(config_schema())
    for name in ("config", "sample", "smoke", "laptop", "paper", "first-epochs", "long"):
        content = yaml.safe_load((tiny.ROOT / f"config/{name}.yaml").read_text(encoding="utf-8"))
        assert [error.message for error in Draft202012Validator(config_schema()).iter_errors(content)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("colour", 1),
        ("quantizer.colour", 1),
        ("defaults.colour", 1),
        ("defaults.training.colour", 1),
        ("datasets.shapes.data.colour", 1),
        ("variants.rem.pruning.colour", 1),
        ("datasets.shapes.variants.rem.pruning.colour", 1),
        ("quantizer.maximum", 300),
        ("defaults.training.epochs", 0),
        ("defaults.seed", 3),
    ],
)
def test_the_schema_refuses_unknown_keys_and_values_out_of_range(values, path, value):
    put(values, path, value)
    assert not Draft202012Validator(config_schema()).is_valid(values)


def test_the_schema_describes_every_key():
    # A key that holds a section needs no words of its own where the section has them.
    schema = config_schema()
    for section in (schema, *schema["$defs"].values()):
        assert section["description"]
        names = {"dataset", "variant", "seed"}  # of runs: what they are goes without saying
        plain = {key: value for key, value in section["properties"].items() if "$ref" not in value}
        assert {key for key, value in plain.items() if not value.get("description")} <= names


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist", "cifar10"])
@pytest.mark.parametrize("seed", [42, 43, 44, 45, 46])
def test_the_paper_config_is_the_protocol_and_nothing_of_the_sample(dataset, seed):
    config = tiny.shipped_config("paper")
    baseline, rem = (config.run(dataset, variant, seed) for variant in ("baseline", "rem"))
    assert baseline.pruning is None
    assert (rem.pruning.penalty, rem.pruning.penalty_decay) == (1e-4, 0.99)
    assert (baseline.checkpoint, rem.checkpoint) == ("best", "last")
    for run in (baseline, rem):
        assert (run.training.learning_rate, run.training.learning_rate_decay) == (1e-3, 0.99)
        assert (run.training.batch_size, run.training.patience, run.training.epochs) == (128, 200, 10000)
        assert run.data.source == dataset
        assert run.data.validation == 5500
        assert run.augment.padding == (0 if dataset == "cifar10" else 2)
        assert run.augment.flip == (dataset != "mnist")
        assert (run.network.convolution_channels, run.network.routing_iterations) == (256, 3)
        assert run.network.primary_types == (64 if dataset == "cifar10" else 32)
    assert config.experiments["main"].seeds == [42, 43, 44, 45, 46]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("data: {a: 1}\nname: x\ndata: {b: 2}\n", "key data stands there twice"),
        ("seeds: [042]\n", "042 would be read as 34"),
        ("epochs: yes\n", "yes would be read as True"),
        ("epochs: 1:30\n", "1:30 would be read as 90"),
    ],
)
def test_what_yaml_would_drop_or_take_for_another_value_is_refused(tmp_path, content, said):
    (tmp_path / "run.yaml").write_text(content, encoding="utf-8")
    line = content.count("\n")
    with pytest.raises(RemError, match=f"run.yaml cannot be read as YAML: in line {line}, {said}[^\\n]*\\.$"):
        read_yaml(tmp_path / "run.yaml")


def test_a_text_in_quotes_is_that_text(tmp_path):
    (tmp_path / "run.yaml").write_text("a: '042'\nb: 42\nc: true\n", encoding="utf-8")
    assert read_yaml(tmp_path / "run.yaml") == {"a": "042", "b": 42, "c": True}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("defaults.data.std", [0.0], "key data.std.0 has the value 0.0"),
        ("defaults.data.std", [-1.0], "key data.std.0 has the value -1.0"),
        ("defaults.data.mean", [float("inf")], "key data.mean.0 has the value inf"),
        ("defaults.data.mean", [0.1, 0.2], "data.mean has 2 values for 1 channel(s); give one a channel"),
        ("defaults.data.generate", [0, 5], "key data.generate.0 has the value 0"),
        ("defaults.data.size", 16, "data.size is 16, too small for network.architecture capsnet; it must be 17 or"),
        ("defaults.data.mean", [33.3], "key data.mean.0 has the value 33.3"),
        ("defaults.data.std", [1e-300], "key data.std.0 has the value 1e-300"),
        ("defaults.data.folder", "-a", "data.folder is -a, which a command takes for an option; write the whole path"),
        ("defaults.data.folder", "", "data.folder is empty; name a folder, or set it to null"),
        ("defaults.data.folder", "~nobody-of-this-name/a", "there is no such user; write the whole path"),
        ("variants.rem.pruning.start", 9, "pruning.start is 9, but training.epochs is 9, so that nothing would be"),
        ("defaults.seed", 3, "defaults has the key seed, which experiments say; leave it out"),
        ("datasets.mnist.dataset", "shapes", "datasets.mnist has the key dataset, which experiments say; leave it out"),
        ("variants.rem.variant", "a", "variants.rem has the key variant, which experiments say; leave it out"),
        ("datasets.mnist.variants", None, "datasets.mnist.variants is None; write each variant with its settings"),
        ("datasets.mnist.variants", {"rem": None}, "datasets.mnist.variants is {'rem': None}; write each variant"),
        ("variants.rem.like", ["baseline"], "variants.rem.like has the unknown variant ['baseline']; the config"),
        ("defaults.data.folder", "a{b}", "data.folder is a{b}, but Snakemake takes braces for wildcards; rename it"),
        ("defaults.training.learning_rate", float("nan"), "key training.learning_rate has the value nan"),
        ("variants.rem.pruning.penalty", float("inf"), "key pruning.penalty has the value inf"),
        ("variants.rem.pruning.penalty", 1.5, "key pruning.penalty has the value 1.5"),
        ("experiments.main.seeds", [2**53], f"key experiments.main.seeds.0 has the value {2**53}"),
        ("name", "None", "the name None would be read as a blank in tables; choose another"),
        ("experiments.tables", {"datasets": ["mnist"], "variants": ["rem"], "seeds": [1]}, "experiment tables has the"),
        ("experiments.main.seeds", [42, 43, 42], "experiments has 42 twice among the seeds of one experiment"),
        ("experiments.main.variants", ["rem", "rem"], "experiments has rem twice among the variants"),
        ("defaults.data.split_seed", -1, "key data.split_seed has the value -1"),
    ],
)
def test_values_that_could_not_be_meant_are_refused_with_their_key(values, path, value, said):
    for dataset in values["datasets"].values():  # which would lie over it
        dataset.pop("variants", None)
        dataset.get("data", {}).pop("size", None)
        dataset.get("data", {}).pop("generate", None)
    put(values, path, value)
    assert said in refusal(values)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("path", ["slots_per_gpu", "defaults.training.epochs", "variants.rem.pruning.penalty"])
def test_true_is_not_1(values, path, value):
    put(values, path, value)
    assert f"has the value {value}: input should not be true or false" in refusal(values)


def test_true_is_no_seed(values):
    put(values, "experiments.main.seeds", [42, True])
    assert "key experiments.main.seeds has the value [42, True]: input should not be true or false" in refusal(values)


def test_a_pruning_that_removes_nothing_may_start_at_any_time(values):
    put(values, "variants.penalty.pruning.start", 100)
    assert parse(Config, values, "config").run("mnist", "penalty", 42).pruning.start == 100


@pytest.mark.parametrize(("input_size", "size"), [(None, 32), (33, 20)])
def test_images_before_a_backbone_have_room_too(input_size, size):
    network = {"backbone": "resnet18", "weights": "none", "convolution_channels": None, "input_size": input_size}
    if input_size:
        assert tiny.run(network=network, data={"size": size}).data.size == size
    else:
        with pytest.raises(RemError, match=r"images of 32 pixels are too small for the backbone"):
            tiny.run(network=network, data={"size": size})


def test_a_stereo_pair_is_for_no_backbone():
    network = {"backbone": "resnet18", "weights": "none", "convolution_channels": None}
    data = {"channels": 2, "mean": [0.5, 0.5], "std": [0.25, 0.25], "size": 33}
    with pytest.raises(RemError, match=r"data\.channels is 2, a stereo pair, which no backbone takes"):
        tiny.run(network=network, data=data)
    assert tiny.run(data=data).data.channels == 2


def test_a_home_folder_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert tiny.data(source="folder", folder="~/images").folder == "/somewhere/images"


# Structure


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"structure": {"channels": 3}}, "structure leaves 3 channels and 1 types, but the network has 2 and 2; lower"),
        ({"structure": {"types": 3}}, "structure leaves 1 channels and 3 types, but the network has 2 and 2; lower"),
        ({"structure": {"epochs": 6}}, "structure.epochs is 6, but training.epochs is 5, so that more would be left"),
        ({"structure": {"types": 0}}, "key structure.types"),
        ({"pruning": tiny.PRUNING}, "set pruning, connections and sharpening to null"),
        ({"connections": tiny.CONNECTIONS}, "set pruning, connections and sharpening to null"),
        ({"sharpening": {"strength": 1, "stability": 0, "memory": 0}}, "set pruning, connections and sharpening to"),
    ],
)
def test_a_structure_that_cannot_be_is_refused(sections, said):
    with pytest.raises(RemError) as error:
        tiny.run("structured", **sections)
    assert said in str(error.value)


def test_a_network_that_becomes_small_has_one_that_is_so_small_from_the_start_beside_it():
    runs = {run.variant: run for run in tiny.shipped_config("networks").runs(["structured"]) if run.seed == 42}
    assert {run.training for run in runs.values()} == {runs["baseline-long"].training}
    ends = {name: run.structure for name, run in runs.items() if run.structure}
    assert len(ends) == 2
    for name, end in ends.items():
        began = runs[name.replace("structured", "smaller")].network
        assert (began.convolution_channels, began.primary_types) == (end.channels, end.types)


# Connections


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"chosen_by": "lot", "density": None, "epochs": None},
            "chosen_by is lot, but density does not say",
        ),
        ({"chosen_by": "lot"}, "connections.epochs says when connections are removed"),
        ({"density": None}, "connections.epochs says when connections are removed"),
        ({"epochs": None}, "connections.epochs says when connections are removed"),
        ({"epochs": 6}, "connections.epochs is 6, but training.epochs is 5, so that the density"),
        ({"density": "one-parent", "keep_one": False}, "every capsule keeps one; set keep_one to true"),
        (
            {"density": 0.3},
            "less than one connection for each capsule with 3 classes",
        ),
        ({"density": 0}, "key connections.density"),
    ],
)
def test_connections_that_cannot_be_are_refused(changes, said):
    with pytest.raises(RemError) as error:
        tiny.run("blocks", connections=changes)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("density", "keep_one", "count"), [(0.4, True, 10), ("one-parent", True, 8), (0.01, False, 1), (1.0, True, 24)]
)
def test_a_density_is_a_number_of_connections(density, keep_one, count):
    assert tiny.run("blocks", connections={"density": density, "keep_one": keep_one}).connections.count(8, 3) == count


@pytest.mark.parametrize("layers", [["convolution", "class"], ["primary"]])
def test_groups_are_shrunk_in_the_class_layer_alone(layers):
    with pytest.raises(RemError, match=r"pruning.regularizer group-lobster is for the matrices W_ij; set layers to"):
        tiny.run("blocks", pruning={"layers": layers})


def test_every_learned_share_of_connections_has_its_lot_trained_and_shrunk_alike():
    runs = {run.variant: run for run in tiny.shipped_config("networks").runs(["trees"]) if run.dataset == "mnist"}
    learned = {name: run for name, run in runs.items() if run.connections and run.connections.chosen_by != "lot"}
    drawn = {run.connections.density for run in runs.values() if run.connections and run not in learned.values()}
    assert (
        {run.connections.density for run in learned.values()} - {None}
        == drawn
        == {0.5, 0.2, 0.1, 0.07, 0.05, "one-parent"}
    )
    assert {run.training for run in runs.values() if run.connections} == {runs["baseline-long"].training}
    alike = [run for run in runs.values() if run.connections or run.variant == "blocks-100"]
    assert {run.checkpoint for run in alike} == {"last"}
    assert {run.variant for run in alike if run.pruning != runs["blocks"].pruning} == {"group-lasso-07"}


# Networks


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"network": {"routing": "none"}},
            "network.routing is none; the routings are attention, dynamic, em, sda, self",
        ),
        (
            {"network": {"architecture": "resnet"}},
            "the architectures are capsnet, efficient, gamma, convcaps, deepcaps, or path/to/file.py:Class",
        ),
        (
            {"network": {"architecture": "own.py:Mine"}},
            "network.routing is that of network.architecture, which is your own",
        ),
        ({"network": {"routing": None}}, "network.routing is null; the routings are"),
        ({"network": {"architecture": "gamma"}}, "network.middle_capsules are those of network.architecture gamma"),
        ({"network": {"middle_capsules": 8}}, "network.middle_capsules are those of network.architecture gamma"),
        (
            {"network": {"architecture": "efficient"}},
            "8 channels, 4 x network.convolution_channels, make no whole number",
        ),
        (
            {"network": {"architecture": "efficient", "primary_dimensions": 4}},
            "data.size is 19, too small for network.architecture efficient",
        ),
        (
            {"network": {"architecture": "deepcaps"}},
            "capsules of 3 dimensions have no half",
        ),
        ({"network": {"routing": "em"}, "variant": "sharpen"}, "sharpening is for network.architecture capsnet and"),
        (
            {"network": {"routing": "uniform"}, "structure": {"channels": 1, "types": 1, "epochs": 1}},
            "structure is for network.architecture capsnet",
        ),
        ({"network": {"routing": "sda"}, "variant": "blocks"}, "connections is for network.architecture capsnet and"),
        (
            {
                "network": {"routing": "sda"},
                "variant": "rem",
                "pruning": {"regularizer": "group-lasso", "layers": ["class"]},
            },
            "pruning.regularizer group-lasso is for network.architecture capsnet and",
        ),
    ],
)
def test_a_network_that_does_not_fit_is_refused(changes, told):
    with pytest.raises(RemError, match=re.escape(told)):
        tiny.run(**{"variant": "baseline"} | changes)

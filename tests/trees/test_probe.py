"""What the probes say of a network, against the paper read slowly: an image at a time, in float64 loops."""

import math
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import reference
import tiny
import torch

from rem.data.batches import load_split
from rem.errors import RemError
from rem.networks.build import build
from rem.training.checkpoints import save_checkpoint
from rem.trees.probe import probe
from rem.trees.probe_kinds import COLUMNS, TAUS

CPU = torch.device("cpu")
BAND = [3, 5, 8]
RUN = tiny.run(training={"batch_size": 7})


def network(run=RUN):
    """A random network with couplings far from uniform."""
    torch.manual_seed(5)
    model = build(run, CPU).eval()
    with torch.no_grad():
        model.weight.mul_(12)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("probe")
    tiny.write_prepared(made / "prepared.h5")
    save_checkpoint(made / "best.pt", network().state_dict(), RUN, 3)
    return made


def probed(folder: Path, levels=(5,), band=tuple(BAND), splits=("test",), checkpoint="best"):
    probe(folder / f"{checkpoint}.pt", folder / "prepared.h5", splits, levels, band, False, folder / "probe.csv", CPU)
    return pd.read_csv(folder / "probe.csv", dtype={"setting": str}).fillna({"levels": 0})


@pytest.fixture(scope="module")
def found(folder):
    rows = probed(folder)
    assert list(rows.columns) == COLUMNS
    values = rows.set_index(["probe", "setting", "levels", "metric"])["value"]
    return lambda probe, setting, metric, levels=0: values[probe, setting, levels, metric]


class Slow:
    """A split, routed an image at a time."""

    def __init__(self, folder: Path, split: str) -> None:
        model = network()
        images, self.labels = load_split(folder / "prepared.h5", split, RUN)
        self.labels = self.labels.tolist()
        weight, self.bias = model.weight.detach().double().numpy(), model.routing_bias.detach().double().numpy()
        with torch.no_grad():
            self.primary = model.primary_capsules(model.stem(images)).double().numpy()
        self.votes = [reference.votes(weight, poses) for poses in self.primary]
        self.routed = [reference.route(votes, self.bias, 3) for votes in self.votes]
        self.couplings = [one.couplings for one in self.routed]
        self.predicted = [reference.predicted_class(one.poses) for one in self.routed]

    def poses(self, couplings):
        """Of every image, with couplings that are given."""
        return [reference.output_poses(votes, self.bias, c) for votes, c in zip(self.votes, couplings, strict=True)]

    def accuracy(self, couplings):
        predicted = [reference.predicted_class(poses) for poses in self.poses(couplings)]
        return 100 * sum(y == label for y, label in zip(predicted, self.labels, strict=True)) / len(predicted)


@pytest.fixture(scope="module")
def slow(folder):
    return cache(lambda split: Slow(folder, split))


def tempered(logits, tau):
    """Eq. 4 with every logit over tau."""
    return np.full(logits.shape, 1 / len(logits)) if tau == math.inf else reference.coupling(logits / tau)


@pytest.mark.parametrize("tau", TAUS)
def test_a_temperature_by_the_routing_of_each_image(found, slow, tau):
    test, setting = slow("test"), ("temperature", f"{tau:g}")
    couplings = [tempered(one.logits, tau) for one in test.routed]
    assert found(*setting, "accuracy") == pytest.approx(test.accuracy(couplings))
    poses = test.poses(couplings)
    losses = [
        reference.margin_loss([reference.length(v) for v in own], label)
        for own, label in zip(poses, test.labels, strict=True)
    ]
    assert found(*setting, "loss") == pytest.approx(np.mean(losses), rel=1e-4)
    strongest = [np.mean([max(c[:, i]) for i in range(c.shape[1])]) for c in couplings]
    assert found(*setting, "strongest_coupling") == pytest.approx(np.mean(strongest), rel=1e-4)
    spread = [math.sqrt(np.mean([(x - 1 / len(c)) ** 2 for x in c.ravel()])) for c in couplings]
    assert found(*setting, "coupling_spread") == pytest.approx(np.mean(spread), rel=1e-3, abs=1e-6)
    predicted = [reference.predicted_class(own) for own in poses]
    bits = []
    for levels in BAND:
        keys = [reference.key(c, y, levels) for c, y in zip(couplings, predicted, strict=True)]
        trees = reference.dictionaries(keys, predicted, tiny.CLASSES)
        bits.append(reference.mean_entropy([reference.entropy(own.values()) if own else 0.0 for own in trees]))
        assert found(*setting, "entropy", levels) == pytest.approx(bits[-1])
    assert found(*setting, "band_entropy") == pytest.approx(np.mean(bits))


def test_tau_1_is_the_network_as_it_is_and_an_infinite_one_the_uniform_intervention(found):
    for metric in ("lost", "gained"):
        assert found("temperature", "1", metric) == 0
    for metric in ("accuracy", "loss", "lost", "gained"):
        assert found("temperature", "inf", metric) == found("intervention", "uniform", metric)
    assert found("temperature", "inf", "band_entropy") == 0


def class_trees(train, label):
    return [c[label] for c, y in zip(train.couplings, train.predicted, strict=True) if y == label]


def test_static_trees_are_those_of_the_training_images(found, slow):
    train, test = slow("train"), slow("test")
    mean, modal = np.empty((2, tiny.CLASSES, train.couplings[0].shape[1]))
    for label in range(tiny.CLASSES):
        own = class_trees(train, label)
        mean[label] = sum(own) / len(own) if own else 1 / tiny.CLASSES
        counts = Counter(tuple(reference.index(x, 5) for x in c) for c in own)  # equal ones: the first seen
        modal[label] = [k / 4 for k in counts.most_common(1)[0][0]] if own else 1 / tiny.CLASSES
    everyone = [mean] * len(test.labels)
    assert found("intervention", "class-mean", "accuracy") == pytest.approx(test.accuracy(everyone))
    assert found("intervention", "modal-key", "accuracy", 5) == pytest.approx(test.accuracy([modal] * len(everyone)))
    overall = [sum(train.couplings) / len(train.couplings)] * len(everyone)
    assert found("intervention", "overall-mean", "accuracy") == pytest.approx(test.accuracy(overall))


def test_another_images_couplings_are_those_of_the_one_before_of_the_same_class(found, slow):
    train, test = slow("train"), slow("test")
    latest = dict(zip(train.predicted, train.couplings, strict=True))
    uniform, donors = np.full(test.couplings[0].shape, 1 / tiny.CLASSES), []
    for c, y in zip(test.couplings, test.predicted, strict=True):
        donors.append(latest.get(y, uniform))
        latest[y] = c
    assert found("intervention", "same-class", "accuracy") == pytest.approx(test.accuracy(donors))


def test_one_hot_couplings(found, slow):
    test = slow("test")
    hot = [np.eye(len(c))[:, c.argmax(axis=0)] for c in test.couplings]
    assert found("intervention", "one-hot", "accuracy") == pytest.approx(test.accuracy(hot))


def test_deletion_of_the_strongest_and_of_the_agreeing_capsules(found, slow):
    test = slow("test")
    deleted = round(0.2 * test.couplings[0].shape[1])
    assert deleted > 0
    strongest, agreeing = [], []
    for votes, c, y in zip(test.votes, test.couplings, test.predicted, strict=True):
        uniform = reference.output_poses(votes, test.bias, np.full(c.shape, 1 / len(c)))
        agreement = [abs(float(uniform[y] @ votes[y, i])) for i in range(c.shape[1])]
        for scores, changed in ((c[y], strongest), (agreement, agreeing)):
            without = c.copy()
            without[:, np.argsort(scores)[-deleted:]] = 0
            changed.append(without)
    assert found("deletion", "strongest", "accuracy") == pytest.approx(test.accuracy(strongest))
    assert found("deletion", "agreeing", "accuracy") == pytest.approx(test.accuracy(agreeing))
    lengths = [reference.length(own[y]) for own, y in zip(test.poses(strongest), test.predicted, strict=True)]
    assert found("deletion", "strongest", "length") == pytest.approx(np.mean(lengths), rel=1e-4)


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_iterations_at_test_time(found, slow, iterations):
    test = slow("test")
    routed = [reference.route(votes, test.bias, iterations) for votes in test.votes]
    correct = [reference.predicted_class(one.poses) == label for one, label in zip(routed, test.labels, strict=True)]
    assert found("iterations", str(iterations), "accuracy") == pytest.approx(100 * np.mean(correct))
    strongest = np.mean([one.couplings.max(axis=0).mean() for one in routed])
    assert found("iterations", str(iterations), "strongest_coupling") == pytest.approx(strongest, rel=1e-4)


def test_keys_are_held_to_those_of_the_training_images_of_the_class(found, slow):
    train, test = slow("train"), slow("test")

    def words(split):
        return [(y, reference.key(c, y, 5)) for c, y in zip(split.couplings, split.predicted, strict=True)]

    known, own = Counter(words(train)), words(test)
    right = [y == label for y, label in zip(test.predicted, test.labels, strict=True)]
    for name, least, most in (("0", 0, 0), ("1", 1, 1), ("2 to 9", 2, 9), ("10 or more", 10, math.inf)):
        chosen = [place for place, word in enumerate(own) if least <= known[word] <= most]
        assert found("key", name, "share", 5) == pytest.approx(100 * len(chosen) / len(own))
        if chosen:
            accuracy = 100 * np.mean([right[place] for place in chosen])
            assert found("key", name, "accuracy", 5) == pytest.approx(accuracy)


def test_images_lost_and_gained_make_the_difference_of_the_accuracies(found):
    for name in ("uniform", "class-mean", "other-class", "one-hot"):
        setting = ("intervention", name)
        gained = found(*setting, "gained") - found(*setting, "lost")
        difference = found(*setting, "accuracy") - found("temperature", "1", "accuracy")
        assert 100 * gained / found(*setting, "images") == pytest.approx(difference)


def test_every_key_of_a_training_image_is_known(folder):
    rows = probed(folder, splits=("train",)).set_index(["probe", "setting", "levels", "metric"])["value"]
    assert rows["key", "0", 5, "share"] == 0
    assert rows["key", "1", 5, "share"] > 0


def test_scaling_the_logits_by_hand_leaves_the_line_over_tau(folder, monkeypatch):
    """A network whose logits are scaled, by a temperature in its routing, has the same line, read at another tau."""
    from rem.networks.capsnet import CapsNet
    from rem.trees.interventions import temper

    plain = probed(folder).set_index(["probe", "setting", "levels", "metric"])["value"]
    routed = CapsNet.route

    def softer(network, primary, *, iterations=None, change=None):
        lengths, class_poses, couplings = routed(network, primary, iterations=iterations, change=lambda c: temper(c, 2))
        return lengths, class_poses, temper(couplings, 2)

    monkeypatch.setattr(CapsNet, "route", softer)
    soft = probed(folder).set_index(["probe", "setting", "levels", "metric"])["value"]
    for tau, of_plain in (("0.5", "1"), ("1", "2"), ("5", "10"), ("inf", "inf")):
        for metric in ("accuracy", "strongest_coupling", "band_entropy"):
            expected = plain["temperature", of_plain, 0, metric]
            assert soft["temperature", tau, 0, metric] == pytest.approx(expected, rel=1e-4), (tau, metric)


def test_untrained_is_a_backbone_that_is_trained_with_the_rest_too(tmp_path):
    sizes = {"backbone": "resnet18", "weights": "none", "convolution_channels": None, "input_size": 33}
    run = tiny.run(network=sizes, training={"batch_size": 7})
    tiny.write_prepared(tmp_path / "prepared.h5")
    told = []
    for scale in (1, 3):
        torch.manual_seed(run.seed)
        model = build(run, CPU)
        with torch.no_grad():
            model.backbone.stages[0].weight.mul_(scale)  # as training changes it
        save_checkpoint(tmp_path / "best.pt", model.state_dict(), run, 3)
        rows = probed(tmp_path).query("probe == 'untrained'")
        told.append(rows["value"].tolist())
    assert len(told[0]) == 2
    assert told[0] == told[1]


def test_a_file_that_was_prepared_by_other_settings_is_not_probed(tmp_path):
    run, prepared = tiny.run(), tiny.write_prepared(tmp_path / "prepared.h5")
    save_checkpoint(tmp_path / "best.pt", network(run).state_dict(), run, 3)
    tiny.say_prepared_by(prepared, tiny.run(data={"split_seed": 7}))
    with pytest.raises(RemError, match="split_seed 7, not 0"):
        probed(tmp_path)


def test_the_batch_size_changes_nothing_but_chance(folder, tmp_path):
    expected = probed(folder)
    run = tiny.run(training={"batch_size": 4})
    tiny.write_prepared(tmp_path / "prepared.h5")
    save_checkpoint(tmp_path / "best.pt", network(run).state_dict(), run, 3)
    other = probed(tmp_path)
    drawn = expected["setting"].isin(["random", "other-class"]) | (expected["probe"] == "untrained")  # of one batch
    assert other[~drawn]["value"].tolist() == pytest.approx(expected[~drawn]["value"].tolist(), rel=1e-4, nan_ok=True)

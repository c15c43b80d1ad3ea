"""A network of one's own: that of docs/own-network.md through the whole chain, and what is refused."""

import copy
import re

import pandas as pd
import pytest
import tiny
import torch
import yaml
from torch import nn

from rem.errors import RemError
from rem.networks.build import build
from rem.networks.network import Network
from rem.networks.own import own_network
from rem.settings.config import Config, overlay
from rem.settings.sections import parse
from rem.training.checkpoints import load_checkpoint
from rem.training.resume import StateFile
from rem.training.train import train
from rem.training.trainer import Trainer
from rem.trees.couplings import extract
from rem.trees.dictionaries import write_entropies
from rem.trees.levels import choose_levels
from rem.trees.probe import probe

CPU = torch.device("cpu")
PAGE = (tiny.ROOT / "docs/own-network.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NONE = "makes no network: "


def written(folder, text=EXAMPLE, name="CosineCapsNet"):
    """The architecture of a class in a file of that text."""
    (folder / "own.py").write_text(text, encoding="utf-8")
    return f"{folder / 'own.py'}:{name}"


def settings(architecture, variant="baseline", **sections):
    return tiny.run(variant, **{"network": {"architecture": architecture, "routing": None}} | sections)


def test_the_config_of_the_page_is_a_config():
    *_, own = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    below = yaml.safe_load((tiny.ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    config = parse(Config, overlay(below, yaml.safe_load(own)), "page")
    network = config.run("mnist", "rem", 42).network
    assert (network.is_own, str(network.own_file)) == (True, "data/own/cosine.py")


@pytest.mark.parametrize("variant", ["baseline", "rem"])
def test_the_network_of_the_page_runs_through_the_whole_chain(prepared, tmp_path, variant):
    architecture = written(tmp_path)
    run = settings(architecture, variant, decoder={"hidden": [4], "weight": 0.001, "pixels": "raw"})
    train(run, prepared, tmp_path, CPU)
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert (history["sparsity"].iloc[-1] > 0) == (variant == "rem")
    checkpoint, couplings = tmp_path / "last.pt", tmp_path / "last.val.h5"
    extract(checkpoint, prepared, "val", 16, couplings, CPU, architecture=architecture)
    choose_levels([couplings], 100.0, True, 11, tmp_path / "levels.csv")
    write_entropies([couplings], [5, 11], tmp_path, tmp_path / "entropy.csv")
    assert pd.read_csv(tmp_path / "entropy.csv")["entropy"].notna().all()
    probe(checkpoint, prepared, ["val"], [5], [3, 5], False, tmp_path / "probe.csv", CPU, architecture)
    rows = pd.read_csv(tmp_path / "probe.csv")
    assert set(rows["probe"]) == {
        "temperature", "intervention", "deletion", "key", "stability", "untrained",
    }  # fmt: skip
    assert set(rows[rows["probe"] == "deletion"]["setting"]) == {"strongest", "random"}


def test_a_checkpoint_runs_no_code_that_is_not_named(prepared, tmp_path):
    architecture = written(tmp_path)
    train(settings(architecture, training={"epochs": 1}), prepared, tmp_path, CPU)
    (tmp_path / "own.py").write_text("raise SystemExit('run')", encoding="utf-8")
    for named in (None, "other.py:CosineCapsNet"):
        with pytest.raises(
            RemError, match=r"last\.pt is of the network .*, and a checkpoint runs no code; name it as --"
        ):
            load_checkpoint(tmp_path / "last.pt", CPU, named)


def test_a_loaded_network_is_the_one_that_was_saved(prepared, tmp_path):
    architecture = written(tmp_path)
    train(settings(architecture, training={"epochs": 1}), prepared, tmp_path, CPU)
    model, run, _ = load_checkpoint(tmp_path / "last.pt", architecture=architecture)
    assert (model.capsules, model.classes, model.training) == (36, tiny.CLASSES, False)
    again = build(run, CPU)
    again.load_state_dict(model.state_dict())
    images = torch.rand(2, 1, tiny.SIZE, tiny.SIZE)
    assert all(map(torch.equal, model(images), again.eval()(images)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "AttributeError"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("class CosineCapsNet:\n    def __init__(self, *sizes): pass", "TypeError, CosineCapsNet is no rem.Network"),
        (
            "import rem\nclass CosineCapsNet(rem.Network):\n    def __init__(self, *_): super().__init__()",
            "has no method",
        ),
        (EXAMPLE.replace("(4 * cosines).softmax(dim=1)", "cosines.sigmoid()"), "do not sum to 1 over the classes"),
        (EXAMPLE.replace("poses.norm(dim=2), poses", "poses, poses"), "ValueError, lengths have the shape"),
    ],
)
def test_what_makes_no_network_is_one_sentence(tmp_path, text, told):
    with pytest.raises(RemError, match=f"own.py:CosineCapsNet {NONE}.*{told}"):
        own_network(written(tmp_path, text), 1, tiny.SIZE, tiny.CLASSES)


LAYERED = """
import rem, torch

class Layered(rem.Network):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.below = rem.CapsNet(channels, size, 5, convolution_channels=2, primary_types=2, primary_dimensions=3)
        self.weight = torch.nn.Parameter(torch.randn(5, classes, 4, 16))

    def primary_capsules(self, stem):
        return self.below(stem)[1]

    def lower_layers(self, stem):
        _, poses, couplings = self.below(stem)
        return [rem.LowerLayer(couplings.unsqueeze(1), poses.norm(dim=2))]

    def route(self, primary, *, change=None):
        couplings = torch.einsum("ijdp,bip->bji", self.weight, primary).softmax(dim=1)
        used = couplings if change is None else change(couplings)
        poses = torch.einsum("bji,ijdp,bip->bjd", used, self.weight, primary)
        return poses.norm(dim=2), poses, couplings
"""


def test_a_lower_layer_of_ones_own_network_is_measured(prepared, tmp_path):
    architecture = written(tmp_path, LAYERED, "Layered")
    train(settings(architecture, training={"epochs": 1}), prepared, tmp_path, CPU)
    extract(tmp_path / "last.pt", prepared, "test", 16, tmp_path / "last.test.h5", CPU, architecture=architecture)
    write_entropies([tmp_path / "last.test.h5"], [5], tmp_path / "trees", tmp_path / "entropy.csv")
    table = pd.read_csv(tmp_path / "entropy.csv")
    assert table[table["class"].isna()]["layer"].tolist() == [1, 2]
    assert table["entropy"].notna().all()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("couplings.unsqueeze(1)", "couplings", r"couplings of layer 2 have the shape \(2, 5, 8\), which must be"),
        ("couplings.unsqueeze(1)", "couplings.unsqueeze(2)", "of a child in layer 2 do not sum to 1 over the capsules"),
        ("poses.norm(dim=2))]", "poses.norm(dim=1))]", r"lengths of layer 2 have the shape \(2, 16\), not \(2, 5\)"),
        ("dim=2))]", "dim=2), torch.arange(5) + 1)]", "parts of layer 2 must name one of its 5 capsules at least"),
    ],
)
def test_a_lower_layer_that_is_none_is_one_sentence(tmp_path, old, new, told):
    with pytest.raises(RemError, match=f"own.py:Layered {NONE}ValueError, .*{told}"):
        own_network(written(tmp_path, LAYERED.replace(old, new), "Layered"), 1, tiny.SIZE, tiny.CLASSES)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(RemError, match=f"{NONE}FileNotFoundError, there is no file .*none.py; mend"):
        own_network(f"{tmp_path}/none.py:Network", 1, tiny.SIZE, tiny.CLASSES)


def test_the_trial_draws_nothing_from_the_generator(tmp_path):
    noisy = EXAMPLE.replace("features = self", "torch.rand(1)\n        features = self")
    states = []
    for text in (EXAMPLE, noisy):
        torch.manual_seed(3)
        own_network(written(tmp_path, text), 1, tiny.SIZE, tiny.CLASSES)
        states.append(torch.rand(1))
    assert torch.equal(*states)


def test_a_stopped_training_of_an_edited_network_starts_over(prepared, tmp_path, capsys):
    run = settings(written(tmp_path))
    StateFile(tmp_path, run, [prepared], CPU).write({"epoch": 1})
    assert StateFile(tmp_path, run, [prepared], CPU).read()["epoch"] == 1
    written(tmp_path, f"{EXAMPLE}# edited\n")
    assert StateFile(tmp_path, run, [prepared], CPU).read() is None
    assert "belongs to other code: starting over" in capsys.readouterr().err


DROPPING = """
import rem, torch

class Dropping(rem.CapsNet):
    def __init__(self, channels, size, classes):
        super().__init__(channels, size, classes, convolution_channels=2, primary_types=2)

    def primary_capsules(self, stem):
        return torch.nn.functional.dropout(super().primary_capsules(stem), 0.3, self.training)
"""


def test_what_a_network_draws_while_it_trains_is_drawn_alike_after_a_stop(prepared, tmp_path):
    run = settings(written(tmp_path, DROPPING, "Dropping"))
    undisturbed, stopped, other = (Trainer(run, prepared, CPU) for _ in range(3))
    for training in (undisturbed, undisturbed, undisturbed, stopped, stopped):
        training.run_epoch()
    other.resume(copy.deepcopy(stopped.state()))
    torch.rand(3)  # what else draws in the meantime
    other.run_epoch()
    assert other.history == undisturbed.history


FROZEN = """
import rem, torch

class Frozen(rem.Network):
    def __init__(self, channels, size, classes):
        super().__init__()
        self.backbone = torch.nn.Conv2d(channels, 2, 3)
        self.fixed = torch.nn.Conv2d(2, 3, 3).requires_grad_(False)
        self.weight = torch.nn.Parameter(torch.randn(classes, 3 * (size - 4) ** 2))
        self.unused = torch.nn.Parameter(torch.zeros(4))

    def route(self, primary, *, change=None):
        seen = self.fixed(primary).flatten(1)
        poses = torch.stack([seen @ self.weight.t(), torch.ones(len(seen), len(self.weight))], dim=2) / 100
        couplings = torch.full((len(seen), len(self.weight), 4), 1 / len(self.weight))
        return poses.norm(dim=2), poses, couplings
"""


def test_convolutions_of_any_dimension_and_linear_layers_are_the_convolutions_of_a_network_of_ones_own():
    network = Network()
    layers = {
        "row": nn.Conv1d(1, 2, 3),
        "volume": nn.Conv3d(1, 2, 3),
        "last": nn.Linear(4, 2),
        "norm": nn.BatchNorm2d(2),
    }
    for name, layer in layers.items():
        network.add_module(name, layer)
    prunable = network.prunable_layers()
    assert list(prunable) == ["convolution.row", "convolution.volume", "convolution.last"]
    assert prunable["convolution.row"] == (layers["row"].weight, layers["row"].bias)


def test_a_backbone_and_what_is_frozen_are_not_pruned_and_what_is_unused_is_no_error(prepared, tmp_path):
    training = Trainer(settings(written(tmp_path, FROZEN, "Frozen"), "rem"), prepared, CPU)
    assert set(training.model.prunable_layers()) == {"class.weight"}
    fixed = training.model.fixed.weight.clone()
    for _ in range(2):
        training.run_epoch()
    assert training.history[-1]["sparsity"] > 0
    assert training.model.backbone.weight.all()
    assert torch.equal(training.model.fixed.weight, fixed)

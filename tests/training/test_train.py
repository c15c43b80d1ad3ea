"""Training: repeatable, resumable at any point, pruned for good, and stopped by a loss that is not finite."""

import functools
import itertools
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
import tiny
import torch

import rem.training.resume
import rem.training.train
import rem.training.trainer
from rem.data.batches import load_split
from rem.errors import RemError
from rem.networks.losses import coupling_entropy, margin_losses, tree_divergence
from rem.pruning.masks import Masks, sparsity
from rem.settings.run import Run
from rem.training.checkpoints import load_checkpoint, load_tensors, save_tensors
from rem.training.sharpening import ClassTrees
from rem.training.trainer import Trainer

CPU = torch.device("cpu")
VARIANTS = ["baseline", "rem", "blocks", "sharpen"]
COLUMNS = [
    "epoch",
    "learning_rate",
    "penalty",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "threshold",
    "sparsity",
    "dose",
    "insensitive",
    "logit_spread",
]


train = functools.partial(rem.training.train.train, keep_every=2)  # so that `epochs` has something to lose


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tiny.write_prepared(tmp_path_factory.mktemp("data") / "prepared.h5")


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> dict[str, Path]:
    """The folder of a run of each variant that nothing interrupted."""
    folders = {variant: tmp_path_factory.mktemp(variant) for variant in VARIANTS}
    for variant, folder in folders.items():
        train(tiny.run(variant), data, folder, CPU)
    return folders


@pytest.fixture(scope="module")
def every_epoch(data, tmp_path_factory) -> Path:
    """The folder of a pruned run that kept each epoch."""
    folder = tmp_path_factory.mktemp("every")
    train(tiny.run("rem", training={"epochs": 8}), data, folder, CPU, keep_every=1)
    return folder


def history(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "history.csv")


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "epochs").iterdir())


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_tensors(path, CPU)["model"]


def weights_of(model) -> dict[str, torch.Tensor]:
    """The weights that may be pruned, by layer."""
    return Masks(model, tiny.PRUNING["layers"]).weights


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def assert_same_results(one: Path, other: Path) -> None:
    """The same files, bit for bit."""
    names = [
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) for folder in (one, other)
    ]
    assert names[0] == names[1]
    assert {"first.pt", "best.pt", "early.pt", "last.pt", "history.csv"} <= set(names[0])
    for name in names[0]:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def evaluate(path: Path, data: Path) -> tuple[float, float]:
    """A checkpoint's validation loss and accuracy in %, all images at once."""
    model, run, _ = load_checkpoint(path, CPU)
    images, labels = load_split(data, "val", run)
    with torch.no_grad():
        lengths, _, _ = model(images)
    correct = lengths.argmax(dim=1) == labels
    return float(margin_losses(lengths, labels).mean()), 100 * float(correct.float().mean())


def after(calls: int, function, stop):
    """`function`, which calls `stop` at its call number `calls` (from 1) instead."""
    made = []

    def wrapped(*args, **kwargs):
        made.append(1)
        return stop(*args, **kwargs) if len(made) == calls else function(*args, **kwargs)

    return wrapped


def interrupt(*_args, **_kwargs):
    raise KeyboardInterrupt


# What a run writes


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_finished_run_leaves_its_networks_and_history_and_no_state(undisturbed, variant):
    names = {path.name for path in undisturbed[variant].iterdir()}
    assert names == {"first.pt", "best.pt", "early.pt", "last.pt", "history.csv", "epochs"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_history_has_a_row_an_epoch(undisturbed, variant):
    rows = history(undisturbed[variant])
    further = {"blocks": "connections", "sharpen": "sharpening_loss"}
    assert set(rows.columns) == {*COLUMNS, *([further[variant]] if variant in further else [])}
    assert rows["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert rows["learning_rate"].tolist() == pytest.approx([0.02 * 0.9**epoch for epoch in range(5)])
    penalty = 0.1 if variant in ("rem", "blocks") else 0.0
    assert rows["penalty"].tolist() == pytest.approx([penalty * 0.9**epoch for epoch in range(5)])
    assert rows["dose"].tolist() == pytest.approx((3 * rows["penalty"]).cumsum().tolist())  # 40 images in 16s: 3 steps


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_history_has_the_spread_of_the_logits_of_all_validation_images(undisturbed, data, variant):
    rows = history(undisturbed[variant]).set_index("epoch")
    for path in kept(undisturbed[variant]):
        model, run, epoch = load_checkpoint(path, CPU)
        images, _ = load_split(data, "val", run)
        with torch.no_grad():
            couplings = model(images)[2].double()  # (N, J, I)
        logits = couplings.log().where(couplings > 0, torch.nan)  # but for a number that all classes share
        spread = (logits - logits.nanmean(dim=1, keepdim=True))[couplings > 0].std(correction=0)  # where there are some
        assert 0 < float(spread) == pytest.approx(rows.loc[epoch, "logit_spread"], rel=1e-5)


def test_the_spread_of_the_logits_without_routing_is_0(data):
    training = Trainer(tiny.run(network={"routing_iterations": 1}), data, CPU)
    training.run_epoch()
    assert training.history[0]["logit_spread"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("variant", ["baseline", "rem"])
def test_insensitive_is_the_mean_over_every_16th_step_of_what_the_loss_does_not_feel(data, monkeypatch, variant):
    training, steps = Trainer(tiny.run(variant, training={"batch_size": 2}), data, CPU), []  # 20 steps

    def step(rate):
        gradients = torch.cat([parameter.grad.flatten() for parameter in weights_and_biases])
        steps.append(float((1 - gradients.abs()).clamp(min=0).double().mean()))
        original(rate)

    original = training.optimizer.step
    weights_and_biases = [value for name, value in training.model.named_parameters() if "decoder" not in name]
    monkeypatch.setattr(training.optimizer, "step", step)
    training.run_epoch()
    assert len(steps) == 20
    assert training.history[0]["insensitive"] == pytest.approx((steps[0] + steps[16]) / 2, abs=1e-6)
    assert steps[0] != steps[16]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_checkpoint_is_the_network_of_its_row(undisturbed, data, variant):
    folder = undisturbed[variant]
    rows = history(folder).set_index("epoch")
    for path in [folder / "first.pt", folder / "best.pt", folder / "early.pt", folder / "last.pt", *kept(folder)]:
        model, run, epoch = load_checkpoint(path, CPU)
        assert run == tiny.run(variant)
        loss, accuracy = evaluate(path, data)
        assert loss == pytest.approx(rows.loc[epoch, "validation_loss"], rel=1e-5)
        assert accuracy == pytest.approx(rows.loc[epoch, "validation_accuracy"])
        assert 100 * sparsity(model)["all"] == pytest.approx(rows.loc[epoch, "sparsity"])
        assert (rows.loc[epoch, "sparsity"] > 0) == (variant in ("rem", "blocks"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_first_is_epoch_1_last_the_last_and_best_that_of_the_lowest_validation_loss(undisturbed, variant):
    folder = undisturbed[variant]
    rows = history(folder)
    lowest = int(rows.loc[rows["validation_loss"].idxmin(), "epoch"])
    epochs = {name: load_checkpoint(folder / f"{name}.pt", CPU).epoch for name in ("first", "best", "last")}
    assert epochs == {"first": 1, "best": lowest, "last": 5}


@pytest.mark.parametrize(("every", "epochs"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [1, 3, 5]), (3, [1, 4]), (9, [1])])
def test_keep_every_keeps_the_first_epoch_and_every_nth_after_it(data, tmp_path, every, epochs):
    train(tiny.run(), data, tmp_path, CPU, keep_every=every)
    assert [path.name for path in kept(tmp_path)] == [f"epoch{epoch:04d}.pt" for epoch in epochs]
    assert [load_checkpoint(path, CPU).epoch for path in kept(tmp_path)] == epochs
    if epochs:
        assert equal(weights(kept(tmp_path)[0]), weights(tmp_path / "first.pt"))
    if 5 in epochs:
        assert equal(weights(kept(tmp_path)[-1]), weights(tmp_path / "last.pt"))


def test_the_network_learns(data, tmp_path):
    train(tiny.run(training={"epochs": 12}), data, tmp_path, CPU)
    rows = history(tmp_path)
    assert rows["train_loss"].iloc[-1] < rows["train_loss"].iloc[0] / 2
    assert rows["validation_accuracy"].iloc[-1] > 80


# The same again


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_seed_gives_the_same_run_bit_for_bit(undisturbed, data, tmp_path, variant):
    torch.manual_seed(99)
    torch.rand(5)
    train(tiny.run(variant), data, tmp_path, CPU)
    assert_same_results(undisturbed[variant], tmp_path)


def test_another_seed_gives_other_weights_and_other_batches(undisturbed, data, tmp_path):
    train(tiny.run(seed=43), data, tmp_path, CPU)
    assert not equal(weights(undisturbed["baseline"] / "last.pt"), weights(tmp_path / "last.pt"))
    generators = [Trainer(tiny.run(seed=seed), data, CPU).generator.get_state() for seed in (42, 43, 42)]
    assert not torch.equal(generators[0], generators[1])
    assert torch.equal(generators[0], generators[2])


def test_variants_of_a_seed_start_from_the_same_weights(data):
    models = [dict(Trainer(tiny.run(variant), data, CPU).model.named_parameters()) for variant in VARIANTS]
    assert all(equal(models[0], other) for other in models[1:])


# Interruptions


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("epoch", [1, 3, 5])
@pytest.mark.parametrize("moment", ["in the epoch", "before the state is saved", "after the state is saved"])
def test_an_interrupted_run_goes_on_to_the_same_end(undisturbed, data, tmp_path, monkeypatch, variant, epoch, moment):
    module, name, calls = {
        "in the epoch": (rem.training.trainer, "margin_loss", 3 * epoch - 1),  # the second of the three batches
        "before the state is saved": (rem.training.resume, "save_tensors", epoch),
        "after the state is saved": (rem.training.train, "_line", epoch),
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(module, name, after(calls, getattr(module, name), interrupt))
        with pytest.raises(KeyboardInterrupt):
            train(tiny.run(variant), data, tmp_path, CPU)
    done = epoch if moment == "after the state is saved" else epoch - 1
    assert (tmp_path / "state.pt").exists() == (done > 0)
    if done:
        assert len(load_tensors(tmp_path / "state.pt", CPU)["history"]) == done
    train(tiny.run(variant), data, tmp_path, CPU)
    assert_same_results(undisturbed[variant], tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_interrupted_in_every_epoch_goes_on_to_the_same_end(undisturbed, data, tmp_path, monkeypatch, variant):
    for _ in range(5):
        with monkeypatch.context() as patch:
            patch.setattr(rem.training.train, "_line", interrupt)
            with pytest.raises(KeyboardInterrupt):
                train(tiny.run(variant), data, tmp_path, CPU)
    train(tiny.run(variant), data, tmp_path, CPU)
    assert_same_results(undisturbed[variant], tmp_path)


@pytest.mark.parametrize(
    "network",
    [
        {"routing": "em"},
        {"architecture": "gamma", "middle_capsules": 4, "routing": "sda"},
        {"architecture": "deepcaps", "primary_dimensions": 4},  # it has a state that no gradient changes
    ],
)
def test_a_run_of_another_network_goes_on_to_the_same_end(data, tmp_path, monkeypatch, network):
    run = tiny.run("rem", network=network, training={"epochs": 2})
    train(run, data, tmp_path / "undisturbed", CPU)
    with monkeypatch.context() as patch:
        patch.setattr(rem.training.train, "_line", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(run, data, tmp_path / "stopped", CPU)
    train(run, data, tmp_path / "stopped", CPU)
    assert_same_results(tmp_path / "undisturbed", tmp_path / "stopped")


@pytest.mark.parametrize("name", ["first.pt", "best.pt", "early.pt", "last.pt"])
def test_a_run_interrupted_while_its_results_are_written_loses_nothing(undisturbed, data, tmp_path, monkeypatch, name):
    def written(path, *args):
        if path.name == name:
            raise KeyboardInterrupt
        save_checkpoint(path, *args)

    save_checkpoint = rem.training.train.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(rem.training.train, "save_checkpoint", written)
        with pytest.raises(KeyboardInterrupt):
            train(tiny.run("rem"), data, tmp_path, CPU)
    assert (tmp_path / "state.pt").exists()
    train(tiny.run("rem"), data, tmp_path, CPU)
    assert_same_results(undisturbed["rem"], tmp_path)


def test_a_run_interrupted_at_its_very_end_keeps_its_epochs(undisturbed, data, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", interrupt_removal_of("state.pt", Path.unlink))
        with pytest.raises(KeyboardInterrupt):
            train(tiny.run("rem"), data, tmp_path, CPU)
    train(tiny.run("rem"), data, tmp_path, CPU)
    assert_same_results(undisturbed["rem"], tmp_path)


def interrupt_removal_of(name, unlink):
    def wrapped(path, missing_ok=False):
        if path.name == name:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    return wrapped


@pytest.mark.parametrize("other", [{"seed": 43}, {"training": {"learning_rate": 0.01}}, {"variant": "baseline"}])
def test_the_state_of_other_settings_is_not_taken_up(undisturbed, data, tmp_path, monkeypatch, other):
    with monkeypatch.context() as patch:
        patch.setattr(rem.training.train, "_line", after(3, rem.training.train._line, interrupt))
        with pytest.raises(KeyboardInterrupt):
            train(tiny.run(**{"variant": "rem", **other}), data, tmp_path, CPU)
    (tmp_path / "epochs.partial" / "epoch0099.pt").touch()
    train(tiny.run("rem"), data, tmp_path, CPU)
    assert_same_results(undisturbed["rem"], tmp_path)


def test_training_again_in_a_finished_folder_gives_the_same_files(undisturbed, data, tmp_path):
    shutil.copytree(undisturbed["rem"], tmp_path, dirs_exist_ok=True)
    (tmp_path / "epochs" / "epoch0099.pt").touch()
    train(tiny.run("rem"), data, tmp_path, CPU)
    assert_same_results(undisturbed["rem"], tmp_path)


def test_a_cut_state_is_named_and_left_alone(data, tmp_path):
    (tmp_path / "state.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(RemError, match=r"state\.pt is not a whole checkpoint"):
        train(tiny.run(), data, tmp_path, CPU)
    assert (tmp_path / "state.pt").read_bytes() == b"PK\x03\x04"


# A loss that is not finite


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_nan_loss_stops_the_run_and_keeps_the_last_good_epoch(undisturbed, data, tmp_path, monkeypatch, variant):
    def nan(lengths, labels):
        return lengths.sum() * math.nan

    def not_again(*_):
        raise AssertionError("a network whose loss is not finite is not worth a search")

    with monkeypatch.context() as patch:
        patch.setattr(
            rem.training.trainer, "margin_loss", after(8, rem.training.trainer.margin_loss, nan)
        )  # in epoch 3
        patch.setattr(
            rem.training.trainer, "search_threshold", after(3, rem.training.trainer.search_threshold, not_again)
        )
        with pytest.raises(RemError) as raised:
            train(tiny.run(variant), data, tmp_path, CPU)
    assert f"thirds, {variant}, seed 42 is nan in epoch 3" in str(raised.value)
    assert "not finite was first the loss, of weights that are finite, at step 2 of 3" in str(raised.value)
    assert "\n" not in str(raised.value)
    state = load_tensors(tmp_path / "state.pt", CPU)
    assert len(state["history"]) == 2
    assert all(value.isfinite().all() for value in state["model"].values())
    assert not (tmp_path / "last.pt").exists()
    train(tiny.run(variant), data, tmp_path, CPU)
    assert_same_results(undisturbed[variant], tmp_path)


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_that_overflow_in_the_last_step_of_an_epoch_stop_the_run(data, tmp_path, variant):
    run = tiny.run(variant, training={"learning_rate": 1e37, "batch_size": 64})  # one step: its loss is finite
    with pytest.raises(RemError, match=r"in epoch 1; not finite was first the weights .*; lower training\.learning"):
        train(run, data, tmp_path, CPU)
    assert not (tmp_path / "last.pt").exists()
    assert not (tmp_path / "state.pt").exists()


# The schedule


def scripted(monkeypatch, losses, correct=None) -> None:
    """Make the validation losses of the epochs, and how many of 24 images are correct, those of lists."""
    remaining = zip(losses, correct or [24] * len(losses), strict=True)

    def evaluate(self):
        loss, count = next(remaining)
        return torch.full((24,), float(loss)), torch.arange(24) < count, 0.0

    monkeypatch.setattr(Trainer, "_evaluate", evaluate)


@pytest.mark.parametrize(
    ("patience", "losses", "epochs", "best"),
    [
        (1, [3, 2, 2.5, 1], 3, 2),
        (2, [3, 2, 4, 5, 1], 4, 2),
        (2, [3, 2, 4, 1, 5, 6, 0], 6, 4),
        (2, [3, 3, 3, 1], 3, 1),  # an equal loss is no improvement
        (9, [5, 4, 3, 2, 1], 5, 5),
    ],
)
def test_training_stops_when_patience_is_over(data, tmp_path, monkeypatch, patience, losses, epochs, best):
    scripted(monkeypatch, losses)
    run = tiny.run(training={"epochs": len(losses), "patience": patience})
    train(run, data, tmp_path, CPU, keep_every=1)
    assert history(tmp_path)["validation_loss"].tolist() == losses[:epochs]
    assert load_checkpoint(tmp_path / "best.pt", CPU).epoch == best
    assert equal(weights(tmp_path / "best.pt"), weights(kept(tmp_path)[best - 1]))
    assert load_checkpoint(tmp_path / "last.pt", CPU).epoch == epochs
    assert equal(weights(tmp_path / "last.pt"), weights(kept(tmp_path)[-1]))


@pytest.mark.parametrize(
    ("correct", "early"),
    [
        ([6, 12, 18, 24], 3),  # 75 % is reached, and not surpassed later
        ([20, 12, 24, 24], 1),
        ([6, 17, 12, 16], 2),  # never reached: the most accurate
        ([6, 17, 17, 17], 2),  # the first of them
        ([0, 0, 0, 0], 1),
        ([6, 17, 12, 19], 4),
    ],
)
def test_early_is_the_first_epoch_that_is_accurate_enough_else_the_most_accurate(
    data, tmp_path, monkeypatch, correct, early
):
    scripted(monkeypatch, [4, 3, 2, 1], correct)
    run = tiny.run(training={"epochs": 4, "early_accuracy": 75.0})
    train(run, data, tmp_path, CPU, keep_every=1)
    assert load_checkpoint(tmp_path / "early.pt", CPU).epoch == early
    assert equal(weights(tmp_path / "early.pt"), weights(kept(tmp_path)[early - 1]))


def test_early_is_remembered_over_an_interruption(data, tmp_path, monkeypatch):
    run = tiny.run(training={"epochs": 4, "early_accuracy": 75.0})
    scripted(monkeypatch, [4, 3, 2, 1], [6, 19, 24, 24])
    with monkeypatch.context() as patch:
        patch.setattr(rem.training.train, "_line", after(3, rem.training.train._line, interrupt))
        with pytest.raises(KeyboardInterrupt):
            train(run, data, tmp_path, CPU)
    train(run, data, tmp_path, CPU)
    assert load_checkpoint(tmp_path / "early.pt", CPU).epoch == 2


def test_patience_counts_epochs_before_an_interruption(data, tmp_path, monkeypatch):
    run = tiny.run(training={"epochs": 9, "patience": 3})
    scripted(monkeypatch, [2, 3, 3, 3, 1])
    with monkeypatch.context() as patch:
        patch.setattr(rem.training.train, "_line", after(3, rem.training.train._line, interrupt))
        with pytest.raises(KeyboardInterrupt):
            train(run, data, tmp_path, CPU)
    train(run, data, tmp_path, CPU)
    assert history(tmp_path)["validation_loss"].tolist() == [2, 3, 3, 3]


def test_the_learning_rate_is_the_optimizers(data, tmp_path):
    train(tiny.run(training={"learning_rate_decay": 1e-9, "epochs": 3}), data, tmp_path, CPU, keep_every=1)
    first, _, third = map(weights, kept(tmp_path))
    assert all(torch.allclose(first[name], third[name], rtol=0, atol=1e-6) for name in first)


# Pruning


def test_a_baseline_is_not_pruned(undisturbed):
    rows = history(undisturbed["baseline"])
    assert (rows[["sparsity", "threshold", "penalty"]] == 0).all(axis=None)


def test_pruned_weights_stay_zero_and_sparsity_never_falls(every_epoch):
    zeros = []
    for path in kept(every_epoch):
        layers = weights_of(load_checkpoint(path, CPU).model).values()
        zeros.append(torch.cat([(weight == 0).flatten() for weight in layers]))
    assert len(zeros) == 8
    for before, now in itertools.pairwise(zeros):
        assert (now | ~before).all()
    pruned = [int(zero.sum()) for zero in zeros]
    assert 0 < pruned[0] < pruned[-1] < len(zeros[0])
    assert history(every_epoch)["sparsity"].is_monotonic_increasing


def test_no_kept_weight_is_below_the_epochs_threshold(every_epoch):
    for path, threshold in zip(kept(every_epoch), history(every_epoch)["threshold"], strict=True):
        for weight in weights_of(load_checkpoint(path, CPU).model).values():
            assert (weight[weight != 0].abs() >= threshold).all()


def test_pruning_never_raises_the_validation_loss(data, monkeypatch):
    training = Trainer(tiny.run("rem"), data, CPU)
    prune, pairs = training._prune, []

    def watched():
        before = float(training._evaluate()[0].double().mean())
        threshold = prune()
        pairs.append((before, float(training._evaluate()[0].double().mean())))
        return threshold

    monkeypatch.setattr(training, "_prune", watched)
    for _ in range(8):
        training.run_epoch()
    assert all(now <= before * (1 + 1e-12) for before, now in pairs)
    assert any(now < before for before, now in pairs)
    assert training.history[-1]["sparsity"] > 0


def test_the_row_of_an_epoch_shows_the_network_as_pruned(every_epoch, data):
    for path, loss in zip(kept(every_epoch), history(every_epoch)["validation_loss"], strict=True):
        assert evaluate(path, data)[0] == pytest.approx(loss, rel=1e-5)


def test_masks_hold_after_every_step_and_not_only_after_an_epoch(data, monkeypatch):
    training = Trainer(tiny.run("rem"), data, CPU)
    training.run_epoch()
    masks, seen = training.masks, []

    def forward(images, **options):
        weights = weights_of(training.model)
        seen.append(all((weights[name][~kept] == 0).all() for name, kept in masks.kept.items()))
        return original(images, **options)

    original = training.model.forward
    assert any((~kept).any() for kept in masks.kept.values())
    monkeypatch.setattr(training.model, "forward", forward)
    training._fit(0.02, 0.1)
    assert len(seen) == 3
    assert all(seen)


@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_the_penalty_shrinks_the_weights_in_every_step(data, monkeypatch, penalty):
    """With a learning rate of next to nothing only Eq. 16's decay is left: (1 - lambda (1 - |grad|)) a step."""
    training = Trainer(tiny.run("rem"), data, CPU)
    before = training.model.weight.detach().clone()
    training._fit(1e-12, penalty)
    shares = (training.model.weight.detach() / before).flatten()
    assert float(shares.median()) == pytest.approx((1 - penalty) ** 3, abs=0.02)


def test_a_baseline_is_not_penalized(data):
    training = Trainer(tiny.run("baseline", training={"learning_rate": 1e-12}), data, CPU)
    before = training.model.weight.detach().clone()
    training.run_epoch()
    assert torch.allclose(training.model.weight, before, rtol=0, atol=1e-9)


# The controls of pruning


def control(**pruning) -> Run:
    """REM's settings with another way of pruning."""
    return tiny.run("rem", pruning=pruning)


def magnitude() -> Run:
    return control(penalty=0, extent="follow", follows="rem")


def test_a_run_that_follows_another_is_as_sparse_after_every_epoch(undisturbed, data, tmp_path):
    train(magnitude(), data, tmp_path, CPU, undisturbed["rem"] / "history.csv")
    followed, rows = history(undisturbed["rem"])["sparsity"], history(tmp_path)
    weight = 100 / sum(value.numel() for value in weights(tmp_path / "last.pt").values())
    assert (followed > 0).all()
    assert rows["sparsity"].tolist() == pytest.approx(followed.tolist(), abs=weight / 2)
    assert (rows["penalty"] == 0).all()
    assert (rows["threshold"] > 0).any()
    assert not equal(weights(tmp_path / "last.pt"), weights(undisturbed["rem"] / "last.pt"))


def test_a_run_that_outlasts_the_one_it_follows_stays_as_sparse(data):
    training = Trainer(magnitude(), data, CPU, [10.0, 30.0])
    for _ in range(4):
        training.run_epoch()
    assert [row["sparsity"] for row in training.history] == pytest.approx([10, 30, 30, 30], abs=0.2)


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_run_that_follows_another_goes_on_to_the_same_end(
    undisturbed, data, tmp_path, monkeypatch, epoch
):
    followed = undisturbed["rem"] / "history.csv"
    train(magnitude(), data, tmp_path / "whole", CPU, followed)
    with monkeypatch.context() as patch:
        patch.setattr(rem.training.train, "_line", after(epoch, rem.training.train._line, interrupt))
        with pytest.raises(KeyboardInterrupt):
            train(magnitude(), data, tmp_path / "cut", CPU, followed)
    train(magnitude(), data, tmp_path / "cut", CPU, followed)
    assert_same_results(tmp_path / "whole", tmp_path / "cut")


def test_a_run_that_follows_another_needs_its_history(data, tmp_path):
    with pytest.raises(RemError, match=r"follows is rem; give that run's history\.csv by --followed"):
        train(magnitude(), data, tmp_path, CPU)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_prepared_by_other_settings_is_not_trained_on(tmp_path):
    prepared = tiny.write_prepared(tmp_path / "prepared.h5")
    tiny.say_prepared_by(prepared, tiny.run(data={"split_seed": 7}))
    with pytest.raises(RemError, match="split_seed 7, not 0"):
        train(tiny.run(), prepared, tmp_path / "run", CPU)


@pytest.mark.parametrize("regularizer", ["lobster", "weight-decay"])
def test_a_penalty_without_a_threshold_shrinks_weights_and_prunes_none(data, regularizer):
    training = Trainer(control(extent="none", regularizer=regularizer), data, CPU)
    plain = Trainer(tiny.run("baseline"), data, CPU)
    for _ in range(5):
        training.run_epoch()
        plain.run_epoch()
    assert all(row["sparsity"] == row["threshold"] == 0 for row in training.history)
    assert all(kept.all() for kept in training.masks.kept.values())
    assert [row["penalty"] for row in training.history] == pytest.approx([0.1 * 0.9**epoch for epoch in range(5)])
    assert training.model.weight.detach().norm() < 0.7 * plain.model.weight.detach().norm()


def test_weight_decay_takes_its_share_of_every_weight_in_every_step(data):
    training = Trainer(control(extent="none", regularizer="weight-decay"), data, CPU)
    before = {name: weight.detach().clone() for name, weight in training.masks.weights.items()}
    training._fit(1e-12, 0.2)
    for name, weight in training.masks.weights.items():
        assert torch.allclose(weight, before[name] * 0.8**3, rtol=1e-5, atol=1e-9)


def test_rem_of_the_votes_alone_leaves_the_convolutions_alone(data):
    run = control(layers=["class"])
    training = Trainer(run, data, CPU)
    for _ in range(5):
        training.run_epoch()
    shares = sparsity(training.model)
    assert shares["class"] > 0
    assert shares["convolution"] == shares["primary"] == 0
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    training._fit(1e-12, 0.5)
    for name, value in training.model.state_dict().items():
        alone = name.startswith(("convolution", "primary"))
        assert torch.allclose(value, before[name], rtol=0, atol=1e-9) == alone, name


def test_the_whole_state_is_plain_values_and_tensors(data, tmp_path):
    training = Trainer(tiny.run("rem"), data, CPU)
    training.run_epoch()
    save_tensors(tmp_path / "state.pt", training.state())
    state = load_tensors(tmp_path / "state.pt", CPU)
    assert any((~kept).any() for kept in state["masks"].values())
    assert {name: kept["epoch"] for name, kept in state["kept"].items()} == {"first": 1, "best": 1, "early": 1}


def test_no_weight_is_pruned_before_the_epoch_where_pruning_starts(data):
    training = Trainer(control(start=2), data, CPU)
    for _ in range(4):
        training.run_epoch()
    sparsities = [row["sparsity"] for row in training.history]
    assert sparsities[:2] == [0, 0]
    assert sparsities[3] > 0


@pytest.mark.parametrize(("guard", "pruned"), [(None, True), (0.0, True), (30.0, True), (100.0, False)])
def test_nothing_is_pruned_below_the_guards_accuracy(data, guard, pruned):
    training = Trainer(control(guard=guard), data, CPU)
    training.run_epoch()  # to 42 % before it is pruned
    row = training.history[0]
    assert ((row["sparsity"] > 0), (row["threshold"] > 0)) == (pruned, pruned)
    assert row["penalty"] > 0  # the weights shrink all the same


def test_the_guard_looks_at_the_network_as_it_is_before_it_is_pruned(data, monkeypatch):
    scripted(monkeypatch, [3, 2, 2, 1], [11, 24, 13, 24])  # of 24: before the first threshold, after it, and so on
    training = Trainer(control(guard=50.0), data, CPU)
    training.run_epoch()
    assert training.history[0]["threshold"] == 0
    training.run_epoch()
    assert training.history[1]["threshold"] > 0


def test_a_run_of_a_dose_is_that_of_the_penalty_it_comes_to(data, tmp_path):
    decays = sum(0.9**epoch for epoch in range(5))
    train(control(penalty=None, dose=3 * 0.1 * decays), data, tmp_path, CPU)
    rows = history(tmp_path)
    assert rows["penalty"].tolist() == pytest.approx([0.1 * 0.9**epoch for epoch in range(5)])
    assert rows["dose"].iloc[-1] == pytest.approx(3 * 0.1 * decays)


@pytest.mark.parametrize("variant", VARIANTS)
def test_bfloat16_learns_what_float32_does_and_keeps_its_weights_in_float32(data, tmp_path, undisturbed, variant):
    train(tiny.run(variant, training={"precision": "bfloat16"}), data, tmp_path, CPU)
    found = weights(tmp_path / "last.pt")
    assert {weight.dtype for name, weight in found.items() if name != "connections"} == {torch.float32}
    found, expected = history(tmp_path), history(undisturbed[variant])
    assert not equal(weights(tmp_path / "last.pt"), weights(undisturbed[variant] / "last.pt"))
    assert found["train_loss"].iloc[0] == pytest.approx(expected["train_loss"].iloc[0], rel=0.02)
    assert found["train_loss"].iloc[-1] < 0.9 * found["train_loss"].iloc[0]


def test_what_was_first_not_finite_is_named_and_no_state_that_is_not_there(data):
    training = Trainer(tiny.run(training={"batch_size": 8}), data, CPU)  # 5 steps
    step, done = training.optimizer.step, []

    def spoil(rate):
        step(rate)
        done.append(1)
        if len(done) == 3:
            with torch.no_grad():
                training.model.primary.bias[0] = math.inf

    training.optimizer.step = spoil
    with pytest.raises(RemError) as raised:
        training.run_epoch()
    assert "is nan in epoch 1; not finite was first the weights primary.bias at step 3 of 5" in str(raised.value)
    assert str(raised.value).endswith("lower training.learning_rate, and it trains anew.")


# Connections


def connections_of(path: Path) -> torch.Tensor:
    return load_checkpoint(path, CPU)[0].connections


def test_connections_are_removed_in_like_shares_to_the_density_and_never_come_back(data, tmp_path):
    train(tiny.run("blocks"), data, tmp_path, CPU, keep_every=1)
    every = [connections_of(path) for path in kept(tmp_path)]
    assert [int(one.sum()) for one in every] == [round(24 * (10 / 24) ** (epoch / 3)) for epoch in (1, 2, 3, 3, 3)]
    assert history(tmp_path)["connections"].tolist() == pytest.approx([100 * int(one.sum()) / 24 for one in every])
    assert all((after <= before).all() for before, after in itertools.pairwise(every))
    assert every[-1].any(dim=1).all()  # every capsule keeps one
    for path, one in zip(kept(tmp_path), every, strict=True):
        assert torch.equal((weights(path)["weight"] != 0).flatten(2).any(dim=2), one)


@pytest.mark.parametrize("chosen_by", ["norm", "coupling", "lot"])
def test_one_parent_is_one_connection_a_capsule_and_a_coupling_of_1(data, tmp_path, chosen_by):
    chosen = {"density": "one-parent", "chosen_by": chosen_by, "epochs": None if chosen_by == "lot" else 2}
    train(tiny.run("blocks", connections=chosen), data, tmp_path, CPU)
    assert (connections_of(tmp_path / "last.pt").sum(dim=1) == 1).all()
    model, _, _ = load_checkpoint(tmp_path / "last.pt", CPU)
    assert set(model(torch.rand(2, 1, tiny.SIZE, tiny.SIZE))[2].unique().tolist()) == {0.0, 1.0}


def test_without_a_density_connections_go_as_far_as_the_validation_loss_allows(data):
    training = Trainer(tiny.run("blocks", connections={"density": None, "epochs": None}), data, CPU)
    losses = []
    training._disconnect, disconnect = lambda: losses.append(float(training._evaluate()[0].sum())), training._disconnect
    for _ in range(4):
        training.run_epoch()
        disconnect()
        assert float(training._evaluate()[0].sum()) <= losses[-1]
    assert 8 <= int(training.connected.sum()) < 24


def test_a_lot_is_drawn_before_training_for_each_seed_anew_and_stays(data):
    lot = {"chosen_by": "lot", "epochs": None}
    one, other = (Trainer(tiny.run("blocks", seed, connections=lot), data, CPU) for seed in (42, 43))
    before = one.connected.clone()
    assert int(before.sum()) == 10
    assert not torch.equal(before, other.connected)
    one.run_epoch()
    assert torch.equal(one.connected, before)
    assert torch.equal(one.model.connections, before)


@pytest.mark.parametrize(
    "run",
    [
        tiny.run("blocks", connections={"density": 0.04, "keep_one": False, "epochs": 2}),  # one connection
        tiny.run("structured"),
    ],
    ids=["connections", "structure"],
)
def test_a_run_whose_types_die_goes_on_to_the_same_end(data, tmp_path, monkeypatch, run):
    """Those without connections are not computed any more; what is left says which they are."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    train(run, data, tmp_path / "one", CPU)
    assert int(connections_of(tmp_path / "one/last.pt").view(2, -1).any(dim=1).sum()) == 1
    for _ in range(5):
        with monkeypatch.context() as patch:
            patch.setattr(rem.training.train, "_line", interrupt)
            with pytest.raises(KeyboardInterrupt):
                train(run, data, tmp_path / "other", CPU)
    train(run, data, tmp_path / "other", CPU)
    assert_same_results(tmp_path / "one", tmp_path / "other")


def test_channels_and_types_go_in_the_first_epochs_and_stay_zero(data, tmp_path):
    run = tiny.run("structured", network={"convolution_channels": 4, "primary_types": 4}, training={"epochs": 3})
    train(run, data, tmp_path, CPU, keep_every=1)
    alive = []
    for path in kept(tmp_path):
        found = weights(path)
        channels = found["convolution.weight"].flatten(1).any(dim=1)
        assert torch.equal(found["primary.weight"].transpose(0, 1).flatten(1).any(dim=1), channels)
        types = found["weight"].view(4, -1).any(dim=1)
        assert torch.equal(found["primary.weight"].reshape(4, -1).any(dim=1), types)
        assert torch.equal(found["connections"].view(4, -1).all(dim=1), types)
        alive.append((channels, types))
    assert [(int(one.sum()), int(other.sum())) for one, other in alive] == [(2, 2), (1, 1), (1, 1)]
    assert all(torch.equal(one, other) for one, other in zip(alive[1], alive[2], strict=True))
    assert history(tmp_path)["sparsity"].is_monotonic_increasing


def test_with_a_softmax_over_all_removed_connections_keep_the_coupling_of_equation_15(data, tmp_path):
    train(tiny.run("blocks", connections={"softmax": "all"}), data, tmp_path, CPU)
    model, _, _ = load_checkpoint(tmp_path / "last.pt", CPU)
    assert model.connections is None
    removed = (model.weight == 0).flatten(2).all(dim=2)  # (I, J)
    assert int(removed.sum()) == 14
    with torch.no_grad():
        couplings = model(torch.rand(2, 1, tiny.SIZE, tiny.SIZE))[2]  # (B, J, I)
    assert (couplings.transpose(1, 2)[:, removed] > 0).all()


# Sharpening


def test_a_class_s_tree_is_the_moving_average_of_its_images_and_other_classes_keep_theirs():
    asked = tiny.run("sharpen").sharpening
    found = ClassTrees(asked, classes=3, capsules=2, device=CPU)
    draw = torch.Generator().manual_seed(0)
    expected = torch.full((3, 3, 2), 1 / 3)
    for labels in (torch.tensor([0, 2, 0]), torch.tensor([2, 2, 2])):
        couplings = torch.rand(3, 3, 2, generator=draw).softmax(dim=1)
        loss = asked.strength * coupling_entropy(couplings)
        loss += asked.stability * tree_divergence(couplings, expected[labels])
        assert float(found.loss(couplings, labels)) == pytest.approx(float(loss))
        for label in set(labels.tolist()):
            own = couplings[labels == label].mean(dim=0)
            expected[label] = asked.memory * expected[label] + (1 - asked.memory) * own
        torch.testing.assert_close(found.trees, expected)


@pytest.mark.parametrize(("wanted", "metric"), [("strength", "entropy"), ("stability", "divergence")])
def test_sharpening_makes_trees_strong_or_static(data, wanted, metric):
    found = []
    for weight in (0.0, 2.0):
        asked = {"strength": 0.0, "stability": 0.0, "memory": 0.8} | {wanted: weight}
        training = Trainer(tiny.run("sharpen", sharpening=asked), data, CPU)
        for _ in range(3):
            training.run_epoch()
        with torch.no_grad():
            batches = [(training.model(images)[2], labels) for images, labels in training._batches()]
        couplings, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        entropy = coupling_entropy(couplings)
        static = torch.stack([couplings[labels == label].mean(dim=0) for label in range(3)])
        found.append({"entropy": float(entropy), "divergence": float(tree_divergence(couplings, static[labels]))})
    assert found[1][metric] < found[0][metric]


def test_a_loss_of_couplings_that_has_no_weight_changes_no_network(data, undisturbed, tmp_path):
    train(tiny.run("sharpen", sharpening={"strength": 0, "stability": 0}), data, tmp_path, CPU)
    assert equal(weights(tmp_path / "last.pt"), weights(undisturbed["baseline"] / "last.pt"))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_pruning_never_worsens_the_validation_loss_in_any_precision(data, precision, monkeypatch):
    training = Trainer(tiny.run("rem", training={"precision": precision}), data, CPU)
    prune, losses = training._prune, []

    def watched():
        before = training._evaluate()[0].sum()
        threshold = prune()
        losses.append((float(before), float(training._evaluate()[0].sum()), threshold))
        return threshold

    monkeypatch.setattr(training, "_prune", watched)
    while not training.finished:
        training.run_epoch()
    assert all(after <= before * (1 + 1e-6) for before, after, _ in losses)
    assert sum(threshold > 0 for *_, threshold in losses) > 2


@pytest.mark.parametrize("architecture", ["gamma", "convcaps"])
def test_what_the_loss_does_not_depend_on_is_trained_beside_it(data, architecture):
    """In one iteration of EM the costs of a lower layer make no pose that the layer above is given."""
    network = {"architecture": architecture, "routing": "em", "routing_iterations": 1, "middle_capsules": 2}
    sizes = {"data": {"size": 21}, "network": network, "augment": {"padding": 0}}
    training = Trainer(tiny.run("rem", training={"epochs": 1}, **sizes), data, CPU)
    training.run_epoch()
    assert training.finished

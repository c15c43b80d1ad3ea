"""Cached feature maps: the same training as through the backbone, and no augmentation lost unnoticed."""

import dataclasses
import hashlib

import h5py
import numpy as np
import pytest
import tiny
import torch
from torchvision.models import resnet18

from rem.data.batches import read_split, stream_batches
from rem.errors import RemError
from rem.networks.weights import WEIGHTS
from rem.reconstruction.stack import stack
from rem.settings.run import StackedDecoder
from rem.training.checkpoints import load_checkpoint
from rem.training.features import write_features
from rem.training.train import train
from rem.training.trainer import Trainer

CPU = torch.device("cpu")
OFF = {"padding": 0, "flip": False, "rotation": 0.0, "jitter": tiny.jitter(0, 0, 0)}


def run(views, augment=OFF, **sections):
    network = {"backbone": "resnet18", "weights": "pretrained", "input_size": 40, "convolution_channels": None}
    settings = {"data": {"view": "resize", "size": tiny.STORED}, "augment": augment, "training": {"epochs": 1}}
    return tiny.run(network=network | {"views": views}, **settings | sections)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Random weights in a file of the official one's form that is taken for it."""
    torch.manual_seed(3)
    path = tmp_path / "resnet18-f37072fd.pth"
    torch.save(resnet18().state_dict(), path)
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    monkeypatch.setitem(WEIGHTS, "resnet18", dataclasses.replace(WEIGHTS["resnet18"], digest=digest))
    return path


@pytest.fixture
def prepared(tmp_path):
    return tiny.write_prepared(tmp_path / "thirds.h5")


def cached(of, prepared, weights):
    target = prepared.with_name("thirds.features.h5")
    write_features(of.features, prepared, weights, target, CPU)
    return target


def test_an_epoch_on_cached_features_has_the_losses_of_one_through_the_backbone(prepared, weights):
    kept = cached(run(1), prepared, weights)
    histories = []
    for settings, data in ((run(None), prepared), (run(1), kept)):
        training = Trainer(settings, data, CPU, backbone_weights=weights)
        training.run_epoch()
        histories.append(training.history[0])
    for name in ("train_loss", "validation_loss", "logit_spread"):
        assert histories[1][name] == pytest.approx(histories[0][name], rel=1e-3), name  # float16 has 11 bits


def test_outside_training_the_first_view_is_the_image_as_it_is(prepared, weights):
    settings = run(3, OFF | {"flip": True})
    kept = cached(settings, prepared, weights)
    training = Trainer(settings, kept, CPU, backbone_weights=weights)
    data = settings.data
    for split in tiny.COUNTS:
        images, maps = (next(stream_batches(path, split, data, 16, CPU))[0] for path in (prepared, kept))
        with torch.no_grad():
            torch.testing.assert_close(maps, training.model.backbone.features(images), rtol=1e-3, atol=1e-3)


def test_training_sees_every_view_and_views_of_a_changed_image_differ(prepared, weights):
    settings = run(3, OFF | {"rotation": 90.0})
    maps = read_split(cached(settings, prepared, weights), "train", settings.data).images
    assert maps.shape == (tiny.COUNTS["train"], 3, 512, 2, 2)
    assert maps.dtype == torch.float16
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(maps[:, one], maps[:, other])


def test_the_same_settings_give_the_same_feature_maps(prepared, weights):
    settings = run(2, OFF | {"flip": True})
    files = (cached(settings, prepared, weights) for _ in range(2))
    once, again = (read_split(file, "train", settings.data).images.clone() for file in files)
    assert torch.equal(once, again)


def test_the_log_tells_how_many_views_are_kept(prepared, weights, tmp_path, capsys):
    train(run(1), cached(run(1), prepared, weights), tmp_path / "run", CPU, backbone_weights=weights)
    assert "kept views of each training image: 1" in capsys.readouterr().err


def test_the_network_takes_images_too(prepared, weights):
    kept = cached(run(1), prepared, weights)
    model = Trainer(run(1), kept, CPU, backbone_weights=weights).model.eval()
    images = torch.randn(2, 1, tiny.STORED, tiny.STORED)
    with torch.no_grad():
        torch.testing.assert_close(model(images)[0], model(model.backbone.features(images))[0])


def test_a_decoder_stacked_on_it_draws_images_and_its_checkpoint_is_read_again(prepared, weights, tmp_path):
    train(run(1), cached(run(1), prepared, weights), tmp_path / "run", CPU, backbone_weights=weights)
    decoder = {"hidden": [4], "weight": 0.0005, "pixels": "raw"}
    settings = StackedDecoder(epochs=1, batch_size=16, learning_rate=0.01, decoder=decoder)
    with pytest.raises(RemError, match="holds a backbone's feature maps; name the prepared images"):
        stack(tmp_path / "run/last.pt", cached(run(1), prepared, weights), settings, tmp_path / "decoder.pt", CPU)
    stack(tmp_path / "run/last.pt", prepared, settings, tmp_path / "decoder.pt", CPU)
    _, found, _ = load_checkpoint(tmp_path / "decoder.pt", CPU)
    assert (found.network.views, found.decoder.hidden) == (None, [4])


def test_features_of_other_settings_and_images_in_their_place_are_refused(prepared, weights):
    kept = cached(run(1), prepared, weights)
    with pytest.raises(RemError, match="feature maps of other settings"):
        Trainer(run(2, OFF | {"flip": True}), kept, CPU, backbone_weights=weights)
    with pytest.raises(RemError, match="has images, but"):
        Trainer(run(1), prepared, CPU, backbone_weights=weights)
    with pytest.raises(RemError, match="has feature maps, but"):
        Trainer(run(None), kept, CPU, backbone_weights=weights)


@pytest.mark.parametrize(
    ("views", "augment", "sections", "said"),
    [
        (1, OFF | {"flip": True}, {}, "leaves nothing of augment"),
        (1, OFF, {"data": {"view": "crop"}}, "leaves nothing of augment"),
        (4, OFF, {}, "augment changes nothing"),
        (2, OFF | {"flip": True}, {"decoder": {"hidden": [4], "weight": 1.0, "pixels": "raw"}}, "no pixels"),
    ],
)
def test_settings_that_would_lose_augmentation_or_pixels_are_refused(views, augment, sections, said):
    with pytest.raises(RemError, match=said):
        run(views, augment, **sections)


def test_a_head_that_changes_leaves_the_features_as_they_are():
    assert run(1).features == run(1, training={"epochs": 9}).features


def test_a_features_file_of_a_damaged_byte_is_refused(prepared, weights):
    kept = cached(run(1), prepared, weights)
    with h5py.File(kept) as file:
        place = file["train/features"].id.get_offset()
    content = np.fromfile(kept, np.uint8)
    content[place] ^= 1
    content.tofile(kept)
    with pytest.raises(RemError, match="not what was written"):
        read_split(kept, "train", run(1).data)


def test_variants_of_a_dataset_that_keep_other_feature_maps_are_refused():
    config = tiny.shipped_config("laptop")
    assert len(config.runs(["deep"])) == 4
    config.datasets["tiny-imagenet"]["variants"] = {"rem": {"network": {"views": 3}}}
    with pytest.raises(RemError, match="variants of dataset tiny-imagenet differ"):
        config.runs(["deep"])

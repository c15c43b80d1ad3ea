"""Batches: loading, augmentation of whole batches, normalisation."""

import h5py
import numpy as np
import pytest
import tiny
import torch

from rem.data.augment import augment, centre, normalize, reconstruction_targets
from rem.data.batches import (
    Split,
    epoch_batches,
    eval_batches,
    load_split,
    read_split,
    stream_batches,
    stream_training_batches,
)
from rem.errors import RemError
from rem.settings.images import Augment

STILL = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
NOTHING = Augment(padding=0, flip=False, rotation=0, jitter=STILL)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=6, channels=3, side=10, seed=1):
    return torch.randint(1, 256, (count, channels, side, side), generator=seeded(seed), dtype=torch.uint8)


def split(count=10, **kwargs):
    return Split(pictures(count, **kwargs), torch.arange(count))


def test_load_gives_the_split_and_names_a_missing_one(tmp_path):
    images = pictures(4).numpy()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["val/images"], file["val/labels"] = images, np.array([3, 1, 0, 2], np.uint8)
    data = tiny.run().data
    loaded = read_split(tmp_path / "a.h5", "val", data)
    assert np.array_equal(loaded.images.numpy(), images)
    assert loaded.labels.dtype == torch.int64
    assert loaded.labels.tolist() == [3, 1, 0, 2]
    with pytest.raises(RemError, match="no split 'train', only val"):
        read_split(tmp_path / "a.h5", "train", data)


def test_a_file_that_was_prepared_by_other_settings_is_refused_with_all_that_differs(tmp_path):
    run, path = tiny.run(), tiny.write_prepared(tmp_path / "prepared.h5")
    tiny.say_prepared_by(path, run)
    moved = tiny.run(data={"folder": "data/own/elsewhere"})
    images, _ = load_split(path, "test", moved)
    assert images.shape[2:] == (run.data.size, run.data.size)
    other = tiny.run(data={"split_seed": 7, "validation": 5})
    reading = (
        lambda: load_split(path, "test", other),
        lambda: next(stream_batches(path, "test", other.data, 4, "cpu")),
        lambda: next(stream_training_batches(path, other.data, 4, "cpu")),
    )
    told = rf"other `data` settings .*: validation {run.data.validation}, not 5, split_seed 0, not 7; prepare it"
    for read in reading:
        with pytest.raises(RemError, match=told):
            read()


def test_no_augmentation_changes_nothing():
    assert torch.equal(augment(pictures(), 10, NOTHING, seeded()), pictures())


@pytest.mark.parametrize("channels", [1, 3])
def test_crop_is_a_window_of_the_padded_image_and_all_windows_occur(channels):
    images = pictures(400, channels, side=5)
    made = augment(images, 5, Augment(padding=1, flip=False, rotation=0, jitter=STILL), seeded())
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    places = set()
    for image, source in zip(made, padded, strict=True):
        hits = [(y, x) for y in range(3) for x in range(3) if torch.equal(image, source[:, y : y + 5, x : x + 5])]
        assert len(hits) == 1
        places.add(hits[0])
    assert len(places) == 9


def test_larger_images_are_cropped_without_padding():
    made = augment(pictures(side=12), 9, NOTHING, seeded())
    windows = pictures(side=12).unfold(2, 9, 1).unfold(3, 9, 1)
    assert all(
        any(torch.equal(image, windows[number, :, y, x]) for y in range(4) for x in range(4))
        for number, image in enumerate(made)
    )


def test_images_smaller_than_the_canvas_are_placed_whole_and_everywhere():
    images = pictures(400, side=5)
    made = augment(images, 8, NOTHING, seeded())
    assert made.shape == (400, 3, 8, 8)
    places = set()
    for canvas, image in zip(made, images, strict=True):
        hits = [(y, x) for y in range(4) for x in range(4) if torch.equal(canvas[:, y : y + 5, x : x + 5], image)]
        assert len(hits) == 1
        assert canvas.sum() == image.sum()
        places.add(hits[0])
    assert len(places) == 16


def test_images_that_are_placed_in_training_have_no_place_outside_it():
    with pytest.raises(RemError, match="images of 5x5 have no place on 8x8 outside training"):
        centre(pictures(side=5), 8)


def test_about_half_the_images_are_mirrored():
    images = pictures(2000)
    made = augment(images, 10, Augment(padding=0, flip=True, rotation=0, jitter=STILL), seeded())
    same = (made == images).flatten(1).all(1)
    mirrored = (made == images.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 900 < mirrored.sum() < 1100


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("strengths", [(0.4, 0.4, 0.4), (0.25, 0.8, 0.0), (0.0, 0.0, 0.3)])
def test_jitter_follows_its_definition_in_loops(channels, strengths):
    images, jitter = pictures(5, channels, side=4), np.array(strengths)[:, None]
    settings = Augment(padding=0, flip=False, rotation=0, jitter=tiny.jitter(*strengths))
    made = augment(images, 4, settings, seeded(3))
    generator = seeded(3)
    torch.randint(1, (5, 1), generator=generator), torch.randint(1, (5, 1), generator=generator)
    factors = 1 + jitter * (2 * torch.rand(3, 5, generator=generator).double().numpy() - 1)
    assert (abs(factors - 1) <= jitter).all()
    weights = np.array({1: [1.0], 2: [0.5, 0.5], 3: [0.299, 0.587, 0.114]}[channels])
    for number, image in enumerate(images.double().numpy() / 255):
        pixels = np.clip(image * factors[0, number], 0, 1)
        mean = np.tensordot(weights, pixels, 1).mean()
        pixels = np.clip(mean + factors[1, number] * (pixels - mean), 0, 1)
        if channels == 3:
            grey = np.tensordot(weights, pixels, 1)
            pixels = np.clip(grey + factors[2, number] * (pixels - grey), 0, 1)
        np.testing.assert_allclose(made[number].numpy(), pixels, atol=1e-5)


def test_one_strength_for_all_three_draws_the_factors_that_a_single_number_did():
    """Bit for bit: what is random in a training does not hang on how its settings are written."""
    images = pictures(200, side=4)
    made = augment(images, 4, Augment(padding=0, flip=False, rotation=0, jitter=tiny.jitter(0.2, 0.2, 0.2)), seeded(3))
    generator = seeded(3)
    torch.randint(1, (200, 1), generator=generator), torch.randint(1, (200, 1), generator=generator)
    factors = 1 + 0.2 * (2 * torch.rand(3, 200, 1, 1, 1, generator=generator) - 1)
    pixels = (images / 255 * factors[0]).clamp(0, 1)
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    mean = (pixels * weights).sum(1, keepdim=True).mean((1, 2, 3), keepdim=True)
    pixels = torch.lerp(mean, pixels, factors[1]).clamp(0, 1)
    pixels = torch.lerp((pixels * weights).sum(1, keepdim=True), pixels, factors[2]).clamp(0, 1)
    assert torch.equal(made, pixels)


def slant(images):
    """Angle of the main axis of each image, in degrees, by its moments."""
    side = images.shape[-1]
    y, x = torch.meshgrid(*[torch.arange(side) - (side - 1) / 2] * 2, indexing="ij")
    xy, xx, yy = ((images[:, 0] * weight).sum((1, 2)) for weight in (x * y, x * x, y * y))
    return torch.rad2deg(torch.atan2(2 * xy, xx - yy) / 2)


def test_rotation_turns_by_every_angle_up_to_the_limit():
    bars = torch.zeros(300, 1, 31, 31, dtype=torch.uint8)
    bars[:, :, 14:17, 4:27] = 255
    made = augment(bars, 31, Augment(padding=0, flip=False, rotation=20, jitter=STILL), seeded())
    angles = slant(made)
    assert angles.abs().max() < 20.5
    assert angles.min() < -18
    assert angles.max() > 18
    assert angles.mean().abs() < 2
    torch.testing.assert_close(made.sum((1, 2, 3)), torch.full((300,), 3.0 * 23), rtol=0.02, atol=0)  # the same bar


def test_rotation_leaves_the_middle_and_blackens_the_corners():
    white = torch.full((50, 3, 21, 21), 255, dtype=torch.uint8)
    made = augment(white, 21, Augment(padding=0, flip=False, rotation=45, jitter=STILL), seeded())
    torch.testing.assert_close(made[:, :, 8:13, 8:13], torch.ones(50, 3, 5, 5))
    assert (made[:, :, 0, 0] < 1).float().mean() > 0.8
    assert made.min() >= 0


def test_jitter_takes_what_rotation_makes():
    made = augment(
        pictures(), 10, Augment(padding=0, flip=False, rotation=20, jitter=tiny.jitter(0.4, 0.4, 0.4)), seeded()
    )
    assert 0 <= made.min() < made.max() <= 1


def test_reconstructions_are_compared_with_raw_or_normalized_pixels():
    images, mean, std = pictures(), [0.1, 0.2, 0.3], [0.5, 0.25, 1.0]
    seen = normalize(images, mean, std)
    torch.testing.assert_close(reconstruction_targets(seen, "raw", mean, std), images / 255)
    assert reconstruction_targets(seen, "normalized", mean, std) is seen


def test_centre_takes_the_middle():
    assert torch.equal(centre(pictures(side=12), 8), pictures(side=12)[:, :, 2:10, 2:10])


def test_normalize_takes_bytes_and_fractions():
    images = pictures()
    made = normalize(images, [0.1, 0.2, 0.3], [0.5, 0.25, 1.0])
    assert made.dtype == torch.float32
    torch.testing.assert_close(made[:, 1], (images[:, 1] / 255 - 0.2) / 0.25)
    torch.testing.assert_close(normalize(images / 255, [0.1, 0.2, 0.3], [0.5, 0.25, 1.0]), made)


def epoch(seed, settings):
    return list(epoch_batches(split(), 4, 9, settings, [0.5] * 3, [0.5] * 3, seeded(seed)))


def test_an_epoch_shows_every_image_once_with_the_smaller_batch_last():
    batches = epoch(0, NOTHING)
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    assert all(images.shape[1:] == (3, 9, 9) for images, _ in batches)
    seen = torch.cat([labels for _, labels in batches]).tolist()
    assert sorted(seen) == list(range(10)) != seen


def test_images_stay_with_their_labels():
    whole = split()
    for images, labels in epoch_batches(whole, 4, 10, NOTHING, [0.0] * 3, [1.0] * 3, seeded()):
        torch.testing.assert_close(images, whole.images[labels] / 255)


def test_same_seed_same_bits_and_another_seed_others():
    everything = Augment(padding=2, flip=True, rotation=10, jitter=tiny.jitter(0.3, 0.3, 0.3))
    first, again, other = (torch.cat([images for images, _ in epoch(seed, everything)]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_evaluation_keeps_the_order():
    batches = list(eval_batches(split(), 4, 8, [0.0] * 3, [1.0] * 3))
    assert torch.cat([labels for _, labels in batches]).tolist() == list(range(10))
    torch.testing.assert_close(torch.cat([images for images, _ in batches]), split().images[:, :, 1:9, 1:9] / 255)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_streamed_batches_are_those_of_the_loaded_split(tmp_path, batch_size):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("transfer/images", data=pictures(10, side=18).numpy(), chunks=(3, 3, 18, 18))
        file["transfer/labels"] = np.arange(10)
    size, mean, std = 17, [0.1, 0.2, 0.3], [0.5, 0.25, 1.0]
    data = tiny.run(data={"channels": 3, "size": size, "mean": mean, "std": std}).data
    expected = list(eval_batches(read_split(tmp_path / "a.h5", "transfer", data), batch_size, size, mean, std))
    streamed = list(stream_batches(tmp_path / "a.h5", "transfer", data, batch_size, "cpu"))
    assert len(streamed) == len(expected)
    for made, wanted in zip(streamed, expected, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(made, wanted, strict=True))
    with pytest.raises(RemError, match="no split 'val', only transfer"):
        next(stream_batches(tmp_path / "a.h5", "val", data, batch_size, "cpu"))


@pytest.mark.parametrize("view", ["crop", "place"])
def test_training_images_outside_training_are_all_there_in_order_and_the_same_each_time(tmp_path, view):
    size = tiny.SIZE if view == "crop" else tiny.STORED + 5
    data = tiny.run(data={"view": view, "size": size}, augment={"padding": 0}).data
    path = tiny.write_prepared(tmp_path / "prepared.h5")
    once, again = (list(stream_training_batches(path, data, 7, "cpu")) for _ in range(2))
    assert all(torch.equal(images, others) for (images, _), (others, _) in zip(once, again, strict=True))
    assert torch.equal(torch.cat([labels for _, labels in once]), read_split(path, "train", data).labels)
    images = torch.cat([images for images, _ in once])
    assert images.shape[-2:] == (size, size)
    if view == "place":  # each whole, somewhere on the black canvas
        stored = read_split(path, "train", data).images
        black = normalize(torch.zeros(1, 1, 1, 1, dtype=torch.uint8), data.mean, data.std).item()
        assert (images != black).sum() == (stored > 0).sum()
        assert len({tuple((image[0] != black).nonzero()[0].tolist()) for image in images}) > 1

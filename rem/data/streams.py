"""The random streams of a dataset: what is drawn for one purpose depends on nothing drawn for another."""

from enum import IntEnum


class Stream(IntEnum):
    """What a generator seeded with (data.split_seed, stream) draws; another value is other images.

    The validation images are drawn by `data.split_seed` alone.
    """

    TRAIN_IMAGES = 0  # of a source that generates them
    TEST_IMAGES = 1
    AFFINE_MAPS = 2  # of a transfer set that is made of test images
    TRAIN_PLACES = 3  # on the canvas of `view: place`, of the images drawn for validation
    TEST_PLACES = 4
    TEST_DRAW = 5  # of `data.test`, from images that have no test part
    TRAIN_PLACES_ONCE = 6  # of the training images, where they are looked at outside training
    FEATURE_VIEWS = 7  # changes of the training images whose feature maps are kept

"""The settings of images: a dataset, and the random changes of its training images."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from rem.settings.sections import Section, Seed


class Viewpoints(Section):
    """Which poses are trained on; those of test images are the others, so that no view of them was ever seen."""

    pose: Literal["azimuth", "elevation", "rotation", "scale"] = Field(
        description="azimuth or elevation, of source `smallnorb`; rotation or scale, of `shapes`."
    )
    trained: tuple[float, float] = Field(
        description="From where to where it goes, both included, on the training images: in degrees, the scale in "
        "fractions of the side. An azimuth may pass 0: 300, 40 are those from 300 to 340 and from 0 to 40."
    )

    @model_validator(mode="after")
    def _only_an_azimuth_goes_round(self) -> Self:
        start, end = self.trained
        if start > end and self.pose != "azimuth":
            raise ValueError(f"data.viewpoints.trained goes from {start:g} down to {end:g}; name the lower end first")
        return self


class Data(Section):
    """What `rem prepare` writes to the dataset's HDF5 file."""

    source: str = Field(description="Where the images come from: a name that `rem sources` lists.")
    folder: str | None = Field(
        description="The folder, .zip or .tar.gz of images of your own, for sources `folder` (train/<class>/, "
        "test/<class>/) and `tiny-imagenet-folder`; the .csv that lists them, for `csv`; else null. Images are turned "
        "as their EXIF orientation says, 16-bit grey is scaled to 8 bits, what is transparent shows black."
    )
    classes: int = Field(ge=2, le=4091, description="Number of classes J; HDF5 has no room for the names of more.")
    channels: Literal[1, 2, 3] = Field(description="1: grey, 2: a stereo pair of grey images, 3: RGB.")
    size: int = Field(ge=9, description="Side, in pixels, of the square image the network sees.")
    view: Literal["resize", "crop", "place"] = Field(
        description="resize: scale every image to `size` once; crop: random crops of `size` in training, centre else; "
        "place: each at a random place on a black canvas of `size`, anew every epoch in training, once else."
    )
    validation: Annotated[int, Field(ge=1)] | Literal["test"] = Field(
        description="Images drawn from the training set for validation; test: the test images serve as validation."
    )
    test: float | None = Field(
        gt=0,
        lt=1,
        description="The share of each class's training images that is drawn as test images, 0.2 for one, where a "
        "source `folder` or `csv` has no test images; null: it has them.",
    )
    transfer: str | None = Field(
        description="A source whose test images are a further test set, `transfer`, of the same classes; null: none."
    )
    split_seed: Seed = Field(description="Seed of those draws (and of generated images): the same for all runs.")
    generate: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        description="Training and test images that a generated source makes; null for a source with images of its own."
    )
    viewpoints: Viewpoints | None = Field(
        default=None,
        exclude_if=lambda value: value is None,  # so that files of settings without it are what they were before
        description="The poses that training images have, where test images are to have others; null: all have all.",
    )
    mean: list[Annotated[float, Field(ge=0, le=1)]] = Field(
        description="Per-channel mean subtracted from pixels in [0, 1]."
    )
    std: list[Annotated[float, Field(ge=0.001, le=1)]] = Field(
        description="Per-channel standard deviation they are then divided by."
    )

    @field_validator("folder")
    @classmethod
    def _is_a_path(cls, folder: str | None) -> str | None:
        if folder is None:
            return None
        if set(folder) & set("{}"):
            raise ValueError(f"data.folder is {folder}, but Snakemake takes braces for wildcards; rename it")
        if folder.startswith("-"):
            raise ValueError(f"data.folder is {folder}, which a command takes for an option; write the whole path")
        if not folder:
            raise ValueError("data.folder is empty; name a folder, or set it to null")
        try:
            return str(Path(folder).expanduser())
        except RuntimeError:
            raise ValueError(f"data.folder is {folder}, but there is no such user; write the whole path") from None

    @model_validator(mode="after")
    def _a_channel_has_one_mean_and_one_std(self) -> Self:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise ValueError(
                    f"data.{name} has {len(values)} values for {self.channels} channel(s); give one a channel"
                )
        return self

    @field_validator("validation", mode="wrap")
    @classmethod
    def _is_a_number_or_test(cls, value: Any, handler: Callable[[Any], int | str]) -> int | str:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(f"data.validation is {value!r}; give a number of images, 1 or more, or test") from None


class Jitter(Section):
    """Random changes of an image's colours: each is scaled by a factor drawn from 1 - this to 1 + this; 0: none."""

    brightness: float = Field(ge=0, lt=1, description="Of the distance from black.")
    contrast: float = Field(ge=0, lt=1, description="Of the distance from the image's mean lightness.")
    saturation: float = Field(ge=0, lt=1, description="Of the distance from the pixel's lightness, if RGB.")


class Augment(Section):
    """Random changes of the training images."""

    padding: int = Field(
        ge=0,
        description="Black pixels added on each side before the random crop; 0 for `view: place`, which pads itself.",
    )
    flip: bool = Field(description="Mirror left to right with probability 1/2.")
    rotation: float = Field(
        ge=0, le=180, description="Turned by up to this many degrees either way, black where nothing was."
    )
    jitter: Jitter

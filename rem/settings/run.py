"""The settings of one run: all that the training of one network depends on.

There are no default values here: every value stands in a config file and, resolved, in the run's own
`run.yaml`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from rem.settings.pruning import Connections, Pruning, Sharpening
from rem.settings.sections import Section, parse, read_yaml

PaperData = Literal["mnist", "fashion-mnist", "cifar10", "tiny-imagenet", "expanded-mnist"]  # what the paper trains on


class Data(Section):
    """What `rem prepare` writes to the dataset's HDF5 file."""

    source: str = Field(description="Where the images come from: a name that `rem sources` lists.")
    folder: str | None = Field(
        description="The folder, .zip or .tar.gz of images of your own, for sources `folder` (train/<class>/, "
        "test/<class>/) and `tiny-imagenet-folder`; the .csv that lists them, for `csv`; else null. Images are turned "
        "as their EXIF orientation says, 16-bit grey is scaled to 8 bits, what is transparent shows black."
    )
    classes: int = Field(ge=2, description="Number of classes J.")
    channels: Literal[1, 3] = Field(description="1: grey, 3: RGB.")
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
    split_seed: int = Field(ge=0, description="Seed of those draws (and of generated images): the same for all runs.")
    generate: tuple[int, int] | None = Field(
        description="Training and test images that a generated source makes; null for a source with images of its own."
    )
    mean: list[float] = Field(description="Per-channel mean subtracted from pixels in [0, 1].")
    std: list[float] = Field(description="Per-channel standard deviation they are then divided by.")

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


class Network(Section):
    """The Capsule Network's layers (paper, Figure 2)."""

    backbone: Literal["resnet18"] | None = Field(
        description="What takes the first 9x9 convolution's place: resnet18 up to its last feature map; null: nothing."
    )
    weights: Literal["pretrained", "none"] | None = Field(
        description="The backbone's: pretrained, on ImageNet and frozen, not counted in sparsity; none, random and "
        "trained with the rest, neither penalized nor pruned. Null exactly where there is no backbone."
    )
    input_size: int | None = Field(
        ge=33,
        description="Side, in pixels, to which the network scales its images before the backbone; null: not at all.",
    )
    views: int | None = Field(
        ge=1,
        description="Feature maps of each training image that a pretrained backbone computes once and keeps: of the "
        "image as it is, and of views - 1 random changes of it. Null: an image is changed anew and passes through the "
        "backbone in every epoch.",
    )
    convolution_channels: int | None = Field(
        ge=1, description="Channels of the first 9x9 convolution; null exactly where a backbone replaces it."
    )
    primary_types: int = Field(ge=1, description="T, primary capsule types.")
    primary_dimensions: int = Field(ge=1, description="Length of a primary capsule's pose u_i.")
    class_dimensions: int = Field(ge=1, description="Length of a class capsule's pose v_j.")
    routing_iterations: int = Field(ge=1, description="t, iterations of dynamic routing.")

    @model_validator(mode="after")
    def _backbone_or_convolution(self) -> Self:
        if self.backbone is None and (self.weights is not None or self.input_size is not None):
            raise ValueError("network.weights and network.input_size are a backbone's; set them to null, or name one")
        if self.backbone is not None and self.weights is None:
            raise ValueError("network.weights is null, but a backbone needs them; set pretrained or none")
        if self.views is not None and self.weights != "pretrained":
            raise ValueError("network.views is for a backbone with weights pretrained, which is frozen; set it to null")
        if (self.backbone is None) == (self.convolution_channels is None):
            raise ValueError(
                "network.backbone takes the first convolution's place; one of it and convolution_channels must be null"
            )
        return self


class DecoderSettings(Section):
    """The reconstruction network on top of the class capsules (section 4.3), trained with the rest."""

    hidden: list[Annotated[int, Field(ge=1)]] = Field(description="Sizes of the layers between poses and pixels.")
    weight: float = Field(
        gt=0, description="Of the reconstruction loss, the sum of squared errors of an image, beside the margin loss."
    )
    pixels: Literal["raw", "normalized"] = Field(
        description="What the decoder's output in [0, 1] is compared with: raw, pixels in [0, 1], as Sabour et al.; "
        "normalized, less the mean and over the deviation, as the authors' code."
    )


class StackedDecoder(Section):
    """A decoder trained on top of a frozen network (Figure 8): on the training images, unaugmented."""

    epochs: int = Field(ge=1, description="Epochs.")
    batch_size: int = Field(ge=1, description="Images a step.")
    learning_rate: float = Field(gt=0, description="Adam's.")
    decoder: DecoderSettings


class Training(Section):
    """The optimiser's schedule."""

    epochs: int = Field(ge=1, description="Epochs at the most.")
    patience: int = Field(ge=1, description="Stop when the validation loss has not improved for this many epochs.")
    batch_size: int = Field(ge=1, description="Images a step.")
    learning_rate: float = Field(gt=0, description="Adam's learning rate in the first epoch.")
    learning_rate_decay: float = Field(gt=0, le=1, description="Factor on the learning rate after each epoch.")
    precision: Literal["float32", "bfloat16"] = Field(
        description="bfloat16: convolutions and linear layers are computed in it (autocast), about twice as fast where "
        "the processor has it; weights, routing and losses stay float32."
    )
    early_accuracy: float = Field(
        ge=0,
        le=100,
        description="The first epoch whose validation accuracy in % reaches this is kept as `early`, the under-trained "
        "network of Table 7; if none does, the one of the highest accuracy.",
    )


class Features(Section):
    """What the feature maps of a dataset depend on."""

    data: Data
    augment: Augment
    backbone: str
    input_size: int | None
    views: int


class Run(Section):
    """All that the training of one network depends on."""

    dataset: str
    variant: str
    seed: int = Field(ge=0, description="Seed of the initial weights, the batches and the augmentation.")
    stands_for: PaperData | None = Field(
        description="The paper's dataset that this one is, or is a sample of, or takes the place of (its source tells "
        "which) in tables and claims; null: none."
    )
    data: Data
    augment: Augment
    network: Network
    decoder: DecoderSettings | None = Field(description="The decoder that is trained with the network; null: none.")
    training: Training
    pruning: Pruning | None = Field(description="How the network is pruned; null: it is not.")
    connections: Connections | None = Field(
        description="Which connections from primary capsules to classes are there; null: all, as in the paper."
    )
    sharpening: Sharpening | None = Field(description="What is asked of the couplings by a loss; null: nothing.")
    checkpoint: Literal["best", "last"] = Field(
        description="The checkpoint that tables show: best (lowest validation loss) or last epoch."
    )

    @model_validator(mode="after")
    def _placed_images_have_no_padding_of_their_own(self) -> Self:
        if self.data.view == "place" and self.augment.padding:
            raise ValueError(
                f"augment.padding is {self.augment.padding}, but data.view place pads by itself; set it to 0"
            )
        return self

    @model_validator(mode="after")
    def _one_connection_a_capsule_needs_as_many(self) -> Self:
        chosen = self.connections
        if chosen and chosen.keep_one and isinstance(chosen.density, float) and chosen.density * self.data.classes < 1:
            raise ValueError(
                f"connections.density is {chosen.density}, less than one connection for each capsule with "
                f"{self.data.classes} classes, but connections.keep_one is true; raise one or set the other to false"
            )
        return self

    @model_validator(mode="after")
    def _connections_are_removed_while_training(self) -> Self:
        removed = self.connections.epochs if self.connections else None
        if removed is not None and removed > self.training.epochs:
            raise ValueError(
                f"connections.epochs is {removed}, but training.epochs is {self.training.epochs}, so that the density "
                "would not be reached; lower one or raise the other"
            )
        return self

    @model_validator(mode="after")
    def _sharpened_couplings_have_logits(self) -> Self:
        if self.sharpening and (self.connections or self.network.routing_iterations == 1):
            raise ValueError(
                "sharpening is for networks with all connections and more than one iteration of routing; set it to null"
            )
        return self

    @model_validator(mode="after")
    def _views_lose_no_augmentation(self) -> Self:
        views, changes = self.network.views, self.augment
        if views is None:
            return self
        changed = self.data.view == "crop" or changes.padding or changes.flip or changes.rotation
        changed = changed or any(changes.jitter.model_dump().values())
        if views == 1 and changed:
            raise ValueError("network.views is 1, which leaves nothing of augment; raise it, or switch augment off")
        if views > 1 and not changed:
            raise ValueError(f"network.views is {views}, but augment changes nothing, so all are the same; set it to 1")
        if self.decoder or self.data.view == "place":
            raise ValueError("network.views has no pixels for a decoder or data.view place; set network.views to null")
        return self

    @property
    def features(self) -> Features | None:
        """What its cached feature maps depend on; None: it has none."""
        network = self.network
        if network.views is None:
            return None
        kept = {"backbone", "input_size", "views"}
        return Features(data=self.data, augment=self.augment, **network.model_dump(include=kept))

    @property
    def decoder_on(self) -> Literal["baseline", "rem"] | None:
        """Which of the paper's two networks this is with a decoder: `baseline`, not pruned, or `rem`; None: neither."""
        if self.decoder is None:
            return None
        if self.pruning is None:
            return "baseline"
        return "rem" if self.pruning.is_rem else None


def read_run(path: Path) -> Run:
    """The settings of a run from its `run.yaml`; raises RemError as `parse` does."""
    return parse(Run, read_yaml(path), str(path))

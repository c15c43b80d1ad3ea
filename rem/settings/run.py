"""The settings of one run: all that the training of one network depends on.

There are no default values here: every value stands in a config file and, resolved, in the run's own
`run.yaml`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rem.settings.images import Augment, Data
from rem.settings.network import SMALLEST_BEFORE_BACKBONE, SMALLEST_OF, Network
from rem.settings.pruning import Connections, Pruning, Sharpening, Structure
from rem.settings.sections import Section, Seed, parse, read_yaml

PaperData = Literal["mnist", "fashion-mnist", "cifar10", "tiny-imagenet", "expanded-mnist"]  # what the paper trains on


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
    seed: Seed = Field(description="Seed of the initial weights, the batches and the augmentation.")
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
    structure: Structure | None = Field(
        description="How many types and channels are left when those of the smallest weights go whole; null: all."
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
    def _what_is_for_the_plain_network_is_asked_of_no_other(self) -> Self:
        asked = {
            "connections": self.connections,
            "structure": self.structure,
            "sharpening": self.sharpening,
            f"pruning.regularizer {self.pruning and self.pruning.regularizer}": self.pruning and self.pruning.in_groups,
        }
        for what, value in asked.items():
            if value and not self.network.is_plain:
                raise ValueError(
                    f"{what} is for network.architecture capsnet and network.routing dynamic alone; leave it out"
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
    def _what_is_left_was_there(self) -> Self:
        left, network = self.structure, self.network
        if left is None:
            return self
        if network.backbone or self.pruning or self.connections or self.sharpening:
            raise ValueError(
                "structure is for networks without a backbone from which nothing else is removed; set pruning, "
                "connections and sharpening to null"
            )
        if left.channels > network.convolution_channels or left.types > network.primary_types:
            raise ValueError(
                f"structure leaves {left.channels} channels and {left.types} types, but the network has "
                f"{network.convolution_channels} and {network.primary_types}; lower them"
            )
        if left.epochs > self.training.epochs:
            raise ValueError(
                f"structure.epochs is {left.epochs}, but training.epochs is {self.training.epochs}, so that more would "
                "be left; lower one or raise the other"
            )
        return self

    @model_validator(mode="after")
    def _pruning_starts_while_training(self) -> Self:
        pruning, epochs = self.pruning, self.training.epochs
        if pruning and pruning.extent != "none" and pruning.start >= epochs:
            raise ValueError(
                f"pruning.start is {pruning.start}, but training.epochs is {epochs}, so that nothing would be pruned; "
                "lower one or raise the other"
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
    def _images_have_room_for_the_kernels(self) -> Self:
        seen = self.network.input_size or self.data.size
        architecture = self.network.architecture
        if self.network.backbone is None and self.data.size < (least := SMALLEST_OF.get(architecture, 0)):
            raise ValueError(
                f"data.size is {self.data.size}, too small for network.architecture {architecture}; it must be "
                f"{least} or more"
            )
        if self.network.backbone is not None and seen < SMALLEST_BEFORE_BACKBONE:
            raise ValueError(
                f"images of {seen} pixels are too small for the backbone; set network.input_size to "
                f"{SMALLEST_BEFORE_BACKBONE} or more"
            )
        return self

    @model_validator(mode="after")
    def _a_backbone_sees_grey_or_colour(self) -> Self:
        if self.network.backbone is not None and self.data.channels == 2:
            raise ValueError("data.channels is 2, a stereo pair, which no backbone takes; set network.backbone to null")
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
    def removes(self) -> bool:
        """Whether anything is removed from its network, while it is trained or before."""
        return bool(self.pruning or self.connections or self.structure)

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
        beyond_the_paper = self.connections or self.structure or self.sharpening
        if self.decoder is None or not self.network.is_plain or beyond_the_paper:
            return None
        if self.pruning is None:
            return "baseline"
        return "rem" if self.pruning.is_rem else None


def read_run(path: Path) -> Run:
    """The settings of a run from its `run.yaml`; raises RemError as `parse` does."""
    return parse(Run, read_yaml(path), str(path))

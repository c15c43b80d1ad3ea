"""The settings of a network: which it is, how it routes, and its sizes."""

import re
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from rem.settings.sections import Section

# A routing is a file; `rem.networks.build` has them by these names.
ROUTINGS = sorted(path.stem for path in (Path(__file__).parents[1] / "networks/routings").glob("[a-z]*.py"))
ARCHITECTURES = ("capsnet", "efficient", "gamma", "convcaps", "deepcaps")
WITH_A_MIDDLE = ("gamma", "convcaps")  # a layer of capsules between primary and class capsules
OWN = re.compile(r"(?P<file>(?!-)[^:{}]+\.py):[A-Za-z_]\w*")  # an architecture of the reader's own
# Side of an image that the convolutions of an architecture leave anything of; of the others any.
SMALLEST_OF = {"capsnet": 17, "gamma": 17, "efficient": 27, "convcaps": 21}
SMALLEST_BEFORE_BACKBONE = 33  # and of one that a backbone leaves anything of


class Network(Section):
    """The Capsule Network's layers (paper, Figure 2)."""

    architecture: str = Field(
        description="capsnet, the paper's; efficient, Efficient-CapsNet; gamma, gamma-CapsNet, with a layer of "
        "capsules more; convcaps, with one of convolutional capsules more; deepcaps, DeepCaps; or a class of your own, "
        "with sizes of its own, path/to/file.py:Class (docs/own-network.md)."
    )
    routing: str | None = Field(
        description="How capsules are routed to classes: dynamic, the paper's; sda, scaled-distance agreement; em; "
        "self; attention; uniform, not at all. Null exactly where the architecture is your own, which says it."
    )
    backbone: Literal["resnet18"] | None = Field(
        description="What takes the first 9x9 convolution's place: resnet18 up to its last feature map; null: nothing."
    )
    weights: Literal["pretrained", "none"] | None = Field(
        description="The backbone's: pretrained, on ImageNet and frozen, not counted in sparsity; none, random and "
        "trained with the rest, neither penalized nor pruned. Null exactly where there is no backbone."
    )
    input_size: int | None = Field(
        ge=SMALLEST_BEFORE_BACKBONE,
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
    primary_types: int = Field(
        ge=1, description="T, primary capsule types; efficient has 4 x convolution_channels / primary_dimensions."
    )
    primary_dimensions: int = Field(
        ge=1, description="Length of a primary capsule's pose u_i; of deepcaps an even number."
    )
    middle_capsules: int | None = Field(
        ge=2,
        description="Capsules between primary and class capsules: of gamma, and at each place of convcaps; "
        "null elsewhere.",
    )
    class_dimensions: int = Field(ge=1, description="Length of a class capsule's pose v_j.")
    routing_iterations: int = Field(
        ge=1, description="t, iterations of the routing; self, attention and uniform have none, whatever it says."
    )

    @field_validator("architecture")
    @classmethod
    def _architecture_is_known(cls, architecture: str) -> str:
        if architecture not in ARCHITECTURES and not OWN.fullmatch(architecture):
            raise ValueError(
                f"network.architecture is {architecture}; the architectures are {', '.join(ARCHITECTURES)}, or "
                "path/to/file.py:Class of your own"
            )
        return architecture

    @model_validator(mode="after")
    def _routing_is_known(self) -> Self:
        if self.is_own:
            if self.routing is not None:
                raise ValueError("network.routing is that of network.architecture, which is your own; set it to null")
        elif self.routing not in ROUTINGS:
            raise ValueError(f"network.routing is {self.routing or 'null'}; the routings are {', '.join(ROUTINGS)}")
        return self

    @model_validator(mode="after")
    def _layers_are_those_of_the_architecture(self) -> Self:
        if self.backbone is not None and self.architecture != "capsnet":
            raise ValueError(
                f"network.architecture {self.architecture} takes no backbone; set network.backbone to null"
            )
        channels = 4 * (self.convolution_channels or 0)
        if self.architecture == "efficient" and channels % self.primary_dimensions:
            raise ValueError(
                f"{channels} channels, 4 x network.convolution_channels, make no whole number of capsules of "
                f"{self.primary_dimensions} dimensions; let network.primary_dimensions divide them"
            )
        if self.architecture == "deepcaps" and self.primary_dimensions % 2:
            raise ValueError(
                f"capsules of {self.primary_dimensions} dimensions have no half, which those of the first cell of "
                "network.architecture deepcaps have; let network.primary_dimensions be even"
            )
        if (self.middle_capsules is None) == (self.architecture in WITH_A_MIDDLE):
            raise ValueError(
                "network.middle_capsules are those of network.architecture gamma and convcaps; set it there alone"
            )
        return self

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

    @property
    def is_own(self) -> bool:
        """Whether its class is the reader's own."""
        return self.architecture not in ARCHITECTURES

    @property
    def own_file(self) -> Path | None:
        """The file of that class; None: there is none."""
        return Path(OWN.fullmatch(self.architecture)["file"]) if self.is_own else None

    def maps(self, capsules: int) -> int:
        """As how many maps the couplings of so many capsules are shown.

        Of a CapsNet a map a type; of other networks, whose capsules have no place that is known, a map a capsule.
        """
        return self.primary_types if self.architecture == "capsnet" else capsules

    @property
    def is_plain(self) -> bool:
        """Whether this is the paper's network and routing, of which single W_ij and connections are known."""
        return self.architecture == "capsnet" and self.routing == "dynamic"

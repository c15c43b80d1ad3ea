"""The settings of what is done while training: weights and connections that go, and a loss of the trees."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from rem.settings.sections import Name, Section

Layer = Literal["convolution", "primary", "class"]


class Pruning(Section):
    """What is done to the weights beside the optimiser's steps (section 3.3)."""

    regularizer: Literal["lobster", "weight-decay", "group-lobster", "group-lasso"] = Field(
        description="The shrinkage before each step: lobster, Eq. 16; weight-decay, the same without the sensitivity; "
        "of each matrix W_ij as a whole, group-lobster, Eq. 16 by the norm of its gradient, and group-lasso, by the "
        "same length whatever its norm."
    )
    penalty: float | None = Field(
        ge=0,
        le=1,
        description="lambda of that shrinkage in the first epoch; 0: none. Null exactly where `dose` says it.",
    )
    dose: float | None = Field(
        ge=0,
        description="In the place of `penalty`, the sum of lambda over all steps of `training.epochs` epochs, from "
        "which the first epoch's is worked out. An insensitive weight shrinks by exp(-dose). Else null.",
    )
    penalty_decay: float = Field(gt=0, le=1, description="Factor on lambda after each epoch.")
    extent: Literal["search", "follow", "none"] = Field(
        description="After each epoch, search: prune below the largest threshold that does not worsen the validation "
        "loss; follow: prune by magnitude to the sparsity that the variant `follows` had; none: prune nothing."
    )
    start: int = Field(ge=0, description="Epochs trained before the first threshold; the paper's has 0.")
    guard: float | None = Field(
        ge=0,
        le=100,
        description="With `extent: search`, prune nothing after an epoch whose validation accuracy in % is below this; "
        "at chance nearly every weight could go. Null: always prune.",
    )
    resolution: float = Field(
        ge=0, lt=1, description="The share of the weights not pruned yet to which that search is exact; 0: to one."
    )
    follows: Name | None = Field(description="The variant that `extent: follow` follows, seed by seed; else null.")
    layers: list[Layer] = Field(
        min_length=1, description="The layers that are shrunk and pruned, where the network has them."
    )

    @model_validator(mode="after")
    def _follows_where_it_says_so(self) -> Self:
        if (self.extent == "follow") != (self.follows is not None):
            raise ValueError("pruning.follows names a variant where pruning.extent is follow, and only there")
        return self

    @model_validator(mode="after")
    def _penalty_or_dose(self) -> Self:
        if (self.penalty is None) == (self.dose is None):
            raise ValueError(
                f"pruning.penalty is {self.penalty} and pruning.dose is {self.dose}; give one of them a number and set "
                "the other to null"
            )
        return self

    @model_validator(mode="after")
    def _groups_are_matrices(self) -> Self:
        if self.in_groups and self.layers != ["class"]:
            raise ValueError(f"pruning.regularizer {self.regularizer} is for the matrices W_ij; set layers to [class]")
        return self

    @property
    def in_groups(self) -> bool:
        """Whether matrices W_ij are shrunk as wholes."""
        return self.regularizer.startswith("group-")

    @property
    def is_rem(self) -> bool:
        """Whether this is the paper's method: LOBSTER's penalty, and the search for the threshold, in every layer."""
        shrinks = self.regularizer == "lobster" and (self.penalty or self.dose or 0) > 0
        return shrinks and self.extent == "search" and set(self.layers) == set(get_args(Layer))


class Connections(Section):
    """Which primary capsules are connected to which classes. A connection (i, j) is removed with its matrix W_ij."""

    chosen_by: Literal["norm", "coupling", "lot"] = Field(
        description="The connections that are kept: norm, of the largest matrix W_ij; coupling, of the largest mean of "
        "c_ij |u_j|i| over the validation images; lot, drawn before training, for each seed anew."
    )
    density: Annotated[float, Field(gt=0, le=1)] | Literal["one-parent"] | None = Field(
        description="The share of the connections that is left in the end; one-parent: one of each capsule. Null: "
        "after each epoch as many are removed as do not worsen the validation loss."
    )
    epochs: int | None = Field(
        ge=1,
        description="Connections are removed after each of so many first epochs, each time the same share of those "
        "left. Null exactly where they are drawn by lot, or density is null.",
    )
    keep_one: bool = Field(description="Every capsule keeps its best connection.")
    softmax: Literal["connected", "all"] = Field(
        description="Eq. 4 is over the classes that a capsule is connected to, so that a removed connection has a "
        "coupling of 0; or over all, so that it has that of Eq. 15."
    )
    resolution: float = Field(
        ge=0, lt=1, description="Where density is null, the share of the connections to which that search is exact."
    )

    @model_validator(mode="after")
    def _is_a_schedule_or_none(self) -> Self:
        if self.chosen_by == "lot" and self.density is None:
            raise ValueError("connections.chosen_by is lot, but density does not say how many; give a number")
        if (self.epochs is None) != (self.chosen_by == "lot" or self.density is None):
            raise ValueError(
                "connections.epochs says when connections are removed to a density; set it to null where density is "
                "null or they are drawn by lot, and only there"
            )
        if self.density == "one-parent" and not self.keep_one:
            raise ValueError("connections.density is one-parent, so that every capsule keeps one; set keep_one to true")
        return self

    def count(self, capsules: int, classes: int) -> int | None:
        """How many connections are left in the end, one at least; None: as the validation loss says."""
        if self.density is None:
            return None
        return capsules if self.density == "one-parent" else max(1, round(self.density * capsules * classes))


class Structure(Section):
    """What is left of a network from which types of primary capsules and channels of the first convolution go whole."""

    channels: int = Field(ge=1, description="Channels of the first convolution that are left in the end.")
    types: int = Field(ge=1, description="Types of primary capsules that are left in the end.")
    epochs: int = Field(
        ge=1, description="They go after each of so many first epochs, each time the same share of those left."
    )


class Sharpening(Section):
    """A loss of the couplings beside the margin loss, that asks for strong trees and for one tree a class.

    strength * mean_i H(c_i) / log J + stability * mean_i KL(T_yi || c_i), with T_y a moving average of the trees of the
    images of class y. Gradients flow through the last couplings.
    """

    strength: float = Field(ge=0, description="alpha, the weight of the couplings' entropy.")
    stability: float = Field(ge=0, description="beta, the weight of the divergence from the class's mean tree.")
    memory: float = Field(ge=0, lt=1, description="Of a class's mean tree at a step, how much of it is the one before.")

"""The settings of a run: typed, complete, and read from one YAML file.

The config names datasets and variants; a run's settings are the config's `defaults`, overlaid by
its dataset's entry, by its variant's, and by what the dataset's entry has under `variants` for that
one. There are no default values here: every value a run depends on stands in a config file and,
resolved, in the run's own `run.yaml`.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from rem.files import RemError


class Section(BaseModel):
    """A part of the settings; a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# Names become folders and parts of commands.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
AnySection = TypeVar("AnySection", bound=Section)
FOLLOWED = "rem"  # the variant that Figure 5 follows from epoch to epoch


class Data(Section):
    """What `rem prepare` writes to the dataset's HDF5 file."""

    source: str = Field(description="Where the images come from: a name that `rem sources` lists.")
    folder: str | None = Field(
        description="The folder, .zip or .tar.gz of images of your own, for source `folder` (train/<class>/*.png, "
        "test/<class>/*.png) and `tiny-imagenet-folder`; else null."
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
    transfer: str | None = Field(
        description="A source whose test images are a further test set, `transfer`, of the same classes; null: none."
    )
    split_seed: int = Field(ge=0, description="Seed of that draw (and of generated images): the same for all runs.")
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
    jitter: float = Field(ge=0, lt=1, description="Brightness, contrast and saturation each scaled by 1 +- this.")


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
        if (self.backbone is None) == (self.convolution_channels is None):
            raise ValueError(
                "network.backbone takes the first convolution's place; one of it and convolution_channels must be null"
            )
        return self


class Decoder(Section):
    """The reconstruction network on top of the class capsules (section 4.3), trained with the rest."""

    hidden: list[Annotated[int, Field(ge=1)]] = Field(description="Sizes of the layers between poses and pixels.")
    weight: float = Field(
        gt=0, description="Of the reconstruction loss, the sum of squared errors of an image, beside the margin loss."
    )
    pixels: Literal["raw", "normalized"] = Field(
        description="What the decoder's output in [0, 1] is compared with: raw, pixels in [0, 1], as Sabour et al.; "
        "normalized, less the mean and over the deviation, as the published code."
    )


class Stacked(Section):
    """A decoder trained on top of a frozen network (Figure 8): on the training images, unaugmented."""

    epochs: int = Field(ge=1, description="Epochs.")
    batch_size: int = Field(ge=1, description="Images a step.")
    learning_rate: float = Field(gt=0, description="Adam's.")
    decoder: Decoder


class Training(Section):
    """The optimiser's schedule."""

    epochs: int = Field(ge=1, description="Epochs at the most.")
    patience: int = Field(ge=1, description="Stop when the validation loss has not improved for this many epochs.")
    batch_size: int = Field(ge=1, description="Images a step.")
    learning_rate: float = Field(gt=0, description="Adam's learning rate in the first epoch.")
    learning_rate_decay: float = Field(gt=0, le=1, description="Factor on the learning rate after each epoch.")
    early_accuracy: float = Field(
        ge=0,
        le=100,
        description="The first epoch whose validation accuracy in % reaches this is kept as `early`, the under-trained "
        "network of Table 7; if none does, the one of the highest accuracy.",
    )
    keep_every: int = Field(
        ge=0, description="Keep a checkpoint every so many epochs beside first, best, last; 0: none."
    )


class Pruning(Section):
    """What is done to the weights beside the optimiser's steps (section 3.3)."""

    regularizer: Literal["lobster", "weight-decay"] = Field(
        description="The shrinkage before each step: lobster, Eq. 16; weight-decay, the same without the sensitivity."
    )
    penalty: float = Field(ge=0, description="lambda of that shrinkage in the first epoch; 0: none.")
    penalty_decay: float = Field(gt=0, le=1, description="Factor on lambda after each epoch.")
    threshold: Literal["search", "follow", "none"] = Field(
        description="After each epoch, search: prune below the largest threshold that does not worsen the validation "
        "loss; follow: prune by magnitude to the sparsity that the variant `follows` had; none: prune nothing."
    )
    follows: Name | None = Field(description="The variant that `threshold: follow` follows, seed by seed; else null.")
    layers: list[Literal["convolution", "primary", "class"]] = Field(
        min_length=1, description="The layers that are shrunk and pruned, where the network has them."
    )

    @model_validator(mode="after")
    def _follows_where_it_says_so(self) -> Self:
        if (self.threshold == "follow") != (self.follows is not None):
            raise ValueError("pruning.follows names a variant where pruning.threshold is follow, and only there")
        return self


class Run(Section):
    """All that the training of one network depends on."""

    dataset: str
    variant: str
    seed: int = Field(ge=0, description="Seed of the initial weights, the batches and the augmentation.")
    data: Data
    augment: Augment
    network: Network
    decoder: Decoder | None = Field(description="The decoder that is trained with the network; null: none.")
    training: Training
    pruning: Pruning | None = Field(description="How the network is pruned; null: it is not.")
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


class Experiment(Section):
    """Networks that are trained: one per dataset, variant and seed."""

    datasets: list[Name] = Field(min_length=1, description="Names of entries in `datasets`.")
    variants: list[Name] = Field(min_length=1, description="Names of entries in `variants`.")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, description="Seeds of the networks.")


class Levels(Section):
    """The choice of the quantizer's K (Eq. 7)."""

    maximum: int = Field(ge=3, le=256, description="K is searched from 2 to this.")
    tolerance: float = Field(
        ge=0, description="Validation accuracy, in its standard errors, that quantization may cost; 0: none."
    )
    skip_edges: bool = Field(description="Pass over every K whose level edge falls on 1/J, where keys flicker.")
    published: int = Field(ge=2, le=256, description="K of the authors' runs; everything is reported at this K too.")
    variants: list[Name] = Field(
        min_length=1,
        description="The variants that choose a dataset's shared K: the largest of their networks' lowest.",
    )

    @model_validator(mode="after")
    def _published_is_searched(self) -> Self:
        if self.published > self.maximum:
            raise ValueError(f"levels.published is {self.published}, above levels.maximum {self.maximum}; raise that")
        return self


class Figures(Section):
    """The networks that the figures of single networks show: all variants at one dataset and seed."""

    dataset: Name
    seed: int
    every: int = Field(ge=1, description="Figure 5 has a point every so many epochs.")


class Config(Section):
    """A whole config file, after `config/config.yaml` has been overlaid by others."""

    name: Name = Field(description="Results go to results/<name>/.")
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: a GPU if there is one.")
    mirror: str | None = Field(
        description="Folder or URL prefix searched as <mirror>/<source>/<file> instead of the official addresses."
    )
    select: list[Name] = Field(min_length=1, description="The experiments that the target `all` runs.")
    experiments: dict[Name, Experiment] = Field(description="By name, sets of networks to train together.")
    levels: Levels
    figures: Figures
    defaults: dict[str, Any] = Field(description="The settings of a run, before its dataset's and its variant's.")
    datasets: dict[Name, dict[str, Any]] = Field(
        description="Per dataset, what differs from `defaults`; under `variants`, what differs for one variant of it."
    )
    variants: dict[Name, dict[str, Any]] = Field(
        description="Per training variant, what differs from those; `like` names a variant to start from."
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        self._require("dataset", self.figures.dataset, self.datasets)
        for variant in self.levels.variants:
            self._require("variant", variant, self.variants)
        return self

    def run(self, dataset: str, variant: str, seed: int) -> Run:
        """The resolved settings of one run.

        Raises:
            RemError: an unknown dataset or variant, an unknown key, or a value out of range.
        """
        self._require("dataset", dataset, self.datasets)
        of_dataset = dict(self.datasets[dataset])
        of_both = of_dataset.pop("variants", {})
        for name in of_both:
            self._require("variant", name, self.variants)
        merged = overlay(self.defaults, of_dataset)
        for name in self._ancestry(variant):
            of_variant = {key: value for key, value in self.variants[name].items() if key != "like"}
            merged = overlay(overlay(merged, of_variant), of_both.get(name, {}))
        where = f"config, run of dataset {dataset}, variant {variant}"
        run = parse(Run, merged | {"dataset": dataset, "variant": variant, "seed": seed}, where)
        if run.pruning and run.pruning.follows:
            self._require("variant", run.pruning.follows, self.variants)
        if (dataset, variant, seed) == (self.figures.dataset, FOLLOWED, self.figures.seed):
            kept = run.training.model_copy(update={"keep_every": self.figures.every})
            run = run.model_copy(update={"training": kept})
        return run

    def runs(self, experiments: Iterable[str]) -> list[Run]:
        """The settings of every run of some experiments, each once: dataset x variant x seed.

        Raises:
            RemError: as `run` does, an unknown experiment, or one that lacks a variant that another of it follows.
        """
        found: dict[tuple[str, str, int], Run] = {}
        for name in experiments:
            self._require("experiment", name, self.experiments)
            chosen = self.experiments[name]
            for key in itertools.product(chosen.datasets, chosen.variants, chosen.seeds):
                run = found.setdefault(key, self.run(*key))
                if run.pruning and run.pruning.follows not in {None, *chosen.variants}:
                    raise RemError(
                        f"config: in experiment {name}, {run.variant} follows {run.pruning.follows}; "
                        "add that to its variants."
                    )
        return list(found.values())

    def _ancestry(self, variant: str) -> list[str]:
        """The variant behind those it is `like`, the first of them first."""
        names: list[str] = []
        while variant is not None:
            self._require("variant", variant, self.variants)
            if variant in names:
                raise RemError(f"config: variant {variant} is like itself; let one of {', '.join(names)} stand alone.")
            names.insert(0, variant)
            variant = self.variants[variant].get("like")
        return names

    @staticmethod
    def _require(kind: str, name: str, known: Mapping[str, Any]) -> None:
        if name not in known:
            raise RemError(f"config: unknown {kind} {name!r}; the config has {', '.join(known)}.")


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` put over it, mappings merged key by key."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = overlay(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def config_schema() -> dict[str, Any]:
    """The JSON schema of a config file: an overlay, so no key is required, and the three layers are partial runs."""
    partial_run = Run.model_json_schema()
    sections = partial_run.pop("$defs")
    del partial_run["required"]
    for key in ("dataset", "variant", "seed"):
        del partial_run["properties"][key]
    of_variant = partial_run | {"properties": partial_run["properties"] | {"like": {"type": "string"}}}
    schema = Config.model_json_schema()
    schema["$defs"] |= sections | {"PartialRun": partial_run | {"title": "PartialRun"}}
    properties, reference = schema["properties"], {"$ref": "#/$defs/PartialRun"}
    properties["defaults"] = {"description": properties["defaults"]["description"]} | reference
    by_variant = {"type": "object", "additionalProperties": reference}
    of_dataset = partial_run | {"properties": partial_run["properties"] | {"variants": by_variant}}
    for layer, entry in (("variants", of_variant), ("datasets", of_dataset)):
        (pattern,) = properties[layer]["patternProperties"]
        properties[layer] |= {"patternProperties": {pattern: entry}, "additionalProperties": False}
    for section in (schema, *schema["$defs"].values()):
        section.pop("required", None)
    return schema


def parse(kind: type[AnySection], values: Any, where: str) -> AnySection:
    """`values` as a typed section.

    Raises:
        RemError: names the first offending key and, if it is unknown, the keys that are valid there.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise RemError(f"{where}: {_sentence(kind, first)}") from error


def _sentence(kind: type[Section], error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    key = ".".join(path) or "(the whole file)"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}; the keys valid there are {', '.join(_keys(kind, path[:-1]))}."
    if error["type"] == "missing":
        return f"key {key} is missing."
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    if path[-1:] == ["[key]"]:
        return f"the name {error['input']!r} may have letters, digits, - and _ only."
    return f"key {key} has the value {error['input']!r}: {error['msg'][:1].lower()}{error['msg'][1:]}."


def _keys(kind: type[Section], path: list[str]) -> list[str]:
    for part in path:
        if part in kind.model_fields:  # else it is the name of an entry
            annotation = kind.model_fields[part].annotation
            options = getattr(annotation, "__args__", (annotation,))
            sections = (option for option in options if isinstance(option, type) and issubclass(option, Section))
            kind = next(sections, kind)
    return list(kind.model_fields)


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file.

    Raises:
        RemError: the file is missing or not YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).replace("\n", " ")
        raise RemError(f"{path} cannot be read as YAML: {reason}.") from error


def read_run(path: str | Path) -> Run:
    """The settings of a run from its `run.yaml`; raises RemError as `parse` does."""
    return parse(Run, read_yaml(path), str(path))


def to_yaml(section: Section) -> str:
    """A section as YAML text, in the order of its definition."""
    return yaml.safe_dump(section.model_dump(mode="json"), sort_keys=False)

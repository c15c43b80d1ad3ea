"""A config file: the experiments, and what the settings of their runs are made of.

A run's settings are the config's `defaults`, overlaid by its dataset's entry, by its variant's, and by
what the dataset's entry has under `variants` for that one.
"""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from rem.errors import RemError
from rem.settings.images import Data
from rem.settings.run import Features, Run, StackedDecoder
from rem.settings.sections import Name, Section, Seed, parse, read_yaml

STAGES = (  # folders of results/<name>/, beside which an experiment has its own
    "benchmarks", "couplings", "decoders", "entropies", "figures", "logs", "models", "probes", "tables", "trajectory",
)  # fmt: skip


class Experiment(Section):
    """Networks that are trained: one per dataset, variant and seed."""

    datasets: list[Name] = Field(min_length=1, description="Names of entries in `datasets`.")
    variants: list[Name] = Field(min_length=1, description="Names of entries in `variants`.")
    seeds: list[Seed] = Field(min_length=1, description="Seeds of the networks.")

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        for key, values in self:
            if twice := [value for value, times in Counter(values).items() if times > 1]:
                raise ValueError(f"experiments has {twice[0]} twice among the {key} of one experiment; name it once")
        return self


class Quantizer(Section):
    """The choice of the quantizer's K (Eq. 7)."""

    maximum: int = Field(ge=3, le=256, description="K is searched from 2 to this.")
    tolerance: float = Field(
        ge=0,
        description="Validation accuracy that quantization may cost, in standard errors of the difference on the same "
        "images (McNemar's); 0: none.",
    )
    skip_edges: bool = Field(description="Pass over every K whose level edge falls on 1/J, where keys flicker.")
    authors: int = Field(ge=2, le=256, description="K of the authors' runs; everything is reported at this K too.")
    authors_of: dict[Name, Annotated[int, Field(ge=2, le=256)]] = Field(
        description="Per dataset on which the authors' K was another than `authors`, that one."
    )
    cells: list[Name] = Field(
        description="The datasets whose quantizer has K cells [k/K, (k + 1)/K) with centres (k + 1/2)/K, as the "
        "authors' on Tiny ImageNet, in the place of K nearest centres k/(K - 1)."
    )
    variants: list[Name] = Field(
        min_length=1,
        description="The variants that choose a dataset's shared K: the largest of their networks' lowest.",
    )

    @model_validator(mode="after")
    def _authors_is_searched(self) -> Self:
        named = {"authors": self.authors} | {f"authors_of.{name}": own for name, own in self.authors_of.items()}
        for name, levels in named.items():
            if levels > self.maximum:
                raise ValueError(f"quantizer.{name} is {levels}, above quantizer.maximum {self.maximum}; raise that")
        return self


class Figures(Section):
    """The networks that the figures of single networks show: all variants at one dataset and seed."""

    dataset: Name
    seed: Seed
    every: int = Field(ge=1, description="Figure 5 has a point every so many epochs.")


class Config(Section):
    """A whole config file, after `config/config.yaml` has been overlaid by others."""

    name: Name = Field(description="Results go to results/<name>/.")
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: a GPU if there is one.")
    slots_per_gpu: int = Field(ge=1, description="Jobs that share a GPU; on Slurm, the shards of each GPU.")
    mirror: str | None = Field(
        description="Folder or URL prefix searched as <mirror>/<source>/<file> instead of the official addresses."
    )
    select: list[Name] = Field(min_length=1, description="The experiments that the target `all` runs.")
    experiments: dict[Name, Experiment] = Field(description="By name, sets of networks to train together.")
    quantizer: Quantizer
    probed: list[Name] = Field(description="The variants whose networks are probed.")
    figures: Figures
    stacked_decoder: StackedDecoder
    defaults: dict[str, Any] = Field(description="The settings of a run, before its dataset's and its variant's.")
    datasets: dict[Name, dict[str, Any]] = Field(
        description="Per dataset, what differs from `defaults`; under `variants`, what differs for one variant of it."
    )
    variants: dict[Name, dict[str, Any]] = Field(
        description="Per training variant, what differs from those; `like` names a variant to start from."
    )

    @model_validator(mode="after")
    def _experiments_have_folders_of_their_own(self) -> Self:
        if taken := [name for name in self.experiments if name in STAGES]:
            raise ValueError(f"the experiment {taken[0]} has the name of a folder of the results; choose another name")
        return self

    @model_validator(mode="after")
    def _layers_leave_the_runs_to_the_experiments(self) -> Self:
        layers = {"defaults": self.defaults} | {f"datasets.{name}": layer for name, layer in self.datasets.items()}
        layers |= {f"variants.{name}": layer for name, layer in self.variants.items()}
        for where, layer in layers.items():
            if key := next((key for key in ("dataset", "variant", "seed") if key in layer), None):
                raise ValueError(f"{where} has the key {key}, which experiments say; leave it out")
        return self

    @model_validator(mode="after")
    def _changes_of_variants_are_mappings(self) -> Self:
        for name, layer in self.datasets.items():
            changes = layer.get("variants", {})
            if not isinstance(changes, dict) or not all(isinstance(change, dict) for change in changes.values()):
                raise ValueError(f"datasets.{name}.variants is {changes!r}; write each variant with its settings")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if not self.datasets:
            raise ValueError(
                "there is no dataset; a config that only changes another is laid over it: --configfile "
                "config/laptop.yaml config/long.yaml, for one"
            )
        if self.figures.dataset not in self.datasets:
            raise ValueError(
                f"figures.dataset is {self.figures.dataset}, which is no dataset of this config; set it to "
                f"{' or '.join(self.datasets)}"
            )
        quantizer = self.quantizer
        for key, variants in ("quantizer.variants", quantizer.variants), ("probed", self.probed):
            self._require("variant", variants, self.variants, key)
        for key, datasets in ("quantizer.authors_of", quantizer.authors_of), ("quantizer.cells", quantizer.cells):
            self._require("dataset", datasets, self.datasets, key)
        return self

    def run(self, dataset: str, variant: str, seed: int) -> Run:
        """The resolved settings of one run.

        Raises:
            RemError: an unknown dataset or variant, an unknown key, a value out of range, or a variant that follows one
                that follows another itself or is pruned in more layers.
        """
        run = self._resolved(dataset, variant, seed)
        if run.pruning and run.pruning.follows:
            self._require("variant", [run.pruning.follows], self.variants, "pruning.follows")
            followed = self._resolved(dataset, run.pruning.follows, seed).pruning
            where = f"config: variant {variant} follows {run.pruning.follows}"
            if followed and followed.follows:
                raise RemError(f"{where}, which follows {followed.follows} itself; name one that is pruned by itself.")
            if followed and (lost := set(followed.layers) - set(run.pruning.layers)):
                raise RemError(
                    f"{where}, in which {', '.join(sorted(lost))} is pruned too; add that to its pruning.layers."
                )
        return run

    def _resolved(self, dataset: str, variant: str, seed: int) -> Run:
        self._require("dataset", [dataset], self.datasets)
        of_dataset = dict(self.datasets[dataset])
        of_both = of_dataset.pop("variants", {})
        self._require("variant", of_both, self.variants, f"datasets.{dataset}.variants")
        merged = overlay(self.defaults, of_dataset)
        for name in self._ancestry(variant):
            of_variant = {key: value for key, value in self.variants[name].items() if key != "like"}
            merged = overlay(overlay(merged, of_variant), of_both.get(name, {}))
        where = f"config, run of dataset {dataset}, variant {variant}"
        return parse(Run, merged | {"dataset": dataset, "variant": variant, "seed": seed}, where)

    def runs(self, experiments: Iterable[str]) -> list[Run]:
        """The settings of every run of some experiments, each once: dataset x variant x seed.

        Raises:
            RemError: as `run` does, an unknown experiment, or one that lacks a variant that another of it follows.
        """
        found: dict[tuple[str, str, int], Run] = {}
        for name in experiments:
            self._require("experiment", [name], self.experiments)
            chosen = self.experiments[name]
            self._require("dataset", chosen.datasets, self.datasets, f"experiments.{name}.datasets")
            self._require("variant", chosen.variants, self.variants, f"experiments.{name}.variants")
            for key in itertools.product(chosen.datasets, chosen.variants, chosen.seeds):
                run = found.setdefault(key, self.run(*key))
                if run.pruning and run.pruning.follows not in {None, *chosen.variants}:
                    raise RemError(
                        f"config: in experiment {name}, {run.variant} follows {run.pruning.follows}; "
                        "add that to its variants."
                    )
        prepared: dict[str, Data] = {}
        kept: dict[str, Features] = {}
        for run in found.values():
            if prepared.setdefault(run.dataset, run.data) != run.data:
                raise RemError(
                    f"config: variant {run.variant} changes data of dataset {run.dataset}, which has one prepared file "
                    "for all its variants; make a dataset of its own of it."
                )
            if run.features and kept.setdefault(run.dataset, run.features) != run.features:
                raise RemError(
                    f"config: variants of dataset {run.dataset} differ in augment, or in network's backbone, "
                    "input_size or views, but there is one file of feature maps for all; make these alike."
                )
        return list(found.values())

    def selected(self) -> list[Run]:
        """The settings of every run of the selected experiments.

        Raises:
            RemError: as `runs` does, or a dataset is selected without a variant that chooses its K.
        """
        self._require("experiment", self.select, self.experiments, "select")
        runs = self.runs(self.select)
        choosing = {run.dataset for run in runs if run.variant in self.quantizer.variants}
        for run in runs:
            if run.dataset not in choosing:
                raise RemError(
                    f"config: dataset {run.dataset} is selected without any variant that chooses its K "
                    f"(quantizer.variants: {', '.join(self.quantizer.variants)}); add one to its experiment or there."
                )
        return runs

    def check_unused(self) -> None:
        """Try the datasets and variants of no experiment, whose mistakes would else show once one names them.

        What only does not fit the other settings is none: a variant for large networks beside a small one.

        Raises:
            RemError: as `run` does, but of values that do not fit each other.
        """
        experiments = self.experiments.values()
        variants = {name for chosen in experiments for name in chosen.variants}
        datasets = {name for chosen in experiments for name in chosen.datasets}
        pairs = [(self.figures.dataset, name) for name in self.variants if name not in variants]
        pairs += [(name, self.quantizer.variants[0]) for name in self.datasets if name not in datasets]
        for dataset, variant in pairs:
            try:
                self.run(dataset, variant, seed=0)
            except RemError as error:
                told = error.__cause__.errors() if isinstance(error.__cause__, ValidationError) else [{"type": ""}]
                if any(one["type"] != "value_error" for one in told):
                    raise

    def _ancestry(self, variant: str) -> list[str]:
        """The variant behind those it is `like`, the first of them first."""
        names: list[str] = []
        while variant is not None:
            self._require("variant", [variant], self.variants, f"variants.{names[0]}.like" if names else None)
            if variant in names:
                raise RemError(f"config: variant {variant} is like itself; let one of {', '.join(names)} stand alone.")
            names.insert(0, variant)
            variant = self.variants[variant].get("like")
        return names

    @staticmethod
    def _require(kind: str, names: Iterable[Any], known: Mapping[str, Any], key: str | None = None) -> None:
        """Refuse a name that the config does not have; `key`: where it has been written, if that is known."""
        for name in names:
            if name not in list(known):  # a list in its place, which YAML may have, cannot be looked up
                where = f"{key} has the " if key else ""
                raise RemError(f"config: {where}unknown {kind} {name!r}; the config has {', '.join(known)}.")


def read_config(paths: Sequence[Path]) -> Config:
    """A config from its files, each laid over those before it.

    Raises:
        RemError: a file cannot be read as YAML, or they do not make a config.
    """
    return parse(Config, functools.reduce(overlay, map(read_yaml, paths)), "config")


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` put over it, mappings merged key by key."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = overlay(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged

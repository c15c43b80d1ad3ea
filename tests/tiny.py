"""Tiny datasets, runs and coupling files: what the steps hand on, small enough to make in a blink."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import yaml

from rem.settings.config import Config, overlay
from rem.settings.images import Data
from rem.settings.run import Run
from rem.settings.sections import parse

ROOT = Path(__file__).parents[1]
CLASSES = 3
STORED, SIZE = 21, 19  # sides of the images in the file and of what the network sees: I = 8 with two types
COUNTS = {"train": 40, "val": 24, "test": 18}  # with batches of 16 the last one is smaller
PRUNING = {
    "regularizer": "lobster",
    "penalty": 0.1,
    "dose": None,
    "penalty_decay": 0.9,
    "extent": "search",
    "start": 0,
    "guard": None,
    "resolution": 0.0,
    "follows": None,
    "layers": ["convolution", "primary", "class"],
}

CONNECTIONS = {
    "chosen_by": "norm",
    "density": 0.4,  # 10 of 24
    "epochs": 3,
    "keep_one": True,
    "softmax": "connected",
    "resolution": 0.0,
}


def write_prepared(path: Path, counts: Mapping[str, int] = COUNTS) -> Path:
    """A prepared dataset: noise with a bright top, middle or bottom third (classes 0, 1, 2)."""
    draw = np.random.default_rng(3)
    with h5py.File(path, "w") as file:
        for split, count in counts.items():
            labels = draw.integers(CLASSES, size=count)
            images = draw.integers(0, 150, size=(count, 1, STORED, STORED))
            for image, label in zip(images, labels, strict=True):
                image[:, 7 * label : 7 * label + 7] += 90
            file[f"{split}/images"], file[f"{split}/labels"] = images.astype(np.uint8), labels
        file.attrs["class_names"] = ["top", "middle", "bottom"]
    return path


def say_prepared_by(path: Path, run: Run) -> None:
    """Write to a prepared file that it was prepared by the settings of a run, as `rem prepare` does."""
    with h5py.File(path, "a") as file:
        file.attrs["settings"] = run.data.model_dump_json()


def jitter(brightness: float, contrast: float, saturation: float) -> dict[str, float]:
    """Settings of that name."""
    return {"brightness": brightness, "contrast": contrast, "saturation": saturation}


def run(variant: str = "baseline", seed: int = 42, **sections: object) -> Run:
    """Settings of a run on that dataset; `sections` overlays them, `training={"epochs": 2}` for one."""
    values = {
        "dataset": "thirds",
        "variant": variant,
        "seed": seed,
        "stands_for": None,
        "data": {
            "source": "shapes",
            "folder": None,
            "classes": CLASSES,
            "channels": 1,
            "size": SIZE,
            "view": "crop",
            "validation": COUNTS["val"],
            "test": None,
            "split_seed": 0,
            "generate": None,
            "transfer": None,
            "mean": [0.4],
            "std": [0.25],
        },
        "augment": {"padding": 1, "flip": True, "rotation": 0, "jitter": jitter(0.1, 0.1, 0.1)},
        "network": {
            "architecture": "capsnet",
            "routing": "dynamic",
            "backbone": None,
            "weights": None,
            "input_size": None,
            "views": None,
            "convolution_channels": 2,
            "primary_types": 2,
            "primary_dimensions": 3,
            "middle_capsules": None,
            "class_dimensions": 4,
            "routing_iterations": 3,
        },
        "decoder": None,
        "training": {
            "epochs": 5,
            "patience": 100,
            "batch_size": 16,
            "learning_rate": 0.02,
            "learning_rate_decay": 0.9,
            "precision": "float32",
            "early_accuracy": 60.0,
        },
        "pruning": PRUNING if variant == "rem" else None,
        "connections": None,
        "structure": None,
        "sharpening": None,
        "checkpoint": "last" if variant == "rem" else "best",
    }
    if variant == "sharpen":
        values |= {"sharpening": {"strength": 0.1, "stability": 0.2, "memory": 0.8}}
    if variant == "structured":
        values |= {"structure": {"channels": 1, "types": 1, "epochs": 2}, "checkpoint": "last"}
    if variant == "blocks":
        shrinkage = PRUNING | {"regularizer": "group-lobster", "extent": "none", "layers": ["class"]}
        values |= {"pruning": shrinkage, "connections": CONNECTIONS, "checkpoint": "last"}
    return parse(Run, overlay(values, sections), "tiny")


def data(**changes: object) -> Data:
    """Settings of a dataset of 12x12 digits."""
    values = {
        "source": "mnist", "folder": None, "classes": 10, "channels": 1, "size": 12, "view": "crop", "validation": 10,
        "test": None, "split_seed": 0, "generate": None, "transfer": None, "mean": [0.1], "std": [0.3],
    }  # fmt: skip
    if (channels := changes.get("channels", 1)) != 1:
        values |= {"mean": [0.5] * channels, "std": [0.25] * channels}
    return parse(Data, values | changes, "tiny")


def shipped_config(*overlays: str) -> Config:
    """config/config.yaml with files of config/ laid over it, as the workflow reads them: the sample's, if none."""
    values: dict[str, object] = {}
    for name in ("config", *(overlays or ("sample",))):
        values = overlay(values, yaml.safe_load((ROOT / f"config/{name}.yaml").read_text(encoding="utf-8")))
    return parse(Config, values, "config")


def write_couplings(
    path: Path,
    of: Run,
    couplings: Sequence[Sequence[float]] = ((0.0,),),
    predicted: Sequence[int] = (0,),
    accuracies: Mapping[int, float] | None = None,
    losses: Mapping[int, float] | None = None,
    changed: Mapping[int, tuple[int, int]] | None = None,
    strongest: Sequence[float] = (1.0,),
    sparsity: Mapping[str, float] | None = None,
    labels: Sequence[int] | None = None,
    lower: Mapping[int, tuple[Sequence[Sequence[float]], Sequence[int], int]] | None = None,
    **attributes: object,
) -> Path:
    """A file as `rem couplings` writes it, with the values given; the labels are the predictions unless given.

    `changed`: images lost and gained at each K. `lower`: of each lower layer the couplings of its images' parents, the
    parents, and among how many a child's are shared out.
    """
    accuracies = accuracies or {2: 50.0, 3: 60.0}
    with h5py.File(path, "w") as file:
        file["couplings"] = np.array(couplings, np.float32)
        file["predicted"], file["strongest"] = np.array(predicted), np.array(strongest, np.float32)
        file["label"] = np.array(predicted if labels is None else labels)
        file["sweep/levels"], file["sweep/accuracy"] = np.array(list(accuracies)), np.array(list(accuracies.values()))
        file["sweep/loss"] = np.array([(losses or {}).get(level, 0.1) for level in accuracies])
        lost_gained = np.array([(changed or {}).get(level, (0, 0)) for level in accuracies])
        file["sweep/lost"], file["sweep/gained"] = lost_gained.T
        for number, (own, parents, capsules) in (lower or {}).items():
            group = file.create_group(f"layers/{number}")
            group["couplings"], group["parent"] = np.array(own, np.float32), np.array(parents)
            group["strongest"] = np.array(own, np.float32).max(axis=1)
            group["near_uniform"] = (np.abs(np.array(own) - 1 / capsules) <= 0.01).mean(axis=1)
            group.attrs["capsules"] = capsules
        file.attrs["run"] = of.model_dump_json()
        file.attrs["sparsity"] = json.dumps({"all": 0.0} if sparsity is None else sparsity)
        written = {"checkpoint": "best", "split": "val", "epoch": 1, "accuracy": 60.0, "loss": 0.1}
        written |= {"dose": 0.0, "near_uniform_share": 0.5, "cells": False} | attributes
        for name, value in written.items():
            file.attrs[name] = value
    return path

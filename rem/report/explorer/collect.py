"""What the explorer shows, gathered from a run's files: images, couplings as codes, votes, and what was measured."""

import base64
import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from rem.data.augment import centre
from rem.data.batches import load_split, read_split
from rem.errors import RemError
from rem.files.hdf5 import open_hdf5
from rem.networks.capsnet import KERNEL, STRIDE
from rem.report.explorer import codes
from rem.report.explorer.votes import stored_votes
from rem.settings.run import Run, read_run
from rem.settings.stamp import run_of
from rem.tables.measurements import read_metrics
from rem.tables.names import images_of, model_name
from rem.training.checkpoints import load_checkpoint
from rem.trees.levels import band, has_cells, reported_levels, shared_levels

SPLIT = "test"
FIRST = ("last", "first", "early", "best")  # checkpoints in the order in which they get room
VOTED = 4  # images a dataset whose votes are kept, of the first networks of each kind
MEASURED = ("accuracy", "entropy", "keys", "entropy_ceiling")  # at every K, over all classes
QUALITY = 80  # of images in colour, as WebP


@dataclass
class Collected:
    """What goes into the page.

    Attributes:
        content: numbers, names, and the numbers of blocks, for JSON.
        blocks: base64 text.
    """

    content: dict[str, object]
    blocks: list[str] = field(default_factory=list)

    def add(self, data: bytes) -> int:
        """Keep a block, once; returns its number."""
        text = base64.b64encode(data).decode("ascii")
        if text not in self.blocks:
            self.blocks.append(text)
        return self.blocks.index(text)

    def size(self) -> int:
        """Bytes of all blocks."""
        return sum(map(len, self.blocks))


def collect(results: Path, prepared: Path, most: int) -> Collected:
    """Gather what the page shows of `results/<name>`.

    All test images and what was measured of all networks are in it. Networks get their couplings in as long as there is
    room: first every kind's first seed with its last checkpoint, then its other checkpoints, then the further seeds.

    Args:
        results: the folder of the run.
        prepared: the folder of its datasets' HDF5 files.
        most: bytes that blocks may have.

    Raises:
        RemError: a file is missing or unreadable, or there are no couplings.
    """
    metrics = read_metrics(results / "metrics.csv")
    metrics = metrics[(metrics["split"] == SPLIT) & metrics["class"].isna()]
    measured = set(metrics[["dataset", "variant", "seed", "checkpoint"]].itertuples(index=False, name=None))
    files = [path for path in sorted(results.glob(f"couplings/*/*/seed*/*.{SPLIT}.h5")) if _names(path) in measured]
    if not files:
        raise RemError(f"{results} has no couplings of the {SPLIT} images; run the workflow to its end first.")
    found = Collected({"name": results.name, "split": SPLIT})
    kinds = {path.parts[-4:-2] for path in files}
    datasets = {path.parts[-4] for path in files}
    names = [name for name in metrics["dataset"].unique() if name in datasets]  # as the config has them
    found.content["datasets"] = [
        _dataset(found, results, name, prepared / f"{name}.h5", [path for path in files if path.parts[-4] == name])
        for name in names
    ]
    cuts = {one["name"]: codes.thresholds(one["levels"], one["cells"]) for one in found.content["datasets"]}
    for one in found.content["datasets"]:
        one["cuts"] = found.add(cuts[one["name"]].astype("<f4").tobytes())
    found.content["networks"] = [
        _network(found, path, cuts[path.parts[-4]], metrics, results, prepared, most, number < len(kinds))
        for number, path in enumerate(_in_order(files))
    ]
    return found


def _names(path: Path) -> tuple[str, str, int, str]:
    """The dataset, variant, seed and checkpoint of a file of couplings."""
    dataset, variant, seed, file = path.parts[-4:]
    return dataset, variant, int(seed.removeprefix("seed")), file.split(".")[0]


def _in_order(files: Sequence[Path]) -> list[Path]:
    """The first seed of every kind before the others, and of a seed the last checkpoint first."""
    seeds: dict[tuple[str, ...], list[str]] = {}
    for path in files:
        own = seeds.setdefault(path.parts[-4:-2], [])
        if path.parts[-2] not in own:
            own.append(path.parts[-2])

    def order(path: Path) -> tuple[int, int]:
        checkpoint = path.name.split(".")[0]
        place = FIRST.index(checkpoint) if checkpoint in FIRST else len(FIRST)
        return seeds[path.parts[-4:-2]].index(path.parts[-2]), place

    return sorted(files, key=order)


def _dataset(found: Collected, results: Path, name: str, prepared: Path, files: Sequence[Path]) -> dict[str, object]:
    runs = [read_run(results / "models" / Path(*one.parts[-4:-1]) / "run.yaml") for one in files]
    pruned = [one.variant for one in runs if one.pruning and not one.decoder]
    with open_hdf5(files[0]) as file:
        run, levels = run_of(file), file["sweep/levels"][:].tolist()
        classes, labels = list(file.attrs["class_names"]), file["label"][:]
    table = results / f"entropies/{name}/levels.csv"
    images = centre(read_split(prepared, SPLIT).images, run.data.size).numpy()
    columns = math.ceil(math.sqrt(len(images)))
    kind, sprite = picture(images, columns)
    side = 2 * KERNEL - 1  # pixels of the image below a primary capsule
    return {
        "name": name,
        "title": images_of(run).title,
        "first": (pruned or [run.variant])[0],
        "classes": [str(one) for one in classes],
        "images": len(images),
        "size": run.data.size,
        "columns": columns,
        "sprite": {"type": kind, "block": found.add(sprite)},
        "labels": found.add(labels.astype("<u2").tobytes()),
        "levels": levels,
        "shown": sorted({*band(table), *reported_levels(table)}),
        "band": band(table),
        "shared": shared_levels(table),
        "cells": has_cells(table),
        "field": None
        if run.network.backbone or run.network.architecture != "capsnet"
        else {"side": side, "stride": STRIDE},
        "voted": _voted(labels),
    }


def _voted(labels: np.ndarray) -> list[int]:
    """The first images of so many different classes."""
    _, first = np.unique(labels, return_index=True)
    return sorted(first.tolist())[:VOTED]


def picture(images: np.ndarray, columns: int) -> tuple[str, bytes]:
    """Images (N, C, S, S) uint8 in rows of so many as one picture: its type and its bytes; grey ones are exact.

    Of a stereo pair the left image is shown.
    """
    count, channels, size, _ = images.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * columns, channels, size, size), np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, columns, channels, size, size).transpose(0, 3, 1, 4, 2)
    sheet = sheet.reshape(rows * size, columns * size, channels)
    written = io.BytesIO()
    if channels != 3:
        Image.fromarray(sheet[..., 0]).save(written, "PNG", optimize=True)
        return "image/png", written.getvalue()
    Image.fromarray(sheet).save(written, "WEBP", quality=QUALITY)
    return "image/webp", written.getvalue()


def _network(
    found: Collected,
    path: Path,
    cuts: np.ndarray,
    metrics: pd.DataFrame,
    results: Path,
    prepared: Path,
    most: int,
    voted: bool,
) -> dict[str, object]:
    dataset, variant, _, checkpoint = _names(path)
    with open_hdf5(path) as file:
        run = run_of(file)
        couplings, predicted, lengths = file["couplings"][:], file["predicted"][:], file["lengths"][:]
    types = run.network.maps(couplings.shape[1])
    rows, columns = _grid(couplings.shape[1] // types)
    told: dict[str, object] = {
        "dataset": dataset,
        "variant": variant,
        "model": model_name(run.variant, True, run.decoder_on),
        "seed": run.seed,
        "checkpoint": checkpoint,
        "grid": [types, rows, columns],
        "measured": _measured(metrics, run, checkpoint),
        "codes": None,
        "votes": None,
    }
    block = codes.packed(codes.codes(couplings, cuts))
    if found.size() + len(block) * 4 // 3 > most:
        return told
    told["codes"] = found.add(block)
    told["predicted"] = found.add(predicted.astype("<u2").tobytes())
    told["lengths"] = found.add(zlib.compress(np.rint(100 * lengths).astype(np.uint8).tobytes()))
    if voted and run.network.is_plain:  # the page weighs votes as dynamic routing does
        own = next(one for one in found.content["datasets"] if one["name"] == dataset)
        model = results / "models" / Path(*path.parts[-4:-1]) / f"{checkpoint}.pt"
        told["votes"] = _votes(found, model, prepared / f"{dataset}.h5", own["voted"])
    return told


def _grid(capsules: int) -> tuple[int, int]:
    """Rows and columns of a type's primary capsules; one row where they are no square."""
    side = math.isqrt(capsules)
    return (side, side) if side**2 == capsules else (1, capsules)


def _measured(metrics: pd.DataFrame, run: Run, checkpoint: str) -> dict[str, object]:
    """What `metrics.csv` says of a network: the accuracy `unquantized`, and of every K what `MEASURED` names."""
    own = metrics[
        (metrics["dataset"] == run.dataset)
        & (metrics["variant"] == run.variant)
        & (metrics["seed"] == run.seed)
        & (metrics["checkpoint"] == checkpoint)
    ]
    plain = own[own["levels"].isna() & (own["metric"] == "accuracy")]["value"]
    at = own[own["levels"].notna() & own["metric"].isin(MEASURED)]
    at = at.drop_duplicates(["levels", "metric"]).pivot(index="levels", columns="metric", values="value").sort_index()
    columns = {name: [None if pd.isna(one) else one for one in at[name].tolist()] for name in at}
    return {"unquantized": float(plain.iloc[0]), "levels": at.index.astype(int).tolist(), **columns}


def _votes(found: Collected, checkpoint: Path, prepared: Path, images: list[int]) -> dict[str, object]:
    model, run, _ = load_checkpoint(checkpoint, torch.device("cpu"))
    pixels, _ = load_split(prepared, SPLIT, run)
    kept = stored_votes(model, pixels[images])
    return {
        "votes": found.add(zlib.compress(kept.votes.tobytes())),
        "couplings": found.add(zlib.compress(kept.couplings.astype("<f4").tobytes())),
        "bias": kept.bias.tolist(),
        "scale": kept.scale.tolist(),
    }

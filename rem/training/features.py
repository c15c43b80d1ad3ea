"""The feature maps of a frozen backbone, computed once and kept, so that capsules train without it.

The HDF5 file has the splits of the dataset's, with `features` float16 (N, V, 512, M, M) in the place of `images`: the
image as it is outside training, and of training images `network.views` - 1 random changes. On Tiny ImageNet a map has
50 kB, so a view of the 90,000 training images has 4.5 GB.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rem.data.augment import augment, normalize
from rem.data.batches import open_prepared, stream_batches
from rem.data.streams import Stream
from rem.errors import RemError
from rem.files.hdf5 import whole_hdf5
from rem.networks.backbone import PADDING, Backbone
from rem.settings.run import Features, Run
from rem.training.checkpoints import load_stages

BATCH = 128


@torch.no_grad()
def write_features(settings: Features, prepared: Path, weights: Path, target: Path, device: torch.device) -> None:
    """Write the feature maps of all splits of a dataset.

    Args:
        settings: what they depend on.
        prepared: the dataset's HDF5 file.
        weights: the backbone's, as `rem fetch` gets them.
        target: the HDF5 file to write.
        device: where to compute.

    Raises:
        RemError: a file is missing, damaged or no such file.
    """
    backbone, data = Backbone(frozen=True, input_size=settings.input_size).to(device), settings.data
    load_stages(backbone, settings.backbone, weights)
    with open_prepared(prepared, data) as images, whole_hdf5(target) as file:
        for name, split in images.items():
            views = settings.views if name == "train" else 1
            side = backbone.side(data.size) - 2 * PADDING
            shape = (len(split["labels"]), views, backbone.channels, side, side)
            kept = file.create_dataset(f"{name}/features", shape, np.float16)  # contiguous, to be mapped into memory
            file[f"{name}/labels"] = split["labels"][:]
            batches = stream_batches(prepared, name, data, BATCH, device)
            _write(kept, 0, (pixels for pixels, _ in batches), backbone)
            for view in range(1, views):
                _write(kept, view, _changed(split["images"], view, settings, device), backbone)
        file.attrs.update(images.attrs)
        file.attrs["features"] = settings.model_dump_json()


def _changed(images: h5py.Dataset, view: int, settings: Features, device: torch.device) -> Iterator[Tensor]:
    """Batches of the images in order, as training changes them, the same whenever they are made."""
    data = settings.data
    drawn = np.random.SeedSequence((data.split_seed, Stream.FEATURE_VIEWS, view))
    generator = torch.Generator().manual_seed(int(drawn.generate_state(1)[0]))
    for start in range(0, len(images), BATCH):
        block = torch.from_numpy(images[start : start + BATCH]).to(device)
        yield normalize(augment(block, data.size, settings.augment, generator), data.mean, data.std)


def _write(kept: h5py.Dataset, view: int, batches: Iterable[Tensor], backbone: Backbone) -> None:
    start = 0
    for pixels in tqdm(batches, total=-(-len(kept) // BATCH), unit="batch", disable=None):
        kept[start : start + len(pixels), view] = backbone.features(pixels).half().cpu().numpy()
        start += len(pixels)


def require_features(prepared: h5py.File, run: Run) -> None:
    """Nothing, where an open file has the feature maps that the run is to be trained on, or images where it has none.

    Raises:
        RemError: else.
    """
    kept = prepared.attrs.get("features")
    wanted = run.features.model_dump_json() if run.features else None
    if kept == wanted:
        return
    has = "images" if kept is None else "feature maps" + (" of other settings" if wanted else "")
    needs = "images, as rem prepare writes them" if wanted is None else "feature maps of these, as rem features writes"
    raise RemError(
        f"{prepared.filename} has {has}, but network.views is {run.network.views or 'null'}; give a file with {needs}."
    )

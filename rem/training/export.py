"""A network as a file that other programs run without this package: ONNX or TorchScript."""

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from rem.data.batches import not_images, stream_batches
from rem.errors import RemError
from rem.files.atomic import whole
from rem.files.digests import checksum
from rem.files.hdf5 import open_hdf5
from rem.networks.connections import Gathered, route_gathered
from rem.networks.network import Network
from rem.settings.run import Run
from rem.training.checkpoints import load_checkpoint
from rem.training.latency import latencies

TOLERANCE = 1e-4  # of lengths, poses and couplings, none of which is above 1
OUTPUTS = ("lengths", "poses", "couplings")
Outputs = tuple[Tensor, Tensor, Tensor]


class Unrolled(nn.Module):
    """A copy of a network as a function of normalized images alone, its connections laid out once and for all.

    Args:
        model: any network, a compact one too. A decoder, which needs a label, is left out.
    """

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.model.decoder = None
        connections, self.model.connections = self.model.connections, None
        self.layout = None
        if connections is not None and not connections.all():
            self.layout = Gathered(connections)
            self.register_buffer("gathered", self.layout.weight(self.model.weight))  # (J, n*P, D)
            self.model.weight = nn.Parameter(self.model.weight[:, :0], requires_grad=False)  # no second copy of W_ij

    def forward(self, images: Tensor) -> Outputs:
        """Images (B, C, S, S) to lengths (B, J), poses (B, J, D) and couplings (B, J, I), as of `Network`."""
        if self.layout is None:
            return self.model(images)
        model = self.model
        primary = model.primary_capsules(model.stem(images))
        poses, couplings = route_gathered(self.layout, self.gathered, primary, model.routing_bias, model.iterations)
        return torch.linalg.vector_norm(poses, dim=-1), poses, couplings


@torch.no_grad()
def export_checkpoint(
    checkpoint: Path, prepared: Path, target: Path, form: str, architecture: str | None = None
) -> pd.DataFrame:
    """Write a checkpoint's network to `target`, its routing unrolled.

    Input is `images` (B, C, S, S), normalized, for any B; outputs are `lengths` (B, J), `poses` (B, J, D) and
    `couplings` (B, J, I). What `_described` says goes into the file too: of an ONNX file into its metadata, of a
    TorchScript file into its extra file `rem.json`.

    Args:
        checkpoint: of the network.
        prepared: the dataset's HDF5 file, of whose test split a batch is compared and timed.
        target: the file to write.
        form: a name in `FORMATS`.
        architecture: of `load_checkpoint`.

    Returns:
        A row `original` and a row with the name of the form, in the column `network`; `bytes` of the file,
        `difference`, the largest from the original's outputs, `image_ms`, `batch_ms` and `batch` as of
        `rem.training.compact.compact_checkpoint`.

    Raises:
        RemError: the outputs differ by more than 1e-4 on a batch of test images, or on its first image alone; or a
            package that the form needs is missing; or `target` is the checkpoint; or `prepared` holds a backbone's
            feature maps. Nothing is written then.
    """
    if target.resolve() == checkpoint.resolve():
        raise RemError(f"{target} is the checkpoint to export; name another file to write.")
    write, read = FORMATS[form]
    model, run, epoch = load_checkpoint(checkpoint, architecture=architecture)
    data = run.data
    images, _ = next(stream_batches(prepared, "test", data, run.training.batch_size, "cpu"))
    if images.shape[1] != data.channels:
        raise not_images(prepared)
    with open_hdf5(prepared) as file:
        names = [str(name) for name in file.attrs["class_names"]]
    with whole(target) as partial, _quiet():
        write(Unrolled(model).eval(), images[:2], _described(run, names, epoch, checkpoint), partial)
        exported = read(partial)
        difference = max(_difference(model, exported, seen) for seen in (images, images[:1]))
        if not difference <= TOLERANCE:
            raise RemError(
                f"{checkpoint} gives other outputs as {form}, by up to {difference:.1g} on {len(images)} test images "
                f"where {TOLERANCE:g} is allowed; see that its weights are finite, or use the checkpoint itself."
            )
        networks, files = {"original": model, form: exported}, (checkpoint, partial)
        milliseconds = zip(*(latencies(list(networks.values()), seen) for seen in (images[:1], images)), strict=True)
        rows = [
            {"network": name, "bytes": file.stat().st_size, "difference": apart}
            | {"image_ms": alone, "batch_ms": together, "batch": len(images)}
            for name, file, apart, (alone, together) in zip(
                networks, files, (0.0, difference), milliseconds, strict=True
            )
        ]
    return pd.DataFrame(rows)


def _described(run: Run, names: list[str], epoch: int, checkpoint: Path) -> dict[str, str]:
    """What whoever runs the file has to know, each as text or JSON."""
    data = run.data
    images = (
        f"float32 (batch, {data.channels}, {data.size}, {data.size}): the middle {data.size} x {data.size} pixels, "
        "each channel (pixel / 255 - mean) / std"
    )
    return {
        "images": images,
        "mean": json.dumps(list(data.mean)),
        "std": json.dumps(list(data.std)),
        "class_names": json.dumps(names),
        "outputs": "lengths (batch, classes), the largest of which is the predicted class's; poses (batch, classes, "
        "dimensions); couplings (batch, classes, primary capsules) of the last iteration of the routing",
        "checkpoint": f"{checkpoint.name}, {checksum(checkpoint, 'sha256', unpacked=False)}",
        "epoch": str(epoch),
        "run": run.model_dump_json(),
    }


def _difference(model: Network, exported: Callable[[Tensor], Outputs], images: Tensor) -> float:
    pairs = zip(model(images), exported(images), strict=True)
    return float(max((one - other).abs().nan_to_num(torch.inf).max() for one, other in pairs))


def _write_onnx(network: Unrolled, images: Tensor, described: dict[str, str], target: Path) -> None:
    _require_onnx()
    batch = torch.export.Dim("batch", min=1)
    graph = torch.export.export(network, (images,), dynamic_shapes=({0: batch},), strict=False)
    program = torch.onnx.export(
        graph, dynamo=True, input_names=["images"], output_names=OUTPUTS, verbose=False, optimize=True
    )
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # which would say from what lines of this package, and where those lie
    program.model.metadata_props.update(described)
    program.save(target, external_data=False)


def _read_onnx(path: Path) -> Callable[[Tensor], Outputs]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    return lambda images: tuple(map(torch.from_numpy, session.run(list(OUTPUTS), {"images": images.numpy()})))


def _require_onnx() -> None:
    """Without onnxruntime too nothing is written, for then nobody would have looked at the outputs."""
    for package in ("onnx", "onnxruntime", "onnxscript"):
        try:
            import_module(package)
        except ImportError as error:
            raise RemError(
                f"to write and check ONNX, {package} is needed, which cannot be imported; install the packages of the "
                "extra `export`, or choose --format torchscript."
            ) from error


def _write_torchscript(network: Unrolled, images: Tensor, described: dict[str, str], target: Path) -> None:
    traced = torch.jit.trace(network, (images,), check_trace=False)
    torch.jit.save(traced, str(target), _extra_files={"rem.json": json.dumps(described)})


def _read_torchscript(path: Path) -> Callable[[Tensor], Outputs]:
    return torch.jit.load(str(path))


FORMATS = {"onnx": (_write_onnx, _read_onnx), "torchscript": (_write_torchscript, _read_torchscript)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch says of traced sizes, whose batch is checked here, and of what it will give up one day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""REM: routing entropy minimization for Capsule Networks.

The names below are for code of your own (docs/parts.md); all else may move. Each loads its module when it is first
asked for, so that `import rem` waits for no heavy package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors read
    from rem.data.batches import load_split
    from rem.errors import RemError
    from rem.networks.capsnet import CapsNet
    from rem.networks.losses import margin_loss
    from rem.networks.network import LowerLayer, Network
    from rem.networks.routing import route
    from rem.pruning.lobster import lobster
    from rem.pruning.masks import Masks
    from rem.pruning.threshold import search_threshold
    from rem.tables.measurements import read_metrics
    from rem.training.checkpoints import load_checkpoint as load
    from rem.trees.entropy import dictionary, entropy, mean_entropy
    from rem.trees.interventions import temper
    from rem.trees.quantizer import keys, quantize
    from rem.trees.strength import instability, polarization, strongest_coupling

__version__ = "0.1.0"
__all__ = [
    "CapsNet",
    "LowerLayer",
    "Masks",
    "Network",
    "RemError",
    "dictionary",
    "entropy",
    "instability",
    "keys",
    "load",
    "load_split",
    "lobster",
    "margin_loss",
    "mean_entropy",
    "polarization",
    "quantize",
    "read_metrics",
    "route",
    "search_threshold",
    "strongest_coupling",
    "temper",
]

_HOMES = {
    "CapsNet": "rem.networks.capsnet.CapsNet",
    "LowerLayer": "rem.networks.network.LowerLayer",
    "Masks": "rem.pruning.masks.Masks",
    "Network": "rem.networks.network.Network",
    "RemError": "rem.errors.RemError",
    "dictionary": "rem.trees.entropy.dictionary",
    "entropy": "rem.trees.entropy.entropy",
    "instability": "rem.trees.strength.instability",
    "keys": "rem.trees.quantizer.keys",
    "load": "rem.training.checkpoints.load_checkpoint",
    "load_split": "rem.data.batches.load_split",
    "lobster": "rem.pruning.lobster.lobster",
    "margin_loss": "rem.networks.losses.margin_loss",
    "mean_entropy": "rem.trees.entropy.mean_entropy",
    "polarization": "rem.trees.strength.polarization",
    "quantize": "rem.trees.quantizer.quantize",
    "read_metrics": "rem.tables.measurements.read_metrics",
    "route": "rem.networks.routing.route",
    "search_threshold": "rem.pruning.threshold.search_threshold",
    "strongest_coupling": "rem.trees.strength.strongest_coupling",
    "temper": "rem.trees.interventions.temper",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inside = _HOMES[name].rpartition(".")
    return getattr(import_module(module), inside)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

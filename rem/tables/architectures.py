"""What other networks and routings make of accuracy and trees, and what a routing adds over none.

rem architectures results/networks/architectures --metrics ... --probes ... --runs ...
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from rem.files.csv import read_csv
from rem.networks.build import build
from rem.settings.run import Run
from rem.tables.alike import alike
from rem.tables.measurements import Results, read_results
from rem.tables.probes import Probes, read_probes
from rem.tables.statistics import paired_gain
from rem.tables.table import accuracy_text, as_text, gain_text, write_forms

COLUMNS = ["dataset", "variant", "architecture", "routing", "pruned", "parameters", "sparsity", "seeds", "accuracy"]
COLUMNS += ["accuracy_std", "strongest_coupling", "instability", "band_entropy", "strongest_coupling_below"]
COLUMNS += ["band_entropy_below", "over_uniform_couplings", "over_uniform_network", "low", "high"]
CAPTION = """\
Networks and routings; means over seeds. Parameters: all, pruned or not. Sparsity: the share that is zero of those \
that may be pruned. Accuracy: of the test set, not quantized, ± over seeds. rho: the share of the spread of the \
logits that is from image to image of one class, blank where there is no spread. H: Eq. 9, its mean over the band of \
K. Below: of the routed layer below that of the class capsules, where there is one; a key there is of an image's \
parent, the capsule for which its coupling to the predicted class times its own length is largest, and of the \
couplings of that parent's children to it. K is chosen, and accuracy measured, with the couplings of the last layer \
alone quantized. Over c = 1/J: points of accuracy above the same network with c = 1/J in place of its couplings. Over \
a network without routing: points above one that was trained with c = 1/J and is alike in all else, of the same seed, \
with the 95% interval of Student's t.\
"""


def parameters(run: Run) -> int:
    """How many parameters the network of a run has, its decoder among them."""
    return sum(parameter.numel() for parameter in build(run, torch.device("cpu")).parameters())


def without_routing(results: Results, dataset: str, variant: str) -> str | None:
    """The variant that differs from another in `network.routing: uniform` alone; None if there is none, or it is it."""
    own = results.of(dataset, variant)[0]
    if own.network.routing in (None, "uniform"):
        return None
    uniform = own.model_copy(update={"network": own.network.model_copy(update={"routing": "uniform"})})
    return next((run.variant for run in alike(results, uniform, ())), None)


def architectures(results: Results, probes: Probes) -> pd.DataFrame:
    """A row a dataset and variant, with `COLUMNS`: means over seeds, but for the standard deviation of the accuracy.

    `sparsity` is in %, `band_entropy` in bits; `strongest_coupling_below` and `band_entropy_below` are of layer 2;
    `over_uniform_couplings` and `over_uniform_network` are in points of accuracy, the last with its 95% interval `low`
    to `high`. What was not measured is NaN.
    """
    networks = [(dataset, variant) for dataset in results.datasets for variant in results.variants(dataset)]
    return pd.DataFrame([_row(results, probes, *network) for network in networks], columns=COLUMNS)


def _row(results: Results, probes: Probes, dataset: str, variant: str) -> dict[str, object]:
    run = results.of(dataset, variant)[0]

    def measured(metric: str, of: str = variant, among: Results = results) -> pd.Series:
        return among.over_seeds(dataset, of, results.checkpoint(dataset, of), None, metric)

    def probed(probe: str, setting: str, metric: str) -> float:
        return probes.over_seeds(dataset, variant, probe, setting, metric).mean()

    accuracy = measured("accuracy")
    unrouted = without_routing(results, dataset, variant)
    others = measured("accuracy", of=unrouted) if unrouted else pd.Series(dtype=float)
    better, low, high = paired_gain(accuracy, others)
    below = results.at_layer(2)
    return {
        "dataset": dataset,
        "variant": variant,
        "architecture": run.network.architecture,
        "routing": run.network.routing or "its own",
        "pruned": run.pruning is not None,
        "parameters": parameters(run),
        "sparsity": measured("sparsity").mean(),
        "seeds": len(accuracy),
        "accuracy": accuracy.mean(),
        "accuracy_std": accuracy.std(),
        "strongest_coupling": measured("strongest_coupling").mean(),
        "instability": probed("stability", "unchanged", "instability"),
        "band_entropy": measured("band_entropy").mean(),
        "strongest_coupling_below": measured("strongest_coupling", among=below).mean(),
        "band_entropy_below": measured("band_entropy", among=below).mean(),
        "over_uniform_couplings": -probed("intervention", "uniform", "difference"),
        "over_uniform_network": better,
        "low": low,
        "high": high,
    }


def write_architectures(metrics_csv: Path, probes_csv: Path, run_yamls: Sequence[Path], folder: Path) -> None:
    """Write `architectures` (.csv, .md, .tex) into a folder, which is made if it is missing.

    Args:
        metrics_csv: the tidy table that `rem.tables.measurements` describes.
        probes_csv: of `rem probes`.
        run_yamls: `run.yaml` of every run; the file of a network of one's own, which they name, is run.
        folder: to write to.

    Raises:
        RemError: a file is missing, unreadable or incomplete.
    """
    results = read_results(metrics_csv, run_yamls)
    table = architectures(results, read_probes(probes_csv))
    write_forms(folder / "architectures", table, CAPTION, _readable(table, results))


def read_architectures(path: Path) -> pd.DataFrame:
    """What `architectures` returned, from its CSV; raises RemError if that cannot be read or lacks a column."""
    return read_csv(path, COLUMNS)


def _readable(table: pd.DataFrame, results: Results) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Dataset": table["dataset"].map(results.names.dataset),
            "Network": table["architecture"],
            "Routing": table["routing"],
            "Pruned": table["pruned"].map({True: "yes", False: ""}),
            "Parameters": as_text(table["parameters"], ","),
            "Sparsity (%)": as_text(table["sparsity"], ".1f"),
            "Accuracy (%)": accuracy_text(table),
            "Mean max_j c": as_text(table["strongest_coupling"], ".3f"),
            "rho": as_text(table["instability"]),
            "H, band": as_text(table["band_entropy"]),
            "Mean max_j c, below": as_text(table["strongest_coupling_below"], ".3f"),
            "H, band, below": as_text(table["band_entropy_below"]),
            "Over c = 1/J": as_text(table["over_uniform_couplings"], "+z.2f"),
            "Over a network without routing": gain_text(table, "over_uniform_network"),
        }
    )

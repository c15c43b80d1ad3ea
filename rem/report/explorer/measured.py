"""What was measured of a network, at every K and at every temperature: out of `metrics.csv` and `probes.csv`."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from rem.tables.measurements import read_metrics
from rem.tables.probes import read_probes

METRICS = ("accuracy", "entropy", "keys", "entropy_ceiling")  # over all classes


class Network(NamedTuple):
    """A network at a checkpoint, by which its rows are found."""

    dataset: str
    variant: str
    seed: int
    checkpoint: str


class Measured:
    """The numbers of a run and of those of its experiments that have been made.

    Args:
        results: the folder of the run, `results/<name>`. In it is `metrics.csv`, and `probes.csv` where networks were
            probed. In folders of it are those of experiments.
        split: the images of which the numbers are.

    Attributes:
        networks: all of which something was measured, as the config has them.
        selected: those of them that are the run's own, and not an experiment's alone.

    Raises:
        RemError: a file is unreadable, or there is no `metrics.csv`.
    """

    def __init__(self, results: Path, split: str) -> None:
        folders = [results, *sorted(path.parent for path in results.glob("[!.]*/metrics.csv"))]
        tables = [read_metrics(folder / "metrics.csv") for folder in folders]
        tables = [rows[(rows["split"] == split) & rows["class"].isna()] for rows in tables]
        self._metrics = _by_network(pd.concat(tables).drop_duplicates([*Network._fields, "levels", "metric"]))
        self.networks = list(self._metrics)
        self.selected = set(_by_network(tables[0]))
        paths = [folder / "probes.csv" for folder in folders]
        probed = [read_probes(path).rows for path in paths if path.is_file()]
        self._probed = {}
        if probed:
            rows = pd.concat(probed)
            rows = rows[(rows["split"] == split) & (rows["probe"] == "temperature")]
            self._probed = _by_network(rows.drop_duplicates([*Network._fields, "setting", "levels", "metric"]))

    def at_levels(self, network: Network) -> dict[str, object]:
        """The accuracy `unquantized`, the K as `levels`, and at each what `METRICS` names: None where it is unknown."""
        own = self._metrics[network]
        plain = own[own["levels"].isna() & (own["metric"] == "accuracy")]["value"]
        at = own[own["levels"].notna() & own["metric"].isin(METRICS)]
        at = at.pivot(index="levels", columns="metric", values="value").sort_index()
        columns = {name: [None if pd.isna(one) else one for one in at[name].tolist()] for name in at}
        return {"unquantized": float(plain.iloc[0]), "levels": at.index.astype(int).tolist(), **columns}

    def at_temperatures(self, network: Network, levels: Sequence[int]) -> dict[str, object] | None:
        """The temperatures `tau`, at each the `accuracy`, and of each of these K, by its name, the entropy at each tau.

        None where the network was not probed.
        """
        if network not in self._probed:
            return None
        own = self._probed[network]
        line = own.pivot(index="setting", columns=["metric", "levels"], values="value")
        line = line.loc[sorted(line.index, key=float)]
        known = [level for level in levels if ("entropy", level) in line]
        return {
            "tau": list(line.index),
            "accuracy": line["accuracy"].iloc[:, 0].round(3).tolist(),
            "entropy": {str(level): line["entropy", level].round(4).tolist() for level in known},
        }


def _by_network(rows: pd.DataFrame) -> dict[Network, pd.DataFrame]:
    groups = rows.groupby(list(Network._fields), sort=False)
    return {Network(dataset, variant, int(seed), kind): own for (dataset, variant, seed, kind), own in groups}

"""What things are called in tables and figures."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from rem.data.sources import find_source
from rem.settings.run import Run

PAPERS = {  # the paper's data sets as it writes them
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR10",
    "tiny-imagenet": "Tiny ImageNet",
    "expanded-mnist": "expanded MNIST",
    "affnist": "affNIST",
}
TRANSFERRED = "affnist"  # the paper's transfer set, for networks trained on expanded MNIST
MODELS = {"baseline": "CapsNet+Q", "rem": "CapsNet+REM"}  # the paper's names of its networks, quantized
PLAIN_MODELS = {"baseline": "CapsNet", "rem": "CapsNet (pruned)"}  # and unquantized


@dataclass(frozen=True)
class Images:
    """A dataset, or the source of a transfer set, and which of the paper's it is, a sample of it or a `stand_in`."""

    name: str
    paper: str | None = None
    stand_in: bool = False

    @property
    def title(self) -> str:
        """The name for people, which says in whose place a stand-in is."""
        return f"{self.name} (in {PAPERS[self.paper]}'s place)" if self.stand_in else self.name

    def are(self, paper: str) -> bool:
        """Whether they are that data set of the paper, or a sample of it."""
        return self.paper == paper and not self.stand_in


def images_of(run: Run) -> Images:
    """The dataset that a run is trained and tested on."""
    paper = run.stands_for
    return Images(run.dataset, paper, paper is not None and paper not in find_source(run.data.source).papers)


def transfer_of(run: Run) -> Images | None:
    """The source of a run's transfer set; None where it has none."""
    if run.data.transfer is None:
        return None
    source = find_source(run.data.transfer)
    stand_in = source.in_place_of == TRANSFERRED
    known = stand_in or TRANSFERRED in source.papers
    return Images(run.data.transfer, TRANSFERRED if known else None, stand_in)


def model_name(variant: str, quantized: bool, decoder_on: str | None = None) -> str:
    """A variant's network for people: the paper's name, for its two networks and these with a decoder, or its own.

    `decoder_on` is `Run.decoder_on`.
    """
    names = MODELS if quantized else PLAIN_MODELS
    return f"{names[decoder_on]}, decoder" if decoder_on else names.get(variant, variant)


class Names:
    """What the datasets and networks of some runs are called; what no run is of has its own name."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = {(run.dataset, run.variant): run for run in runs}
        self._datasets = {run.dataset: run for run in self._runs.values()}

    def images(self, dataset: str) -> Images:
        """A dataset's images."""
        return images_of(self._datasets[dataset]) if dataset in self._datasets else Images(dataset)

    def transfer(self, dataset: str) -> Images | None:
        """Those of its transfer set; None where it has none."""
        return transfer_of(self._datasets[dataset]) if dataset in self._datasets else None

    def dataset(self, dataset: str) -> str:
        """A dataset for people."""
        return self.images(dataset).title

    def model(self, variant: str, dataset: str | None = None, quantized: bool = True) -> str:
        """A variant's network for people, on a dataset or, where one name serves all of them, on the first."""
        named = [run for (on, of), run in self._runs.items() if of == variant and dataset in (None, on)]
        if not named:
            return model_name(variant, quantized)
        run = named[0]
        name = model_name(variant, quantized, run.decoder_on)
        return f"{name} of normalized pixels" if run.decoder_on and run.decoder.pixels == "normalized" else name


def with_range(value: float, low: float, high: float, spec: str) -> str:
    """A number and its range as text, e.g. "52.50 (17.90 to 60.70)"; alone where both ends print alike."""
    if pd.isna(value):
        return ""
    ends = f"{low:{spec}}", f"{high:{spec}}"
    return f"{value:{spec}}" + (f" ({' to '.join(ends)})" if ends[0] != ends[1] else "")


def with_spread(value: float, spread: float | None, spec: str, over: str | None = None) -> str:
    """A number as text, e.g. "96.81 ± 0.23"; nothing where there is none, no ± where there is no spread."""
    if pd.isna(value):
        return ""
    if spread is None or pd.isna(spread):
        return f"{value:{spec}}"
    return f"{value:{spec}} ± {spread:{spec}}" + (f" ({over})" if over else "")

"""Which of the selected runs a table or a claim is about."""

from rem.results import Results
from rem.settings import Run


def plain_variants(results: Results, dataset: str) -> list[str]:
    """The variants of a dataset that have no decoder, in the order of the runs."""
    variants = results.runs.loc[results.runs["dataset"] == dataset, "variant"].unique()
    return [variant for variant in variants if not variant.endswith("-decoder")]


def main_dataset(results: Results, dataset: str) -> list[str]:
    """The main dataset, in the place of the paper's MNIST, if it is selected."""
    return [dataset] if dataset in results.datasets else []


def with_transfer(results: Results, dataset: str = "") -> list[str]:
    """The datasets that were measured on a transfer set."""
    found = set(results.rows.loc[results.rows["split"] == "transfer", "dataset"])
    return [each for each in results.datasets if each in found]


def others(results: Results, dataset: str) -> list[str]:
    """The datasets beside the main one, but for those with a transfer set: Table 6."""
    return [each for each in results.datasets if each not in (dataset, *with_transfer(results))]


def with_decoder(results: Results, dataset: str = "") -> list[str]:
    """The datasets on which a network with a decoder was trained."""
    decoders = results.runs[results.runs["variant"].str.endswith("-decoder")]
    return list(decoders["dataset"].unique())


def every(results: Results, dataset: str = "") -> list[str]:
    """All selected datasets."""
    return results.datasets


def transfer_sources(runs: list[Run]) -> dict[str, str]:
    """Per dataset with a transfer set, the source of that set."""
    return {run.dataset: run.data.transfer for run in runs if run.data.transfer}

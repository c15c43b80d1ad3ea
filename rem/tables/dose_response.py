"""Does the shrinkage lower the entropy, or do the zeros? Networks of several doses, with and without zeros.

rem dose-response results/sample/dose-response --metrics results/sample/dose-response/metrics.csv --runs ...
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import linalg, stats

from rem.errors import RemError
from rem.files.csv import read_csv
from rem.settings.run import Run
from rem.tables.measurements import Results, read_results
from rem.tables.quantities import METRICS
from rem.tables.table import as_text, write_forms

KINDS = {"none": "shrunk", "follow": "zeros", "search": "REM"}  # `pruning.extent` -> what such a network is here
ENTROPIES = {"entropy_shared": "shared_levels", "entropy_authors": "authors_levels"}  # -> the K that each is at
MODELS = (("logit_spread",), ("logit_spread", "sparsity"))  # what the entropy is explained by
COLUMNS = ["dataset", "kind", "dose", "seed", "variant", "checkpoint", "accuracy", "sparsity", "logit_spread"]
COLUMNS += [column for pair in ENTROPIES.items() for column in pair]
CAPTION = """\
Dose-response. Networks of several doses, the sum of lambda over the optimiser's steps, with and without zeros. Kind: \
shrunk, by the dose alone, no weight is removed; zeros, not shrunk, but pruned by magnitude to the sparsity that REM \
of that dose had after each epoch; REM, shrunk and pruned. Accuracy: of the test set, not quantized. Logit spread: the \
standard deviation of b_ij - mean_k b_ik in the last iteration of the routing, on validation images. Entropy: Eq. 9, \
of the test set, at K = {shared}, which the dataset's networks share, and at the authors' K = {authors}.\
"""
REGRESSION = """\
Dose-response, regression. Least squares over the networks of the table: the entropy on the logit spread, then on the \
sparsity too, with 95% t-intervals; a coefficient is in bits, per unit of the spread or per point of the sparsity. R2: \
the share of the entropy's variance that is explained. Networks of one seed begin with the same weights, so that the \
intervals are rather too narrow. Blank where too few networks, or networks that are all alike, decide nothing.\
"""


def dose_response(results: Results, spreads: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A row a pruned network, with `COLUMNS`, in the order of kinds and doses.

    Args:
        results: the measurements of the runs.
        spreads: the `history.csv` of each of `results.runs`, in their order: `epoch` and `logit_spread`.
    """
    pairs = zip(results.runs, spreads, strict=True)
    table = pd.DataFrame([_row(results, run, history) for run, history in pairs if run.pruning], columns=COLUMNS)
    order = table["kind"].map(list(KINDS.values()).index)
    return table.assign(order=order).sort_values(["dataset", "order", "dose", "seed"])[COLUMNS].reset_index(drop=True)


def _row(results: Results, run: Run, history: pd.DataFrame) -> dict[str, object]:
    def measured(metric: str, levels: int | None = None, variant: str = run.variant) -> float:
        checkpoint = results.checkpoint(run.dataset, variant)
        return results.over_seeds(run.dataset, variant, checkpoint, levels, metric).get(run.seed, np.nan)

    shared, authors = results.shared[run.dataset], results.authors[run.dataset]
    return {
        "dataset": run.dataset,
        "kind": KINDS[run.pruning.extent],
        "dose": measured("dose", variant=run.pruning.follows or run.variant),
        "seed": run.seed,
        "variant": run.variant,
        "checkpoint": run.checkpoint,
        "accuracy": measured("accuracy"),
        "sparsity": measured("sparsity"),
        "logit_spread": history.set_index("epoch")["logit_spread"].get(measured("epoch"), np.nan),
        "entropy_shared": measured("entropy", shared),
        "shared_levels": shared,
        "entropy_authors": measured("entropy", authors),
        "authors_levels": authors,
    }


def least_squares(terms: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Ordinary least squares with an intercept.

    Args:
        terms: (n, p).
        response: (n,).

    Returns:
        The coefficients (p + 1,), that of the intercept first; half the width of each one's 95% t-interval; R2. All NaN
        where n is not above p + 1, where terms depend on each other, or where the response is the same for all.
    """
    design = np.column_stack([np.ones(len(terms)), terms])
    freedom = len(design) - design.shape[1]
    nothing = np.full(design.shape[1], np.nan)
    if freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1] or np.ptp(response) == 0:
        return nothing, nothing, np.nan
    found, *_ = linalg.lstsq(design, response)
    unexplained = np.square(response - design @ found).sum()
    errors = np.sqrt(unexplained / freedom * np.diag(linalg.inv(design.T @ design)))
    explained = 1 - unexplained / np.square(response - response.mean()).sum()
    return found, stats.t.ppf(0.975, freedom) * errors, explained


def regressions(table: pd.DataFrame) -> pd.DataFrame:
    """The entropy of `dose_response` explained by logit spread, then by the sparsity too.

    Returns:
        A row a dataset, K, model and term: `dataset`, `levels` (K), `model` (its terms), `term`, `coefficient` with
        its 95% interval `low` to `high`, `r2` of the model and the number of `networks`.
    """
    rows = []
    for dataset, own in table.groupby("dataset", sort=False):
        for entropy, levels in ENTROPIES.items():
            for model in MODELS:
                known = own.dropna(subset=[entropy, *model])
                found, half, explained = least_squares(known[list(model)].to_numpy(float), known[entropy].to_numpy())
                for term, value, reach in zip(("intercept", *model), found, half, strict=True):
                    of_model = {"dataset": dataset, "levels": own[levels].iloc[0], "model": " + ".join(model)}
                    of_term = {"term": term, "coefficient": value, "low": value - reach, "high": value + reach}
                    rows.append(of_model | of_term | {"r2": explained, "networks": len(known)})
    return pd.DataFrame(rows)


def write_dose_response(metrics_csv: Path, run_yamls: Sequence[Path], histories: Sequence[Path], folder: Path) -> None:
    """Write `dose_response` and, of it, `regression` (.csv, .md, .tex).

    Args:
        metrics_csv: the tidy table that `rem.tables.measurements` describes.
        run_yamls: `run.yaml` of every run.
        histories: `history.csv` of every run, in the same order.
        folder: made if it is missing.

    Raises:
        RemError: as `rem.tables.measurements.read_results`, or there is not one history a run, or no run is pruned.
    """
    if len(run_yamls) != len(histories):
        raise RemError(f"{len(run_yamls)} runs have {len(histories)} histories; give one history.csv a run.")
    results = read_results(metrics_csv, run_yamls)
    table = dose_response(results, [read_csv(path, ["epoch", "logit_spread"]) for path in histories])
    if table.empty:
        raise RemError("none of the runs is pruned; give runs whose variants have a section `pruning`.")
    shared, authors = (" or ".join(map(str, table[name].unique())) for name in ENTROPIES.values())
    write_forms(folder / "dose_response", table, CAPTION.format(shared=shared, authors=authors), _readable(table))
    found = regressions(table)
    text = found.map(lambda value: f"{value:.4g}" if isinstance(value, float) else str(value)).replace("nan", "")
    write_forms(folder / "regression", found, REGRESSION, text)


def read_dose_response(path: Path) -> pd.DataFrame:
    """What `dose_response` returned, from its CSV; raises RemError if that cannot be read or lacks a column."""
    return read_csv(path, COLUMNS)


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    accuracy, sparsity, entropy = (METRICS[name].name.capitalize() for name in ("accuracy", "sparsity", "entropy"))
    return pd.DataFrame(
        {
            "Dataset": table["dataset"],
            "Kind": table["kind"],
            "Dose": as_text(table["dose"]),
            "Seed": table["seed"].map(str),
            accuracy: as_text(table["accuracy"]),
            sparsity: as_text(table["sparsity"]),
            "Logit spread": as_text(table["logit_spread"], ".3f"),
            f"{entropy}, shared K": as_text(table["entropy_shared"]),
            f"{entropy}, authors' K": as_text(table["entropy_authors"]),
        }
    )

"""Every quantity, described once: what it is called, its unit, its statistic over seeds, and how it is printed."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A metric of `metrics.csv`, or one that the claims work out of some.

    Attributes:
        label: its name for people, small where it is no name.
        unit: empty for a count and a share of 1.
        statistic: over seeds, as in the paper.
        ranged: whether its least and greatest over seeds stand beside that in a table, which a median hides.
        spec: the format of a number in a table.
        told: that of a number, and of a difference, in a claim.
        difference: that of a difference in `paired.md`.
        ceiling: the metric that bounds it from above.
        by_split: whether each split has one of its own; else it is the network's.
        sweep: whether each K has one of its own.
        over_band: whether it is a mean over the band of K.
    """

    label: str
    unit: Literal["", "%", "bits"] = ""
    statistic: Literal["mean", "median"] = "mean"
    ranged: bool = False
    spec: str = ".2f"
    told: str = ".2f"
    difference: str = ".3g"
    ceiling: str | None = None
    by_split: bool = True
    sweep: bool = True
    over_band: bool = False

    @property
    def name(self) -> str:
        """With its unit, e.g. "entropy (bits)"."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


COUNT = {"statistic": "median", "spec": ".9g", "told": ".0f", "difference": ".1f"}
OVER_BAND = {"sweep": False, "over_band": True}
OF_THE_NETWORK = {"by_split": False, "sweep": False}
METRICS = {
    "epoch": Metric("epoch", **COUNT, **OF_THE_NETWORK),
    "accuracy": Metric("accuracy", "%"),
    "sparsity": Metric("sparsity", "%", "median", ranged=True, **OF_THE_NETWORK),
    "sparsity_class_blocks": Metric("zero W_ij", "%", **OF_THE_NETWORK),
    "dose": Metric("dose", statistic="median", **OF_THE_NETWORK),
    "keys": Metric("keys", **COUNT, ceiling="images"),
    "images": Metric("images", **COUNT),
    "entropy": Metric("entropy", "bits", ceiling="entropy_ceiling"),
    "entropy_ceiling": Metric("ceiling", "bits"),
    "entropy_miller_madow": Metric("Miller-Madow", "bits"),
    "entropy_chao_shen": Metric("Chao-Shen", "bits"),
    "coverage": Metric("coverage"),
    "lower_bound": Metric("lower bound"),
    "uniform_share": Metric("share in the level of 1/J", told=".3f"),
    "near_uniform_share": Metric("share within .01 of 1/J", told=".3f", sweep=False),
    "band_entropy": Metric("entropy over the band", "bits", ceiling="entropy_ceiling", **OVER_BAND),
    "band_keys": Metric("keys over the band", **COUNT, ceiling="images", **OVER_BAND),
    "strongest_coupling": Metric("mean max_j c", spec=".3f", told=".3f", sweep=False),
    # Of claims alone.
    "polarization": Metric("polarization", told=".3f"),
    "zero W_ij": Metric("zero W_ij", "%"),
    "relative fall of entropy": Metric("relative fall of entropy", "%"),
    "dimensions above chance": Metric("dimensions above chance", "%"),
    "consistency": Metric("consistency", told=".3f"),
    "accuracy lost by deletion": Metric("accuracy lost by deletion", "%"),
    "accuracy lost with rare keys": Metric("accuracy lost with rare keys", "%"),
    "purity of keys": Metric("purity of keys", "%"),
    "strength above 1/n": Metric("strength above 1/n", told=".3f"),
    "accuracy at equal test accuracy": Metric("accuracy at equal test accuracy", "%"),
}

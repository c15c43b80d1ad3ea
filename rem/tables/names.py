"""What things are called in tables and figures."""

import pandas as pd

STANDS_FOR = {  # generated images -> the paper's, whose place they take without being them
    "shapes": "CIFAR10",
    "shapes-20": "Tiny ImageNet",
    "affnist-like-sample": "affNIST",
    "affnist-like": "affNIST",
}
MODELS = {"baseline": "CapsNet+Q", "rem": "CapsNet+REM"}  # the paper's names of its networks, quantized
PLAIN_MODELS = {"baseline": "CapsNet", "rem": "CapsNet (pruned)"}  # and unquantized


def display_name(dataset: str) -> str:
    """The name of a dataset, or of a source of test images, for people: in whose place a generated one stands."""
    return f"{dataset} (in {STANDS_FOR[dataset]}'s place)" if dataset in STANDS_FOR else dataset


def model_name(variant: str, quantized: bool) -> str:
    """A variant's network for people: the paper's name, for its two networks and these with a decoder, or its own."""
    names = MODELS if quantized else PLAIN_MODELS
    base = variant.removesuffix("-decoder")
    if base not in names:
        return variant
    return names[base] + (", decoder" if base != variant else "")


def with_spread(value: float, spread: float | None, spec: str, over: str | None = None) -> str:
    """A number as text, e.g. "96.81 ± 0.23"; nothing where there is none, no ± where there is no spread."""
    if pd.isna(value):
        return ""
    if spread is None or pd.isna(spread):
        return f"{value:{spec}}"
    return f"{value:{spec}} ± {spread:{spec}}" + (f" ({over})" if over else "")

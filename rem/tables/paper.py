"""The paper's tables and those of its section 4.3 and of the controls, and the comparison with the paper."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rem.tables.measurements import (
    Results,
    every,
    main_dataset,
    others,
    read_results,
    with_decoder,
    with_transfer,
)
from rem.tables.names import PAPERS
from rem.tables.published import compare, read_published, write_comparison
from rem.tables.summary import write_summary
from rem.tables.table import Model, Quantity, Table, write_table
from rem.trees.entropy import KNOWN, LEAST

EPOCH = Quantity("epoch", caption="epoch: median over seeds")
ACCURACY = Quantity("accuracy", spreads=("seeds",), caption="accuracy: mean ± standard deviation over seeds, in points")
SPARSITY = Quantity("sparsity", caption="sparsity: median over seeds (the least to the greatest, where they differ)")
DOSE = Quantity(
    "dose", caption="dose: the sum of lambda over the optimiser's steps up to the checkpoint, median over seeds"
)
KEYS = Quantity(
    "keys", heading="#", per_class=True, caption="keys of a class / images predicted as it: medians over seeds"
)
ENTROPY = Quantity(
    "entropy",
    spreads=("seeds", "classes"),
    caption="entropy: mean ± standard deviation over seeds of Eq. 9; ± classes: standard deviation over classes of the "
    "H_j averaged over seeds, the spread that the paper prints",
)
CEILING = Quantity("entropy_ceiling", caption="ceiling: the most that n images allow, mean of log2 n")
ESTIMATES = (
    Quantity(
        "entropy_miller_madow",
        caption=f"Miller-Madow, Chao-Shen: less biased; the latter blank where a class of any seed has a coverage "
        f"below {LEAST:g}",
    ),
    Quantity("entropy_chao_shen"),
    Quantity("coverage", caption="coverage: Good-Turing, the probability that the seen keys hold"),
    Quantity(
        "lower_bound",
        caption=f"lower bound: the share of the networks of whose entropy no more can be said than that it is higher, "
        f"for a class of theirs has a coverage below {KNOWN:g}",
    ),
)
COUPLINGS = (
    Quantity("keys", caption="keys of all classes: median over seeds"),
    Quantity(
        "uniform_share",
        caption="share in the level of 1/J: of the couplings to the predicted class, quantized, so it depends on K (at "
        "K = 7 with J = 10 that level reaches from .083 to .25), mean over seeds",
    ),
    Quantity(
        "near_uniform_share",
        caption="share within .01 of 1/J: of the same couplings, not quantized, mean over seeds",
    ),
    Quantity(
        "strongest_coupling",
        caption="mean max_j c: each primary capsule's strongest coupling, not quantized, mean over seeds",
    ),
    Quantity(
        "sparsity_class_blocks",
        caption="zero W_ij: blocks that are wholly zero, which Eq. 15 needs, mean over seeds",
    ),
)


FIRST = Model("baseline", checkpoint="first", name="CapsNet_1+Q")
BEST = Model("baseline", checkpoint="best", name="CapsNet_best+Q")
QUANTIZED = (Model(),)
TRANSFERRED = (
    replace(ACCURACY, heading="Accuracy, transfer (%)", split="transfer"),
    SPARSITY,
    DOSE,
    replace(ENTROPY, heading="Entropy, transfer (bits)", split="transfer"),
    replace(CEILING, heading="Ceiling, transfer (bits)", split="transfer"),
)


def transfer_note(results: Results) -> str:
    """What the transfer sets are, where early stopping was set, and whether every network reached it."""
    sentences = []
    for dataset in results.datasets:
        images = results.names.transfer(dataset)
        if images is None:
            continue
        run = results.of(dataset)[0]
        aimed = run.training.early_accuracy
        sentences.append(f"The transfer set of {dataset} is {images.title}.")
        if images.stand_in:
            sentences.append(f"It is not {PAPERS[images.paper]}.")
        sentences.append(
            f"Under-trained: the first epoch with a validation accuracy of {aimed:g} %, or else that of the highest."
        )
        if run.data.validation != "test":
            sentences.append("Which networks reached it is told by their history.csv.")
            continue
        short = [
            f"{results.names.model(variant, dataset)} seed {seed} ({accuracy:.2f} %)"
            for variant in results.variants(dataset)
            for seed, accuracy in results.over_seeds(dataset, variant, "early", None, "accuracy").items()
            if accuracy < aimed
        ]
        sentences.append(
            f"The test images serve as validation; {', '.join(short)} did not reach it."
            if short
            else "The test images serve as validation; every network reached it."
        )
    return " ".join(sentences)


TABLES = (
    Table(
        "table2",
        "Table 2",
        "Unpruned CapsNets after the first and at the best epoch",
        "the variant baseline of {dataset}",
        main_dataset,
        (FIRST, BEST),
        (EPOCH, ACCURACY, ENTROPY, CEILING),
        by_dataset=False,
    ),
    Table(
        "table3",
        "Table 3",
        "Dictionary sizes of the unpruned CapsNet",
        "the variant baseline of {dataset}",
        main_dataset,
        (BEST,),
        (KEYS,),
        by_dataset=False,
    ),
    Table(
        "table4",
        "Table 4",
        "Accuracy and sparsity",
        "the dataset {dataset}",
        main_dataset,
        (Model(quantized=False), Model()),
        (ACCURACY, SPARSITY, DOSE),
        by_dataset=False,
    ),
    Table(
        "table5",
        "Table 5",
        "Dictionary sizes and entropy",
        "the dataset {dataset}",
        main_dataset,
        QUANTIZED,
        (SPARSITY, DOSE, KEYS, ENTROPY, CEILING, *ESTIMATES),
        by_dataset=False,
    ),
    Table(
        "table6",
        "Table 6",
        "Accuracy, sparsity and entropy",
        "a dataset beside {dataset}",
        others,
        QUANTIZED,
        (ACCURACY, SPARSITY, DOSE, ENTROPY, CEILING),
    ),
    Table(
        "table7",
        "Table 7",
        "Trained on digits at random places, tested on those and, as the transfer set, on affine maps of digits",
        "a dataset with a transfer set",
        with_transfer,
        (Model(checkpoint="early", state="under-trained"), Model(state="well-trained")),
        (ACCURACY, *TRANSFERRED, EPOCH),
        note=transfer_note,
    ),
    Table(
        "table_decoder",
        "Section 4.3",
        "Networks without and with a decoder",
        "a variant with a decoder",
        with_decoder,
        (Model("baseline"), Model("rem"), Model(decoder=True)),
        (ACCURACY, SPARSITY, DOSE, ENTROPY, CEILING),
    ),
)
CONTROLS = Table(
    "table_controls",
    "Controls",
    "What REM is without one of its parts",
    "any run",
    every,
    QUANTIZED,
    (ACCURACY, SPARSITY, DOSE, ENTROPY, CEILING, *COUPLINGS),
)


def write_tables(
    metrics_csv: Path,
    published_yaml: Path,
    run_yamls: Sequence[Path],
    config_name: str,
    dataset: str,
    folder: Path,
) -> None:
    """Write `table2` .. `table7`, `table_decoder` (.csv, .md, .tex), `paper_vs_ours` (.csv, .md), `summary.json`.

    Args:
        metrics_csv: the tidy table that `rem.tables.measurements` describes.
        published_yaml: the paper's numbers (`rem.tables.published`).
        run_yamls: `run.yaml` of every selected run: they say which datasets, sources, seeds and checkpoints count.
        config_name: named in the comparison.
        dataset: that of Tables 2 to 5; Table 6 has the others, but for those with a transfer set: Table 7.
        folder: made if it is missing.

    Raises:
        RemError: an input is missing, unreadable or incomplete.
    """
    results = read_results(metrics_csv, run_yamls)
    for table in TABLES:
        write_table(table, results, dataset, folder)
    comparison = compare(read_published(published_yaml), results)
    write_comparison(comparison, config_name, folder)
    write_summary(results, folder / "summary.json")


def write_controls(metrics_csv: Path, run_yamls: Sequence[Path], folder: Path) -> None:
    """Write `table_controls` (.csv, .md, .tex): every variant without a decoder, of every dataset of the runs.

    The arguments and errors are those of `write_tables`.
    """
    write_table(CONTROLS, read_results(metrics_csv, run_yamls), "", folder)

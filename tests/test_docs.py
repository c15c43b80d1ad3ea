"""README and docs: their code runs and gives what they say, their links lead somewhere, their commands exist."""

import json
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import tiny
import torch
import yaml
from PIL import Image

import rem.__main__  # declares the commands
from benchmarks.gpu_hours import operations
from rem.cli.command import COMMANDS
from rem.data.augment import centre
from rem.data.batches import read_split
from rem.settings.config import Config, overlay, read_config
from rem.settings.sections import parse
from rem.training.export import export_checkpoint

PAGES = [tiny.ROOT / "README.md", *sorted((tiny.ROOT / "docs").glob("*.md"))]
OTHERS = [tiny.ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", "data/sample/README.md")]
WORDS = {command.words for command in COMMANDS} | {command.words[:1] for command in COMMANDS}
CONNECTIONS = "docs/pruning-connections.md"
IN_FULL = "\n## On MNIST in full, one seed\n"
EXAMPLE = "results/sample/entropies/mnist/rem/seed42/entropy.csv"


def text(page):
    return page.read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def prose(page):
    return re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def names(pages):
    return [str(page.relative_to(tiny.ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES + OTHERS, ids=names(PAGES + OTHERS))
def test_links_lead_to_files_and_headings_that_exist(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not target.startswith("https://"):
            file, _, anchor = target.partition("#")
            found = page.parent / file if file else page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target


@pytest.mark.parametrize("page", PAGES + OTHERS, ids=names(PAGES + OTHERS))
def test_files_that_are_named_exist(page):
    """In backticks, and of a folder that is in git; a name in braces or with a wildcard stands for several."""
    named = re.findall(r"`((?:rem|config|docs|workflow|profiles|benchmarks|tests)/[\w./*-]+)`", text(page))
    missing = [name for name in named if not list(tiny.ROOT.glob(name.rstrip("/")))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES + OTHERS, ids=names(PAGES + OTHERS))
def test_commands_that_are_named_exist(page):
    for words in re.findall(r"(?:`|^|\s)rem ((?:[a-z][a-z_0-9-]*)(?: [a-z_0-9]+)?)", "\n".join(commands(page))):
        first, *more = words.split()
        assert (first,) in WORDS, words
        if first == "figure" and more:
            assert (first, *more) in WORDS, words


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_functions_that_are_named_beside_a_file_are_in_it(page):
    for file, functions in re.findall(r"`(rem/[\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", text(page)):
        source = (tiny.ROOT / file).read_text(encoding="utf-8")
        for name in re.findall(r"\w+", functions):
            assert re.search(rf"^(?:def|class) {name}\b", source, re.MULTILINE), (file, name)


@pytest.mark.parametrize("page", ["README.md", "docs/your-images.md"])
def test_the_config_for_images_of_ones_own_is_a_config(page):
    (own,) = blocks(tiny.ROOT / page, "yaml")
    below = yaml.safe_load((tiny.ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    config = parse(Config, overlay(below, yaml.safe_load(own)), page)
    assert config.run("leaves", "rem", 42).data.folder == "data/own/leaves"


def commands(page):
    """What stands in backticks or in a block of its own and begins with rem."""
    inline = [code for code in re.findall(r"`([^`\n]+)`", prose(page)) if code.startswith("rem ")]
    lines = [line for block in blocks(page, "(?:bash)?") for line in block.splitlines() if line.startswith("rem ")]
    return inline + lines


def test_every_page_is_in_the_readme():
    for page in PAGES[1:]:
        assert f"(docs/{page.name})" in text(PAGES[0]), page.name


def test_the_readme_is_short():
    assert len(text(PAGES[0]).splitlines()) <= 150


@pytest.mark.parametrize("page", ["README.md", "docs/parts.md"])
def test_the_example_prints_the_number_in_entropy_csv(page, sample_run, monkeypatch, capsys):
    monkeypatch.chdir(sample_run)
    exec(blocks(tiny.ROOT / page, "python")[0], {})
    table = pd.read_csv(EXAMPLE)
    row = table[(table["split"] == "test") & (table["levels"] == 7) & table["class"].isna()]
    assert float(capsys.readouterr().out) == row["entropy"].item() > 0


def test_the_picture_of_a_parse_tree_is_drawn_from_a_run_s_files(sample_run, monkeypatch, tmp_path):
    for folder in ("results", "data"):
        (tmp_path / folder).symlink_to(sample_run / folder)
    monkeypatch.chdir(tmp_path)
    run = {"rem": rem, "torch": torch}
    exec(blocks(tiny.ROOT / "docs/parts.md", "python")[1], run)
    assert (tmp_path / "parse_tree.png").stat().st_size > 1000
    assert [len(axis.images) for axis in run["axes"]] == [2] * run["run"].network.primary_types


def test_the_training_loop_prunes_and_the_other_code_runs(sample_run, monkeypatch, capsys):
    monkeypatch.chdir(sample_run)
    torch.manual_seed(0)
    batches = [(torch.rand(2, 1, 28, 28), torch.tensor([0, 1]))] * 2
    _, _, loop, prune, change, _, measurements, _ = blocks(tiny.ROOT / "docs/parts.md", "python")
    run = {"rem": rem, "torch": torch, "batches": batches, "validation": batches[:1]}
    smaller = loop.replace("classes=10", "classes=10, convolution_channels=4, primary_types=1")
    exec(smaller, run)
    before = run["masks"].sparsity()
    exec(prune, run)
    assert before == 0 < run["masks"].sparsity() == float(capsys.readouterr().out)
    exec(change, run)
    exec(measurements, run)
    assert re.search(r"mnist +rem +last ", capsys.readouterr().out)


def test_an_image_file_has_the_tree_that_it_has_in_a_prepared_split(sample_run, monkeypatch, tmp_path):
    (tmp_path / "results").symlink_to(sample_run / "results")
    monkeypatch.chdir(tmp_path)
    prepared = sample_run / "data/prepared/sample/mnist.h5"
    network, settings, _ = rem.load(sample_run / "results/sample/models/mnist/rem/seed42/last.pt")
    images, _ = rem.load_split(prepared, "test", settings)
    raw = centre(read_split(prepared, "test", settings.data).images[:1], settings.data.size)
    Image.fromarray(raw[0, 0].numpy()).save("digit.png")
    run = {"rem": rem, "torch": torch}
    exec(blocks(tiny.ROOT / "docs/parts.md", "python")[7], run)
    lengths, _, couplings = network(images[:1])
    assert run["predicted"] == lengths.argmax().item()
    torch.testing.assert_close(run["couplings"], couplings)


def test_an_exported_network_is_run_by_the_code_that_is_shown(sample_run, monkeypatch, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="packages of the extra `export`")
    pytest.importorskip("onnxscript", reason="packages of the extra `export`")
    monkeypatch.chdir(tmp_path)
    checkpoint, data = sample_run / "results/sample/models/mnist/rem/seed42/last.pt", "data/prepared/sample/mnist.h5"
    export_checkpoint(checkpoint, sample_run / data, Path("rem.onnx"), "onnx")
    network, settings, _ = rem.load(checkpoint)
    images, _ = rem.load_split(sample_run / data, "test", settings)
    run = {"onnxruntime": onnxruntime, "json": json, "images": images.numpy()}
    exec(blocks(tiny.ROOT / "docs/parts.md", "python")[5], run)
    for name, expected in zip(("lengths", "poses", "couplings"), network(images), strict=True):
        torch.testing.assert_close(torch.tensor(run[name]), expected, atol=1e-4, rtol=0)
    assert (run["mean"], run["std"], run["names"]) == ([0.4], [0.25], ["top", "middle", "bottom"])


def test_the_case_by_hand_comes_out(capsys):
    page = tiny.ROOT / "docs/by-hand.md"
    (code,), (printed,) = blocks(page, "python"), re.findall(r"^It prints\n\n```\n(.*?)^```", text(page), re.M | re.S)
    exec(code, {})
    assert capsys.readouterr().out == printed


def test_the_code_that_measures_ones_own_couplings_runs():
    (code,) = blocks(tiny.ROOT / "docs/the-measure.md", "python")
    couplings = torch.rand(6, 3, 4).softmax(dim=1)
    found = {"couplings": couplings, "predicted": torch.tensor([0, 1, 2, 0, 1, 2])}
    exec(code, found)
    assert found["softer"].shape == couplings.shape
    assert found["softer"].var() < couplings.var()
    assert 0 < found["rho"] < 1


def spread(values):
    return f"{values.mean():.2f} ± {values.std():.2f}"


def measured(folder, split="test"):
    """Of a published folder: values over seeds by dataset, variant and metric, at a K if one is given; the shared K."""
    metrics = rem.read_metrics(tiny.ROOT / f"docs/results/{folder}/metrics.csv")

    def over_seeds(dataset, variant, metric, levels=None):
        own = metrics.query("dataset == @dataset and variant == @variant and metric == @metric")
        own = own[own["split"].fillna(split) == split]  # what is of no split has none
        return own[own["levels"].isna() if levels is None else own["levels"] == levels]["value"]

    return over_seeds, metrics[metrics["metric"] == "shared_levels"].set_index("dataset")["value"].astype(int)


def papers_numbers(table, dataset, metric, spec, rows):
    """What a table of the paper prints of a metric of both networks, of all classes together; where it does."""
    entries = yaml.safe_load(text(tiny.ROOT / "config/published.yaml"))
    own = [e for e in entries if (e["table"], e["dataset"], e["metric"]) == (table, dataset, metric)]
    cells = [[e for e in own if e["row"] == row] for row in rows]
    printed = [format(sum(e["value"] for e in cell), spec) if cell else "" for cell in cells]
    return [one + " (?)" * any(e["suspect"] for e in cell) for one, cell in zip(printed, cells, strict=True)]


NETWORKS = ("CapsNet+Q", "CapsNet+REM")


@pytest.mark.parametrize(
    ("name", "dataset", "split", "papers", "tables", "rows"),
    [
        ("MNIST", "mnist", "test", "mnist", (4, 5), NETWORKS),
        ("Fashion-MNIST", "fashion-mnist", "test", "fashion-mnist", (6, 6), NETWORKS),
        ("CIFAR10", "cifar10", "test", "cifar10", (6, 6), NETWORKS),
        ("affNIST", "expanded-mnist", "transfer", "affnist", (7, 7), [f"{one} (well-trained)" for one in NETWORKS]),
    ],
)
def test_the_headline_of_the_readme_is_what_is_published(name, dataset, split, papers, tables, rows):
    over_seeds, _ = measured(f"laptop/{dataset}", split)
    found = re.findall(rf"^\| {name}, ([^|]+) \| ([^\n]+) \|$", text(PAGES[0]), re.MULTILINE)
    told = {row: [cell.strip() for cell in cells.split("|")] for row, cells in found}
    first, second = tables
    assert told.pop("the paper") == [
        *papers_numbers(first, papers, "accuracy", ".2f", rows),
        *papers_numbers(second, papers, "entropy", ".2f", rows),
        *papers_numbers(second, papers, "keys", ",.0f", rows),
        papers_numbers(first, papers, "sparsity", ".2f", rows)[1],
        "5",
    ]
    ((row, cells),) = told.items()
    assert row == {"cifar10": "as JPEG, here", "expanded-mnist": "in its place, here"}.get(dataset, "here")
    both, sparsity = ("baseline", "rem"), over_seeds(dataset, "rem", "sparsity")
    assert cells == [
        *(spread(over_seeds(dataset, variant, "accuracy", 11)) for variant in both),
        *(spread(over_seeds(dataset, variant, "entropy", 11)) for variant in both),
        *(f"{over_seeds(dataset, variant, 'keys', 11).median():,.0f}" for variant in both),
        f"{sparsity.median():.2f}",
        str(len(sparsity)),
    ]


def test_the_laptops_networks_take_the_share_of_the_papers_operations_that_pages_tell():
    paper, laptop = (
        {run.dataset: run for run in read_config([tiny.ROOT / "config/config.yaml", tiny.ROOT / file]).selected()}
        for file in ("config/paper.yaml", "config/laptop.yaml")
    )
    shares = {one: operations(paper[one])[0] / operations(laptop[one])[0] for one in laptop}
    assert {one: round(share) for one, share in shares.items()} == {
        "mnist": 17,
        "fashion-mnist": 17,
        "cifar10": 12,
        "expanded-mnist": 56,
    }


@pytest.mark.parametrize(("dataset", "seeds"), [("mnist", 3), ("fashion-mnist", 3), ("cifar10", 2)])
def test_the_numbers_of_data_in_full_are_what_is_published(dataset, seeds):
    over_seeds, _ = measured(f"laptop/{dataset}")
    page = text(tiny.ROOT / "docs/laptop.md")
    for name, variant in (("CapsNet+Q", "baseline"), ("CapsNet+REM", "rem")):
        accuracy, entropy, keys = (over_seeds(dataset, variant, m, 11) for m in ("accuracy", "entropy", "keys"))
        sparsity = over_seeds(dataset, variant, "sparsity").median()
        assert len(accuracy) == seeds
        assert f"| {name} | {spread(accuracy)} | {spread(entropy)} | {keys.median():,.0f} | {sparsity:.2f} |" in page


def test_the_numbers_of_expanded_mnist_are_what_is_published():
    over_seeds, shared = measured("laptop/expanded-mnist")
    transferred, _ = measured("laptop/expanded-mnist", "transfer")
    page = text(tiny.ROOT / "docs/laptop.md")
    for name, variant in (("CapsNet+Q", "baseline"), ("CapsNet+REM", "rem")):
        here = over_seeds("expanded-mnist", variant, "accuracy", 11)
        there, entropy = (transferred("expanded-mnist", variant, metric, 11) for metric in ("accuracy", "entropy"))
        sparsity = over_seeds("expanded-mnist", variant, "sparsity").median()
        assert f"| {name} | {spread(here)} | {spread(there)} | {sparsity:.2f} | {spread(entropy)} |" in page
    levels = shared["expanded-mnist"]
    (rem_bits, bits), (rem_keys, keys) = (
        [over_seeds("expanded-mnist", variant, metric, levels).mean() for variant in ("rem", "baseline")]
        for metric in ("entropy", "keys")
    )
    assert f"At K = {levels}, which the paper's rule gives, REM has {rem_bits:.2f} bits and {rem_keys:.0f} keys" in page
    assert f"the unpruned network has {bits:.2f} bits and {keys:,.0f} keys" in page


def test_the_numbers_of_the_sweep_of_connections_are_what_is_published():
    table = pd.read_csv(tiny.ROOT / "docs/results/trees/trees.csv").set_index(["variant", "dataset"])
    part = text(tiny.ROOT / CONNECTIONS).split(IN_FULL)[0]
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d, ]+) \| (\d\d\.[^\n]*) \|$", part, re.MULTILINE)
    assert [name for name, *_ in rows] == list(table.index.unique("variant"))
    for name, kept, cells in rows:
        both = [table.loc[(name, dataset)] for dataset in ("mnist", "fashion-mnist")]
        shares = dict.fromkeys(f"{own['density']:.0f}" for own in both)
        first, second = (
            (
                f"{own['accuracy']:.2f} ± {own['accuracy_std']:.2f}",
                f"{own['strongest_coupling']:.3f}".removeprefix("0"),
                f"{own['uniform_coupling']:.3f}".removeprefix("0"),
                f"{own['entropy_shared']:.2f}",
                f"{own['without_strongest']:.1f}",
            )
            for own in both
        )
        assert kept == ", ".join(shares)
        assert cells.split(" | ") == [*first, *second[:3], second[4]]


def test_the_numbers_of_connections_on_mnist_in_full_are_what_is_published():
    table = pd.read_csv(tiny.ROOT / "docs/results/laptop/mnist-trees/trees.csv").set_index("variant")
    part = text(tiny.ROOT / CONNECTIONS).split(IN_FULL)[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| ([^\n]*) \|$", part, re.MULTILINE)
    assert [name for name, _ in rows] == list(table.index)
    for name, cells in rows:
        own = table.loc[name]
        assert cells.split(" | ") == [
            f"{own['density']:.0f}",
            f"{own['accuracy']:.2f}",
            f"{own['strongest_coupling']:.3f}".removeprefix("0"),
            f"{own['uniform_coupling']:.3f}".removeprefix("0"),
            f"{own['entropy_authors']:.2f}",
            f"{own['without_strongest']:.1f}",
        ]


def test_the_numbers_of_structured_networks_are_what_is_published():
    speeds = "docs/results/structured/speed/{}.csv"
    digits, garments = (
        pd.read_csv(tiny.ROOT / speeds.format(dataset)).groupby("variant", sort=False)
        for dataset in ("mnist", "fashion-mnist")
    )
    means = digits.mean(numeric_only=True)
    whole = means["batch_ms"].iloc[0]
    told = re.findall(r"^\| `([\w-]+)` \| ([^\n]* million [^\n]*) \|$", text(tiny.ROOT / CONNECTIONS), re.MULTILINE)
    assert [name for name, _ in told] == list(means.index)
    for name, cells in told:
        own = means.loc[name]
        assert cells.split(" | ") == [
            spread(digits.get_group(name)["accuracy"]),
            spread(garments.get_group(name)["accuracy"]),
            f"{own['channels']:g}",
            f"{own['types']:g}",
            f"{own['parameters']:,.0f}",
            f"{own['multiply_adds'] / 1e6:.1f} million",
            f"{own['batch_ms']:.1f} ms",
            "1" if own["batch_ms"] == whole else f"{own['batch_ms'] / whole:.2f}".removeprefix("0"),
        ]


def test_the_numbers_of_architectures_are_what_is_published():
    table = pd.read_csv(tiny.ROOT / "docs/results/architectures/architectures.csv", keep_default_na=False)
    page = text(tiny.ROOT / "docs/own-network.md")
    told = re.findall(r"^\| `([\w-]+)` \| ([\d,]+ \| \d\d\.[^\n]*) \|$", page, re.MULTILINE)
    rows = {dataset: own.to_dict("records") for dataset, own in table.groupby("dataset")}
    assert all([row["variant"] for row in own] == [name for name, _ in told] for own in rows.values())

    def printed(value, spec):
        return format(float(value), spec) if value != "" else ""

    def accuracy(row):
        return f"{printed(row['accuracy'], '.2f')} ± {printed(row['accuracy_std'], '.2f')}"

    def coupling(row, where=""):
        return printed(row[f"strongest_coupling{where}"], ".3f").removeprefix("0")

    for (_, cells), row, garments in zip(told, rows["mnist"], rows["fashion-mnist"], strict=True):
        assert [cell.strip() for cell in cells.split("|")] == [
            printed(row["parameters"], ",.0f"),
            accuracy(row),
            coupling(row),
            printed(row["instability"], ".2f"),
            printed(row["band_entropy"], ".2f"),
            printed(row["over_uniform_couplings"], "+z.2f"),
            coupling(row, "_below"),
            printed(row["band_entropy_below"], ".2f"),
            accuracy(garments),
            coupling(garments),
            printed(garments["over_uniform_couplings"], "+z.2f"),
        ]


def test_the_numbers_of_the_sample_are_what_is_published():
    over_seeds, shared = measured("sample")
    names = {
        "MNIST sample": "mnist",
        "Fashion-MNIST sample": "fashion-mnist",
        "`shapes` (in CIFAR10's place)": "shapes",
    }
    names["`shapes-20` (in Tiny ImageNet's place)"] = "shapes-20"
    rows = dict(re.findall(r"^\| ([^|]+) \| (\d+ \|[^\n]*) \|$", text(tiny.ROOT / "docs/findings.md"), re.MULTILINE))
    assert names.keys() <= rows.keys()
    for name, dataset in names.items():
        levels, both = shared[dataset], ("baseline", "rem")
        sparsity = over_seeds(dataset, "rem", "sparsity")
        cells = [cell.strip() for cell in rows[name].split("|")]
        assert cells[:4] == [
            str(levels),
            *(spread(over_seeds(dataset, variant, "accuracy", levels)) for variant in both),
            f"{sparsity.median():.2f} ({sparsity.min():.2f} to {sparsity.max():.2f})",
        ]
        assert cells[5:9] == [
            *(spread(over_seeds(dataset, variant, "entropy", levels)) for variant in both),
            *(spread(over_seeds(dataset, variant, "band_entropy")) for variant in both),
        ]


ITERATIONS = {
    "t = 1, where every coupling is 1/J": "one-iteration",
    "t = 2": "two-iterations",
    "t = 3, CapsNet+Q": "baseline",
    "t = 5": "five-iterations",
}


@pytest.mark.parametrize(("name", "variant"), ITERATIONS.items())
def test_the_numbers_of_iterations_are_what_is_published(name, variant):
    over_seeds, shared = measured("iterations")
    accuracy, entropy = (over_seeds("mnist", variant, metric, shared["mnist"]) for metric in ("accuracy", "entropy"))
    strongest = f"{over_seeds('mnist', variant, 'strongest_coupling').mean():.3f}".removeprefix("0")
    assert f"\n| {name} | {spread(accuracy)} | {spread(entropy)} | {strongest} |\n" in text(
        tiny.ROOT / "docs/findings.md"
    )


CONTROLS = {"CapsNet+Q": "baseline", "CapsNet+REM": "rem"}
CONTROLS |= {f"`{name}`": name for name in ("penalty", "weight-decay", "magnitude", "rem-votes")}


@pytest.mark.parametrize(("name", "variant"), CONTROLS.items())
def test_the_numbers_of_controls_are_what_is_published(name, variant):
    over_seeds, shared = measured("controls")
    cells = []
    for dataset in ("mnist", "fashion-mnist"):
        accuracy, entropy = (
            over_seeds(dataset, variant, metric, shared[dataset]) for metric in ("accuracy", "entropy")
        )
        sparsity = over_seeds(dataset, variant, "sparsity").median()
        cells += [spread(accuracy), f"{sparsity:.2f}" if sparsity >= 0.005 else "0", spread(entropy)]
    assert f"\n| {name} | {' | '.join(cells)} |\n" in text(tiny.ROOT / "docs/findings.md")


def test_the_verdicts_are_counted_as_they_are_published():
    claims = text(tiny.ROOT / "docs/results/sample/tables/claims.md")
    verdicts = [verdict.split(",")[0] for verdict in re.findall(r"^\| .+ \| \*\*(.+)\*\* \|$", claims, re.MULTILINE)]
    kinds = Counter({"does not hold on the stand-in": "does not hold"}.get(verdict, verdict) for verdict in verdicts)
    holds, not_so, open_, missing = (
        kinds[kind] for kind in ("holds", "does not hold", "not decidable at this scale", "not measured")
    )
    said = (
        f"each of {len(verdicts)} claims by rules that it states: {holds} hold here, {not_so} do not, {open_} are not "
        f"decidable at this scale, and {missing} need experiments"
    )
    assert said in " ".join(text(tiny.ROOT / "docs/findings.md").split())
    assert len(kinds) == 4

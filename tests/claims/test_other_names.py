"""What a dataset stands for and which network has a decoder are settings: other names give the same tables."""

import re
from pathlib import Path

import pandas as pd
from measurements import metrics, settings

from rem.claims.write import write_claims
from rem.settings.sections import to_yaml
from rem.tables.paired import write_paired
from rem.tables.paper import write_controls, write_tables

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
NAMES = {"mnist": "numerals", "shapes": "outlines", "baseline-decoder": "painter", "rem-decoder": "rem-with-pictures"}
VARIANTS = ("baseline", "rem", "baseline-decoder", "rem-decoder")
RUNS = [*(("mnist", variant, seed) for variant in VARIANTS for seed in (42, 43, 44)), ("shapes", "baseline", 42)]


def written(folder, names):
    """Every table and the claims, of hand-made measurements under these names, as text with the usual ones."""
    folder.mkdir()
    path, frame = metrics(folder), pd.read_csv(folder / "metrics.csv")
    decoders = frame[frame["dataset"] == "mnist"].dropna(subset="variant")
    decoders = decoders.assign(variant=decoders["variant"] + "-decoder", value=decoders["value"] * 0.9)
    pd.concat([frame, decoders]).replace(names).to_csv(path, index=False)
    yamls = []
    for run in (settings(*key) for key in RUNS):
        renamed = {key: names.get(getattr(run, key), getattr(run, key)) for key in ("dataset", "variant")}
        yamls.append(folder / f"{len(yamls)}.yaml")
        yamls[-1].write_text(to_yaml(run.model_copy(update=renamed)), encoding="utf-8")
    main, made = names.get("mnist", "mnist"), folder / "tables"
    write_tables(path, PUBLISHED, yamls, "trial", main, made)
    write_controls(path, yamls, made)
    write_paired(path, yamls, [], made)
    write_claims(path, yamls, [], None, [], [], None, "trial", main, made)
    texts = {file.name: file.read_text(encoding="utf-8") for file in made.iterdir()}
    for usual, other in names.items():
        texts = {name: text.replace(other, usual) for name, text in texts.items()}
    return {name: re.sub(r"[\s:-]+", " ", text) for name, text in texts.items()}  # columns are as wide as their names


def test_other_names_of_datasets_and_of_variants_with_a_decoder_give_the_same_tables(tmp_path):
    usual, other = written(tmp_path / "usual", {}), written(tmp_path / "other", NAMES)
    assert len(usual) == 7 * 3 + 3 + 2 + 1 + 2 + 2
    for name, text in usual.items():
        assert other[name] == text, name


def test_the_tables_of_such_a_config_have_its_decoders_and_what_stands_in_the_place_of_the_papers(tmp_path):
    texts = written(tmp_path / "other", NAMES)
    assert "CapsNet+REM, decoder" in texts["table_decoder.md"]
    assert "rem stack-decoder" not in texts["table4.csv"]
    assert "CapsNet+REM, decoder" in texts["paired.md"]
    assert "shapes stands in its place in Table 6" in texts["paper_vs_ours.csv"]
    assert "shapes (in CIFAR10's place)" in texts["table6.md"]

"""CSV files of steps: names are text whatever they look like, and a file that is not one is told of in a sentence."""

import pytest

from rem.errors import RemError
from rem.files.csv import NAMES, read_csv


def test_names_that_look_like_numbers_stay_text(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f"{','.join(NAMES)},levels\n{','.join(['07'] * len(NAMES))},7\n", encoding="utf-8")
    (row,) = read_csv(path, NAMES).to_dict("records")
    assert row == dict.fromkeys(NAMES, "07") | {"levels": 7}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is missing; run the command that makes it."),
        ("dataset,seed\nmnist,42\n", "lacks the column levels; its columns must be dataset, levels."),
        ('a\n"', "cannot be read as CSV"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(content, sentence, tmp_path):
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(RemError) as raised:
        read_csv(path, ["dataset", "levels"])
    assert str(raised.value).startswith(str(path))
    assert sentence in str(raised.value)

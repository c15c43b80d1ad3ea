"""Images that a CSV lists: path,label or path,label,split."""

import io
import json

import h5py
import numpy as np
import pytest
from PIL import Image
from tiny import data as settings

from rem.data.prepare import prepare
from rem.data.readers import read
from rem.data.source_files import data_files, images_state
from rem.errors import RemError
from rem.files.trace import recorded, told, trace

ROWS = [(f"img/{number}.png", ("cat", "ant", "10", "9")[number % 4]) for number in range(16)]


def write_images(folder):
    (folder / "img").mkdir(parents=True, exist_ok=True)
    for number, (path, _) in enumerate(ROWS):
        buffer = io.BytesIO()
        Image.new("L", (12, 12), 10 * number).save(buffer, "PNG")
        (folder / path).write_bytes(buffer.getvalue())


def listing(folder, text, encoding="utf-8"):
    """The CSV in a folder that has its images."""
    write_images(folder)
    (folder / "images.csv").write_text(text, encoding=encoding)
    return folder / "images.csv"


def plain(rows=ROWS, header="path,label"):
    return "\n".join([header, *map(",".join, rows)]) + "\n"


def with_split():
    return plain([(*row, "test" if number < 8 else "train") for number, row in enumerate(ROWS)], "path,label,split")


def own(file, **changes):
    return settings(**({"source": "csv", "folder": str(file), "classes": 4, "validation": 1} | changes))


def greys(part):
    return part.images[np.arange(len(part.labels))][:, 0, 0, 0].tolist(), part.labels.tolist()


def test_images_and_labels_are_in_the_order_of_the_rows_and_classes_in_that_of_their_names(tmp_path):
    file = listing(tmp_path, with_split())
    contents = read(own(file), [file])
    assert contents.class_names == ["10", "9", "ant", "cat"]
    assert greys(contents.test) == ([10 * number for number in range(8)], [3, 2, 0, 1] * 2)
    assert greys(contents.train) == ([10 * number for number in range(8, 16)], [3, 2, 0, 1] * 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_csv_may_come_from_a_spreadsheet(tmp_path, encoding, newline):
    text = plain([(path, f'"{label}, größer"') for path, label in ROWS], "path,label,note")
    file = listing(tmp_path, text.replace("\n", newline), encoding)
    assert "cat, größer" in read(own(file, test=0.5), [file]).class_names


def test_without_a_split_a_share_of_every_class_is_drawn_for_the_test(tmp_path):
    file = listing(tmp_path, plain())
    contents = read(own(file, test=0.25), [file])
    assert np.bincount(contents.test.labels).tolist() == [1] * 4
    assert np.bincount(contents.train.labels).tolist() == [3] * 4
    with pytest.raises(RemError, match=r"images\.csv has no test images; put them in rows whose split is test, or set"):
        read(own(file), [file])


def test_a_draw_beside_a_split_is_refused(tmp_path):
    file = listing(tmp_path, with_split())
    with pytest.raises(RemError, match=r"data\.test is 0\.2, but .*images\.csv has test images"):
        read(own(file, test=0.2), [file])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (plain(header="file,label"), "lacks the column path; its first line must be path,label or path,label,split"),
        (plain(header="path,class"), "lacks the column label; its first line must be path,label or path,label,split"),
        ("", "lacks the column path"),
        (plain([*ROWS, ("img/a.png", "cat"), ("b.png", "cat")]), r"lists 2 image\(s\) that are not there, the first"),
        (plain([*ROWS, ROWS[3]]), r"lists img/3\.png twice; leave one of the two"),
        (plain([*ROWS, ("img/a.png", " ")]), "image 17 has no label; give it one"),
        (plain([*ROWS, ("", "cat")]), "image 17 has no path; give it one"),
        (plain([*ROWS, ("img/a.png",)]), "image 17 has no label; give it one"),
        (plain([(*row, "val") for row in ROWS], "path,label,split"), r"the split of img/0\.png is 'val'; make"),
        (plain([*ROWS, ('"img/a.png', "cat")]), "cannot be read as CSV in UTF-8"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_csv_is_said_before_anything_is_read(tmp_path, text, reason):
    file = listing(tmp_path, text)
    with pytest.raises(RemError, match=rf"images\.csv.* {reason}") as raised:
        data_files("csv", str(file), None)
    assert "\n" not in str(raised.value)


def test_a_csv_of_another_encoding_is_named(tmp_path):
    file = listing(tmp_path, plain([(path, "grün") for path, _ in ROWS]), "latin-1")
    with pytest.raises(RemError, match=r"images\.csv cannot be read as CSV in UTF-8"):
        data_files("csv", str(file), None)


def test_a_csv_and_a_folder_are_sources_of_their_own(tmp_path):
    file = listing(tmp_path, plain())
    with pytest.raises(
        RemError, match=r"data\.folder is .*images\.csv, but the source is folder; set data\.source to csv"
    ):
        data_files("folder", str(file), None)
    with pytest.raises(RemError, match=r"but the source is csv; name a \.csv there"):
        data_files("csv", str(tmp_path), None)
    assert data_files("csv", str(file), None) == [str(file)]


def test_a_change_of_an_image_or_of_the_csv_is_seen(tmp_path):
    file = listing(tmp_path, with_split())

    def seen():
        prepare(own(file), [file], tmp_path / "out.h5")
        with h5py.File(tmp_path / "out.h5") as prepared:
            return images_state("csv", str(file)), json.loads(prepared.attrs["checksums"])["images.csv"]

    first = seen()
    (tmp_path / "img/more.png").write_bytes(b"not listed")
    assert seen() == first
    Image.new("L", (12, 12), 255).save(tmp_path / "img/0.png")
    second = seen()
    file.write_text(with_split().replace("cat", "dog"), encoding="utf-8")
    third = seen()
    assert all(len(set(values)) == 3 for values in zip(first, second, third, strict=True))


def test_the_record_of_what_is_prepared_names_every_image_and_tells_of_many_by_their_number(tmp_path, monkeypatch):
    file = listing(tmp_path, with_split())
    with recorded(["rem", "prepare"]):
        prepare(own(file), [file], tmp_path / "out.h5")
    found = trace([tmp_path / "out.h5"])
    assert set(found.sources) == {file, *(tmp_path / path for path, _ in ROWS)}
    assert str(tmp_path / "img/3.png") in told(tmp_path / "out.h5", found)
    monkeypatch.setattr("rem.files.trace.MANY", 16)
    assert f"  16 files in {tmp_path / 'img'}\n" in told(tmp_path / "out.h5", found) + "\n"
    assert str(tmp_path / "img/3.png") not in told(tmp_path / "out.h5", found)
    (tmp_path / "img/3.png").write_bytes(b"other")
    assert "img/3.png has changed since" in trace([tmp_path / "out.h5"]).faults[tmp_path / "img/3.png"]

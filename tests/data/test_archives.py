"""Folders, zips and tars give the same files, and what is wrong with one is said in one sentence."""

import shutil
import stat
import tarfile
import zipfile

import pytest
from packed import write_folder, write_tar, write_zip

from rem.data.archives import open_files
from rem.errors import RemError

CONTENTS = {"train/cat/0.png": b"a cat", "train/dog/0.png": b"a dog", "notes.txt": b""}


WRITERS = [write_folder, write_zip, write_tar, lambda path, contents: write_tar(path, contents, "w")]


@pytest.mark.parametrize("write", WRITERS)
def test_files_are_found_and_read_where_they_are(tmp_path, write):
    files = open_files(write(tmp_path / "set", CONTENTS))
    assert files.names == sorted(CONTENTS)
    assert {name: files.read(name) for name in files.names} == CONTENTS
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("top", ["", "leaves/", "my/own leaves/"])
def test_the_outermost_folder_that_holds_something_is_found_however_deep(tmp_path, write, top):
    within = CONTENTS | {"train/dog/train/1.png": b"deeper"}
    files = open_files(write(tmp_path / "set", {f"{top}{name}": content for name, content in within.items()}))
    for name in ("train/", "notes.txt"):
        inside = files.holding(name)
        assert {name: inside.read(name) for name in inside.names} == within


@pytest.mark.parametrize("write", WRITERS)
def test_what_lies_beside_that_folder_is_left_out(tmp_path, write):
    within = {f"leaves/{name}": content for name, content in CONTENTS.items()}
    files = open_files(write(tmp_path / "set", within | {"README": b"", "more/0.png": b""}))
    assert files.holding("train/").names == sorted(CONTENTS)


@pytest.mark.parametrize("write", WRITERS)
def test_two_folders_side_by_side_that_hold_the_same_are_named(tmp_path, write):
    files = open_files(write(tmp_path / "set", {"a/train/cat/0.png": b"", "b/train/cat/0.png": b"", "c/d.png": b""}))
    with pytest.raises(RemError, match=r"set has train/ in a/ and in b/; leave it in one of them\.$"):
        files.holding("train/")
    assert files.holding("none").names == files.names


HIDDEN = ["._0.png", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/train/cat/._0.png", "Desktop.ini"]
HIDDEN += ["train/.ipynb_checkpoints/0.png", "train/cat/.hidden/0.png", "train/__MACOSX/0.png", "train/cat/._0.png"]


@pytest.mark.parametrize("write", WRITERS)
def test_hidden_entries_are_passed_over(tmp_path, write):
    files = open_files(write(tmp_path / "set", CONTENTS | dict.fromkeys(HIDDEN, b"hidden")))
    assert files.names == sorted(CONTENTS)


@pytest.mark.parametrize("write", WRITERS[1:])
def test_backslashes_in_an_archive_are_slashes_and_a_name_may_begin_with_a_point(tmp_path, write):
    given = {name.replace("/", "\\"): content for name, content in CONTENTS.items()}
    files = open_files(write(tmp_path / "set", given | {"./more/0.png": b"more", "empty\\": b""}))
    assert {name: files.read(name) for name in files.names} == CONTENTS | {"more/0.png": b"more"}


def test_a_tar_as_its_command_makes_it(tmp_path):
    write_folder(tmp_path / "leaves", CONTENTS)
    shutil.make_archive(str(tmp_path / "leaves"), "gztar", tmp_path / "leaves", ".")
    assert open_files(tmp_path / "leaves.tar.gz").names == sorted(CONTENTS)


@pytest.mark.parametrize("name", ["../escaped", "a/../../escaped", "/tmp/escaped", "C:/escaped", "a\\..\\escaped"])
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path, write, name):
    path = write(tmp_path / "set", CONTENTS | {name: b"evil"})
    with pytest.raises(RemError, match=r"set holds '.*escaped', a path that leads out of the archive; do not use"):
        open_files(path)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_lead_nowhere(tmp_path, kind):
    with tarfile.open(tmp_path / "set", "w") as archive:
        link = tarfile.TarInfo("train/secret.png")
        link.type, link.linkname, link.devmajor, link.devminor = kind, "/etc/passwd", 1, 3
        archive.addfile(link)
        below = tarfile.TarInfo("train/secret.png/below")  # written through the link, if anything were written
        archive.addfile(below)
    files = open_files(tmp_path / "set")
    assert (files.names, files.dead) == (["train/secret.png/below"], ["train/secret.png"])
    assert files.read("train/secret.png/below") == b""
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_link_in_a_zip_leads_nowhere(tmp_path):
    with zipfile.ZipFile(tmp_path / "set", "w") as archive:
        link = zipfile.ZipInfo("secret.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    files = open_files(tmp_path / "set")
    assert (files.names, files.dead) == ([], ["secret.png"])


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_decompression_bomb_is_named_before_it_bursts(tmp_path, monkeypatch, form):
    monkeypatch.setattr("rem.data.archives.SIZE", 1 << 20)
    bomb = {f"train/cat/{number}.png": bytes(1 << 20) for number in range(3)}
    path = tmp_path / "set"
    if form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in bomb.items():
                archive.writestr(name, content)
    else:
        write_tar(path, bomb, f"w:{form.removeprefix('tar.')}")
    with pytest.raises(RemError, match=r"set unpacks to [\d,]+ bytes or more, over 100 times its size, as a .* bomb"):
        open_files(path)


def test_a_zip_that_tells_too_small_a_size_is_not_read_beyond_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "set", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(1 << 20))
    told = (1 << 20).to_bytes(4, "little")
    (tmp_path / "set").write_bytes((tmp_path / "set").read_bytes().replace(told, (10).to_bytes(4, "little")))
    with pytest.raises(OSError, match="CRC"):
        open_files(tmp_path / "set").read("a.png")


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_a_cut_archive_is_named(tmp_path, write):
    path = write(tmp_path / "set", CONTENTS)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RemError, match=r"set is no whole \.zip or \.tar\.gz \(.*\); get it again\.$") as raised:
        open_files(path)
    assert "\n" not in str(raised.value)


def test_no_archive_and_nothing_at_all_are_named(tmp_path):
    (tmp_path / "set").write_text("<html>gone</html>", encoding="utf-8")
    with pytest.raises(RemError, match=r"set is no whole \.zip or \.tar\.gz"):
        open_files(tmp_path / "set")
    with pytest.raises(RemError, match=r"none is missing; it must be a folder"):
        open_files(tmp_path / "none")


def test_a_spoilt_file_of_a_zip_fails_when_it_is_read(tmp_path):
    path = write_zip(tmp_path / "set", CONTENTS)
    path.write_bytes(path.read_bytes().replace(b"a cat", b"a bat"))
    files = open_files(path)
    assert files.read("train/dog/0.png") == b"a dog"
    with pytest.raises(OSError, match="CRC"):
        files.read("train/cat/0.png")


@pytest.mark.parametrize(
    ("start", "what"), [(b"7z\xbc\xaf'\x1c", "7z"), (b"Rar!\x1a\x07", "RAR"), (b"\x28\xb5\x2f\xfd", "Zstandard")]
)
def test_an_archive_of_a_format_that_is_not_read_is_not_called_damaged(tmp_path, start, what):
    (tmp_path / "set").write_bytes(start + bytes(600))
    with pytest.raises(RemError, match=f"set is packed as {what}, which is not read here; pack it again"):
        open_files(tmp_path / "set")

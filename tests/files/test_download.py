"""Downloads, against a server on the loopback interface: whole, resumed, wrong, and from mirrors."""

import errno
import gzip
import hashlib
import io
import os
import re
import shutil
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from rem.data.fetch import fetch
from rem.data.sources import SOURCES, Source
from rem.errors import RemError
from rem.files.download import address

BODY = bytes(range(256)) * 400


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(span[1]) if span and self.server.ranges else 0
        body = self.server.bodies.get(self.path)
        self.server.asked.append(self.headers.get("Range"))
        if body is None:
            return self.send_error(404)
        if start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body[start:][: self.server.cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ranges, server.asked, server.cut, server.bodies = True, [], None, {"/blob.bin": BODY}
        server.url = f"http://127.0.0.1:{server.server_port}/"
        digest = f"md5:{hashlib.md5(BODY).hexdigest()}"
        monkeypatch.setitem(SOURCES, "blob", Source("", "", "cifar", server.url, {"blob.bin": digest}))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw" / "blob.bin"


@pytest.fixture
def part(target):
    target.parent.mkdir()
    return target.with_name("blob.bin.part")


def test_whole_download(server, target, capsys):
    fetch("blob", "blob.bin", target)
    assert target.read_bytes() == BODY
    assert [path.name for path in target.parent.iterdir()] == ["blob.bin"]
    assert "102,400 bytes" in capsys.readouterr().err


def test_interrupted_download_is_resumed_with_the_missing_bytes_only(server, target):
    server.cut = 1000
    with pytest.raises(RemError, match="run it again to resume"):
        fetch("blob", "blob.bin", target)
    assert not target.exists()
    server.cut = None
    fetch("blob", "blob.bin", target)
    assert target.read_bytes() == BODY
    assert server.asked == [None, "bytes=1000-"]


def test_server_without_range_sends_all_again(server, target, part):
    part.write_bytes(BODY[:1000])
    server.ranges = False
    fetch("blob", "blob.bin", target)
    assert target.read_bytes() == BODY


def test_part_that_is_already_whole_is_taken(server, target, part):
    part.write_bytes(BODY)
    fetch("blob", "blob.bin", target)
    assert target.read_bytes() == BODY
    assert len(server.asked) == 1


def test_part_longer_than_the_file_is_dropped(server, target, part):
    part.write_bytes(BODY + b"more")
    fetch("blob", "blob.bin", target)
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("start", [b"", b"a wrong beginning"])
def test_wrong_checksum_keeps_nothing(server, target, part, start):
    part.write_bytes(start)
    server.bodies["/blob.bin"] = BODY[:-1] + b"x"
    with pytest.raises(RemError, match=r"blob\.bin has the wrong content \(expected md5:\w{32}, found md5:\w{32}\)"):
        fetch("blob", "blob.bin", target)
    assert not list(target.parent.iterdir())


def test_missing_file_is_named(server, target):
    server.bodies.clear()
    with pytest.raises(RemError, match=r"blob\.bin could not be downloaded \(404"):
        fetch("blob", "blob.bin", target)
    assert not target.exists()


def test_server_that_does_not_answer_is_named(server, target):
    with pytest.raises(RemError, match=r"127\.0\.0\.1:9/blob/blob\.bin could not be downloaded"):
        fetch("blob", "blob.bin", target, mirror="http://127.0.0.1:9")


def test_mirror_by_address(server, target):
    server.bodies = {"/copies/blob/blob.bin": BODY}
    fetch("blob", "blob.bin", target, mirror=f"{server.url}copies/")
    assert target.read_bytes() == BODY


def test_mirror_in_a_folder(server, target, tmp_path):
    (tmp_path / "blob").mkdir()
    (tmp_path / "blob/blob.bin").write_bytes(BODY)
    fetch("blob", "blob.bin", target, mirror=str(tmp_path))
    assert target.read_bytes() == BODY
    assert not server.asked


def test_file_missing_from_a_mirror_folder_is_named(server, target, tmp_path):
    with pytest.raises(RemError, match=r"blob/blob\.bin cannot be copied from the mirror \(No such file"):
        fetch("blob", "blob.bin", target, mirror=str(tmp_path))
    assert not list(target.parent.iterdir())


def test_a_full_disk_is_not_the_mirrors_fault(server, target, tmp_path, monkeypatch):
    """The copy's error names the original."""
    (tmp_path / "blob").mkdir()
    (tmp_path / "blob/blob.bin").write_bytes(BODY)

    def full(origin, partial):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(origin))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(RemError, match=r"blob\.bin\.part cannot be written: no space left on device; make room"):
        fetch("blob", "blob.bin", target, mirror=str(tmp_path))


@pytest.fixture
def packed(monkeypatch):
    digest = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
    monkeypatch.setitem(SOURCES, "packed", Source("", "", "idx", "http://127.0.0.1:9/", {"a.gz": digest}))


@pytest.mark.parametrize("level", [1, 9])
def test_checksum_of_idx_files_is_that_of_the_content(packed, tmp_path, level):
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/a.gz").write_bytes(gzip.compress(BODY, level))
    fetch("packed", "a.gz", tmp_path / "a.gz", mirror=str(tmp_path))
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == BODY


@pytest.mark.parametrize("content", [gzip.compress(BODY)[:-20], b"<html>gone</html>"])
def test_damaged_idx_file_is_not_kept(packed, tmp_path, content):
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/a.gz").write_bytes(content)
    with pytest.raises(RemError, match="found no whole archive"):
        fetch("packed", "a.gz", tmp_path / "raw/a.gz", mirror=str(tmp_path))
    assert not list((tmp_path / "raw").iterdir())


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/1.mat", content)
    return buffer.getvalue()


@pytest.fixture
def unpublished(server, monkeypatch):
    """A source without a published checksum."""
    monkeypatch.setitem(SOURCES, "bare", Source("", "", "affnist", server.url, {"a.zip": None}))
    server.bodies["/a.zip"] = zipped(BODY)
    return server


def test_without_a_checksum_a_whole_zip_is_taken_and_its_own_checksum_told(unpublished, tmp_path, capsys):
    fetch("bare", "a.zip", tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == unpublished.bodies["/a.zip"]
    assert hashlib.sha256(unpublished.bodies["/a.zip"]).hexdigest() in capsys.readouterr().err


def test_without_a_checksum_a_download_is_resumed(unpublished, tmp_path):
    unpublished.cut = 5000
    with pytest.raises(RemError, match="run it again to resume"):
        fetch("bare", "a.zip", tmp_path / "a.zip")
    unpublished.cut = None
    fetch("bare", "a.zip", tmp_path / "a.zip")
    assert unpublished.asked == [None, "bytes=5000-"]
    assert (tmp_path / "a.zip").read_bytes() == unpublished.bodies["/a.zip"]


def spoilt(content):
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize("damage", [spoilt, lambda content: content[:-9], lambda content: b"<html>gone</html>"])
def test_without_a_checksum_anything_but_a_whole_zip_is_not_kept(unpublished, tmp_path, damage):
    unpublished.bodies["/a.zip"] = damage(unpublished.bodies["/a.zip"])
    with pytest.raises(RemError, match=r"a\.zip has the wrong content \(expected a whole zip, found sha256:"):
        fetch("bare", "a.zip", tmp_path / "raw/a.zip")
    assert not list((tmp_path / "raw").iterdir())


def test_unknown_names_list_the_known(tmp_path):
    with pytest.raises(RemError, match=r"unknown source 'minst'; the sources are mnist, .*folder"):
        fetch("minst", "x", tmp_path / "x")
    with pytest.raises(RemError, match=r"no file 'x'; its files are train-images-idx3-ubyte\.gz"):
        fetch("mnist", "x", tmp_path / "x")
    with pytest.raises(RemError, match="'shapes' has nothing to download"):
        fetch("shapes", "x", tmp_path / "x")


@pytest.mark.parametrize(
    ("mirror", "found"),
    [
        (None, "https://a/f.gz"),
        ("", "https://a/f.gz"),
        ("~/data", "/home/me/data/mnist/f.gz"),
        ("file:///home/my%20own", "/home/my own/mnist/f.gz"),
        ("https://b/", "https://b/mnist/f.gz"),
    ],
)
def test_a_mirror_is_a_folder_or_a_url_and_an_empty_one_is_none(monkeypatch, mirror, found):
    monkeypatch.setenv("HOME", "/home/me")
    assert address("https://a/", "mnist", "f.gz", mirror) == found

"""Files from URLs: a local server that answers well, badly, partly, late."""

import gzip
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from stages.common.errors import TemporaryError
from stages.common.shards import class_names
from stages.sources import official, open_source
from stages.sources.download import fetch
from stages.sources.idx import Options
from stages.sources.official import OFFICIAL, Official
from tests.refusals import refused
from tests.stages.source_files import idx_bytes, ingest_params, ingested, noise, write_tree

CONTENT = bytes(range(256)) * 4000
SUM = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves `files`; other paths are kinds of trouble.

    Paths in `ranged` also give the rest of a file, under the tag `tags` says, and are cut after `cuts` bytes.
    """

    files: dict[str, bytes] = {}  # noqa: RUF012 - one server, one set of files
    requests: list[str] = []  # noqa: RUF012
    ranges: list[str | None] = []  # noqa: RUF012
    tag: str | None = None
    cut: int | None = None

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path.startswith("/ranged"):
            self.rest()
            return
        if self.path == "/late":
            time.sleep(5)
        if self.path not in self.files and self.path != "/short":
            self.send_error(404)
            return
        content = self.files.get(self.path, CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:1000] if self.path == "/short" else content)

    def rest(self) -> None:
        asked, tag = self.headers["Range"], self.headers["If-Range"]
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and tag in (None, self.tag) else 0
        content = self.files["/good"]
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.tag:
            self.send_header("ETag", self.tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.cut])

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Says nothing of clients that leave: a traceback parses code, which CPython 3.11 does in one thread at a time."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Handler, "files", {"/good": CONTENT, "/bad": CONTENT[:-1] + b"x", "/late": CONTENT})
    for name in ("requests", "ranges"):
        monkeypatch.setattr(Handler, name, [])
    monkeypatch.setattr(Handler, "tag", None)
    monkeypatch.setattr(Handler, "cut", None)
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_file_is_fetched_once_and_not_again_while_its_checksum_holds(server: str, tmp_path: Path) -> None:
    target = tmp_path / "there/file"
    fetch([f"{server}/good"], SUM, target)
    fetch([f"{server}/good"], SUM.upper(), target)
    assert target.read_bytes() == CONTENT
    assert Handler.requests == ["/good"]
    target.write_bytes(b"damaged")
    fetch([f"{server}/good"], SUM, target)
    assert target.read_bytes() == CONTENT


def test_places_are_tried_in_order_until_one_gives_the_file(server: str, tmp_path: Path) -> None:
    fetch([f"{server}/missing", f"{server}/bad", f"{server}/good", f"{server}/late"], SUM, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert Handler.requests == ["/missing", "/bad", "/good"]


@pytest.mark.parametrize(
    ("url", "sentence", "heals"),
    [
        ("{server}/bad", "wrong checksum, its SHA-256 is", False),
        ("{server}/missing", "HTTP status 404", False),
        ("{server}/short", "the connection closed after 1000 of 1024000 bytes", True),
        ("{server}/late", "timed out", True),
        ("http://127.0.0.1:1/file", "Connection refused", True),
        ("http://[::1/file", "Invalid IPv6", False),
        ("file:///no/such/file", "No such file", False),
    ],
)
def test_a_file_that_cannot_be_had_is_one_sentence_and_no_file_and_is_worth_another_try_only_if_it_may_heal(
    server: str, tmp_path: Path, url: str, sentence: str, heals: bool
) -> None:
    with refused("download-failed") as error:
        fetch([url.format(server=server)], SUM, tmp_path / "file", timeout=0.5 if "late" in url else 60)
    assert sentence in str(error.value)
    assert isinstance(error.value, TemporaryError) == heals
    assert {path.name for path in tmp_path.iterdir()} <= {".file.part", ".file.part.json"}


def test_a_broken_transfer_goes_on_where_it_was_and_other_places_are_asked_for_the_rest(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "cut", 100_000)
    with refused("download-failed", "the connection closed after 100000 of "):
        fetch([f"{server}/ranged/one"], SUM, tmp_path / "file")
    assert Handler.ranges == [None, *(f"bytes={tried}00000-" for tried in range(1, 5))]
    monkeypatch.setattr(Handler, "cut", None)
    fetch([f"{server}/ranged/two"], SUM, tmp_path / "file")
    assert Handler.ranges[-1] == "bytes=500000-"
    assert (tmp_path / "file").read_bytes() == CONTENT
    fetch([f"{server}/short", f"{server}/ranged/two"], SUM, tmp_path / "other")
    assert Handler.ranges[-1] == "bytes=1000-"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "other"}


def test_a_file_that_changed_since_the_transfer_broke_is_fetched_whole(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its tag where the place gives one, else by the checksum of the whole."""
    for tag in ('"1"', None):
        monkeypatch.setattr(Handler, "tag", tag)
        monkeypatch.setattr(Handler, "cut", 1000)
        Handler.files["/good"] = CONTENT[::-1]
        with refused("download-failed"):
            fetch([f"{server}/ranged"], SUM, tmp_path / "file")
        monkeypatch.setattr(Handler, "cut", None)
        monkeypatch.setattr(Handler, "tag", tag and '"2"')
        Handler.files["/good"] = CONTENT
        fetch([f"{server}/ranged"], SUM, tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == CONTENT
        (tmp_path / "file").unlink()


def test_a_whole_file_whose_last_step_was_killed_is_not_sent_again(server: str, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(CONTENT)
    fetch([f"{server}/ranged"], SUM, tmp_path / "file")
    assert Handler.ranges == [f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_http_reads_what_it_fetched_as_another_source_and_keeps_it(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_tree(tmp_path / "tree", {"cat": 3, "dog": 2})
    content = Path(shutil.make_archive("packed", "gztar", tmp_path / "tree")).read_bytes()
    Handler.files["/photos.tar.gz"] = content
    urls = [f"{server}/missing/photos.tar.gz", f"{server}/photos.tar.gz"]
    file = {"urls": urls, "sha256": hashlib.sha256(content).hexdigest()}
    table = ingested(tmp_path / "raw", source="http", path="unused", options={"files": [file]})
    assert (class_names(table.schema), table.num_rows) == (["cat", "dog"], 5)
    assert json.loads(table.schema.metadata[b"source"])["origin"] == urls[0]
    ingested(tmp_path / "raw", source="http", path="unused", options={"files": [file]})
    assert Handler.requests == ["/missing/photos.tar.gz", "/photos.tar.gz"]


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ({}, "params-invalid", "ingest.options.files is missing"),
        ({"files": []}, "params-invalid", "ingest.options.files = [...]"),
        ({"files": [{"urls": ["http://h/a.zip"], "sha": "1"}]}, "params-invalid", "ingest.options.files.0.sha = '1'"),
        ({"files": [{"urls": ["http://h/"], "sha256": SUM}]}, "url-without-file", "http://h/ "),
        ({"files": [{"urls": ["http://h/%2e%2e"], "sha256": SUM}]}, "name-leads-outside", "http://h/"),
        ({"files": [{"urls": [f"http://h/{n}/a"], "sha256": SUM} for n in "12"]}, "file-twice", "ingest.options.files"),
        (
            {"files": [{"urls": ["http://h/a?X-Amz-Signature=1"], "sha256": SUM}]},
            "params-invalid",
            "the url holds a credential",
        ),
        (
            {"files": [{"urls": ["http://h/a"], "sha256": SUM}], "options": {"max_rato": 1.0}},
            "params-invalid",
            "ingest.options.options.max_rato = 1.0 is not a known key: did you mean 'max_ratio'?",
        ),
    ],
)
def test_options_of_http_that_cannot_be_meant_are_refused(options: dict[str, Any], code: str, sentence: str) -> None:
    with refused(code, sentence):
        open_source(ingest_params(source="http", path="unused", options=options))


def test_what_may_be_secret_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    with refused("download-failed") as error:
        fetch(["http://user:hunter2@127.0.0.1:1/file?signature=hunter3"], SUM, tmp_path / "file")
    assert "127.0.0.1:1/file" in str(error.value)
    assert "hunter" not in str(error.value)
    with pytest.raises(ValidationError):
        Options.model_validate({"urls": [{"url": "http://user:hunter2@host/file", "sha256": SUM}]})


def test_idx_files_come_from_the_urls_in_params_and_are_kept_by_checksum(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images, labels = gzip.compress(idx_bytes(noise(4, 8, 8))), idx_bytes(np.array([0, 1, 1, 0]))
    Handler.files["/a/train-images-idx3-ubyte.gz"] = images
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(labels)
    urls = [
        {"url": f"{server}/a/train-images-idx3-ubyte.gz", "sha256": hashlib.sha256(images).hexdigest()},
        {"url": f"file://{tmp_path}/train-labels-idx1-ubyte", "sha256": hashlib.sha256(labels).hexdigest()},
    ]
    table = ingested(tmp_path / "raw", source="idx", path="unused", options={"urls": urls})
    assert table["label"].to_pylist() == [0, 1, 1, 0]
    ingested(tmp_path / "raw", source="idx", path="unused", options={"urls": urls})
    assert len(Handler.requests) == 1


def test_an_official_data_set_brings_its_class_names_license_and_test_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official files are too large for a test: others in their place, fetched from a place that has them."""
    monkeypatch.chdir(tmp_path)
    real = OFFICIAL["fashion-mnist"]
    sums = {}
    for name in real.sha256:
        content = gzip.compress(idx_bytes(noise(3, 8, 8) if "images" in name else np.array([0, 9, 3])))
        (tmp_path / name).write_bytes(content)
        sums[name] = hashlib.sha256(content).hexdigest()
    places = ["file:///nowhere/", f"file://{tmp_path}/"]
    small = Official(real.origin, real.license, real.classes, places, sums)
    monkeypatch.setitem(official.OFFICIAL, "fashion-mnist", small)
    table = ingested(tmp_path / "raw", source="idx", path="unused", options={"download": "fashion-mnist"})
    assert class_names(table.schema) == real.classes
    assert table["label"].to_pylist() == [0, 9, 3, 0, 9, 3]
    assert set(table["split"].to_pylist()) == {"train", "test"}


def test_the_official_places_are_four_files_with_well_formed_sums() -> None:
    for data_set in OFFICIAL.values():
        assert len(data_set.sha256) == 4
        assert len(data_set.classes) == 10
        for sum_ in data_set.sha256.values():
            assert len(bytes.fromhex(sum_)) == 32
        assert all(place.startswith("http") and place.endswith("/") for place in data_set.places)

"""Files from URLs: a local server that answers well, badly, partly, late."""

import gzip
import hashlib
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from pydantic import ValidationError

from stages.common.errors import TemporaryError, UserError
from stages.common.shards import class_names
from stages.sources import official
from stages.sources.download import fetch
from stages.sources.official import OFFICIAL, Official
from tests.stages.source_files import idx_bytes, ingest_params, ingested, noise

CONTENT = bytes(range(256)) * 4000
SUM = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves `files`; other paths are kinds of trouble."""

    files: dict[str, bytes] = {}  # noqa: RUF012 - one server, one set of files
    requests: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path == "/late":
            time.sleep(2)
        if self.path not in self.files and self.path != "/short":
            self.send_error(404)
            return
        content = self.files.get(self.path, CONTENT)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:1000] if self.path == "/short" else content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Handler, "files", {"/good": CONTENT, "/bad": CONTENT[:-1] + b"x", "/late": CONTENT})
    monkeypatch.setattr(Handler, "requests", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
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
    with pytest.raises(UserError, match="cannot fetch file ") as error:
        fetch([url.format(server=server)], SUM, tmp_path / "file", timeout=0.5)
    assert sentence in str(error.value)
    assert isinstance(error.value, TemporaryError) == heals
    assert not list(tmp_path.iterdir())


def test_what_may_be_secret_in_a_url_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        fetch(["http://user:hunter2@127.0.0.1:1/file?signature=hunter3"], SUM, tmp_path / "file")
    assert "127.0.0.1:1/file" in str(error.value)
    assert "hunter" not in str(error.value)
    with pytest.raises(ValidationError):
        ingest_params(source="idx", path="x", urls=[{"url": "http://user:hunter2@host/file", "sha256": SUM}])


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
    table = ingested(tmp_path / "raw", source="idx", path="unused", urls=urls)
    assert table["label"].to_pylist() == [0, 1, 1, 0]
    ingested(tmp_path / "raw", source="idx", path="unused", urls=urls)
    assert len(Handler.requests) == 1


def test_an_official_data_set_brings_its_class_names_licence_and_test_set(
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
    small = Official(real.origin, real.licence, real.classes, places, sums)
    monkeypatch.setitem(official.OFFICIAL, "fashion-mnist", small)
    table = ingested(tmp_path / "raw", source="idx", path="unused", download="fashion-mnist")
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

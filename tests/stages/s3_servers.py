"""An S3 server for tests, a proxy before it that counts, cuts and damages, and a tree to publish through both."""

import functools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.loaders import create_loader

from stages.common.errors import run_stage
from stages.upload import main
from tests.stages.release_trees import check_release, make_tree, set_url

KEY = "AKIAPLANTEDKEY000001"
SECRET = f"planted/secret+{sha256(KEY.encode()).hexdigest()}"  # in no file: a search finds leaks alone
REAL = os.environ.get("MINTAGE_TEST_S3_ENDPOINT")
SERVERS = ["moto", "real"] if REAL else ["moto"]
_REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (/\S*) HTTP/1\.1\r\n")


@dataclass(frozen=True)
class Server:
    """Where a server listens, and a key that may do all there."""

    host: str
    port: int
    key: str
    secret: str


@contextmanager
def moto_server(key: str, secret: str) -> Iterator[Server]:
    from moto.server import ThreadedMotoServer

    # Each session would read the models of all services anew: 0.1 s of each client, of which a test has several.
    botocore.session.create_loader = functools.cache(create_loader)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    assert server._server is not None
    server._server.app = _one_at_a_time(server._server.app)
    _, port = server.get_host_and_port()
    yield Server("127.0.0.1", port, key, secret)
    server.stop()


def _one_at_a_time(app: Callable[..., Any]) -> Callable[..., Any]:
    """AWS's conditional writes are atomic; moto's are where they do not overlap."""
    lock = threading.Lock()

    def serve(request: dict[str, Any], *arguments: Any) -> Any:
        with lock if "HTTP_IF_MATCH" in request or "HTTP_IF_NONE_MATCH" in request else nullcontext():
            return app(request, *arguments)

    return serve


def client_of(server: Server, monkeypatch: pytest.MonkeyPatch, endpoint: str | None, attempts: int = 2) -> Any:
    """A client past all proxies; this process's settings name `endpoint` or the server, and nothing else."""
    import boto3

    parse_descriptions_once()
    direct = f"http://{server.host}:{server.port}"
    settings = {
        "AWS_ACCESS_KEY_ID": server.key,
        "AWS_SECRET_ACCESS_KEY": server.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint or direct,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": str(attempts),
    }
    for name in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"]:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return boto3.session.Session().client("s3", endpoint_url=direct)


@functools.cache
def parse_descriptions_once() -> None:
    """Each session of boto3 parses all that S3 can do again, which takes four times as long as the rest of it."""
    from botocore.loaders import JSONFileLoader

    parsed = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
    setattr(JSONFileLoader, "load_file", lambda _, path: parsed(path))  # noqa: B010  # mypy forbids the assignment


@contextmanager
def bucket_of(
    server: Server, monkeypatch: pytest.MonkeyPatch, endpoint: str | None = None
) -> Iterator[tuple[Any, str]]:
    """A client past all proxies and a bucket of its own; this process's settings name `endpoint` or the server."""
    bucket = f"mintage-{uuid.uuid4().hex}"
    client = client_of(server, monkeypatch, endpoint)
    client.create_bucket(Bucket=bucket)
    yield client, bucket
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    for key in [item["Key"] for page in pages for item in page.get("Contents", [])]:
        client.delete_object(Bucket=bucket, Key=key)
    client.delete_bucket(Bucket=bucket)


@contextmanager
def named_server(name: str) -> Iterator[Server]:
    """`moto`, or `real`: the one that MINTAGE_TEST_S3_ENDPOINT and AWS credentials name."""
    if name == "moto":
        with moto_server(KEY, SECRET) as started:
            yield started
        return
    where = urlsplit(str(REAL))
    yield Server(
        str(where.hostname), where.port or 80, os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    )


class Proxy:
    """Passes TCP on to a server.

    `requests` are those seen, as (method, path). `cut_after` bytes from the client, all connections are closed
    and new ones too, until it is None again; with `heal` the cut happens once. `damage` replaces bytes on
    their way. `on_put` is called at each PUT. `refuse` may answer a request in the server's place. After
    `cut_replies_after` bytes from the server the connection is reset, once. `delay` is seconds a piece, both ways.
    `brought` counts the bytes from the server.
    """

    def __init__(self, server: Server) -> None:
        self.requests: list[tuple[str, str]] = []
        self.cut_after: int | None = None
        self.heal = False
        self.damage: tuple[bytes, bytes] | None = None
        self.on_put: Callable[[], None] = lambda: None
        self.refuse: Callable[[str, str], bytes | None] = lambda method, path: None
        self.cut_replies_after: int | None = None
        self.delay = 0.0
        self.brought = 0
        self._target = (server.host, server.port)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def paths(self, method: str) -> list[str]:
        return [path for seen, path in self.requests if seen == method]

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._target) as server:
            threading.Thread(target=self._pass_back, args=(server, client), daemon=True).start()
            unread = b""
            while data := client.recv(65536):
                unread, answer = self._note(unread + data)
                if answer:
                    _refuse(client, answer)
                if answer or self._is_cut(len(data)):
                    break
                time.sleep(self.delay)
                server.sendall(data.replace(*self.damage) if self.damage else data)
            _end(client)
            _end(server)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                self.brought += len(data)
                time.sleep(self.delay)
                if self._is_reply_cut(len(data)):
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                    break
                client.sendall(data)
        _end(client)

    def _note(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Note the requests in what came; return the tail, in which one can have begun, and what to answer."""
        end, answer = 0, None
        for match in _REQUEST.finditer(data):
            method, path = match[1].decode(), match[2].decode()
            with self._lock:
                self.requests.append((method, path))
            if method == "PUT":
                self.on_put()
            answer = answer or self.refuse(method, path)
            if answer and method == "HEAD":
                answer = answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            end = match.end()
        return data[end:][-4096:], answer

    def _is_reply_cut(self, count: int) -> bool:
        with self._lock:
            if self.cut_replies_after is None:
                return False
            self.cut_replies_after -= count
            if cut := self.cut_replies_after < 0:
                self.cut_replies_after = None
            return cut

    def _is_cut(self, count: int) -> bool:
        with self._lock:
            if self.cut_after is None:
                return False
            self.cut_after -= count
            cut = self.cut_after < 0
            if cut and self.heal:
                self.cut_after = None
            return cut


def _refuse(client: socket.socket, answer: bytes) -> None:
    """Answer, and let the client send what it was sending: to close before would be a reset."""
    client.sendall(answer)
    client.shutdown(socket.SHUT_WR)
    client.settimeout(1)
    while client.recv(65536):
        pass


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Place:
    """A bucket of its own, a tree to publish there, and a proxy on the way."""

    client: Any
    bucket: str
    proxy: Proxy
    tree: Path
    secrets: list[str]
    capsys: pytest.CaptureFixture[str]

    def upload(self) -> tuple[int, str]:
        """Run the stage; its exit code and all it printed, in which no secret may stand."""
        code = 0
        try:
            run_stage(main)
        except SystemExit as stop:
            code = int(str(stop.code))
        printed = "".join(self.capsys.readouterr())
        assert not [secret for secret in self.secrets if secret in printed]
        return code, printed

    def objects(self) -> dict[str, int]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def receipt(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.tree / "published.json").read_text())
        return found

    def check(self, target: Path) -> dict[str, Any]:
        """Fetch the release of the receipt by a reader of its own, and verify it."""
        prefix = f"team/digits/releases/{self.receipt()['release']}"
        for key in [key for key in self.objects() if key.startswith(prefix)]:
            path = target / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read(key))
        return check_release(target / prefix)

    def has_release(self) -> bool:
        return any(key.endswith("/manifest.json") for key in self.objects())


@contextmanager
def place_on(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pictures: int
) -> Iterator[Place]:
    """A tree with so many pictures, which is the working directory, and where it is to be published."""
    proxy = Proxy(server)
    with bucket_of(server, monkeypatch, f"http://127.0.0.1:{proxy.port}") as (client, bucket):
        tree = make_tree(folder / "tree", pictures=pictures)
        set_url(tree, f"s3://{bucket}/team/digits")
        monkeypatch.chdir(tree)
        yield Place(client, bucket, proxy, tree, [server.secret], capsys)
    proxy.close()


def refusal(status: int, code: str) -> bytes:
    """A store's answer: an HTTP status, and S3's error document."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planted-message</Message></Error>".encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def sent(proxy: Proxy) -> list[str]:
    """The keys written, less bucket and query, and less probes and claims (s3_swap)."""
    return [
        path.split("?")[0].split("/", 2)[2]
        for path in proxy.paths("PUT")
        if not re.search(r"/\.probe-|\.claims/", path)
    ]


def killer(process: subprocess.Popen[bytes], proxy: Proxy, puts: int) -> Callable[[], None]:
    """Kills a process at its n-th PUT, which does not arrive, as none that it has begun beside it."""

    def kill() -> None:
        if len(proxy.paths("PUT")) >= puts:
            process.send_signal(signal.SIGKILL)
            process.wait()
            raise ConnectionAbortedError

    return kill

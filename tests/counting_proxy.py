"""A proxy that counts: it answers for every place outside by itself, and keeps what it was asked for."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = b"from outside"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Server(ThreadingHTTPServer):
    """On a free port of this machine; `asked` holds the request lines, such as `GET http://outside.example/a`."""

    def __init__(self, body: bytes = BODY, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler or _Handler)
        self.asked: list[str] = []
        self.body = body
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.server.body)

    do_GET = do_POST = do_HEAD = answer  # noqa: N815

    def do_CONNECT(self) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_error(502)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def behind(proxy: Server, *names: str) -> dict[str, str]:
    """An environment in which these variables, and no others, name the proxy."""
    known = {name for each in NAMES for name in (each, each.lower())}
    bare = {name: value for name, value in os.environ.items() if name not in known}
    return {**bare, **dict.fromkeys(names, proxy.url)}

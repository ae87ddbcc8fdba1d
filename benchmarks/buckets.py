"""A read-only bucket on this machine, with any number of objects, none of which is stored."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 1000
_HEAD = "<?xml version='1.0'?><ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
_ITEM = '<Contents><Key>{}</Key><Size>{}</Size><ETag>"0"</ETag></Contents>'


@contextmanager
def bucket_of(count: int, named: Callable[[int], tuple[str, bytes]]) -> Iterator[dict[str, str]]:
    """Serve a bucket; yields the settings to reach it. `named` gives key and content of each object, sorted by key."""

    class Bucket(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # each answer is one packet

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = parse_qs(url.query)
            if "list-type" in asked:
                start = int(asked.get("continuation-token", ["0"])[0])
                self._answer(_page(count, named, start).encode())
            else:
                self._answer(named(int("".join(filter(str.isdigit, url.path.rpartition("-")[2]))))[1])

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"0"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    server.shutdown()


def _page(count: int, named: Callable[[int], tuple[str, bytes]], start: int) -> str:
    end = min(start + PAGE, count)
    items = [_ITEM.format(key, len(content)) for key, content in map(named, range(start, end))]
    more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{end}</NextContinuationToken>" if end < count else ""
    return f"{_HEAD}{''.join(items)}{more}</ListBucketResult>"

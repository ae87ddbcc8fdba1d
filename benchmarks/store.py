"""Releases against bare boto3 on the same server, in turns: one large file and many small ones, there and back.

    python -m benchmarks.store s3://BUCKET/PREFIX [--megabytes 200] [--files 500] [--rounds 3]

Credentials and endpoint come from the environment. The bucket must be there; what is written is removed. A line a
case: megabytes a second of both, the median over the rounds, and the ratio (above 1: faster than bare boto3).
Publishing includes reading and hashing the files for the manifest, and fetching includes checking every hash.
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from benchmarks.options import natural
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.releases.content import identify
from stages.releases.manifest import Release
from stages.releases.transfer import fetch
from stages.stores import File
from stages.stores.parallel import WORKERS
from stages.stores.s3 import S3Store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRANSFER = TransferConfig(max_concurrency=WORKERS)


def main() -> None:
    options = parser_of("benchmarks.store", __doc__)
    options.add_argument("url")
    options.add_argument("--megabytes", type=natural, default=200)
    options.add_argument("--files", type=natural, default=500)
    options.add_argument("--rounds", type=natural, default=3)
    chosen = options.parse_args()
    for title, count, size in [
        (f"one file of {chosen.megabytes} MB", 1, chosen.megabytes * 10**6),
        (f"{chosen.files} files of 20 kB", chosen.files, 20_000),
    ]:
        with tempfile.TemporaryDirectory() as folder:
            print_case(title, measure(chosen.url, Path(folder), count, size, chosen.rounds), count * size)


def measure(url: str, folder: Path, count: int, size: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each transfer, a value for each round; every round writes new content under new keys."""
    store = S3Store(f"{url.rstrip('/')}/benchmark-{uuid.uuid4().hex}")
    client = boto3.session.Session().client("s3", config=Config(max_pool_connections=WORKERS))
    seconds: dict[str, list[float]] = {name: [] for name in ("bare up", "ours up", "bare down", "ours down")}
    for number in range(rounds):
        source = folder / f"source-{number}"
        source.mkdir()
        for index in range(count):
            (source / f"{index:04d}.bin").write_bytes(os.urandom(size))
        bare, ours = f"{store._prefix}bare-{number}", f"releases/{number}"
        turns: dict[str, Callable[[], object]] = {
            "bare up": partial(bare_up, client, store.bucket, bare, source),
            "ours up": partial(ours_up, store, ours, source),
            "bare down": partial(bare_down, client, store.bucket, bare, folder / f"bare-{number}", source),
            "ours down": partial(ours_down, store, ours, folder / f"ours-{number}"),
        }
        order = ("bare", "ours") if number % 2 == 0 else ("ours", "bare")
        for name in [f"{who} {way}" for way in ("up", "down") for who in order]:
            os.sync()  # else a turn waits for writes of the turn before: this has halved a rate
            start = time.perf_counter()
            turns[name]()
            seconds[name].append(time.perf_counter() - start)
        store.remove(store.entries(""))
        for made in folder.iterdir():
            shutil.rmtree(made)
    return seconds


def bare_up(client: "S3Client", bucket: str, prefix: str, source: Path) -> None:
    def send(path: Path) -> None:
        client.upload_file(str(path), bucket, f"{prefix}/{path.name}", Config=TRANSFER)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(send, sorted(source.iterdir())))


def bare_down(client: "S3Client", bucket: str, prefix: str, target: Path, source: Path) -> None:
    target.mkdir()

    def bring(path: Path) -> None:
        client.download_file(bucket, f"{prefix}/{path.name}", str(target / path.name), Config=TRANSFER)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(bring, sorted(source.iterdir())))


def ours_up(store: S3Store, folder: str, source: Path) -> None:
    files = [File.from_source(path.name, path) for path in sorted(source.iterdir())]
    _, manifest = identify(files)
    store.add(folder, store.missing(folder, [*files, manifest]), lambda _: None)


def ours_down(store: S3Store, folder: str, target: Path) -> None:
    fetch(Release(store, folder), target)


def print_case(title: str, seconds: dict[str, list[float]], size: int) -> None:
    rates = {name: size / 1e6 / median(values) for name, values in seconds.items()}
    for direction, word in (("up", "publish"), ("down", "fetch")):
        ours, bare = rates[f"ours {direction}"], rates[f"bare {direction}"]
        print(f"{title:<20} {word:<8} {ours:7.1f} MB/s, bare boto3 {bare:7.1f} MB/s, ratio {ours / bare:.2f}")


if __name__ == "__main__":
    run_stage(main)

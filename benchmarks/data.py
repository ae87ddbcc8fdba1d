"""How fast and how large normalize is, on made images: `python -m benchmarks.data`.

Beside Pillow's decode alone of the same bytes (CPU seconds of one process, so that neighbors count little), with 1 and
2 processes (seconds on the wall), its peak memory by the number of images, and the bytes it writes for those it read.
What is compared takes turns. Needs the stages' packages; a million images need 6 GB of disk.
"""

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.options import natural, positive
from stages.common.errors import run_stage
from stages.common.mapping import map_shards
from stages.common.params import load_params
from stages.common.shards import encoded_schema, shards, write_encoded
from stages.common.stage import parser_of
from stages.normalize import normalize

DIFFERENT = 2000
"""Pictures that are drawn; further images differ in a few bytes after their end, which no decoder reads."""
SHARDS = 16
"""Shards when speed is measured, since a shard is the work of one process."""
CLASSES = [str(label) for label in range(10)]


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    height: int
    width: int
    side: int
    """Height and width of the normalized images."""


SMALL = Case("PNG of 32x32 to 32x32", "PNG", 32, 32, 32)
CASES = [
    SMALL,
    Case("JPEG of 256x256 to 64x64", "JPEG", 256, 256, 64),
    Case("JPEG of 1024x768 to 64x64", "JPEG", 768, 1024, 64),
]


def pictures(case: Case, count: int) -> Iterator[bytes]:
    """Soft shapes with a camera's noise, so that files are about as large as photographs."""
    random = np.random.default_rng(0)
    for _ in range(count):
        shapes = Image.fromarray(random.integers(0, 256, (7, 7, 3), np.uint8))
        picture = np.asarray(shapes.resize((case.width, case.height), Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(picture + random.integers(-6, 7, picture.shape, np.int16), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, case.kind, quality=90)
        yield buffer.getvalue()


def write_raw(case: Case, count: int, folder: Path, shard_images: int = 20_000) -> int:
    """Write raw shards as ingest does; returns the bytes of the images."""
    schema = encoded_schema(CLASSES, {"key": pa.string(), "sha256": pa.string(), "split": pa.string()})
    about = {"name": case.name, "license": "CC0 1.0", "origin": "made by benchmarks.data"}
    schema = schema.with_metadata({**schema.metadata, "source": json.dumps(about), "max_pixels": str(10**7)})
    drawn, size = list(pictures(case, min(count, DIFFERENT))), 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal size
        for number in range(count):
            content = drawn[number % len(drawn)] + number.to_bytes(4, "big")
            size += len(content)
            key, sum_ = f"image-{number:07d}", hashlib.sha256(content).hexdigest()
            image = {"bytes": content, "path": key}
            yield {"image": image, "label": number % len(CLASSES), "key": key, "sha256": sum_, "split": None}

    folder.mkdir(parents=True)
    write_encoded(folder, rows(), schema, shard_images, held_images=1000)
    return size


def decode_all(raw: Path) -> None:
    """Only decode all images with Pillow, which any program has to do."""
    for path in shards(raw):
        for batch in pq.ParquetFile(path).iter_batches(1000, columns=["image.bytes"]):
            for image in batch["image"].to_pylist():
                Image.open(io.BytesIO(image["bytes"])).load()


def normalize_all(folder: Path, side: int, workers: int) -> None:
    params = load_params().normalize.model_copy(update={"channels": 3, "height": side, "width": side})
    normalize(params, folder / "raw", folder / "normalized", folder / "resume", map_shards(workers))


@dataclass(frozen=True)
class Cost:
    seconds: float
    cpu_seconds: float
    peak: float
    """Peak megabytes of the process, without its child processes."""


def cost(folder: Path, what: str, side: int = 0) -> Cost:
    """The cost of a separate process that does `what`: "decode", or normalize with a number of workers."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.data", "--do", what, str(folder), str(side)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    peak = re.findall(r"peak (\d+) kB", child.stdout.read())
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, int(peak[0]) / 1024)


def print_peak() -> None:
    """Print this process's peak memory; the parent's figure for it would include memory shared before the exec."""
    print("peak", *re.findall(r"VmHWM:\s+(\d+ kB)", Path("/proc/self/status").read_text()))


def speed(case: Case, count: int, rounds: int, folder: Path) -> None:
    size = write_raw(case, count, folder / "raw", count // SHARDS + 1)
    nothing = cost(folder, "nothing").cpu_seconds  # the start of Python and imports
    ratios, scaling, ceilings, rates = [], [], [], []
    for _ in range(rounds):
        alone = cost(folder, "decode")
        with ThreadPoolExecutor(2) as pair:
            both = list(pair.map(lambda _: cost(folder, "decode"), range(2)))
        ceilings.append(2 * alone.seconds / max(one.seconds for one in both))
        one, two = cost(folder, "1", case.side), cost(folder, "2", case.side)
        ratios.append((alone.cpu_seconds - nothing) / (one.cpu_seconds - nothing))
        rates.append(count / (one.cpu_seconds - nothing))
        scaling.append(one.seconds / two.seconds)
    written = sum(path.stat().st_size for path in (folder / "normalized").glob("*/*.parquet"))
    print(
        f"{case.name}, {count:,} images: {median(rates):,.0f} a CPU second, {median(ratios):.2f} of Pillow's decode "
        f"alone; 2 processes {median(scaling):.2f} times as fast as 1 (2 decodes that share nothing: "
        f"{median(ceilings):.2f}); {written / size:.2f} of the source's bytes",
        flush=True,
    )


def memory(counts: list[int], folder: Path) -> None:
    first = None
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as inner:
            size = write_raw(SMALL, count, Path(inner) / "raw")
            used = cost(Path(inner), "1", SMALL.side)
            written = sum(path.stat().st_size for path in (Path(inner) / "normalized").glob("*/*.parquet"))
        first = first or used.peak
        print(
            f"{count:9,} images of 32x32: peak {used.peak:.0f} MB, {used.peak / first:.2f} times the first; "
            f"{count / used.seconds:,.0f} images a second; {written / 1e6:,.0f} MB for {size / 1e6:,.0f} MB",
            flush=True,
        )


def main() -> None:
    parser = parser_of("benchmarks.data", __doc__)
    parser.add_argument("--rounds", type=natural, default=5)
    parser.add_argument("--seconds", type=positive, default=20.0, help="about, of one process in one round")
    parser.add_argument("--memory", type=natural, nargs="*", default=[10_000, 100_000, 1_000_000], metavar="IMAGES")
    parser.add_argument("--do", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.do:
        what, folder, side = arguments.do
        if what == "decode":
            decode_all(Path(folder) / "raw")
        elif what != "nothing":
            normalize_all(Path(folder), int(side), int(what))
        print_peak()
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES if arguments.rounds else []):
            count = {32: 13_000, 256: 1700, 768: 400}[case.height] * arguments.seconds
            speed(case, int(count), arguments.rounds, Path(folder) / str(number))
        memory(arguments.memory, Path(folder))


if __name__ == "__main__":
    run_stage(main)

"""How much memory ingest takes of each source, by the number of images: `python -m benchmarks.sources`.

Images are letters of 32x32, a few of them under as many names. The stage runs in a process of its own, and tells its
own peak. Needs the stages' packages; of a million images the folder needs 4 GB of disk. Name sources to measure those
alone: `python -m benchmarks.sources --images 10000 1000000 -- zip csv`.
"""

import csv
import io
import json
import os
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from benchmarks.buckets import bucket_of
from benchmarks.memory import peak_of
from benchmarks.options import natural
from stages.common.errors import run_stage
from stages.common.shards import encoded_schema
from stages.common.stage import parser_of
from stages.sources.glyphs import Options, draw_glyph

CLASSES = 10


@cache
def letters() -> list[bytes]:
    return [draw_glyph(Options.model_validate({"colors": "gray"}), number) for number in range(64)]


def member(count: int, number: int) -> tuple[str, bytes]:
    """The name, in one of ten folders, and the content of a file."""
    return f"class-{number * CLASSES // count}/image-{number:07d}.png", letters()[number % 64]


def members(count: int) -> Iterator[tuple[str, bytes]]:
    return (member(count, number) for number in range(count))


def folder(root: Path, count: int) -> dict[str, Any]:
    for label in range(CLASSES):
        (root / f"class-{label}").mkdir(parents=True)
    for name, content in members(count):
        (root / name).write_bytes(content)
    return {"source": "folder"}


def write_zip(path: Path, count: int, folders: tuple[str, ...] = ("",)) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for inside in folders:
            for name, content in members(count):
                file.writestr(inside + name, content)


def zip_(root: Path, count: int) -> dict[str, Any]:
    write_zip(root, count)
    return {"source": "archive"}


def zip_pairs(root: Path, count: int) -> dict[str, Any]:
    write_zip(root, count, ("a/", "b/"))
    return {"source": "archive", "pairs": {"by": "name", "folders": ["a", "b"]}}


def tar(root: Path, count: int) -> dict[str, Any]:
    with tarfile.open(root, "w") as file:
        for name, content in members(count):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return {"source": "archive"}


def parquet(root: Path, count: int) -> dict[str, Any]:
    schema = encoded_schema([str(label) for label in range(CLASSES)], {})
    with pq.ParquetWriter(root, schema) as writer:
        for start in range(0, count, 1000):
            rows = [
                {"image": {"bytes": letters()[n % 64], "path": f"{n}.png"}, "label": n % 10}
                for n in range(start, min(start + 1000, count))
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
    return {"source": "parquet"}


def cifar(root: Path, count: int) -> dict[str, Any]:
    root.mkdir()
    record = bytes([3]) + bytes(3072)
    with open(root / "data_batch_1.bin", "wb") as file:
        for _ in range(count):
            file.write(record)
    return {"source": "cifar"}


def idx(root: Path, count: int) -> dict[str, Any]:
    root.mkdir()
    for name, header, size in (("images-idx3", (2051, count, 32, 32), 1024), ("labels-idx1", (2049, count), 1)):
        with open(root / f"train-{name}-ubyte", "wb") as file:
            file.write(np.array(header, ">u4").tobytes())
            for number in range(count):
                file.write(bytes([number % CLASSES]) * size)
    return {"source": "idx"}


def arrays(save: Callable[..., None]) -> Callable[[Path, int], dict[str, Any]]:
    def write(root: Path, count: int) -> dict[str, Any]:
        labels = np.array([f"class number {number % CLASSES}" for number in range(count)])
        images = np.zeros((count, 32, 32), np.uint8)
        with open(root, "wb") as file:
            save(file, images=images, labels=labels)
        return {"source": "arrays"}

    return write


def npy(root: Path, count: int) -> dict[str, Any]:
    root.mkdir()
    np.save(root / "images.npy", np.zeros((count, 32, 32), np.uint8))
    np.save(root / "labels.npy", np.arange(count) % CLASSES)
    return {"source": "arrays"}


def labeled(suffix: str) -> Callable[[Path, int], dict[str, Any]]:
    """Writes IDX files, with the classes of their images in another file."""

    def write(root: Path, count: int) -> dict[str, Any]:
        path = root.with_name(f"labels.{suffix}")
        rows = ((f"train-{number:05d}", f"kind {number % CLASSES}") for number in range(count))
        with open(path, "w", newline="") as file:
            if suffix == "csv":
                csv.writer(file).writerows([("key", "class"), *rows])
            elif suffix == "json":
                json.dump(dict(rows), file)
            else:
                file.writelines(json.dumps({"key": key, "class": name}) + "\n" for key, name in rows)
        return idx(root, count) | {"labels": path.name}

    return write


def made(name: str, option: str) -> Callable[[Path, int], dict[str, Any]]:
    return lambda _, count: {"source": name, "options": {option: count * 10 // 11 if option == "points" else count}}


def s3(_: Path, __: int) -> dict[str, Any]:
    return {"source": "s3", "options": {"url": "s3://bucket"}}


CASES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "folder": folder, "tar": tar, "zip": zip_, "zip-pairs": zip_pairs, "parquet": parquet, "cifar": cifar, "idx": idx,
    "npy": npy, "npz": arrays(np.savez), "npz-packed": arrays(np.savez_compressed), "csv": labeled("csv"),
    "json": labeled("json"), "jsonl": labeled("jsonl"), "glyphs": made("glyphs", "images"),
    "ring": made("ring", "points"), "grid": made("grid", "points"), "gaussian": made("gaussian", "points"), "s3": s3,
}  # fmt: skip


def peak(work: Path, name: str, count: int) -> tuple[float, float]:
    """Peak megabytes and seconds of an ingest."""
    chosen = CASES[name](work / "input", count)
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["ingest"].update({"path": "input", **chosen})
    yaml.dump(params, work / "params.yaml")
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    with bucket_of(count, lambda number: member(count, number)) as settings:
        start = time.perf_counter()
        kilobytes = peak_of("stages.ingest", cwd=work, env=environment | settings)
    return kilobytes / 1024, time.perf_counter() - start


def main() -> None:
    parser = parser_of("benchmarks.sources", __doc__)
    parser.add_argument("--images", type=natural, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("sources", nargs="*", metavar="SOURCE", choices=[*CASES, []], help=", ".join(CASES))
    arguments = parser.parse_args()
    for name in arguments.sources or CASES:
        first = None
        for count in arguments.images:
            with tempfile.TemporaryDirectory() as work:
                used, seconds = peak(Path(work), name, count)
            first = first or used
            print(
                f"{name:<10} {count:9,} images: peak {used:.0f} MB, {used / first:.2f} times the first; "
                f"{count / seconds:,.0f} images a second",
                flush=True,
            )


if __name__ == "__main__":
    run_stage(main)

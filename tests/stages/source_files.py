"""Small sources on disk (IDX files, trees of pictures) and the stages' functions with their usual params."""

import gzip
import io
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from stages.common.params import Ingest, Normalize
from stages.common.shards import read_tables
from stages.ingest import ingest
from stages.normalize import normalize
from stages.sources import open_source
from tests.stages.tiny_data import ROOT, write_params

Array = npt.NDArray[Any]


def ingest_params(**changes: Any) -> Ingest:
    usual: dict[str, Any] = {"source": "folder", "path": "", "options": {}, "labels": None, "unlabeled": "refuse"}
    usual |= {"groups": None, "pairs": None, "frames": "first", "strip_metadata": False}
    usual |= {"max_pixels": 10**6, "shard_images": 1000}
    return Ingest.model_validate({**usual, **changes})


def normalize_params(**changes: Any) -> Normalize:
    shape: dict[str, Any] = {"channels": 1, "height": 8, "width": 8, "fit": "resize", "resample": "lanczos"}
    shape |= {"reducing_gap": 4.0, "upscale": "allow"}
    shape |= {"crop_position": "center", "crop_seed": 0, "background": "#ffffff", "partner": None}
    shape |= {"black": None, "white": None, "near_copies": {"likeness": 0.998, "hash_distance": 3}}
    split = {"split": "auto", "holdout": 0.2, "split_seed": 0, "max_broken": 0.01, "shard_images": 1000}
    return Normalize.model_validate({**shape, **split, **changes})


def ingested(raw: Path, **changes: Any) -> pa.Table:
    """Ingest into `raw` and read what is there."""
    params = ingest_params(**changes)
    ingest(open_source(params), params, raw, raw.with_name(".resume"))
    return pa.concat_tables(list(read_tables(raw)))


def normalized(folder: Path, **changes: Any) -> dict[str, Any]:
    """Normalize `folder`/raw into `folder`/normalized; the manifest."""
    return normalize(normalize_params(**changes), folder / "raw", folder / "normalized", folder / "resume")


def idx_bytes(values: Array) -> bytes:
    """Bytes `[N]` or `[N,H,W]` as an IDX file."""
    return struct.pack(f">I{values.ndim}I", 0x0800 | values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


def write_idx(folder: Path, images: Array, labels: Array, part: str = "train", packed: bool = False) -> None:
    """The two files of `part` under their official names, packed with gzip or not."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
        content = idx_bytes(values)
        name = f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
        (folder / name).write_bytes(gzip.compress(content) if packed else content)


def noise(count: int, *shape: int, seed: int = 0) -> Array:
    """`count` different pictures of random bytes."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_files(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def zipped(files: Mapping[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def zip_beside(tree: Path) -> Path:
    """A zip of all files of a folder."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    path = tree.with_suffix(".zip")
    path.write_bytes(zipped({str(file.relative_to(tree)): file.read_bytes() for file in files}))
    return path


def write_tree(root: Path, classes: dict[str, int], size: int = 8) -> Path:
    """So many different gray PNG files in each folder (a path inside `root`)."""
    for number, (name, count) in enumerate(classes.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index, image in enumerate(noise(count, size, size, seed=number)):
            (root / name / f"{index:03d}.png").write_bytes(encoded(Image.fromarray(image)))
    return root


def run_stage_in(
    folder: Path, stage: str, changes: dict[str, Any], limit: str = ""
) -> "subprocess.CompletedProcess[str]":
    """`python -m stages.STAGE` in `folder`, as a person runs it; `limit` is a shell command before it.

    A process that is limited keeps no compiled modules: a part of one would stop all that import it later.
    """
    write_params(folder, changes)
    command = f"{limit} exec {sys.executable} {'-B' if limit else ''} -m stages.{stage}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def labeled(tmp_path: Path, name: str, content: str, **changes: Any) -> Any:
    tree = write_tree(tmp_path / "tree", {"": 6})
    (tree / name).write_text(content)
    return ingested(tmp_path / "raw", path=str(tree), labels=name, **changes)

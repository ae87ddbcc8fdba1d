"""Folders and archives of tiny images, to see what is taken for a split, a class or a table."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stages.sources import Source, open_source
from tests.stages.source_files import encoded, ingest_params, noise, write_files, zipped

PNG = encoded(Image.fromarray(noise(1, 8, 8)[0]))
Files = dict[str, bytes]
Packer = Callable[[Path, Files], dict[str, Any]]


def folder(root: Path, files: Files) -> dict[str, Any]:
    return {"source": "folder", "path": str(write_files(root, files))}


def as_zip(path: Path, files: Files) -> dict[str, Any]:
    path.write_bytes(zipped(files))
    return {"source": "archive", "path": str(path)}


def tarred(path: Path, files: Files) -> dict[str, Any]:
    folder(path.with_suffix(".files"), files)
    with tarfile.open(path, "w") as file:
        file.add(path.with_suffix(".files"), ".")
    return {"source": "archive", "path": str(path)}


PACKERS: list[Packer] = [folder, as_zip, tarred]
packed_in = pytest.mark.parametrize("pack", PACKERS, ids=lambda pack: pack.__name__)


def opened(tmp_path: Path, names: list[str], tables: Files | None = None, pack: Packer = folder) -> Source:
    return open_source(ingest_params(**pack(tmp_path / "in", {**dict.fromkeys(names, PNG), **(tables or {})})))


def found(source: Source) -> dict[str, tuple[str | None, str | None]]:
    """Class and split by key."""
    names = source.classes or []
    return {image.key: (None if image.label is None else names[image.label], image.split) for image in source.images}

"""Bad input as a table: what is at ingest.path, what the user reads, and the exit code."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from PIL import Image

from tests.stages.source_files import encoded, noise, write_idx, write_tree

Make = Callable[[Path], None]
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
PNG = encoded(Image.fromarray(noise(1, 8, 8)[0]))


class Case(NamedTuple):
    """`make` gets the path "input" in an empty folder, and may make a file or a folder of it."""

    source: str
    make: Make
    words: str
    code: int = 2
    params: dict[str, Any] = {}  # noqa: RUF012 - never changed
    stage: str = "ingest"
    """The stage that says so."""
    locked: bool = False
    """Whether it is read by somebody who may not read it all."""


def tree(change: Make | None = None, classes: dict[str, int] | None = None) -> Make:
    def make(root: Path) -> None:
        write_tree(root, classes or {"cat": 2, "dog": 2})
        if change is not None:
            change(root)

    return make


def text(name: str, content: bytes | str) -> Make:
    return lambda root: put(root / name, content)


def put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def just(content: bytes | str) -> Make:
    """One file and nothing else."""
    return lambda root: put(root, content)


def two_archives(root: Path) -> None:
    put(root / "a.zip", "x")
    put(root / "b.tar", "x")


def linked(name: str, target: str) -> Make:
    return lambda root: (root / name).symlink_to(target)


def huge(root: Path) -> None:
    with open(root / "dog/huge.png", "wb") as file:
        file.truncate(2**40)  # sparse: it takes no room on the disk


def not_utf8(root: Path) -> None:
    os.rename(os.fsencode(root / "cat/000.png"), os.fsencode(root) + b"/cat/caf\xe9.png")


def lock(make: Make, name: str) -> Make:
    """What is there, and a file or folder in it that nobody may read."""

    def change(root: Path) -> None:
        make(root)
        (root / name).chmod(0)

    return change


def exif(secret: str) -> bytes:
    said = Image.Exif()
    said[0x010E] = secret  # the description
    return encoded(Image.fromarray(noise(1, 8, 8)[0]), "JPEG", exif=said)


def packed(name: str, **files: bytes) -> Make:
    """A tar or zip (by `name`) of two classes and more files, links (content `-> target`) and folders among them."""

    def make(root: Path) -> None:
        members = {f"cat/{n}.png": encoded(Image.fromarray(p)) for n, p in enumerate(noise(4, 8, 8))} | files
        (write_zip if name == "zip" else write_tar)(root, members)

    return make


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> None:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if content.startswith(b"-> "):
                entry.type, entry.linkname = tarfile.SYMTYPE, content[3:].decode()
            elif content == b"pipe":
                entry.type = tarfile.FIFOTYPE
            else:
                entry.size = len(content)
            file.addfile(entry, io.BytesIO(content) if entry.isreg() else None)


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if content.startswith(b"-> "):
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(entry, content)


def hard_link(root: Path) -> None:
    entry = tarfile.TarInfo("cat/b.png")
    entry.type, entry.linkname = tarfile.LNKTYPE, "/etc/passwd"
    with tarfile.open(root, "w") as file:
        file.addfile(entry)


def gzip_bomb(root: Path) -> None:
    """Two images, then a member of 300 MB of zeros that is no image by its name."""
    unpacked = root.with_name("unpacked")
    write_tar(unpacked, {"a.png": PNG, "b.png": PNG})
    entry = tarfile.TarInfo("zeros.bin")
    entry.size = 300 * 2**20
    head = unpacked.read_bytes()[: 4 * 512] + entry.tobuf()
    with gzip.open(root, "wb", 1) as file:
        file.write(head)
        for _ in range(300):
            file.write(bytes(2**20))
        file.write(bytes(1024))


def header_bomb(root: Path) -> None:
    """An extended header that says it is 8 GB long, as the name of the next member."""
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 8 * 2**30
    root.write_bytes(entry.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))


def overlapping_zip(root: Path) -> None:
    """A hundred entries of the table of contents share the bytes of one member: Fifield's bomb, in small."""
    with zipfile.ZipFile(root, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(2**20))
        for number in range(100):
            again = copy(file.filelist[0])
            again.filename = f"{number}.png"
            file.filelist.append(again)


def encrypted_zip(root: Path) -> None:
    write_zip(root, {"a.png": PNG, "b.png": PNG})
    content = bytearray(root.read_bytes())
    for start in (content.find(b"PK\x03\x04") + 6, content.find(b"PK\x01\x02") + 8):
        content[start] |= 1
    root.write_bytes(content)


def cut_file(make: Make, share: float) -> Make:
    def change(root: Path) -> None:
        make(root)
        os.truncate(root, int(root.stat().st_size * share))

    return change


def damaged_member(root: Path) -> None:
    write_zip(root, {"a.png": PNG, "b.png": PNG})
    content = bytearray(root.read_bytes())
    content[60] ^= 255
    root.write_bytes(content)


def damaged_tar_header(root: Path) -> None:
    write_tar(root, {f"{n}.png": PNG for n in range(4)})
    content = bytearray(root.read_bytes())
    content[2 * 1024 + 150] ^= 255  # in the checksum of the third header
    root.write_bytes(content)


def a_million_names(root: Path) -> None:
    """Not a million here (the test of memory has them), but all in one folder and tiny."""
    root.mkdir()
    for number in range(3000):
        (root / f"{number}.png").write_bytes(PNG + bytes(number % 7))


def idx(change: Make) -> Make:
    def make(root: Path) -> None:
        write_idx(root, noise(6, 8, 8), np.array([0, 1, 2, 0, 1, 2]))
        change(root)

    return make


def without(name: str) -> Make:
    return lambda root: (root / name).unlink()


def cut(name: str, size: int) -> Make:
    return lambda root: os.truncate(root / name, size)


def add(name: str, content: bytes) -> Make:
    return lambda root: put(root / name, (root / name).read_bytes() + content)


def start(name: str, *numbers: int) -> Make:
    """Write another header over the first bytes of a file."""

    def change(root: Path) -> None:
        header = struct.pack(f">{len(numbers)}I", *numbers)
        put(root / name, header + (root / name).read_bytes()[len(header) :])

    return change


def cut_gzip(root: Path) -> None:
    content = gzip.compress((root / IMAGES).read_bytes())
    put(root / IMAGES, content[: len(content) // 2])


def damaged_gzip(root: Path) -> None:
    content = bytearray(gzip.compress((root / IMAGES).read_bytes()))
    content[-8] ^= 255  # the checksum
    put(root / IMAGES, bytes(content))


def lone_test_images(root: Path) -> None:
    put(root / "t10k-images-idx3-ubyte", (root / IMAGES).read_bytes())


def cifar(label: int = 0, records: int = 4, extra: bytes = b"") -> Make:
    record = bytes([label]) + noise(1, 3072)[0].tobytes()
    return lambda root: put(root / "data_batch_1.bin", record * records + extra)


class Runs:
    """Unpickling it makes a folder: the proof that nothing here is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def table(**columns: Any) -> Make:
    return lambda root: pq.write_table(pa.table(columns), root)


def array(values: Any, **options: Any) -> Make:
    def make(root: Path) -> None:
        with open(root, "wb") as file:
            np.save(file, values, **options)

    return make


def npz(**arrays: Any) -> Make:
    def make(root: Path) -> None:
        with open(root, "wb") as file:
            np.savez(file, **arrays)

    return make


def not_text(*values: bytes) -> pa.Array:
    """A column of Parquet that says it is text in UTF-8."""
    return pa.array(values).view(pa.string())


def objects(root: Path) -> None:
    with open(root, "wb") as file:
        np.save(file, np.array([Runs(), Runs()], object), allow_pickle=True)


def labels(name: str, content: bytes | str) -> Make:
    return tree(text(name, content))


@st.composite
def near_idx(draw: st.DrawFn, magic: int, dimensions: int) -> bytes:
    """A file of the IDX format, nearly: a header near the truth, bytes of any kind, packed or not."""
    small = st.integers(0, 4) | st.sampled_from([2**31, 2**32 - 1])
    sizes = [draw(small) for _ in range(dimensions)]
    header = struct.pack(f">{1 + dimensions}I", draw(st.sampled_from([magic] * 8 + [0, 2050])), *sizes)
    content = draw(st.just(header) | st.just(b"")) + draw(st.binary(max_size=70))
    return gzip.compress(content) if draw(st.booleans()) else content

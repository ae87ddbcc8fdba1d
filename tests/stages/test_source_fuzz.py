"""Any bytes at ingest.path are images or one sentence: no crash, no hang, nothing written outside."""

import gzip
import io
import os
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.common.errors import UserError
from stages.ingest import ingest
from stages.sources import open_source
from stages.sources.metadata import stripped
from tests.stages.hostile_inputs import IMAGES, LABELS, PNG, near_idx
from tests.stages.source_files import encoded, ingest_params, noise

fuzzed = settings(
    max_examples=int(os.environ.get("MINTAGE_FUZZ_EXAMPLES", "100")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = st.sampled_from(
    ["a.png", "cat/b.png", "dog/c.jpg", "../d.png", "/e.png", "f\ng.png", "猫/h.png", ".hidden.png", "i"]
)
CONTENTS = st.sampled_from([PNG, b"", b"<html>"]) | st.binary(max_size=40)


@contextmanager
def _nothing_outside(folder: Path) -> Iterator[None]:
    """All that is written is in raw/ and .resume/ under the folder; elsewhere, in the working folder, nothing."""
    before = set(os.listdir())
    yield
    assert set(os.listdir()) == before
    assert {path.name for path in folder.iterdir()} <= {"input", "raw", ".resume"}


def taken(folder: Path, source: str, at: str = "input", **params: object) -> bool:
    """Whether what is at `input`, or in it, is taken in; else it is refused by one sentence."""
    given_ = ingest_params(source=source, path=str(folder / at), max_pixels=10**4, **params)
    begun = time.process_time()
    with _nothing_outside(folder):
        try:
            ingest(open_source(given_), given_, folder / "raw", folder / ".resume")
            words = None
        except UserError as error:
            words = str(error)
    assert time.process_time() - begun < 5, "it hangs"  # seconds of the processor, however busy the machine is
    assert words is None or ("\n" not in words and 10 < len(words) < 600)
    return words is None


@st.composite
def damaged(draw: st.DrawFn, contents: st.SearchStrategy[bytes]) -> bytes:
    """Bytes near to what is right: some changed, some cut off, some repeated."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.integers(0, 4)) if content else 0):
        place = draw(st.integers(0, len(content) - 1))
        content[place] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        content = content[: draw(st.integers(0, len(content)))]
    return bytes(content) + draw(st.just(b"") | st.binary(max_size=20))


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    kind = draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as file:
        for name, content in draw(st.lists(st.tuples(NAMES, CONTENTS), max_size=5)):
            entry = tarfile.TarInfo(
                name * draw(st.sampled_from([1, 1, 1, 30] if kind != tarfile.USTAR_FORMAT else [1]))
            )
            entry.type = draw(
                st.sampled_from([tarfile.REGTYPE] * 6 + [tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
            )
            entry.size = len(content) if entry.isreg() else 0
            file.addfile(entry, io.BytesIO(content))
    content = buffer.getvalue()[: draw(st.sampled_from([10_240, 10**6]))]
    return gzip.compress(content, 1) if draw(st.booleans()) else content


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
    ) as file:
        for name, content in dict(draw(st.lists(st.tuples(NAMES, CONTENTS), max_size=5))).items():
            file.writestr(name, content)
    return buffer.getvalue()


@fuzzed
@given(content=damaged(tars() | zips()))
def test_any_archive_is_images_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input").write_bytes(content)
    taken(tmp_path, "archive")


@fuzzed
@given(
    content=damaged(
        st.sampled_from([b"\x1f\x8b", b"BZ", b"\xfd7zXZ", b"PK\x03\x04", b"PK\x05\x06"]).flatmap(
            lambda start: st.binary(max_size=200).map(lambda rest: start + rest)
        )
    )
)
def test_any_bytes_that_begin_as_an_archive_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input").write_bytes(content)
    assert not taken(tmp_path, "archive")


@fuzzed
@given(data=st.data())
def test_any_bytes_are_cifar_or_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / "input"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name in data.draw(st.sets(st.sampled_from(["data_batch_1.bin", "test_batch.bin", "train.bin", "test.bin"]))):
        records = b"".join(
            bytes(data.draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))) + bytes(3072)
            for size in data.draw(st.lists(st.sampled_from([1, 1, 1, 2]), max_size=3))
        )
        (folder / name).write_bytes(data.draw(damaged(st.just(records))))
    for name in ("batches.meta.txt", "fine_label_names.txt"):
        if data.draw(st.booleans()):
            names = "\n".join(data.draw(st.lists(st.sampled_from("abcdefghijklm"), max_size=13)))
            (folder / name).write_bytes(data.draw(damaged(st.just(names.encode()))))
    taken(tmp_path, "cifar", options={"labels": data.draw(st.sampled_from(["fine", "coarse"]))})


@fuzzed
@given(content=damaged(tars()))
def test_any_archive_is_cifar_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input").write_bytes(content)
    assert not taken(tmp_path, "cifar")


@fuzzed
@given(data=st.data())
def test_any_bytes_are_idx_or_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    """Headers near the truth, bytes of any kind, packed or not, cut anywhere."""
    (tmp_path / "input").mkdir(exist_ok=True)
    for name, magic, dimensions in ((IMAGES, 2051, 3), (LABELS, 2049, 1)):
        (tmp_path / "input" / name).write_bytes(data.draw(damaged(near_idx(magic, dimensions))))
    taken(tmp_path, "idx")


def _saved(save: Callable[..., None], **options: object) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    save(buffer, noise(3, 4, 5), **options) if save is np.save else save(
        buffer, images=noise(3, 4, 5), labels=[1, 0, 1]
    )
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["save", "savez", "savez_compressed"])
def test_any_bytes_are_arrays_or_one_sentence(tmp_path: Path, name: str) -> None:
    import numpy as np

    right = _saved(getattr(np, name))

    @fuzzed
    @given(content=damaged(st.just(right)))
    def check(content: bytes) -> None:
        (tmp_path / "input").write_bytes(content)
        taken(tmp_path, "arrays")

    check()


@fuzzed
@given(
    content=damaged(
        st.sampled_from(
            [
                encoded(Image.fromarray(noise(1, 9, 7, 3)[0]), kind)
                for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")
            ]
        )
    )
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, on damaged EXIF
def test_stripping_any_bytes_gives_a_picture_or_nothing(content: bytes) -> None:
    left = stripped(content)
    assert left == b"" or Image.open(io.BytesIO(left)).size[0] > 0

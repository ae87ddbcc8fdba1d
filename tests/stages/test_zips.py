"""A zip read by pieces of its table of contents is what zipfile says it is, whole or damaged."""

import io
import random
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.sources import zips
from stages.sources.zips import Zip
from tests.stages.test_source_fuzz import damaged, fuzzed

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile's, on writing one
SMALL_PIECE = 300  # bytes: a few entries
Summary = tuple[str, str, int, int, int, int, int, bytes, bytes]


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "_PIECE", SMALL_PIECE)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """Names in any script or in code page 437, extra fields, comments, sizes in Zip64, and bytes before the zip."""
    buffer = io.BytesIO()
    if draw(st.booleans()):  # zipfile then counts places from the start of the file, other programs do not
        buffer.write(draw(st.binary(max_size=50)))
    with zipfile.ZipFile(buffer, "w") as file:
        for name in draw(st.lists(NAMES, max_size=12)):
            info = zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6))
            info.compress_type = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]))
            info.comment = draw(st.binary(max_size=20))
            info.extra = draw(st.sampled_from([b"", b"\xfe\xca\x02\x00ab"]))
            info.external_attr = draw(st.integers(0, 2**32 - 1))
            with file.open(info, "w", force_zip64=draw(st.booleans())) as member:
                member.write(draw(st.binary(max_size=60)))
        file.comment = draw(st.just(b"") | st.binary(max_size=30).filter(lambda comment: b"PK" not in comment))
    return draw(st.just(b"") | st.binary(max_size=30)) + buffer.getvalue()


def summary(info: zipfile.ZipInfo) -> Summary:
    sizes = (info.file_size, info.compress_size, info.CRC)
    return info.orig_filename, info.filename, info.header_offset, *sizes, info.external_attr, info.extra, info.comment


def of_zipfile(path: Path) -> list[tuple[Summary, Any]] | None:
    """What the standard library makes of a file: of each member what is told and its content; None of no zip."""
    try:
        with zipfile.ZipFile(path) as file:
            return [(summary(info), content_of(file.open, info)) for info in file.infolist()]
    except Exception:  # it raises nearly anything on damaged bytes
        return None


def content_of(opened: Any, *arguments: Any) -> Any:
    """None of a damaged member; `ANY` of one that reaches into the next: Python refuses it from 3.11.8 on."""
    try:
        with opened(*arguments) as file:
            return file.read()
    except Exception as error:
        return ANY if "Overlapped entries" in str(error) else None


def of_pieces(path: Path) -> list[tuple[Summary, Any]] | None:
    try:
        return [(summary(member.info), content_of(member.open)) for member in Zip(path, 1e30).members()]
    except UserError:
        return None


@fuzzed
@given(content=archives())
def test_any_zip_has_the_members_that_zipfile_finds(tmp_path: Path, small_pieces: None, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    expected = of_zipfile(tmp_path / "a.zip")
    assert expected is not None
    assert of_pieces(tmp_path / "a.zip") == expected


@fuzzed
@given(content=damaged(archives()))
def test_a_damaged_zip_is_refused_where_zipfile_refuses_it(tmp_path: Path, small_pieces: None, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    expected = of_zipfile(tmp_path / "a.zip")
    assume(all(most_of_an_entry(member) <= SMALL_PIECE for member, _ in expected or []))
    assert of_pieces(tmp_path / "a.zip") == expected


def most_of_an_entry(member: Summary) -> int:
    """Bytes, at most: no entry is larger than a piece, but damage can make one larger than these small ones.

    The name is the stored one: `filename` ends at its first NUL.
    """
    name, *_, extra, comment = member
    return 46 + 4 * len(name) + len(extra) + len(comment)


@fuzzed
@given(content=archives())
def test_any_member_is_found_again_at_its_place(tmp_path: Path, small_pieces: None, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    found = Zip(tmp_path / "a.zip", 1e30)
    members = list(found.members())
    random.Random(0).shuffle(members)
    for member in members:
        again = found.member(member.place)
        assert (summary(again.info), again.place) == (summary(member.info), member.place)
        assert content_of(again.open) == content_of(member.open)


def test_a_member_whose_header_reaches_into_the_table_is_refused_in_every_python(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in "abcdefgh":
            file.writestr(name, b"")
    content = bytearray(buffer.getvalue())
    last = content.rfind(b"PK\x03\x04")
    for extra in (60, 256, 65_535):  # into the first entries of the table, into later ones, past the end of the file
        content[last + 28 : last + 30] = extra.to_bytes(2, "little")
        (tmp_path / "a.zip").write_bytes(content)
        found = of_pieces(tmp_path / "a.zip")
        assert found == of_zipfile(tmp_path / "a.zip")
        assert found is not None
        assert [content is ANY for _, content in found] == [False] * 7 + [True]


def test_a_zip_of_more_members_than_two_bytes_can_count_is_read_whole(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for number in range(70_000):
            file.writestr(f"{number}.png", b"x")
    names = [member.info.filename for member in Zip(tmp_path / "a.zip", 100).members()]
    assert names == [f"{number}.png" for number in range(70_000)]


def test_a_zip_that_lies_beyond_four_gigabytes_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "a.zip", "wb") as file:
        file.seek(5 * 2**30)  # a hole: it takes no room on the disk
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("a.png", b"first")
            packed.writestr("b.png", b"second")
    found = Zip(tmp_path / "a.zip", 100)
    assert [member.open().read() for member in found.members()] == [b"first", b"second"]
    assert [found.member(member.place).open().read() for member in found.members()] == [b"first", b"second"]


def test_an_entry_as_large_as_the_format_allows_fits_into_a_piece(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        for letter in "abcdefgh":
            info = zipfile.ZipInfo(letter * 60_000)
            info.comment, info.extra = b"c" * 65_535, b"\xfe\xca\xfb\xff" + bytes(65_531)
            file.writestr(info, letter)
    members = list(Zip(tmp_path / "a.zip", 100).members())
    assert [member.info.filename[0] for member in members] == list("abcdefgh")
    assert [member.open().read() for member in members] == [letter.encode() for letter in "abcdefgh"]

"""Several pages or frames in a file: the first with the others counted, or all, each an image with its own pixels."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages.common import raw_shards
from stages.common.pictures import open_picture
from stages.images.decode import decode
from stages.ingest import ingest, summary
from stages.sources import RawImage, Source, open_source
from stages.sources.frames import frame_count, frames
from tests.refusals import refused
from tests.stages.source_files import encoded, ingest_params, ingested, noise

PAGES = noise(4, 12, 16)
ANIMATED: dict[str, dict[str, Any]] = {
    "GIF": {"disposal": 2},
    "PNG": {},
    "WEBP": {"lossless": True},
}
LIMIT = 10**6


def stack(pages: Any, kind: str = "TIFF", **options: Any) -> bytes:
    first, *others = [Image.fromarray(page) for page in pages]
    return encoded(first, kind, save_all=True, append_images=others, **options)


def pixels(content: bytes, channels: int = 1) -> Any:
    return decode(content, channels, LIMIT).picture


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "tiff_lzw"},
        {"compression": "tiff_deflate"},
        {"compression": "packbits"},
        {"big_tiff": True},
        {"strip_size": 40},
    ],
    ids=str,
)
def test_each_page_of_a_tiff_is_cut_out_with_its_pixels(options: dict[str, Any]) -> None:
    content = stack(PAGES, **options)
    assert frame_count(content, LIMIT) == 4
    cut = list(frames(content, LIMIT))
    assert [frame_count(one, LIMIT) for one in cut] == [1] * 4
    np.testing.assert_array_equal([pixels(one) for one in cut], PAGES)
    assert sum(map(len, cut)) < 1.5 * len(content) + 2000  # none of them holds the others


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int32])
def test_pages_keep_their_depth(dtype: Any) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (3, 8, 8)).astype(dtype)
    cut = list(frames(stack(values), LIMIT))
    for content, page in zip(cut, values, strict=True):
        np.testing.assert_array_equal(np.asarray(open_picture(content, LIMIT)), page)


def test_a_smaller_copy_of_a_page_is_no_page_of_its_own() -> None:
    content = bytearray(stack(PAGES[:2]))
    (first,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, first)
    (second,) = struct.unpack_from("<I", content, first + 2 + 12 * entries)
    (entries,) = struct.unpack_from("<H", content, second)
    for place in range(second + 2, second + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", content, place)[0] == 256:
            struct.pack_into("<HHII", content, place, 254, 4, 1, 1)  # "reduced-resolution version"
    assert frame_count(bytes(content), LIMIT) == 1


@pytest.mark.parametrize("kind", ANIMATED)
def test_each_frame_of_an_animation_is_what_one_sees(kind: str) -> None:
    shades = [np.full((8, 8), shade, np.uint8) for shade in (10, 120, 250)]
    content = stack(shades, kind, **ANIMATED[kind])
    assert frame_count(content, LIMIT) == 3
    assert [int(pixels(one).mean()) for one in frames(content, LIMIT)] == [10, 120, 250]


def test_each_picture_of_an_mpo_is_its_own_jpeg() -> None:
    first, second = (Image.new("RGB", (16, 16), color) for color in ((200, 50, 20), (10, 90, 220)))
    content = encoded(first, "MPO", save_all=True, append_images=[second], quality=95)
    cut = list(frames(content, LIMIT))
    assert len(cut) == frame_count(content, LIMIT) == 2
    assert all(one.startswith(b"\xff\xd8") for one in cut)
    for one, image in zip(cut, (first, second), strict=True):
        np.testing.assert_allclose(pixels(one, 3), np.asarray(image), atol=4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM"])
def test_a_file_of_one_picture_is_one_and_stays_as_it_is(kind: str) -> None:
    content = encoded(Image.fromarray(PAGES[0]), kind)
    assert list(frames(content, LIMIT)) == [content]


def chain_of(tables: int, size: int) -> bytes:
    """A TIFF whose tables each say that they hold `size` bytes, all the same ones."""
    place, parts = 8, [b"II*\0" + struct.pack("<I", 8)]
    for _ in range(tables):
        place += 2 + 12 + 4
        parts.append(struct.pack("<HHHIII", 1, 270, 7, size, 0, place))
    return b"".join(parts).ljust(size, b"\0")


def test_tables_that_say_more_than_the_file_holds_cost_nothing() -> None:
    assert frame_count(chain_of(2000, 2**18), LIMIT) == 1
    endless = chain_of(3, 100)[:22] + struct.pack("<I", 8) + bytes(80)
    assert frame_count(endless, LIMIT) == 1
    for cut in range(0, 400, 7):
        list(frames(stack(PAGES[:2])[:cut], LIMIT))


def folder(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    for name in "ab":
        (tmp_path / f"tree/{name}.tif").write_bytes(stack(noise(3, 8, 8, seed=ord(name))))
    (tmp_path / "tree/c.png").write_bytes(encoded(Image.fromarray(noise(1, 8, 8)[0])))
    return tmp_path / "tree"


@pytest.mark.tried(
    "two TIFFs of three pages each, and a picture",
    "2 files with several pages or frames: the first of each is taken, the other 4 are left out "
    "(ingest.frames: all takes them)",
)
@pytest.mark.parametrize("source", ["folder", "archive"])
def test_what_the_first_page_leaves_out_is_counted(tmp_path: Path, read: Callable[[str], None], source: str) -> None:
    path = folder(tmp_path)
    if source == "archive":
        path = Path(shutil.make_archive(str(tmp_path / "a"), "zip", path))
    params = ingest_params(source=source, path=str(path))
    opened = open_source(params)
    counts = ingest(opened, params, tmp_path / "raw", tmp_path / "resume")
    assert counts.total() == 3
    read("\n".join(summary(opened, counts)))


def test_all_pages_are_images_with_their_files_label_and_group(tmp_path: Path) -> None:
    tree = folder(tmp_path)
    (tree / "l.csv").write_text("file,label,who\na.tif,x,ann\nb,y,bob\nc,y,bob\n")
    groups = {"file": "l.csv", "column": "who"}
    table = ingested(tmp_path / "raw", path=str(tree), frames="all", labels="l.csv", groups=groups, shard_images=2)
    assert table["key"].to_pylist() == [*(f"{name}.tif#000{n}" for name in "ab" for n in range(3)), "c.png"]
    assert table["label"].to_pylist() == [0, 0, 0, 1, 1, 1, 1]
    assert table["group"].to_pylist() == ["ann"] * 3 + ["bob"] * 4
    assert len(set(table["sha256"].to_pylist())) == 7


@pytest.mark.tried(
    "pairs of TIFFs, of three pages and of two",
    "'a.tif' has 3 pages or frames and its partner another number: set ingest.frames to first",
)
def test_partners_go_page_by_page_and_must_be_as_many(tmp_path: Path, read: Callable[[str], None]) -> None:
    for side, count in (("photos", 3), ("maps", 3)):
        (tmp_path / "tree" / side).mkdir(parents=True)
        (tmp_path / "tree" / side / "a.tif").write_bytes(stack(noise(count, 8, 8, seed=count + len(side))))
    pairs = {"by": "name", "folders": ["photos", "maps"]}
    table = ingested(tmp_path / "raw", path=str(tmp_path / "tree"), frames="all", pairs=pairs)
    partners = [pixels(row["bytes"]) for row in table["partner"].to_pylist()]
    np.testing.assert_array_equal(partners, noise(3, 8, 8, seed=3 + len("maps")))
    (tmp_path / "tree/maps/a.tif").write_bytes(stack(noise(2, 8, 8)))
    with refused("frames-of-pairs-differ") as refusal:
        ingested(tmp_path / "raw", path=str(tmp_path / "tree"), frames="all", pairs=pairs)
    read(str(refusal.value))


class EndedError(Exception):
    pass


@pytest.mark.parametrize("shards", range(1, 5))
def test_an_ingest_that_ends_between_two_pages_goes_on_to_the_same_images(tmp_path: Path, shards: int) -> None:
    """Shards of two images, so that some end inside a file."""
    contents = [stack(noise(3, 8, 8, seed=seed)) for seed in range(3)]
    params = ingest_params(path="here", frames="all", shard_images=2)

    def source() -> Source:
        images = (RawImage(f"{n}.tif", f"{n}.tif", content, None, None) for n, content in enumerate(contents))
        return Source("own", "CC0", "here", None, images)

    straight, again = tmp_path / "straight", tmp_path / "again"
    ingest(source(), params, straight, tmp_path / "resume1")
    written = raw_shards._written

    def until(path: Any, rows: Any, schema: Any, size: int, done: Any) -> Any:
        if done.shards == shards:
            raise EndedError
        return written(path, rows, schema, size, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw_shards, "_written", until)
        with pytest.raises(EndedError):
            ingest(source(), params, again, tmp_path / "resume2")
    ingest(source(), params, again, tmp_path / "resume2")
    before, after = ([path.read_bytes() for path in sorted(folder.iterdir())] for folder in (straight, again))
    assert after == before


@pytest.mark.tried(
    "`ingest.frames: all` with a page beyond ingest.max_pixels",
    "a.tif#0001 says it has 300 x 300 pixels, more than 1000 (ingest.max_pixels): remove it, or raise that limit",
)
def test_a_picture_in_a_stack_that_is_too_large_is_refused(tmp_path: Path, read: Callable[[str], None]) -> None:
    (tmp_path / "tree").mkdir()
    first = Image.fromarray(noise(1, 8, 8)[0])
    first.save(tmp_path / "tree/a.tif", save_all=True, append_images=[Image.new("L", (300, 300))])
    with refused("image-too-large") as refusal:
        ingested(tmp_path / "raw", path=str(tmp_path / "tree"), frames="all", max_pixels=1000)
    read(str(refusal.value))

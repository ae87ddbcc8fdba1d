"""Films as scenes: their frames are those of the same pictures in a folder."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

import mintage
from mintage.frames import next_frames
from stages.common.files import write_json
from stages.media.frames import Frames
from stages.sources import films
from stages.sources.frames import frame_count, frames
from tests.refusals import refused
from tests.stages.forked import try_stage_in
from tests.stages.source_files import Array, encoded, ingested
from tests.stages.test_scenes import PAST, moving, sentence, write_frames

LIMIT = 10**6
MADE = {"mp4": "mpeg4", "mov": "mpeg4", "avi": "ffv1", "mkv": "ffv1", "webm": "libvpx-vp9"}
"""The codec by the kind of file; FFV1 loses nothing."""


def film(pictures: Array, kind: str, **options: str) -> bytes:
    """Of colored pictures `[T,H,W,3]`, eight a second."""
    av = pytest.importorskip("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format={"mkv": "matroska"}.get(kind, kind), options=options) as file:
        stream = file.add_stream(MADE[kind], rate=Fraction(8))
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt, stream.gop_size = ("bgr0" if MADE[kind] == "ffv1" else "yuv420p"), 2
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return buffer.getvalue()


def blocks(count: int = 9) -> Array:
    """A light block on dark, which goes to the right: every codec keeps it."""
    pictures = np.full((count, 32, 64, 3), 16, np.uint8)
    for number, picture in enumerate(pictures):
        picture[8:24, 4 + 4 * number : 20 + 4 * number] = 220
    return pictures


def pixels_of(content: bytes) -> Array:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize("kind", MADE)
def test_a_film_has_the_frames_it_was_made_of_in_their_order(kind: str) -> None:
    pictures = blocks()
    content = film(pictures, kind)
    assert films.is_film(content)
    assert frame_count(content, LIMIT) == len(pictures)
    found = np.stack([pixels_of(one) for one in frames(content, LIMIT)])
    assert np.abs(found.astype(int) - pictures).mean() <= (0 if MADE[kind] == "ffv1" else 8)
    assert films.pace(content, LIMIT) == 125


def test_scenes_of_films_are_those_of_their_frames_in_folders(tmp_path: Path) -> None:
    walks = moving(2, 7, side=32, channels=3)
    for number, walk in enumerate(walks):
        (tmp_path / "films").mkdir(exist_ok=True)
        (tmp_path / f"films/walk{number}.mkv").write_bytes(film(walk, "mkv"))
        write_frames(tmp_path / f"folders/walk{number}", walk)
    tables = [
        ingested(tmp_path / f"raw/{name}", path=str(tmp_path / name), scenes={"past": PAST}).to_pylist()
        for name in ("films", "folders")
    ]
    assert [len(table) for table in tables] == [6, 6]
    for row, other in zip(*tables, strict=True):
        both = [[one["image"]["bytes"], one["partner"]["bytes"], *one["maps"]] for one in (row, other)]
        assert all(np.array_equal(pixels_of(first), pixels_of(second)) for first, second in zip(*both, strict=True))


@pytest.mark.parametrize("part", [0.5, 0.1, 0.002])
def test_a_film_that_is_cut_off_gives_the_frames_before_that_and_is_counted(tmp_path: Path, part: float) -> None:
    content = film(moving(1, 20, side=32, channels=3)[0], "avi")
    cut = list(frames(content[: int(part * len(content))], LIMIT))
    assert (cut[-1], all(cut[:-1])) == (b"", True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.avi").write_bytes(content[: int(part * len(content))])
    (tmp_path / "in/whole.avi").write_bytes(content)
    assert "1 scene cut off or damaged" in sentence(tmp_path / "in", tmp_path / "raw")


def test_a_film_of_larger_frames_than_allowed_is_not_decoded() -> None:
    content = film(blocks(), "mkv")
    assert list(frames(content, 32 * 64 - 1)) == [b""]
    assert len(list(frames(content, 32 * 64))) == 9


def test_a_film_goes_on_at_its_own_pace(tmp_path: Path) -> None:
    walk = moving(1, 6, side=16, channels=3, seed=1)[0]
    videos = np.moveaxis(moving(8, 8, channels=3), -1, 2)
    model = mintage.train(next_frames(videos, PAST), "next_frame", 64, {"width": 4}, progress=False).model
    model.save(tmp_path / "model")
    write_json(tmp_path / "model/provenance.json", {"medium": Frames(PAST).to_json()})
    (tmp_path / "walk.mkv").write_bytes(film(walk, "mkv"))
    code, said = try_stage_in(tmp_path, "translate", "walk.mkv", "--release", "model", "--follow", "2", "--out", "out")
    assert (code, "translated 1 clip" in said) == (0, True), said
    with Image.open(tmp_path / "out/walk.gif") as made:
        assert made.info["duration"] == 120, "GIF counts hundredths of a second"
        assert sum(1 for _ in ImageSequence.Iterator(made)) == 8


def test_a_picture_that_begins_as_a_film_does_is_none() -> None:
    heads = {b"\0\0\0\x18ftypheic": False, b"\0\0\0\x18ftypavif": False, b"\0\0\0\x18ftypisom": True}
    assert {head: films.is_film(head) for head in heads} == heads
    assert not films.is_film(encoded(Image.new("L", (8, 8)), "WEBP"))


def test_films_without_their_reader_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None)
    with refused("films-need-av", "requirements/films.txt"):
        frame_count(b"\x1aE\xdf\xa3", LIMIT)


def test_films_are_left_out_where_no_scenes_are_asked_for(tmp_path: Path) -> None:
    write_frames(tmp_path / "in", moving(1, 3)[0])
    (tmp_path / "in/film.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    assert ingested(tmp_path / "raw", path=str(tmp_path / "in")).num_rows == 3

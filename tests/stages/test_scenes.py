"""Scenes: clips and folders of numbered pictures as pairs, each frame with those before it."""

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pydantic import ValidationError

from mintage.frames import next_frames
from stages.check import check
from stages.common.levels import to_uint8
from stages.common.params import load_params
from stages.common.sections import Scenes
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.ingest import ingest, summary
from stages.sources import RawImage, Source, open_source
from stages.sources.moving import draw_clip
from stages.sources.scenes import in_scenes, in_series
from tests.refusals import refused
from tests.stages.forked import run_stage_in, try_stage_in
from tests.stages.source_files import Array, encoded, ingest_params, ingested, noise, normalized, write_tree
from tests.stages.tiny_data import write_params

PAST = 4


def moving(count: int, frames: int, side: int = 16, channels: int = 1, seed: int = 0) -> Array:
    """`[count,frames,side,side]`, or with 3 behind: noise that goes to the right, no frame like the one before."""
    shape = (count, side, side) if channels == 1 else (count, side, side, 3)
    pictures = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return np.stack([np.roll(pictures, shift, axis=2) for shift in range(frames)], axis=1)


def clip(frames: Array, kind: str = "GIF", **options: Any) -> bytes:
    first, *others = map(Image.fromarray, frames)
    return encoded(first, kind, save_all=True, append_images=others, duration=80, **options)


def write_clips(folder: Path, videos: Sequence[Array], kind: str = "GIF", suffix: str = "gif", **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frames in enumerate(videos):
        (folder / f"clip{number:02d}.{suffix}").write_bytes(clip(frames, kind, **options))
    return folder


def write_frames(folder: Path, frames: Array, name: str = "{:04d}.png", first: int = 1, step: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        (folder / name.format(first + step * number)).write_bytes(encoded(Image.fromarray(frame)))
    return folder


def sentence(path: Path, raw: Path, **changes: Any) -> str:
    """What ingest prints."""
    params = ingest_params(path=str(path), scenes={"past": PAST}, **changes)
    source = open_source(params)
    return "\n".join(summary(source, ingest(source, params, raw, raw.with_name(".resume"))))


def assert_pairs_of(table: Any, videos: Array) -> None:
    """That the rows are the frames of `[N,T,H,W]` with those before them, in order."""
    frames = [(video, number) for video in range(len(videos)) for number in range(PAST, videos.shape[1])]
    assert table.num_rows == len(frames)
    rows = sorted(table.to_pylist(), key=lambda row: str(Path(row["key"]).parent))  # a zip has folders in any order
    for row, (video, number) in zip(rows, frames, strict=True):
        contents = [row["image"]["bytes"], row["partner"]["bytes"], *row["maps"]]
        shown = [np.asarray(Image.open(io.BytesIO(one)).convert("L")) for one in contents]
        assert np.array_equal(shown, videos[video, number - PAST : number + 1][::-1])


@pytest.mark.parametrize(
    ("kind", "suffix", "options"),
    [("GIF", "gif", {}), ("PNG", "png", {}), ("WEBP", "webp", {"lossless": True}), ("TIFF", "tif", {})],
)
def test_each_frame_of_a_clip_has_those_before_it_the_latest_first(
    tmp_path: Path, kind: str, suffix: str, options: dict[str, Any]
) -> None:
    videos = moving(2, 7)
    write_clips(tmp_path / "tree", list(videos), kind, suffix, **options)
    table = ingested(tmp_path / "raw", path=str(tmp_path / "tree"), scenes={"past": PAST})
    assert_pairs_of(table, videos)
    assert table["key"].to_pylist()[0] == f"clip00.{suffix}#0004"
    assert len(set(table["group"].to_pylist())) == 2


@pytest.mark.parametrize("packed", [None, "zip", "gztar"])
def test_a_folder_of_numbered_pictures_is_a_scene_in_the_order_of_its_numbers(
    tmp_path: Path, packed: str | None
) -> None:
    videos = moving(2, 12)
    for number, frames in enumerate(videos):
        write_frames(tmp_path / f"tree/scene{number}", frames, name="shot-{}.png", first=3)
    path, source = tmp_path / "tree", "folder"
    if packed:
        path, source = Path(shutil.make_archive(str(tmp_path / "a"), packed, path)), "archive"
    table = ingested(tmp_path / "raw", path=str(path), source=source, scenes={"past": PAST})
    assert_pairs_of(table, videos)
    assert set(table["label"].to_pylist()) == {None}, "a folder is a scene, not a class"


def test_two_series_in_one_folder_are_two_scenes_and_pictures_without_a_number_none() -> None:
    names = ["a/left-2.png", "a/left-10.png", "a/poster.png", "a/right-1.png", "b/left-1.png", "a/left-1.png"]
    assert list(in_series(names)) == [
        ["a/left-1.png", "a/left-2.png", "a/left-10.png"], ["a/poster.png"], ["a/right-1.png"], ["b/left-1.png"],
    ]  # fmt: skip


def test_one_frame_in_so_many_is_taken_and_none_is_made_over_a_gap(tmp_path: Path) -> None:
    frames = moving(1, 12)[0]
    folder = write_frames(tmp_path / "tree/a", frames, step=2)
    (folder / "0013.png").unlink()  # of 1, 3, ... 23
    table = ingested(tmp_path / "raw", path=str(tmp_path / "tree"), scenes={"past": 2})
    assert table["key"].to_pylist() == [f"a/{number:04d}.png" for number in (5, 7, 9, 11, 19, 21, 23)]
    table = ingested(tmp_path / "other", path=str(tmp_path / "tree"), scenes={"past": 1, "every": 3})
    assert table["key"].to_pylist() == ["a/0007.png", "a/0021.png"]


@pytest.mark.tried(
    "clips, one of two frames and one cut off, a still picture, and a folder of numbered frames that lacks some",
    "1 scene cut off or damaged, of which the frames before that are taken, such as cut.gif",
)
def test_what_is_wrong_with_a_scene_is_counted(tmp_path: Path, read: Callable[[str], None]) -> None:
    tree = write_clips(tmp_path / "tree", [*moving(2, 7)])
    (tree / "short.gif").write_bytes(clip(moving(1, 2)[0]))
    (tree / "still.png").write_bytes(encoded(Image.fromarray(noise(1, 16, 16)[0])))
    whole = clip(moving(1, 12, seed=1)[0])
    (tree / "cut.gif").write_bytes(whole[: len(whole) * 2 // 3])
    (write_frames(tree / "gap", moving(1, 12, seed=2)[0]) / "0006.png").unlink()
    said = sentence(tree, tmp_path / "raw")
    read(said)
    assert "2 scenes left out, of fewer than 5 frames in a row, such as short.gif" in said
    assert "1 scene cut off or damaged, of which the frames before that are taken, such as cut.gif" in said
    assert "1 scene with gaps in the numbers of frames, over which none is made of others, such as gap/0001.png" in said
    assert "4 scenes: " in said


def unlike(tree: Path) -> None:
    write_frames(tree / "a", moving(1, 6)[0])
    write_frames(tree / "a", moving(1, 1, side=12)[0], first=7)


def twice(tree: Path) -> None:
    write_frames(tree / "a", moving(1, 6)[0])
    write_frames(tree / "a", moving(1, 1)[0], name="{}.png", first=3)


def stills(tree: Path) -> None:
    write_tree(tree, {"a": 3, "b": 2})


@pytest.mark.parametrize(
    ("make", "code", "reason"),
    [
        pytest.param(
            unlike,
            "frames-differ",
            "'a/0007.png' is 12 x 12 and frames before it 16 x 16",
            marks=pytest.mark.tried(
                "a scene of 16 x 16 pixels with a frame of 12 x 12",
                "'a/0007.png' is 12 x 12 and frames before it 16 x 16: a scene has frames of one size; mend it, or put "
                "it into another folder",
            ),
        ),
        pytest.param(
            twice,
            "frame-twice",
            "'a/0003.png' and 'a/3.png'",
            marks=pytest.mark.tried(
                "a scene with 3.png beside 0003.png",
                "'a/0003.png' and 'a/3.png' have one number in their scene: remove one of them",
            ),
        ),
        pytest.param(
            stills,
            "scenes-missing",
            "has no scene of 5 frames",
            marks=pytest.mark.tried(
                "`ingest.scenes` of folders with three pictures each",
                "has no scene of 5 frames, of which each is made of 4 before it: give films, clips",
            ),
        ),
    ],
)
def test_scenes_that_cannot_be_meant_are_one_sentence(
    tmp_path: Path, read: Callable[[str], None], make: Callable[[Path], None], code: str, reason: str
) -> None:
    make(tmp_path / "tree")
    with refused(code, reason) as refusal:
        ingested(tmp_path / "raw", path=str(tmp_path / "tree"), scenes={"past": PAST})
    read(str(refusal.value))


def test_an_archive_in_which_frames_of_a_folder_lie_apart_is_refused(tmp_path: Path) -> None:
    for name in "ab":
        write_frames(tmp_path / name, moving(1, 3)[0])
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in (1, 2, 3):
            for name in "ab":
                tar.add(tmp_path / f"{name}/{number:04d}.png", f"{name}/{number:04d}.png")
    with refused("scene-in-pieces", "'a/0002.png' comes after files of other folders"):
        ingested(tmp_path / "raw", source="archive", path=str(tmp_path / "a.tar"), scenes={"past": 1})


def test_files_that_are_waited_for_are_read_ahead_in_their_order() -> None:
    videos = moving(1, 9)[0]
    contents = [encoded(Image.fromarray(frame)) for frame in videos]
    images = (
        RawImage(f"a/{number}.png", f"{number}.png", partial(bytes, content), None, None)
        for number, content in enumerate(contents)
    )
    source = in_scenes(Source("s3", "CC0", "s3://b/p", None, images, readers=3), Scenes(past=2), 10**6)
    found = [[image.content, image.partner, *image.maps] for image in source.images]
    assert found == [contents[number - 2 : number + 1][::-1] for number in range(2, 9)]


def test_an_ingest_that_ended_inside_a_scene_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = write_clips(tmp_path / "tree", list(moving(3, 8)))
    params = ingest_params(path=str(tree), scenes={"past": PAST}, shard_images=3)
    whole = ingested(tmp_path / "whole", path=str(tree), scenes={"past": PAST}, shard_images=3)
    source = open_source(params)

    def cut_short() -> Iterator[RawImage]:
        yield from islice(source.images, 7)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(replace(source, images=cut_short()), params, tmp_path / "raw", tmp_path / "resume")
    again = open_source(params)
    ingest(again, params, tmp_path / "raw", tmp_path / "resume")
    assert "went on after 6 images, finished by a run that was stopped" in again.notes
    assert pa.concat_tables(list(read_tables(tmp_path / "raw"))).equals(whole)


def test_scenes_are_of_pictures_without_partners() -> None:
    with refused("scenes-of-pictures", "and these are sounds"):
        open_source(ingest_params(source="tones", path="none", scenes={"past": PAST}))
    with refused("scenes-of-pictures", "which has partners already"):
        open_source(ingest_params(source="figures", path="none", scenes={"past": PAST}))
    with pytest.raises(ValidationError, match="set pairs and domains to null, and frames to first"):
        ingest_params(path="none", scenes={"past": PAST}, frames="all")


def test_pairs_of_clips_are_those_of_the_library_to_the_bit_and_no_scene_is_in_both_splits(tmp_path: Path) -> None:
    videos = moving(10, 8)
    videos[9] = videos[8]  # the same clip under two names is one scene
    write_clips(tmp_path / "tree", list(videos))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"), scenes={"past": PAST})
    manifest = normalized(tmp_path, height=16, width=16)
    assert manifest["partner_shape"] == [PAST, 16, 16]
    splits = [Split(tmp_path / "normalized" / name) for name in ("train", "holdout")]
    seen, held = ({key.partition("#")[0] for key in split.keys} for split in splits)
    assert min(len(seen), len(held)) > 0
    assert not seen & held
    assert ("clip08.gif" in seen) == ("clip09.gif" in seen)
    data = next_frames(videos[:, :, None], PAST)
    assert data.source is not None
    by_library = {
        (image.tobytes(), source.tobytes())
        for image, source in zip(to_uint8(data.image.numpy()), to_uint8(data.source.numpy()), strict=True)
    }
    for split in splits:
        assert split.partners is not None
        pairs = zip(to_uint8(split.images()), to_uint8(split.partners.images()), strict=True)
        assert {(image.tobytes(), source.tobytes()) for image, source in pairs} <= by_library


def test_colors_are_joined_frame_by_frame_and_three_gray_ones_are_refused(tmp_path: Path) -> None:
    videos = moving(4, 6, channels=3)
    write_clips(tmp_path / "tree", list(videos), "PNG", "png")
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"), scenes={"past": 3})
    assert normalized(tmp_path, channels=3, height=16, width=16)["partner_shape"] == [9, 16, 16]
    with refused(
        "past-unclear", "3 gray frames would be taken for one in color: set ingest.scenes.past to 1, or 4 or more"
    ):
        normalized(tmp_path, channels=1, height=16, width=16)


def test_the_gate_refuses_a_scene_that_is_in_both_splits_of_the_data(tmp_path: Path) -> None:
    videos = moving(8, 20)
    write_clips(tmp_path / "tree/train", list(videos[:6]))
    write_clips(tmp_path / "tree/test", list(videos[5:]))
    write_params(tmp_path, {
        "ingest.path": str(tmp_path / "tree"), "ingest.source": "folder", "ingest.scenes": {"past": PAST},
        "normalize.height": 16, "normalize.width": 16, "validate.min_images": 10,
    })  # fmt: skip
    for stage in ("ingest", "normalize"):
        run_stage_in(tmp_path, stage)
    code, said = try_stage_in(tmp_path, "validate")
    assert code == 2
    assert "No group of frames (a person, a scene) is in both splits" in said
    assert "set normalize.split to random, which keeps each group on one side" in said


def test_params_that_fit_scenes_are_known_before_anything_runs(tmp_path: Path) -> None:
    write_params(tmp_path, {"ingest.scenes": {"past": PAST}, "train.family": "next_frame", "ingest.source": "folder"})
    write_clips(tmp_path / "data/source", list(moving(2, 6)))
    check(load_params(tmp_path / "params.yaml"), [], tmp_path)
    write_params(tmp_path, {"ingest.scenes": {"past": PAST}, "train.family": "cyclegan", "ingest.source": "folder"})
    with refused("params-do-not-fit", "learns without pairs"):
        check(load_params(tmp_path / "params.yaml"), [], tmp_path)


def test_drawn_clips_are_scenes_of_two_digits_that_move_and_turn_back(tmp_path: Path) -> None:
    options = {"clips": 3, "frames": 9}
    table = ingested(tmp_path / "raw", source="moving", path="none", options=options, scenes={"past": PAST})
    assert table.num_rows == 3 * 5
    again = ingested(tmp_path / "again", source="moving", path="none", options={**options, "clips": 2}, scenes={})
    assert again["sha256"].to_pylist() == table["sha256"].to_pylist()[:10], "each by its own number alone"
    digits = np.full((1, 4, 4), 255, np.uint8)
    frames = draw_clip(digits, 40, 16, (0, 1))
    inside = frames.reshape(40, -1).astype(bool).sum(1)
    assert inside.max() <= 2 * 16, "none is cut off or doubled"
    assert inside.min() >= 16
    assert len({frame.tobytes() for frame in frames}) > 5

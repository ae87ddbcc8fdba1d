"""`python -m stages.translate` with a model of the next frame: clips and folders of frames go on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

import mintage
from mintage.frames import next_frames
from stages.common.files import write_json
from stages.common.levels import to_uint8
from stages.common.marks import mark_in
from stages.media.frames import Frames
from tests.stages.forked import try_stage_in
from tests.stages.test_scenes import clip, moving, write_frames

PAST, SIDE = 4, 16


@pytest.fixture(scope="module", params=[1, 3], ids=["gray", "color"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("model")
    videos = moving(8, 8, channels=request.param)
    videos = videos[:, :, None] if request.param == 1 else np.moveaxis(videos, -1, 2)
    mintage.train(next_frames(videos, PAST), "next_frame", 64, {"width": 4}, progress=False).model.save(folder)
    write_json(folder / "provenance.json", {"medium": Frames(PAST).to_json()})
    return folder


def channels_of(model: Path) -> int:
    return mintage.load(model).shape[0]


def frames_of(path: Path, channels: int) -> np.ndarray:
    """`[T,C,H,W]` levels."""
    mode = "L" if channels == 1 else "RGB"
    frames = np.stack([np.asarray(frame.convert(mode)) for frame in ImageSequence.Iterator(Image.open(path))])
    return frames[:, None] if channels == 1 else np.moveaxis(frames, -1, 1)


def test_a_clip_goes_on_as_the_library_does_and_its_own_frames_stay(tmp_path: Path, model: Path) -> None:
    channels = channels_of(model)
    (tmp_path / "clip.png").write_bytes(clip(moving(1, 6, seed=1, channels=channels)[0], "PNG"))
    code, said = try_stage_in(
        tmp_path, "translate", "clip.png", "--release", str(model), "--follow", "3", "--out", "out"
    )
    assert (code, "translated 1 clip" in said) == (0, True)
    own = frames_of(tmp_path / "clip.png", channels)
    following = mintage.load(model).predict(torch.from_numpy(own[None, -PAST:]), steps=3)[0]
    parts = [tmp_path / f"out/clip/{number:04d}.png" for number in (6, 7, 8)]
    assert np.array_equal(np.concatenate([frames_of(part, channels) for part in parts]), to_uint8(following.numpy()))
    assert sorted(path.name for path in (tmp_path / "out/clip").iterdir()) == [part.name for part in parts]
    made = frames_of(tmp_path / "out/clip.gif", channels)
    whole = np.concatenate([own, to_uint8(following.numpy())])
    assert made.shape == whole.shape
    assert np.abs(made.astype(int) - whole).max() <= (0 if channels == 1 else 60), "a GIF has 256 colors"
    with Image.open(tmp_path / "out/clip.gif") as opened:
        assert opened.info["duration"] == 80, "the pace of the clip"
    for path in (tmp_path / "out/clip.gif", parts[0]):
        assert mark_in(path.read_bytes()) is not None


def test_a_clip_that_was_made_with_another_number_of_frames_is_told_and_stays(tmp_path: Path, model: Path) -> None:
    (tmp_path / "clip.gif").write_bytes(clip(moving(1, 6, channels=channels_of(model))[0]))
    given = ("clip.gif", "--release", str(model), "--out", "out", "--follow")
    assert try_stage_in(tmp_path, "translate", *given, "2")[0] == 0
    before = (tmp_path / "out/clip.gif").read_bytes()
    code, said = try_stage_in(tmp_path, "translate", *given, "2")
    assert (code, "left 1 clip as it was" in said) == (0, True)
    code, said = try_stage_in(tmp_path, "translate", *given, "3")
    assert (code, "such as out/clip.gif: name another folder with --out, or remove it from out" in said) == (2, True)
    assert (tmp_path / "out/clip.gif").read_bytes() == before
    (tmp_path / "out/clip.gif").unlink()
    assert try_stage_in(tmp_path, "translate", *given, "3")[0] == 2, "its frames are there"
    assert not (tmp_path / "out/clip.gif").exists()


def test_a_folder_of_frames_is_one_clip_and_what_cannot_go_on_is_named(tmp_path: Path, model: Path) -> None:
    channels = channels_of(model)
    frames = moving(1, 12, seed=2, channels=channels)[0]
    write_frames(tmp_path / "in/walk", frames, name="{}.png")
    write_frames(tmp_path / "in/two", frames[:2])
    whole = clip(frames)
    (tmp_path / "in/cut.gif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in/still.png").write_bytes((tmp_path / "in/walk/1.png").read_bytes())
    code, said = try_stage_in(tmp_path, "translate", "in", "--release", str(model), "--follow", "2", "--out", "out")
    assert code == 2
    assert "3 clips cannot be read" in said
    assert "'cut.gif' (it is cut off or damaged after frame " in said
    assert "'still.png' (it has 1 frame, and the model makes one of the 4 before it: " in said
    assert "'two/0001.png' (it has 2 frames, and the model makes one of the 4 before it: " in said
    assert [path.name for path in tmp_path.glob("out/*.gif")] == ["walk.gif"]
    assert sorted(path.name for path in tmp_path.glob("out/walk/*")) == ["0012.png", "0013.png"]
    own = frames_of(tmp_path / "out/walk.gif", channels)[:12]
    assert channels == 3 or np.array_equal(own[:, 0], frames), "in the order of their numbers"
    code, said = try_stage_in(tmp_path, "translate", "in/walk", "--release", str(model), "--out", "again")
    assert (code, (tmp_path / "again/walk.gif").is_file()) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--fit", "tiles"], "clips go on at the model's size: set --fit to resize, crop or letterbox"),
        (["--follow", "0"], "--follow is 0: say how many are to follow, 1 or more"),
        (["--with", "."], "takes no maps with each clip, and 1 was given: leave --with out"),
    ],
)
def test_what_a_clip_has_no_use_of_is_one_sentence(
    tmp_path: Path, model: Path, arguments: list[str], part: str
) -> None:
    (tmp_path / "clip.gif").write_bytes(clip(moving(1, 6)[0]))
    code, said = try_stage_in(tmp_path, "translate", "clip.gif", "--release", str(model), "--out", "o", *arguments)
    assert (code, part in said) == (2, True), said

"""Clips in the explorer, in real Chromium: beside what torch makes of the same frames."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mintage.frames import as_source
from mintage.model_config import ModelConfig
from mintage.sampling import generate
from stages.common.levels import in_range, to_uint8
from stages.media.frames import Frames
from tests.stages.explorable import noise_of
from tests.stages.explorer_pages import MARKS, Page, Site, assert_alike, site_of
from tests.stages.test_scenes import clip, moving, write_frames
from tests.stages.webdriver import Browser, browser

pytestmark = MARKS
PAST, SHAPE = 4, (1, 16, 16)
NEXT = ModelConfig("unet", 8, SHAPE, None, 0, "normal", "source", "instance", source_shape=(PAST, 16, 16))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(tmp_path_factory.mktemp("clips"), {"frames": (NEXT, Frames(PAST))})


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def test_a_clip_goes_on_frame_by_frame_as_torch_does_a_held_out_one_and_ones_own(
    window: Browser, models: Site, tmp_path: Path
) -> None:
    page = Page(window, models, "frames", width=1200)

    def give(*files: str) -> None:
        window.run('document.getElementById("explore-own").value = "";')  # else a driver adds to those
        window.type("#explore-own", "\n".join(str(tmp_path / file) for file in files))
        window.run("await explorer.idle()")

    def assert_follows(given: np.ndarray, count: int) -> None:
        window.run("await explorer.idle()")
        row = torch.from_numpy(in_range(given))
        for _ in range(count):
            source = as_source(row[None, -4:] if len(row) >= 4 else row[:1].expand(4, -1, -1, -1)[None])
            row = torch.cat([row, generate(page.model.generator, torch.empty(1, 0), source)])
        assert window.run('return document.querySelectorAll("#explore-row canvas").length') == len(row)
        for number, expected in enumerate(to_uint8(row.numpy()), 1):
            assert_alike(page.levels(f"#explore-row li:nth-child({number}) canvas"), expected)
        assert_alike(page.levels(), to_uint8(row[-1].numpy()))
        assert page.status().endswith(f"Frame {len(row)}: made in {page.status().partition('made in ')[2]}")

    sheet = noise_of((1, 16, 16), 6)
    assert_follows(sheet[[50, 40, 30, 0]], 1)
    for button in ("new", "watch", "new", "back"):
        window.click(f"#explore-{button}")
    assert_follows(sheet[[50, 40, 30, 0]], 2)
    window.click("#explore-examples button:nth-child(3)")
    assert_follows(sheet[[52, 42, 32, 2]], 1)
    own = moving(1, 20, seed=1)[0]
    (tmp_path / "mine.gif").write_bytes(clip(own))
    (tmp_path / "mine.apng").write_bytes(clip(own, "PNG"))
    for name in ("mine.gif", "mine.apng"):
        give(name)
        assert_follows(own[-16:, None], 1)
    names = [f"frames/{number}.png" for number in (10, 8, 9, 11)]
    write_frames(tmp_path / "frames", own[8:12], name="{}.png", first=8)
    give(*names)
    window.click("#explore-new")
    assert_follows(own[8:12, None], 2)
    give(names[0])
    assert_follows(own[10:11, None], 1)
    assert page.status().startswith("This browser sees one frame in it")
    (tmp_path / "none.gif").write_text("no clip")
    give("none.gif")
    window.run("await explorer.idle()")
    assert "cannot read that clip" in page.status()
    assert window.console() == []

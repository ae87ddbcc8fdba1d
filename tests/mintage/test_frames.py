"""Videos: what is a pair, what follows by the model's own frames, and the loss that keeps edges steep."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mintage
from mintage.frames import next_frames
from mintage.metrics.pairs import psnr
from mintage.sources import untouched
from mintage.terms import Play, gradient_difference


def moving_bars(videos: int, frames: int, seed: int = 0) -> Tensor:
    """`[videos,frames,1,16,16]`: a bright bar that goes one column to the right a frame, and comes back at the left."""
    columns = torch.randint(16, (videos, 1), generator=torch.Generator().manual_seed(seed)) + torch.arange(frames)
    bars = nn.functional.one_hot(columns % 16, 16).float() * 1.8 - 0.9
    return bars[:, :, None, None].expand(-1, -1, -1, 16, -1)


def test_a_frame_has_those_before_it_as_its_source_the_latest_first() -> None:
    grays = torch.arange(12).reshape(2, 6, 1, 1, 1).expand(2, 6, 3, 8, 8)  # a level of its own for every frame
    data = next_frames(grays.to(torch.uint8), past=2)
    assert data.source is not None
    assert data.source.shape == (8, 6, 8, 8)
    together = torch.cat([data.image[:, :1, 0, 0], data.source[:, ::3, 0, 0]], dim=1)
    levels = ((together + 1) * 127.5).round().int().tolist()
    assert sorted(levels) == [[t, t - 1, t - 2] for start in (0, 6) for t in range(start + 2, start + 6)]
    assert untouched(data.source, data.shape).equal(data.source[:, :3]), "the baseline is the frame before"


@pytest.mark.parametrize(
    ("shape", "past", "reason"),
    [((2, 4, 8, 8), 1, "T,C"), ((2, 4, 1, 8, 8), 4, "1 to 3"), ((2, 4, 1, 8, 8), 0, "1 to 3"),
     ((2, 4, 1, 8, 8), 2, "mask")],
)  # fmt: skip
def test_videos_without_a_frame_to_learn_are_refused(shape: tuple[int, ...], past: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        next_frames(torch.zeros(shape), past)


@pytest.fixture(scope="module")
def model() -> Any:
    recipe = {"width": 8, "pretrain_images": 1e9, "generator": {"learning_rate": 2e-3}}
    return mintage.train(next_frames(moving_bars(64, 8), 3), "next_frame", 6_400, recipe, progress=False).model


def test_a_model_goes_on_with_its_own_frames_and_is_nearer_than_the_last_frame_at_every_step(model: Any) -> None:
    videos = moving_bars(32, 6, seed=1)
    past, truth = videos[:, :3], videos[:, 3:]
    made = model.predict(past, steps=3)
    first = model.predict(past)
    assert made[:, :1].equal(first)
    assert made[:, 1:2].equal(model.predict(torch.cat([past[:, 1:], first], dim=1)))
    for step in range(3):
        assert psnr(made[:, step], truth[:, step]).mean() > psnr(past[:, -1], truth[:, step]).mean() + 3


@pytest.mark.parametrize(
    ("shape", "steps"), [((2, 3, 16, 16), 1), ((2, 4, 1, 16, 16), 1), ((2, 3, 1, 8, 8), 1), ((2, 3, 1, 16, 16), 0)]
)
def test_frames_of_another_number_or_shape_are_refused(model: Any, shape: tuple[int, ...], steps: int) -> None:
    with pytest.raises(ValueError, match=r"^frames are "):
        model.predict(torch.zeros(shape), steps)


def test_a_model_of_frames_says_that_it_predicts_where_images_are_asked_of_it(model: Any) -> None:
    with pytest.raises(ValueError, match=r"predict\(frames\)"):
        model.sample(2)


def test_the_gradient_difference_counts_how_much_steeper_edges_are_and_no_shift_of_brightness() -> None:
    truth = torch.zeros(1, 1, 2, 2)
    truth[..., 1] = 0.5
    fake = torch.tensor([[[[0.0, 0.2], [0.4, 0.6]]]])
    # sideways 0.2 where the truth has 0.5, twice; upward 0.4 where it has 0, twice
    assert gradient_difference(Play(nn.Identity(), truth, fake)).item() == pytest.approx(0.3 + 0.4)
    assert gradient_difference(Play(nn.Identity(), truth, truth - 0.25)).item() == pytest.approx(0)

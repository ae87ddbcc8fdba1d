"""Sources of a shape of their own: gray ones, small ones, and images with a hole and its mask."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import mintage
from mintage import catalog
from mintage.dataset import Signature
from mintage.families import resolve
from mintage.layers import Layers
from mintage.metrics.pairs import absolute_error
from mintage.networks.srresnet import Generator, doublings
from mintage.rules import refusal
from mintage.sources import for_display, untouched, visible

TINY: dict[str, Any] = {"width": 4, "batch_size": 16, "ema_half_life": 100.0}


def waves(count: int, shape: tuple[int, int, int] = (3, 16, 16), seed: int = 0) -> Tensor:
    """Smooth images in color, `[N,C,H,W]`."""
    channels, height, width = shape
    random = torch.Generator().manual_seed(seed)
    angles = torch.rand(count, channels, 1, 1, generator=random) * 2 * math.pi
    rows, columns = torch.arange(height).view(-1, 1) / height, torch.arange(width).view(1, -1) / width
    return torch.sin(angles + 2 * math.pi * (rows + columns)) * 0.8


def with_hole(images: Tensor) -> Tensor:
    """Images with a gray square in their middle, and its mask."""
    _, _, height, width = images.shape
    mask = torch.full_like(images[:, :1], -1)
    mask[:, :, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = 1
    return torch.cat([torch.where(mask > 0, torch.zeros(()), images), mask], dim=1)


def small(images: Tensor, factor: int = 4) -> Tensor:
    return torch.nn.functional.avg_pool2d(images, factor)


@pytest.mark.parametrize(
    ("family", "make"),
    [("pix2pix", lambda images: images[:, :1]), ("pix2pix", with_hole), ("srgan", small), ("srgan", with_hole)],
)
def test_a_model_learns_from_sources_of_another_shape_and_loads_again(family: str, make: Any, tmp_path: Any) -> None:
    images = waves(64)
    pairs = mintage.Dataset(image=images, source=make(images))
    model = mintage.train(pairs, family, images=320, recipe=TINY, progress=False).model
    model.save(tmp_path)
    made = mintage.load(tmp_path).translate(make(images)[:3])
    assert made.shape == (3, 3, 16, 16)
    assert torch.allclose(made, model.translate(make(images)[:3]), atol=1e-5)
    assert made.abs().max() <= 1


def test_what_is_known_around_a_hole_is_kept_to_the_bit() -> None:
    images = waves(64)
    pairs = mintage.Dataset(image=images, source=with_hole(images))
    model = mintage.train(pairs, "pix2pix", images=64, recipe=TINY, progress=False).model
    made, hole = model.translate(with_hole(images)), with_hole(images)[:, -1:] > 0
    outside = ~hole.expand_as(images)
    assert torch.equal(made[outside], images[outside])
    assert not torch.equal(made[~outside], images[~outside])


def test_enlarging_begins_as_bicubic_and_beats_it_after_some_training() -> None:
    images, held_out = waves(200), waves(60, seed=1)
    pairs = mintage.Dataset(image=images, source=small(images))
    recipe = TINY | {"width": 8, "generator": {"learning_rate": 2e-3}}
    first, trained = (
        mintage.train(pairs, "srgan", images=count, recipe=recipe, progress=False).model for count in (16, 2_500)
    )
    bicubic = untouched(small(held_out), (3, 16, 16))
    errors = [absolute_error(one, held_out).mean().item() for one in (
        first.translate(small(held_out)), bicubic, trained.translate(small(held_out)))]  # fmt: skip
    assert errors[0] == pytest.approx(errors[1], rel=0.3)
    assert errors[2] < 0.5 * errors[1]


@pytest.mark.parametrize("times", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(16, 24), (17, 30), (32, 9)])
@pytest.mark.parametrize("resampling", ["network", "smooth"])
def test_an_image_of_any_size_is_made_of_one_1_2_4_or_8_times_smaller(
    times: int, size: tuple[int, int], resampling: str
) -> None:
    source = (1, -(-size[0] // times), -(-size[1] // times))
    network = Generator(3, (3, *size), 4, Layers("batch", resampling=resampling), source)
    made = network(torch.rand(2, *source), torch.randn(2, 3))
    assert made.shape == (2, 3, *size)
    assert len(doublings(source[1:], size)) == int(math.log2(times))


@pytest.mark.parametrize(
    ("family", "source", "sentence"),
    [
        ("pix2pix", (3, 8, 8), "srresnet"),
        ("srgan", (3, 5, 5), "1, 2, 4 or 8 times"),
        ("srgan", (3, 32, 16), "1, 2, 4 or 8 times"),
        ("pix2pix", (1, 32, 32), None),
        ("pix2pix", (4, 32, 32), None),
        ("srgan", (3, 8, 8), None),
        ("srgan", (3, 32, 32), None),
    ],
)
def test_a_source_that_a_network_cannot_take_is_refused_in_a_sentence(
    family: str, source: tuple[int, int, int], sentence: str | None
) -> None:
    reason = refusal(resolve(family, {}), Signature((3, 32, 32), source_shape=source))
    assert reason is None if sentence is None else sentence in str(reason)


def test_which_networks_enlarge_is_known_without_torch() -> None:
    networks = {name: catalog.load("network", name) for name in catalog.BUILT_IN["network"]}
    assert {name for name, network in networks.items() if network.enlarges} == catalog.ENLARGING
    assert {name for name, network in networks.items() if network.stacks} == catalog.STACKED


def test_which_games_learn_an_encoder_and_which_that_alone_is_known_without_torch() -> None:
    games = {name: catalog.load("game", name) for name in catalog.BUILT_IN["game"]}
    assert {name for name, game in games.items() if game.inverts} == catalog.INVERTING
    assert {name for name, game in games.items() if game.encodes or game.inverts} == catalog.ENCODING


def test_a_gray_source_is_gray_in_all_channels_and_a_small_one_is_enlarged() -> None:
    images = waves(5)
    assert torch.equal(untouched(images[:, :1], (3, 16, 16)), images[:, :1].expand(-1, 3, -1, -1))
    bicubic, blocks = (bring(small(images), (3, 16, 16)) for bring in (untouched, for_display))
    assert bicubic.shape == blocks.shape == images.shape
    assert (bicubic - images).abs().mean() < (blocks - images).abs().mean()
    assert torch.allclose(small(blocks), small(images))


def test_a_hole_is_filled_with_the_mean_color_around_it_and_nothing_else_changes() -> None:
    images = torch.full((2, 3, 12, 12), 0.25)
    images[1] = -0.5
    images[:, :, 0] = 1  # too far away to count
    sources = with_hole(images)
    assert torch.allclose(untouched(sources, (3, 12, 12)), images)
    assert torch.equal(visible(sources, (3, 12, 12)), sources[:, :3])
    assert torch.equal(for_display(sources, (3, 12, 12)), sources[:, :3])


def test_a_measured_translation_stands_beside_its_source_brought_to_the_image_s_shape() -> None:
    images, held_out = waves(200), waves(60, seed=1)
    pairs, others = (mintage.Dataset(image=one, source=small(one)) for one in (images, held_out))
    model = mintage.train(pairs, "srgan", images=320, recipe=TINY, progress=False).model
    table = mintage.measure(model, others, pairs, evaluator_images=1_000)
    expected = absolute_error(untouched(small(held_out), (3, 16, 16)), held_out).mean().item()
    assert table["l1"].baseline == pytest.approx(expected)


def test_as_many_sources_as_images_are_needed() -> None:
    with pytest.raises(ValueError, match="4 sources and 5 images"):
        mintage.Dataset(image=waves(5), source=waves(4))


@pytest.mark.parametrize("sides", [(64,), (8, 8, 8)])
@pytest.mark.parametrize("channels", [2, 3])
def test_sounds_and_volumes_are_made_of_sources_of_several_channels(sides: tuple[int, ...], channels: int) -> None:
    """Two are one with a mask of what is missing, as of pictures."""
    random = torch.Generator().manual_seed(0)
    images, sources = (torch.rand(24, of, *sides, generator=random) * 2 - 1 for of in (1, channels))
    data = mintage.Dataset(images, source=sources, rank=len(sides))
    recipe = {"width": 4, "batch_size": 8, "residual": True}
    made = mintage.train(data, "pix2pix", 16, recipe, progress=False).model.translate(sources)
    hole = sources[:, -1:] > 0 if channels == 2 else torch.ones_like(images, dtype=torch.bool)
    assert torch.equal(made[~hole], sources[:, :1][~hole])
    assert (untouched(sources, data.shape) == sources[:, :1])[~hole].all()

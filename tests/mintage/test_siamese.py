"""Two domains held together by how their images differ."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mintage
from mintage.terms import Between, Play, contrast, travel
from mintage.training import make_trainer
from tests.mintage.helpers import CPU, changed, copies, play, step, tiny_trainer
from tests.mintage.test_translation import strokes


def play_of(sources: Tensor, fakes: Tensor) -> Play:
    """What terms see where an image is its own embedding."""
    between = Between(sources, forth=lambda _: _, back=lambda _: _, known=lambda images: images.flatten(1))
    return Play(nn.Identity(), sources, fakes, between)


def random_vectors(count: int = 6) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    return torch.randn(count, 5, generator=random), torch.randn(count, 5, generator=random)


def test_travel_is_least_where_translations_differ_as_their_sources_do_wherever_they_lie() -> None:
    sources, others = random_vectors()
    assert travel(play_of(sources, sources)).item() == pytest.approx(-1)
    assert travel(play_of(sources, sources + others[:1])).item() == pytest.approx(-1, abs=1e-5)
    assert travel(play_of(sources, others)).item() > 0


def test_travel_counts_every_pair_once_each_way() -> None:
    sources, fakes = random_vectors(4)
    squares, cosines = [], []
    for one in range(4):
        for other in set(range(4)) - {one}:
            before, after = sources[one] - sources[other], fakes[one] - fakes[other]
            squares.append((before - after).square().mean())
            cosines.append(torch.cosine_similarity(before, after, dim=0))
    expected = torch.stack(squares).mean() - torch.stack(cosines).mean()
    torch.testing.assert_close(travel(play_of(sources, fakes)), expected)


def test_contrast_asks_for_a_margin_between_sources_and_for_no_more() -> None:
    alike, apart = torch.zeros(3, 5), 4 * torch.eye(3, 5)
    assert contrast(play_of(alike, apart)).item() == 10
    assert contrast(play_of(apart, alike)).item() == 0
    near = apart / 2  # 8 in squares
    assert contrast(play_of(near, near)).item() == pytest.approx(2)


def test_the_embedding_moves_with_the_generators_and_with_nobody_else() -> None:
    trainer = play(tiny_trainer("travelgan"), 1)
    before = copies(trainer.engine.state())
    step(trainer, 8, "discriminator")
    assert not changed(before, trainer.engine.state()) & {"embedder", "generator"}
    before = copies(trainer.engine.state())
    step(trainer, 16, "generator")
    assert {"embedder", "generator"} <= changed(before, trainer.engine.state())


def test_other_seeds_begin_with_other_embeddings() -> None:
    first, again, other = (tiny_trainer("travelgan", seed).engine.state() for seed in (0, 0, 1))
    name = "embedder.output.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])


def test_it_learns_to_translate_pictures_it_has_not_seen_and_keeps_what_they_show() -> None:
    """Strokes of full contrast and of less."""

    def faint(images: Tensor) -> Tensor:
        return 0.4 * images + 0.2

    bright, others, held_out = (strokes(300, side=8, seed=seed) for seed in (0, 1, 7))
    images, domain = torch.cat([bright, faint(others)]), [0] * 300 + [1] * 300
    data = mintage.Dataset(images, domain=domain, domains=("bright", "faint"))
    players: dict[str, Any] = {"generator": {"learning_rate": 0.002}, "discriminator": {"normalization": "none"}}
    recipe: dict[str, Any] = {"width": 8, "ema_half_life": 100.0} | players
    trainer = make_trainer(data, "travelgan", recipe, 0, device=CPU, precision="float32")
    model = mintage.Model(play(trainer, 120).average)
    for to, given, truth in (("faint", held_out, faint(held_out)), ("bright", faint(held_out), held_out)):
        made = model.translate(given, to=to)
        assert (made - truth).abs().mean() < 0.6 * (given - truth).abs().mean()
        assert torch.corrcoef(torch.stack([made.flatten(), truth.flatten()]))[0, 1] > 0.6

"""Ways through the latent space: each against what is known of it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mintage.latent_space import Blend, Truncated, along_code, arithmetic, by_category, path, slerp, truncated
from mintage.latents import draw
from mintage.model_config import ModelConfig
from mintage.players import Generator, build_players
from mintage.randomness import draw_latents, stream
from mintage.sampling import generate, latents_of, samples


def config(
    distribution: str = "normal", categories: int = 0, numbers: int = 0, conditioning: str = "none"
) -> ModelConfig:
    classes = None if conditioning == "none" else ("a", "b", "c", "d")
    return ModelConfig(
        "mlp", 4, (1, 8, 8), classes, 6, distribution, conditioning, code_categories=categories, code_continuous=numbers
    )


def latents(count: int, of: ModelConfig, seed: int = 0) -> Tensor:
    return draw(of, count, stream(seed, "test"))


def generator_of(of: ModelConfig) -> Generator:
    return build_players(of, seed=0)[0].eval()


@given(st.integers(2, 200), st.integers(0, 1000))
def test_an_arc_between_latents_of_one_length_keeps_it_and_turns_by_equal_angles(size: int, seed: int) -> None:
    start, end = torch.nn.functional.normalize(draw_latents("normal", 2, size, stream(seed, "test")), dim=1) * 3
    walk = slerp(start, end, 7).double()
    assert torch.allclose(walk.norm(dim=1), torch.full((7,), 3.0, dtype=torch.float64), atol=1e-5)
    angles = torch.acos(((walk[:-1] * walk[1:]).sum(1) / 9).clamp(-1, 1))
    whole = math.acos(max(-1.0, min(1.0, (start.double() @ end.double()).item() / 9)))
    assert torch.allclose(angles, torch.full((6,), whole / 6, dtype=torch.float64), atol=2e-3)


def test_a_quarter_turn_passes_the_diagonal() -> None:
    walk = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 5)
    assert torch.allclose(walk[2], torch.full((2,), 2**0.5))


def test_a_walk_between_parallel_latents_is_a_line() -> None:
    start = torch.tensor([1.0, 1.0])
    assert torch.allclose(slerp(start, 3 * start, 3)[1], 2 * start)
    assert torch.equal(slerp(torch.zeros_like(start), start, 3)[1], start / 2)


@pytest.mark.parametrize("spherical", [True, False])
def test_a_walk_begins_and_ends_exactly_where_it_is_asked_to(spherical: bool) -> None:
    start, end = latents(2, config())
    walk = path(config(), start, end, 9, spherical)
    assert torch.equal(walk[0], start)
    assert torch.allclose(walk[-1], end, atol=1e-6)


@given(st.integers(0, 1000))
def test_a_line_between_uniform_latents_stays_in_their_range_at_equal_steps(seed: int) -> None:
    start, end = latents(2, config("uniform"), seed)
    walk = path(config("uniform"), start, end, 9, spherical=False)
    assert walk.abs().max() <= 1
    assert torch.allclose(walk.diff(dim=0), ((end - start) / 8).expand(8, -1), atol=1e-6)


def test_a_walk_through_latents_with_a_code_stays_in_one_category() -> None:
    of = config(categories=4, numbers=2)
    start, end = latents(2, of, seed=1)
    for spherical in (True, False):
        walked = path(of, start, end, 5, spherical)
        assert torch.equal(walked[:, 6:10], start[6:10].expand(5, -1))
        assert torch.allclose(walked[-1, 10:], end[10:])


@given(st.floats(1e-3, 50), st.integers(0, 100))
def test_truncated_noise_lies_within_its_limit_in_the_order_it_had(limit: float, seed: int) -> None:
    noise = draw_latents("normal", 1, 300, stream(seed, "test"))[0]
    cut = truncated(noise, limit)
    assert cut.abs().max() <= limit * (1 + 1e-6)
    assert (cut.sign() == noise.sign()).all()
    assert (cut[noise.argsort()].diff() >= 0).all()


def test_truncation_ends_at_nothing_on_one_side_and_at_the_noise_itself_on_the_other() -> None:
    noise = draw_latents("normal", 20, 50, stream(0, "test"))
    assert truncated(noise, 1e-9).abs().max() < 1e-8
    assert torch.allclose(truncated(noise, 20.0), noise, atol=1e-5)


@pytest.mark.parametrize("conditioning", ["none", "concat", "batch_norm"])
def test_a_truncated_generator_has_the_statistics_of_cut_noise_and_leaves_the_generator_as_it_was(
    conditioning: str,
) -> None:
    """By those of the whole noise, what a norm makes of cut noise is all but constant, and images lose contrast."""
    of = config(conditioning=conditioning)
    generator = build_players(of, seed=0)[0]
    labels = torch.arange(4).repeat(500) if of.conditional else None
    for first in range(0, 2000, 100):
        generator(latents(100, of, first), None if labels is None else labels[first : first + 100])
    generator.eval()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    cut = Truncated(generator, 0.1)
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())
    assert not cut.training
    norms = [module for module in cut.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    seen: list[Tensor] = []
    for norm in norms:
        norm.register_forward_hook(lambda module, inputs, _: seen.append(inputs[0].var(0) / module.running_var))
    cut(latents(2000, of, 7), labels)
    assert len(seen) == len(norms) > 0
    for ratio in seen:
        assert ratio.median().item() == pytest.approx(1, rel=0.1)
    again = Truncated(generator, 0.1)
    assert all(torch.equal(cut.state_dict()[name], tensor) for name, tensor in again.state_dict().items())


@pytest.mark.parametrize("limit", [0.5, 1.0, 2.0])
def test_truncation_gives_the_distribution_of_drawing_again_what_is_too_large(limit: float) -> None:
    noise = draw_latents("normal", 1, 200_000, stream(0, "test"))[0]
    redrawn = noise[noise.abs() <= limit]
    cut = truncated(noise, limit)
    shares = torch.linspace(0.05, 0.95, 10)
    assert torch.allclose(cut.quantile(shares), redrawn.quantile(shares), atol=0.02)
    assert cut.std().item() == pytest.approx(redrawn.std().item(), rel=0.01)


def test_a_minus_a_plus_c_is_the_mean_of_c() -> None:
    a, c = latents(3, config()), latents(4, config(), seed=1)
    assert torch.allclose(arithmetic(a, a, c), c.mean(0), atol=1e-6)
    assert torch.allclose(arithmetic(c, a, a), c.mean(0), atol=1e-6)


def test_each_category_gets_the_same_noise_and_the_same_numbers() -> None:
    of = config(categories=4, numbers=2)
    start = latents(3, of)
    rows = by_category(of, start)
    assert rows.shape == (4, 3, 12)
    assert torch.equal(rows[:, :, 6:10].argmax(2), torch.arange(4)[:, None].expand(4, 3))
    assert torch.equal(rows[:, :, :6], start[:, :6].expand(4, -1, -1))
    assert torch.equal(rows[:, :, 10:], start[:, 10:].expand(4, -1, -1))


def test_along_a_number_of_the_code_nothing_else_changes() -> None:
    of = config(categories=4, numbers=2)
    start = latents(3, of)
    moved = along_code(of, start, number=1, reach=2.0, steps=5)
    assert torch.allclose(moved[:, :, 11], torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(3, -1))
    assert torch.equal(moved[:, :, :11], start[:, None, :11].expand(-1, 5, -1))
    assert torch.equal(start, latents(3, of)), "the latents that it started from are as they were"


@pytest.mark.parametrize("conditioning", ["concat", "plane", "batch_norm", "shared_batch_norm"])
def test_a_generator_told_a_less_a_plus_c_makes_the_images_of_c(conditioning: str) -> None:
    network = "mlp" if conditioning == "concat" else "dcgan"
    of = ModelConfig(network, 4, (1, 8, 8), ("a", "b", "c", "d"), 6, "normal", conditioning)
    generator, z = generator_of(of), latents(5, of)
    for weights in generator.conditioning.parameters():
        torch.nn.init.normal_(weights, generator=stream(0, "weights"))
    blended = generate(Blend(generator, [1, -1, 1]), z, torch.tensor([0, 0, 2]).expand(5, -1))
    of_c = generate(generator, z, torch.full((5,), 2))
    assert torch.allclose(blended, of_c, atol=1e-5)
    other = generate(Blend(generator, [1, -1, 1]), z, torch.tensor([0, 1, 2]).expand(5, -1))
    assert not torch.allclose(other, of_c, atol=1e-5), "the class was not told at all"


def test_the_latents_of_samples_make_those_samples_again() -> None:
    generator = generator_of(config())
    images = torch.cat([images for images, _ in samples(generator, 140, 3, None)])
    indices = [139, 0, 70]
    again = generate(generator, latents_of(config(), 3, indices), None)
    assert torch.allclose(again, images[indices], atol=1e-5), "another row may round the last bit"

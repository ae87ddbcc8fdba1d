from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mintage.latents import code_of, draw, with_category
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.randomness import draw_latents, stream
from mintage.sampling import asked_labels, generate, rows_with, samples
from tests.mintage.helpers import play, tiny_trainer


@pytest.fixture(scope="module", params=["mlp", "dcgan"])
def generator(request: pytest.FixtureRequest) -> Generator:
    average: Generator = play(tiny_trainer(network=request.param), 5).average
    return average


def all_images(generator: Generator, count: int, seed: int = 0, labels: list[int] | None = None) -> Tensor:
    return torch.cat([images for images, _ in samples(generator, count, seed, labels or [0, 1, 2])])


def test_image_i_is_the_same_bits_whatever_the_count(generator: Generator) -> None:
    many = all_images(generator, 150)
    assert many.shape == (150, 1, 8, 8)
    for count in (1, 63, 64, 65, 129):
        assert torch.equal(all_images(generator, count), many[:count])


def test_another_seed_gives_other_images(generator: Generator) -> None:
    assert not torch.equal(all_images(generator, 8, seed=0), all_images(generator, 8, seed=1))


def test_labels_are_used_in_turn(generator: Generator) -> None:
    labels = [label for _, label in samples(generator, 70, 0, [2, 0])]
    assert torch.cat([label for label in labels if label is not None]).tolist() == [2, 0] * 35


def test_only_one_chunk_is_made_at_a_time(generator: Generator) -> None:
    images, _ = next(iter(samples(generator, 10**9, 0, [0])))
    assert len(images) == 64


def test_a_short_batch_of_latents_gives_the_bits_of_a_long_one(generator: Generator) -> None:
    latents, labels = torch.randn(64, 6), torch.zeros(64, dtype=torch.long)
    assert torch.equal(generate(generator, latents[:5], labels[:5]), generate(generator, latents, labels)[:5])


def test_latents_have_the_asked_distribution() -> None:
    normal = draw_latents("normal", 4000, 10, stream(0, "test"))
    uniform = draw_latents("uniform", 4000, 10, stream(0, "test"))
    assert normal.std().item() == pytest.approx(1, rel=0.02)
    assert uniform.std().item() == pytest.approx(3**-0.5, rel=0.02)
    assert uniform.abs().max() <= 1


def test_streams_differ_by_seed_purpose_and_position_and_repeat() -> None:
    draws = [
        torch.rand(1, generator=stream(*key)).item() for key in [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1)]
    ]
    assert len(set(draws)) == 4
    assert torch.rand(1, generator=stream(0, "a", 0)).item() == draws[0]


def with_code(distribution: str = "normal") -> ModelConfig:
    return ModelConfig("mlp", 4, (1, 8, 8), None, 6, distribution, code_categories=4, code_continuous=2)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latents_with_a_code_hold_one_category_and_numbers_between_minus_one_and_one(distribution: str) -> None:
    latents = draw(with_code(distribution), 500, stream(0, "test"))
    code = code_of(with_code(distribution), latents)
    assert latents.shape == (500, 12)
    assert code is not None
    assert torch.equal(code[:, :4].sum(1), torch.ones(500))
    assert set(torch.unique(code[:, :4]).tolist()) == {0.0, 1.0}
    assert code[:, :4].mean(0).min() > 0.15  # each as likely
    assert code[:, 4:].abs().max() <= 1


def test_a_model_with_a_code_is_sampled_by_category_with_the_rest_of_each_latent_unchanged() -> None:
    config = with_code()
    latents = draw(config, 3, stream(0, "test"))
    asked = with_category(config, latents, torch.tensor([3, 0, 3]))
    assert asked[:, 6:10].argmax(1).tolist() == [3, 0, 3]
    assert torch.equal(asked[:, :6], latents[:, :6])
    assert torch.equal(asked[:, 10:], latents[:, 10:])
    generator = play(tiny_trainer("infogan"), 2).average
    images, labels = next(samples(generator, 4, 0, [1, 2]))
    free, none = next(samples(generator, 4, 0, None))
    assert labels is not None
    assert labels.tolist() == [1, 2, 1, 2]
    assert none is None
    assert not torch.equal(images, free)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 200), st.integers(0, 5))
def test_labels_asked_for_are_all_in_turn_whatever_their_order(labels: list[int], count: int, seed: int) -> None:
    found = asked_labels(torch.tensor(labels), count, seed).tolist()
    assert found == asked_labels(torch.tensor(sorted(labels)), count, seed).tolist()
    assert len(found) == count
    whole = len(found) // len(labels) * len(labels)
    assert sorted(found[:whole]) == sorted(labels * (whole // len(labels)))
    assert not Counter(found[whole:]) - Counter(labels)


def test_a_few_labels_of_many_images_stored_by_class_have_every_class() -> None:
    stored = torch.arange(10_000) // 1000
    counts = torch.bincount(asked_labels(stored, 1000, 0), minlength=10)
    assert counts.min() > 60
    assert not torch.equal(asked_labels(stored, 1000, 0), asked_labels(stored, 1000, 1))


@given(st.lists(st.integers(0, 3), min_size=8, max_size=40), st.data())
def test_real_images_to_compare_with_are_of_the_classes_asked_for(labels: list[int], data: st.DataObject) -> None:
    asked = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=len(labels)))
    rows = rows_with(torch.tensor(labels), torch.tensor(asked), stream(0, "floor"))
    assert len(set(rows.tolist())) == len(asked)
    assert rows.tolist() == sorted(rows.tolist())
    there, found, wanted = Counter(labels), Counter(labels[row] for row in rows.tolist()), Counter(asked)
    assert all(found[label] >= min(there[label], count) for label, count in wanted.items())


def test_which_images_of_a_class_are_compared_with_is_by_chance() -> None:
    labels, asked = torch.arange(400) % 2, torch.zeros(100, dtype=torch.int64)
    one, other = (rows_with(labels, asked, stream(seed, "floor")) for seed in (0, 1))
    assert 20 < len(set(one.tolist()) & set(other.tolist())) < 80

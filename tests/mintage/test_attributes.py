"""Attributes: what columns become, what is asked for, and families that learn from them."""

from dataclasses import asdict
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

import mintage
from mintage.attributes import EXAMPLES, by_chance, columns, combination_shares, right, with_changes
from mintage.conditioning.embedding import Condition, attribute_values
from mintage.data import RealImages
from mintage.dataset import Signature
from mintage.families import resolve
from mintage.model_config import ModelConfig, model_config
from mintage.rules import refusal
from mintage.sampling import samples
from mintage.sources import with_attributes
from tests.mintage.helpers import CPU, play, tiny_trainer

NAMES = ("smile", "age", "hair=black", "hair=red")
ROWS = torch.tensor([[1.0, 0.5, -1, 1], [-1, -0.2, 1, -1]])
LOOPS = {0: "one", 4: "one", 6: "one", 9: "one", 8: "two"}


def digits() -> mintage.Dataset:
    """The real ones, told by whether they are even, how many loops they have, and how much ink."""
    found = load_digits()
    images = torch.from_numpy(found.images).float()[:, None] / 8 - 1
    ink = images.mean((1, 2, 3))
    facts = {
        "even": [int(digit) % 2 == 0 for digit in found.target],
        "ink": (2 * (ink - ink.min()) / (ink.max() - ink.min()) - 1).tolist(),
        "loops": [LOOPS.get(int(digit), "none") for digit in found.target],
    }
    return mintage.Dataset(image=images, attributes=facts)


def test_columns_become_bits_numbers_and_a_bit_a_word() -> None:
    given: dict[str, Any] = {"smile": [True, False], "age": torch.tensor([0.5, -0.2]), "hair": ["red", "black"]}
    names, values = columns(given, 2)
    assert names == NAMES
    assert torch.equal(values, ROWS)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"age": [0.5]}, "has 1 values: give one for each of 2 images"),
        ({"age": [0.5, 30]}, "cannot be 30"),
        ({"a=b": [1, -1]}, "has a '=' in its name"),
        ({"a=b": ["c", "d"]}, "has a '=' in its name"),
    ],
)
def test_a_column_that_says_nothing_of_each_image_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        mintage.Dataset(image=torch.zeros(2, 1, 8, 8), attributes=given)


def test_what_is_asked_for_is_changed_and_nothing_else() -> None:
    asked = with_changes(ROWS, NAMES, {"smile": True, "hair": "red", "age": -1})
    assert torch.equal(asked, torch.tensor([[1.0, -1, -1, 1], [1, -1, -1, 1]]))
    assert torch.equal(with_changes(ROWS, NAMES, {"smile": False})[:, 1:], ROWS[:, 1:])
    assert torch.equal(with_changes(ROWS, NAMES, {"hair=red": False})[:, 3], torch.tensor([-1.0, -1]))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"smiel": True}, "did you mean 'smile'"),
        ({"hair": "blue"}, "ask for black or red"),
        ({"hair": True}, "no attribute 'hair' that can be True: ask for black or red"),
        ({"age": 3}, "a number in"),
        ({"smile": "yes"}, "no attribute 'smile' that can be 'yes': give true, false, or"),
    ],
)
def test_what_nobody_can_be_asked_for_is_told_with_what_can(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        with_changes(ROWS, NAMES, asked)


def test_a_bit_is_right_on_its_side_a_number_when_near_a_word_when_highest() -> None:
    seen = torch.tensor([[0.1, 0.6, -0.9, -0.8], [0.1, 0.2, 0.3, 0.4]])
    assert right(seen, ROWS, NAMES).tolist() == [[True, True, True], [False, False, False]]


def test_chance_is_what_the_likeliest_value_reaches() -> None:
    rows = torch.tensor([[1.0, -1, 1], [1.0, 1, -1], [1.0, 1, -1], [-1.0, 1, -1]])
    assert by_chance(rows, ["smile", "hair=black", "hair=red"]).tolist() == [0.75, 0.75]


def test_the_loss_of_attributes_is_least_where_logits_say_just_them() -> None:
    condition, logits = Condition(4, NAMES), torch.zeros(2, 4, requires_grad=True)
    for _ in range(2000):
        (slope,) = torch.autograd.grad(condition.loss(logits, ROWS), logits)
        logits = (logits - 5 * slope).detach().requires_grad_(True)
    assert torch.allclose(attribute_values(logits), ROWS, atol=0.05)


def test_the_loss_of_attributes_is_the_mean_over_bits_numbers_and_words() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0, 0.3]])
    of_bits = binary_cross_entropy_with_logits(logits[0, :2], (ROWS[0, :2] + 1) / 2, reduction="sum")
    of_words = cross_entropy(logits[:, 2:], torch.tensor([1]))
    assert torch.allclose(Condition(4, NAMES).loss(logits, ROWS[:1]), (of_bits + of_words) / 3)


def test_a_combination_has_a_share_of_1_and_a_number_between_two_gives_each_a_share() -> None:
    names = ("minor", "root=A", "root=B", "root=C")
    roots = (torch.eye(3) * 2 - 1).repeat(2, 1)
    chords = torch.cat([torch.tensor([-1.0, -1, -1, 1, 1, 1])[:, None], roots], 1)
    assert torch.equal(combination_shares(chords, names), torch.eye(6))
    between = combination_shares(torch.tensor([[0.5, 1, -1, -1]]), names)
    assert torch.equal(between, torch.tensor([[0.25, 0, 0, 0.75, 0, 0]]))
    bars = torch.rand(6, 2, 4, 3)
    made = Condition(4, names, joint=True).for_players(with_attributes(bars, chords))
    assert torch.equal(made, with_attributes(bars, torch.eye(6)))


def test_eight_joint_bits_are_not_too_many() -> None:
    assert refusal(resolve("midinet_chords", {}), Signature((1, 16, 24), None, tuple("abcdefgh"))) is None


def test_a_model_of_before_joint_attributes_has_each_by_itself() -> None:
    config = model_config(resolve("sngan_attributes", {}), (1, 8, 8), None, NAMES)
    before = {name: value for name, value in asdict(config).items() if name != "joint_attributes"}
    assert ModelConfig.from_json(before) == config
    assert config.condition.vector_size == len(NAMES)


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("head", ["auxiliary", "projection", "concat", "repeat", "product"])
def test_every_conditioning_of_a_label_takes_attributes_too_and_resumes_to_the_same_bits(
    head: str, joint: bool
) -> None:
    players: dict[str, Any] = {"generator": {"conditioning": "concat"}, "discriminator": {"conditioning": head}}
    recipe = players | {"condition": "attributes", "joint_attributes": joint}
    trainer = play(tiny_trainer("dcgan", **recipe), 3)
    again = tiny_trainer("dcgan", **recipe)
    again.load(*play(tiny_trainer("dcgan", **recipe), 1).state())
    found, expected = play(again, 2).engine.state(), trainer.engine.state()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_model_keeps_attributes_of_images_that_it_learned_from() -> None:
    trainer = tiny_trainer("sngan_attributes")
    real = trainer.real.conditions
    assert real is not None
    assert trainer.average.examples is not None
    assert trainer.average.examples.shape == (EXAMPLES, 3)
    assert {tuple(row) for row in trainer.average.examples.tolist()} == {tuple(row) for row in real.tolist()}


def test_the_order_of_storage_decides_nothing_of_what_is_asked_for() -> None:
    """Sorted data must not give a model that is asked for the first class alone."""
    rows = torch.cat([torch.ones(5000, 1), -torch.ones(5000, 1)])
    trainer = tiny_trainer("sngan_attributes")
    trainer.real = RealImages(torch.zeros(10_000, 1, 8, 8), rows.expand(-1, 3).contiguous(), 0, CPU)
    trainer.__post_init__()
    assert trainer.average.examples is not None
    assert abs(trainer.average.examples.mean().item()) < 0.2


def by_attributes(model: mintage.Model, asked: dict[str, Any]) -> Tensor:
    return model.sample(128, seed=1, attributes=asked)


def test_a_model_learns_attributes_of_real_digits_in_seconds() -> None:
    data = digits()
    recipe = {"width": 8, "ema_half_life": 500.0}
    run = mintage.train(data, "sngan_attributes", images=8_000, recipe=recipe, progress=False)
    model = run.model
    assert model.attributes == ("even", "ink", "loops=none", "loops=one", "loops=two")
    table = mintage.measure(model, data, evaluator_images=10_000)
    of_chance = by_chance(data.attributes, data.attribute_names).mean().item()  # type: ignore[arg-type]
    assert table["attribute_accuracy"].floor > 0.85
    assert table["attribute_accuracy"].value > of_chance + 0.15
    full, little = (by_attributes(model, {"ink": amount}).mean() for amount in (0.6, -0.6))
    assert full > little + 0.1
    assert torch.equal(by_attributes(model, {})[:4], model.sample(4, seed=1))


@pytest.mark.parametrize("joint", [False, True])
def test_a_model_is_saved_and_loaded_with_what_it_can_be_asked_for(tmp_path: Any, joint: bool) -> None:
    recipe = {"width": 4, "joint_attributes": joint}
    model = mintage.train(digits(), "sngan_attributes", images=64, recipe=recipe, progress=False).model
    model.save(tmp_path)
    again = mintage.load(tmp_path)
    asked: dict[str, Any] = {"even": True, "loops": "two"}
    assert torch.equal(model.sample(5, attributes=asked), again.sample(5, attributes=asked))
    made = torch.cat([images for images, _ in samples(again.generator, 5, 0, None)])
    assert torch.equal(made, again.sample(5))


def test_a_model_without_attributes_says_so() -> None:
    model = mintage.train(digits(), "gan", images=64, recipe={"width": 4}, progress=False).model
    with pytest.raises(ValueError, match="takes no attributes"):
        model.sample(1, attributes={"even": True})


def test_attributes_of_another_set_of_images_are_not_measured() -> None:
    data = digits()
    model = mintage.train(data, "sngan_attributes", images=64, recipe={"width": 4}, progress=False).model
    other = mintage.Dataset(image=data.image, attributes={"odd": [True, False] * (len(data) // 2) + [True]})
    with pytest.raises(ValueError, match="attributes are"):
        mintage.measure(model, other)


def test_images_with_labels_and_attributes_are_judged_by_what_the_model_is_told() -> None:
    data = digits()
    both = mintage.Dataset(
        image=data.image, label=load_digits().target, attributes={"even": [d % 2 == 0 for d in load_digits().target]}
    )
    for family, name in (("cgan", "conditional_accuracy"), ("sngan_attributes", "attribute_accuracy")):
        model = mintage.train(both, family, images=64, recipe={"width": 4}, progress=False).model
        table = mintage.measure(model, both, evaluator_images=256)
        assert {"conditional_accuracy", "attribute_accuracy"} & table.keys() == {name}

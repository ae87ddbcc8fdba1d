"""A second stage on a model that is there already: what that makes of the same latents, enlarged and refined."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import avg_pool2d

import mintage
from mintage.dataset import Dataset
from mintage.latent_space import Blend, Truncated
from mintage.model import Model

SMALL: dict[str, Any] = {"width": 4, "latent_size": 6, "batch_size": 8}
FIRST = SMALL | {"network": "mlp"}


def digits(count: int = 200) -> tuple[Dataset, Dataset]:
    """Digits of 4x4 and of 8x8."""
    found = load_digits()
    images = torch.from_numpy(found.images[:count]).float()[:, None] / 8 - 1
    labels = torch.from_numpy(found.target[:count]).long()
    return Dataset(avg_pool2d(images, 2), labels), Dataset(images, labels)


def learned(data: Dataset, family: str = "cgan", images: int = 64, **changes: Any) -> Model:
    recipe = changes.pop("recipe", FIRST)
    return mintage.train(data, family, images, recipe, device="cpu", progress=False, **changes).model


@pytest.fixture(scope="module")
def first() -> Model:
    return learned(digits()[0])


def weights(model: Model) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.generator.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_the_first_stage_stays_as_it_is_to_the_bit_and_is_no_weight_of_the_second(first: Model) -> None:
    before = weights(first)
    made = learned(digits()[1], "stackgan", recipe=SMALL, first=first)
    assert same(weights(first), before)
    assert made.generator.first is not None
    assert same(made.generator.first.state_dict(), before)
    assert not [name for name, _ in made.generator.named_parameters() if name.startswith("first.")]


def test_the_second_stage_begins_as_the_first_one_enlarged_and_goes_away_from_it(first: Model) -> None:
    hasty = SMALL | {"generator": {"learning_rate": 5e-3}}
    begun, later = (
        learned(digits()[1], "stackgan", images, recipe=hasty, first=first).generator for images in (1, 400)
    )
    latents, labels = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)), torch.arange(6)
    drawn = begun.draft(latents, labels)
    assert (begun(latents, labels) - drawn).abs().mean() < 0.02
    assert torch.equal(later.draft(latents, labels), drawn)
    assert torch.equal(later.drafting(latents, labels), drawn)
    assert (later(latents, labels) - drawn).abs().mean() > 0.05


def test_each_figure_of_a_second_stage_stands_beside_what_its_first_one_reaches_enlarged(first: Model) -> None:
    held_out, train = digits(100)[1], digits(200)[1]
    made = learned(train, "stackgan", 400, recipe=SMALL | {"generator": {"learning_rate": 5e-3}}, first=first)
    table, alone = (
        mintage.measure(model, held_out, train, evaluator_images=640)
        for model in (made, Model(made.generator.drafting))
    )
    assert {name: figure.baseline for name, figure in table.items()} == {
        name: figure.value for name, figure in alone.items()
    }
    distance = table["frechet_distance"]
    assert distance.value != distance.baseline
    assert f"first stage, enlarged: {distance.baseline:#.3g}" in str(distance)
    assert all(
        (figure.baseline, figure.baseline_of) == (None, None)
        for figure in mintage.measure(first, digits()[0], evaluator_images=640).values()
    )


def test_it_is_whole_without_its_first_stage_and_a_picture_is_found_in_it(first: Model, tmp_path: Path) -> None:
    large = digits()[1]
    made = learned(large, "stackgan", recipe=SMALL, first=first)
    made.save(tmp_path)
    again = mintage.load(tmp_path)
    assert torch.equal(again.sample(20, seed=1), made.sample(20, seed=1))
    near, nearer = (again.project(large.image[:4], steps=steps).distance for steps in (1, 40))
    assert (nearer < near).all(), "gradients go through the first stage to the latents"


def test_latents_without_large_numbers_go_through_both_stages(first: Model) -> None:
    made = learned(digits()[1], "stackgan", recipe=SMALL, first=first).generator
    before, latents, labels = first.sample(4), torch.zeros(4, 6), torch.arange(4)
    cut = Truncated(made, 0.5)(latents, labels)
    assert cut.isfinite().all()
    assert not torch.equal(cut, made(latents, labels)), "norms are measured again"
    assert torch.equal(first.sample(4), before)


def test_classes_are_blended_in_both_stages(first: Model) -> None:
    made = learned(digits()[1], "stackgan", recipe=SMALL, first=first).generator
    latents, labels = torch.randn(4, 6), torch.arange(4)
    alone = Blend(made, [1.0, 0.0])(latents, torch.stack([labels, labels + 1], 1))
    assert torch.allclose(alone, made(latents, labels), atol=1e-6)


def test_a_run_in_place_of_its_model_is_one_sentence() -> None:
    small, large = digits()
    run = mintage.train(small, "cgan", 64, FIRST, device="cpu", progress=False)
    with pytest.raises(ValueError, match="first is a Run: give a Model"):
        mintage.train(large, "stackgan", 64, SMALL, first=run, device="cpu", progress=False)  # type: ignore[arg-type]


def test_gone_on_it_ends_in_the_same_bits_and_never_on_another_first_stage(first: Model, tmp_path: Path) -> None:
    large = digits()[1]
    straight = learned(large, "stackgan", 160, recipe=SMALL, first=first)
    first.save(tmp_path / "first")
    for images in (80, 160):
        resumed = learned(large, "stackgan", images, recipe=SMALL, first=tmp_path / "first", folder=tmp_path / "second")
    assert same(weights(straight), weights(resumed))
    other = learned(digits()[0], seed=1)
    with pytest.raises(mintage.CheckpointError):
        learned(large, "stackgan", 160, recipe=SMALL, first=other, folder=tmp_path / "second")


def test_a_stage_that_is_told_nothing_refines_one_that_is_told_nothing() -> None:
    plain, bare = FIRST, {"generator": {"conditioning": "none"}, "discriminator": {"conditioning": "none"}}
    first = learned(digits()[0], "gan", recipe=plain)
    made = learned(digits()[1], "stackgan", recipe=SMALL | bare, first=first)
    assert made.sample(3).shape == (3, 1, 8, 8)
    assert made.classes is None


@pytest.mark.parametrize("sides", [(8, 8), (8, 16), (15, 13)])
def test_an_image_may_be_as_large_as_its_first_stage_or_twice_as_large_or_of_odd_sides(sides: tuple[int, int]) -> None:
    times = (1, 1) if sides == (8, 8) else (2, 2)
    height, width = (-(-side // by) for side, by in zip(sides, times, strict=True))
    small, large = (
        Dataset(torch.rand(16, 3, *shape) * 2 - 1, torch.arange(16) % 2) for shape in ((height, width), sides)
    )
    made = learned(large, "stackgan", 16, recipe=SMALL, first=learned(small, images=16))
    assert made.sample(2).shape == (2, 3, *sides)


@pytest.mark.parametrize(
    ("family", "changes", "part"),
    [
        ("stackgan", {}, "none is named"),
        ("stackgan", {"first": "other latents"}, "the same latents"),
        ("stackgan", {"first": "other classes"}, "told the same"),
        ("stackgan", {"first": "told nothing"}, "told the same"),
        ("stackgan", {"first": "other size"}, "1, 2, 4 or 8 times"),
        ("stackgan", {"first": "a translator"}, "one image from noise"),
        ("cgan", {"first": "fitting"}, "no use of a first stage"),
        ("cgan", {"first": "an address that leads nowhere"}, "no use of a first stage"),
    ],
)
def test_what_no_second_stage_can_stand_on_is_refused_with_what_to_do(
    family: str, changes: dict[str, str], part: str, first: Model
) -> None:
    small, large = digits(40)
    names = [f"number {digit}" for digit in range(10)]
    others: dict[str, Callable[[], Model | str]] = {
        "fitting": lambda: first,
        "other latents": lambda: learned(small, images=8, recipe=FIRST | {"latent_size": 5}),
        "other classes": lambda: learned(Dataset(small.image, small.label, names), images=8),
        "told nothing": lambda: learned(small, "gan", 8),
        "other size": lambda: learned(Dataset(torch.rand(40, 1, 5, 4) * 2 - 1, small.label), images=8),
        "an address that leads nowhere": lambda: "nowhere",
        "a translator": lambda: learned(
            Dataset(large.image, source=-large.image), "pix2pix", 8, recipe={"width": 4, "batch_size": 8}
        ),
    }
    stands_on = others[changes["first"]]() if changes else None
    with pytest.raises(ValueError, match=part):
        learned(large, family, 8, recipe=SMALL, first=stands_on)

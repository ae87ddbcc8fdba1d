"""An encoder on a model that is there already: from its pictures back to their latents, and on to other pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

import mintage
from mintage.dataset import Dataset
from mintage.metrics.pairs import psnr
from mintage.model import Model
from mintage.sampling import generate, latents_at

FIRST: dict[str, Any] = {"width": 8, "latent_size": 4, "batch_size": 32}
SMALL: dict[str, Any] = {"width": 8}


def digits(count: int = 400) -> Dataset:
    found = load_digits()
    images = torch.from_numpy(found.images[:count]).float()[:, None] / 8 - 1
    return Dataset(images, torch.from_numpy(found.target[:count]).long())


def learned(data: Dataset, family: str, images: int, recipe: dict[str, Any], **changes: Any) -> Model:
    return mintage.train(data, family, images, recipe, device="cpu", progress=False, **changes).model


@pytest.fixture(scope="module")
def first() -> Model:
    return learned(digits(), "cgan", 6_400, FIRST)


@pytest.fixture(scope="module")
def encoding(first: Model) -> Model:
    return learned(digits(), "age_cgan", 12_800, SMALL, first=first)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def of_generator(model: Model) -> dict[str, Tensor]:
    tensors = model.generator.state_dict()
    return {name: tensor.clone() for name, tensor in tensors.items() if not name.startswith("encoder.")}


def test_the_generator_stays_as_it_is_to_the_bit_and_makes_what_it_made(first: Model, encoding: Model) -> None:
    assert same(of_generator(encoding), of_generator(first))
    assert torch.equal(encoding.sample(70, seed=1), first.sample(70, seed=1))
    assert encoding.classes == first.classes


def test_of_its_pictures_the_encoder_finds_latents_nearer_than_a_mean_or_any_other(encoding: Model) -> None:
    config = encoding.generator.config
    latents = torch.cat([latents_at(config, 9, chunk) for chunk in range(4)])
    images = generate(encoding.generator, latents, torch.arange(len(latents)) % 10)
    missed = (encoding.encode(images) - latents).square().mean()
    assert missed < 0.7 * latents.square().mean()
    assert missed < 0.4 * (latents.roll(1, 0) - latents).square().mean()


def test_digits_it_never_saw_are_made_again_better_than_of_a_mean_latent(encoding: Model) -> None:
    found = load_digits()
    images = torch.from_numpy(found.images[400:600]).float()[:, None] / 8 - 1
    labels = found.target[400:600].tolist()
    of_mean = encoding.decode(torch.zeros(len(images), encoding.latent_size), labels)
    made = psnr(encoding.reconstruct(images, labels), images).mean()
    assert made > psnr(of_mean, images).mean() + 0.2
    assert psnr(encoding.reconstruct(images), images).mean() > made - 0.5, "of the class that fits best"


def test_what_comes_back_is_measured_of_the_class_that_each_image_has(encoding: Model) -> None:
    data = digits()
    held_out, train = data.rows(torch.arange(0, 400, 2)), data.rows(torch.arange(1, 400, 2))
    assert held_out.label is not None
    table = mintage.measure(encoding, held_out, train, evaluator_images=640)
    own = psnr(encoding.decode(encoding.encode(held_out.image), held_out.label), held_out.image).mean()
    assert table["reconstruction_psnr"].value == pytest.approx(own.item(), abs=0.02)
    assert table["frechet_distance"].baseline is None


def test_projection_begins_at_the_encoder_and_goes_on_to_nearer_ones(encoding: Model) -> None:
    images, labels = digits().image[:20], load_digits().target[:20].tolist()
    begun, found = (encoding.project(images, labels, steps=steps) for steps in (0, 30))
    assert torch.equal(begun.latents, encoding.encode(images))
    assert (found.distance < 1.01 * begun.distance).all()
    assert (found.distance < begun.distance).float().mean() >= 0.9
    mean_length = latents_at(encoding.generator.config, 0, 0).norm(dim=1).mean()
    longest = begun.latents.norm(dim=1).clamp(min=mean_length)
    assert (found.latents.norm(dim=1) <= longest * (1 + 1e-6)).all(), "no longer than noise"


def test_a_class_that_nobody_names_is_the_one_that_fits_best(encoding: Model) -> None:
    data = digits()
    assert data.label is not None
    found = encoding.project(data.image[:100], steps=0).condition
    assert found is not None
    assert (found == data.label[:100]).float().mean() > 0.6


def test_attributes_are_found_from_the_likeliest_and_one_changes_alone() -> None:
    data = digits()
    assert data.label is not None
    facts = {"even": (data.label % 2 == 0).tolist(), "size": [("small", "large")[int(one) > 4] for one in data.label]}
    attributed = Dataset(data.image, attributes=facts)
    first = learned(attributed, "sngan_attributes", 320, {"width": 4})
    model = learned(attributed, "age_cgan", 320, SMALL, first=first)
    assert model.attributes == first.attributes
    assert torch.equal(model.sample(5), first.sample(5))
    found = model.project(data.image[:5], attributes={"size": "small"}, steps=4)
    assert found.condition is not None
    assert (found.condition[:, 1:] == torch.tensor([-1.0, 1.0])).all()
    even, odd = (found.with_attributes({"even": value}) for value in (True, False))
    assert torch.equal(torch.where((found.condition[:, 0] == 1)[:, None, None, None], even, odd), found.images)


def test_what_nobody_asks_for_is_as_in_the_images_of_the_model_that_is_encoded() -> None:
    images = digits(64).image
    of_both, of_one = ({"even": [bool(row % step) for row in range(64)]} for step in (2, 1))
    base = learned(Dataset(images, attributes=of_both), "cgan", 64, {**FIRST, "condition": "attributes"})
    encoded = learned(Dataset(images, attributes=of_one), "age_cgan", 64, SMALL, first=base)
    assert torch.equal(encoded.sample(8), base.sample(8))


def test_a_model_that_is_told_nothing_is_encoded_too() -> None:
    first = learned(digits(), "dcgan", 64, {"width": 4, "latent_size": 6})
    model = learned(digits(), "age_cgan", 64, SMALL, first=first)
    assert model.reconstruct(digits().image[:3]).shape == (3, 1, 8, 8)


def test_a_second_stage_may_be_the_model_that_is_encoded(first: Model) -> None:
    stacked = learned(digits(), "stackgan", 64, {"width": 4, "latent_size": 4}, first=first)
    model = learned(digits(), "age_cgan", 64, SMALL, first=stacked)
    assert torch.equal(model.sample(4), stacked.sample(4))


def test_gone_on_it_ends_in_the_same_bits_and_never_on_another_model(first: Model, tmp_path: Path) -> None:
    straight = learned(digits(), "age_cgan", 320, SMALL, first=first)
    first.save(tmp_path / "first")
    for images in (128, 320):
        run: dict[str, Any] = {"first": tmp_path / "first", "folder": tmp_path / "encoding"}
        resumed = learned(digits(), "age_cgan", images, SMALL, **run)
    assert same(straight.generator.state_dict(), resumed.generator.state_dict())
    again = mintage.load(tmp_path / "encoding")
    assert torch.equal(again.encode(digits().image[:9]), straight.encode(digits().image[:9]))
    other = learned(digits(), "cgan", 64, FIRST, seed=1)
    with pytest.raises(mintage.CheckpointError):
        learned(digits(), "age_cgan", 320, SMALL, first=other, folder=tmp_path / "encoding")


@pytest.mark.parametrize(
    ("which", "part"),
    [
        ("none", "none is named"),
        ("a translator", "one image from noise"),
        ("an encoder's", "an encoder already"),
        ("a code's", "an information code"),
        ("other classes", "told the same"),
        ("other size", "another size"),
    ],
)
def test_what_no_encoder_can_stand_on_is_refused_with_what_to_do(which: str, part: str) -> None:
    data, tiny = digits(40), {"width": 4, "batch_size": 8}
    assert data.label is not None
    names = [f"number {digit}" for digit in range(10)]
    firsts: dict[str, Callable[[], Model | None]] = {
        "none": lambda: None,
        "a translator": lambda: learned(Dataset(data.image, source=-data.image), "pix2pix", 8, tiny),
        "an encoder's": lambda: learned(data, "vae", 8, tiny),
        "a code's": lambda: learned(data, "infogan", 8, tiny),
        "other classes": lambda: learned(Dataset(data.image, data.label, names), "cgan", 8, tiny),
        "other size": lambda: learned(Dataset(torch.rand(40, 1, 9, 8) * 2 - 1, data.label), "cgan", 8, tiny),
    }
    with pytest.raises(ValueError, match=part):
        learned(data, "age_cgan", 8, SMALL, first=firsts[which]())

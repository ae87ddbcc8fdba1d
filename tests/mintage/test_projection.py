"""Projection: a picture's latent, found; what is changed then changes, and the rest stays."""

import pytest
import torch
from sklearn.datasets import load_digits

import mintage
from mintage.projection import project
from mintage.sampling import generate, latents_at


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    found = load_digits()
    return torch.from_numpy(found.images).float()[:, None] / 8 - 1, torch.from_numpy(found.target)


@pytest.fixture(scope="module")
def by_class() -> mintage.Model:
    images, labels = digits()
    data = mintage.Dataset(images, labels, classes=[str(digit) for digit in range(10)])
    return mintage.train(data, "cgan", images=20_000, recipe={"width": 8}, progress=False).model


@pytest.fixture(scope="module")
def attributed() -> mintage.Model:
    images, labels = digits()
    facts = {"even": (labels % 2 == 0).tolist(), "size": [("small", "large")[int(label) > 4] for label in labels]}
    recipe = {"width": 4}
    return mintage.train(
        mintage.Dataset(images, attributes=facts), "sngan_attributes", 320, recipe, progress=False
    ).model


def test_a_picture_that_was_tried_is_found_at_once_with_its_class(by_class: mintage.Model) -> None:
    pictures = by_class.sample(100, seed=3)[[5, 77, 99]]
    found = by_class.project(pictures, steps=0, seed=3)
    assert found.distance.max() < 1e-10
    assert found.condition is not None
    assert found.condition.tolist() == [5, 7, 9]
    assert torch.equal(found.images, pictures)


def test_the_descent_comes_nearer_and_names_the_class_of_real_digits(by_class: mintage.Model) -> None:
    images, labels = digits()
    begun, found = (by_class.project(images[:40], steps=steps) for steps in (0, 60))
    assert (found.distance < begun.distance).all()
    assert found.distance.mean() < 0.7 * begun.distance.mean()
    assert found.condition is not None
    assert (found.condition == labels[:40]).float().mean() > 0.7, "a tenth by chance"


def test_a_picture_is_found_as_it_is_alone_whatever_stands_beside_it(by_class: mintage.Model) -> None:
    images, _ = digits()
    together = by_class.project(images[:70], steps=5)
    alone = by_class.project(images[66:68], steps=5)
    assert torch.equal(together.latents[66:68], alone.latents)
    assert torch.equal(together.images[66:68], alone.images)


def test_no_latent_grows_longer_than_it_began(by_class: mintage.Model) -> None:
    far = torch.full((3, 1, 8, 8), 1.0)  # which no digit is
    begun, found = (by_class.project(far, steps=steps) for steps in (0, 50))
    assert (found.latents.norm(dim=1) <= begun.latents.norm(dim=1) * (1 + 1e-6)).all()


def test_a_class_is_looked_for_where_it_is_asked_for(by_class: mintage.Model) -> None:
    images, _ = digits()
    for label, wanted in (("4", [4] * 3), (["1", "2", "3"], [1, 2, 3])):
        found = by_class.project(images[:3], label=label, steps=2)
        assert found.condition is not None
        assert found.condition.tolist() == wanted
    with pytest.raises(ValueError, match="2 labels for 3 images"):
        by_class.project(images[:3], label=["1", "2"])
    with pytest.raises(ValueError, match="no class 'ten'"):
        by_class.project(images[:3], label="ten")


def test_one_attribute_changes_and_the_others_stay_as_they_were_found(attributed: mintage.Model) -> None:
    images, _ = digits()
    found = attributed.project(images[:5], attributes={"size": "small"}, steps=2)
    assert attributed.attributes == ("even", "size=large", "size=small")
    assert found.condition is not None
    assert (found.condition[:, 1:] == torch.tensor([-1.0, 1.0])).all()
    even, odd = (found.with_attributes({"even": value}) for value in (True, False))
    same = torch.where((found.condition[:, 0] == 1)[:, None, None, None], even, odd)
    assert torch.equal(same, found.images)
    assert not torch.equal(even, odd)
    with pytest.raises(ValueError, match="even"):
        found.with_attributes({"evn": True})


def test_attributes_that_nobody_names_are_found_one_by_one(attributed: mintage.Model) -> None:
    asked = torch.tensor([[1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])  # of which a third combination is put together
    wanted = torch.tensor([1.0, -1.0, 1.0])
    generator = attributed.generator
    latents = latents_at(generator.config, 0, 0)
    pictures = generate(generator, latents, wanted.expand(64, -1))[:6]
    found = project(generator, pictures, asked, steps=0)
    assert found.condition is not None
    assert (found.condition == wanted).all()
    assert found.distance.max() < 1e-10


def test_conditions_may_be_known_of_each_picture(attributed: mintage.Model) -> None:
    images, _ = digits()
    known = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]]).repeat(40, 1)
    found = project(attributed.generator, images[:80], known, own=True, steps=1)
    assert found.condition is not None
    assert torch.equal(found.condition, known)


def test_what_else_is_compared_decides_too(by_class: mintage.Model) -> None:
    images, _ = digits()
    upper = project(by_class.generator, images[:8], [0], steps=20, likeness=lambda x: 10 * x[:, :, :4].flatten(1))
    plain = project(by_class.generator, images[:8], [0], steps=20)
    missed = [(one.images - images[:8])[:, :, :4].square().mean() for one in (upper, plain)]
    assert missed[0] < missed[1]


def test_an_encoder_is_where_the_descent_may_begin() -> None:
    images, _ = digits()
    model = mintage.train(mintage.Dataset(images), "vae", images=6_000, recipe={"width": 4}, progress=False).model
    encoded = (model.reconstruct(images[:30]) - images[:30]).square().mean((1, 2, 3))
    found = (model.project(images[:30], steps=0).images - images[:30]).square().mean((1, 2, 3))
    assert found.mean() <= encoded.mean()
    assert model.project(images[:30], steps=40).distance.mean() < model.project(images[:30], steps=0).distance.mean()


def test_an_image_with_a_label_of_its_own_is_found_where_it_is_whatever_the_others_are(by_class: mintage.Model) -> None:
    images, labels = digits()
    some, alone = (by_class.project(images[first:5], labels[first:5].tolist(), steps=3).latents[-1] for first in (0, 4))
    assert torch.equal(some, alone)


def test_an_information_code_is_found_among_those_that_were_drawn_and_stays() -> None:
    images, _ = digits()
    model = mintage.train(mintage.Dataset(images), "infogan", images=640, recipe={"width": 4}, progress=False).model
    found = model.project(images[:4], steps=3)
    config = model.generator.config
    code = found.latents[:, config.latent_size :]
    drawn = torch.cat([latents_at(config, 0, chunk) for chunk in range(32)])[:, config.latent_size :]
    assert all((row == drawn).all(1).any() for row in code)
    for asked, expected in (([7, 2], [7, 2]), (3, [3, 3])):
        named = model.project(images[:2], label=asked, steps=1).latents
        assert named[:, config.latent_size :][:, : config.code_categories].argmax(1).tolist() == expected


def test_sounds_and_volumes_are_found_too() -> None:
    for shape, family in (((1, 256), "dcgan"), ((1, 8, 8, 8), "gan3d")):
        data = mintage.Dataset(torch.rand(64, *shape) * 2 - 1, rank=len(shape) - 1)
        model = mintage.train(data, family, images=64, recipe={"width": 4}, progress=False).model
        found = model.project(model.sample(3, seed=1), steps=4)
        assert found.images.shape == (3, *shape)


def test_what_has_no_latent_to_find_is_refused(by_class: mintage.Model) -> None:
    with pytest.raises(ValueError, match="the model's are"):
        by_class.project(torch.zeros(2, 1, 9, 9))
    with pytest.raises(ValueError, match="steps = -1: give 0 or more"):
        by_class.project(torch.zeros(2, 1, 8, 8), steps=-1)
    pictures = torch.rand(64, 1, 16, 16) * 2 - 1
    pairs = mintage.Dataset(image=pictures, source=-pictures)
    translator = mintage.train(pairs, "pix2pix", images=64, recipe={"width": 4}, progress=False).model
    with pytest.raises(ValueError, match="translate"):
        translator.project(pictures)

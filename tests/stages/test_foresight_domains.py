"""What does not go with two domains, or with a family of these, is refused before anything runs."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mintage.dataset import Signature
from mintage.families import FAMILIES, resolve
from mintage.rules import refusal
from stages.common.foresight import (
    BETWEEN_DOMAINS,
    Known,
    foreseen,
)
from stages.common.sections import Scenes
from stages.media.frames import Frames
from stages.sources.sentences import MEDIUM as LINES
from tests.stages.test_foresight import PICTURES, UNLABELED, changed


@pytest.mark.tried(
    "a family of two domains, and images of one",
    "train.family = '...' learns from two domains without pairs: name them in ingest.domains, or another family",
)
@pytest.mark.tried(
    "a family of two domains, and pairs",
    "train.family = '...' learns without pairs: set normalize.partner to null, or it to pix2pix",
)
@pytest.mark.parametrize("family", [name for name, recipe in FAMILIES.items() if recipe.game in BETWEEN_DOMAINS])
def test_a_family_of_two_domains_needs_two_and_no_pairs(read: Callable[[str], None], family: str) -> None:
    params = changed(train={"family": family})
    assert foreseen(params, replace(PICTURES, domains=True)) == []
    (without,) = foreseen(params, replace(PICTURES, domains=False))
    read(without)
    both = replace(PICTURES, domains=True, paired=True)
    (paired,) = foreseen(changed(train={"family": family}, normalize={"partner": "edges"}), both)
    read(paired)
    (of_source,) = foreseen(params, both)
    assert of_source.endswith("learns without pairs: images have partners here: set it to pix2pix")
    (of_scenes,) = foreseen(
        changed(train={"family": family}, ingest={"scenes": Scenes()}), replace(both, medium=Frames())
    )
    assert of_scenes.endswith("learns without pairs: set ingest.scenes to null, or it to next_frame")


@pytest.mark.tried(
    "two domains, and axes of one discriminator",
    "train.family = 'cyclegan' has no augment and no packing: leave train.recipe.augment and train.recipe.packing out",
)
def test_axes_that_a_family_has_not_are_refused_before_anything_runs(
    read: Callable[[str], None],
) -> None:
    recipe = {"augment": ["translation", "cutout"], "packing": 2}
    domains = replace(PICTURES, domains=True)
    (sentence,) = foreseen(changed(train={"family": "cyclegan", "recipe": recipe}), domains)
    read(sentence)
    why = refusal(resolve("cyclegan", recipe), Signature((3, 32, 32), domains=("a", "b")))
    assert why is not None
    assert why.endswith("leave augment, packing as the family has it")
    augmented = {"recipe": {"augment": ["cutout"]}}
    assert foreseen(changed(train={"family": "cogan", **augmented}), domains) == []
    for family, data in (("vae_gan", UNLABELED), ("lstm", Known((1, 1, 14), LINES, classes=0))):
        (none,) = foreseen(changed(train={"family": family, **augmented}), data)
        assert none == f"train.family = '{family}' has no augment: leave train.recipe.augment out"
    (moved,) = foreseen(changed(train={"family": "pix2pix", **augmented}), replace(PICTURES, paired=True))
    assert moved.endswith("leave train.recipe.augment out")


@pytest.mark.tried(
    "two domains without classes, and a family that learns from these",
    "train.family = 'dtn' learns from the classes of both domains, and these tell none apart: set it to cyclegan",
)
def test_a_family_that_learns_from_the_classes_of_two_domains_needs_some(read: Callable[[str], None]) -> None:
    params = changed(train={"family": "dtn"})
    assert foreseen(params, replace(PICTURES, domains=True, classes=2)) == []
    for classes in (0, 1):
        (sentence,) = foreseen(params, replace(PICTURES, domains=True, classes=classes))
        read(sentence)


@pytest.mark.tried(
    "two domains, and a family that learns from one",
    "train.family = 'dcgan' has no use of two domains: set it to cyclegan, or ingest.domains to null, which takes "
    "all images alike",
)
def test_domains_are_refused_where_the_family_has_no_use_of_them(read: Callable[[str], None]) -> None:
    (sentence,) = foreseen(changed(train={"family": "dcgan"}), replace(PICTURES, domains=True))
    read(sentence)

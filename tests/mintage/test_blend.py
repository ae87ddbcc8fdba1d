"""Translators that leave a share of their source in what they make (`Recipe.blend`)."""

from pathlib import Path
from typing import Any

import pytest
import torch

import mintage
from mintage.dataset import Dataset, Signature
from mintage.families import resolve
from mintage.rules import refusal
from mintage.sources import untouched
from tests.mintage.test_residual import gray, one_axis, under_noise
from tests.mintage.test_source_shapes import waves

TINY: dict[str, Any] = {"width": 4, "batch_size": 16}
SHARE = 0.25


def pairs_of(family: str) -> Dataset:
    images = one_axis(waves(32)) if family == "segan" else waves(32)
    if family == "cyclegan":
        return Dataset(images, domain=["sea", "sky"] * 16)
    return Dataset(
        image=images, source=gray(images) if family == "pix2pix" else under_noise(images), rank=images.ndim - 2
    )


@pytest.mark.parametrize(
    ("family", "residual"), [("pix2pix", False), ("pix2pix", True), ("segan", True), ("cyclegan", False)]
)
def test_the_share_is_the_source_s_in_use_and_training_knows_nothing_of_it(
    family: str, residual: bool, tmp_path: Path
) -> None:
    data, folder = pairs_of(family), tmp_path / "model"
    recipe = TINY | {"residual": residual, "blend": 0.0}
    plain = mintage.train(data, family, 32, recipe, progress=False).model
    mintage.train(data, family, 32, recipe | {"blend": SHARE}, folder=folder, progress=False)
    blended = mintage.load(folder)
    weights = plain.generator.state_dict()
    assert all(torch.equal(one, weights[name]) for name, one in blended.generator.state_dict().items())
    source = data.image if data.source is None else data.source
    for to in plain.domains or (None,):
        made = (1 - SHARE) * plain.translate(source, to=to) + SHARE * untouched(source, plain.shape)
        assert torch.allclose(blended.translate(source, to=to), made, atol=1e-5)


def test_it_is_refused_where_no_source_is_an_image() -> None:
    share = {"blend": SHARE}
    assert "nothing of a source" in str(refusal(resolve("dcgan", share), Signature((1, 16, 16))))
    two_channels = Signature((3, 16, 16), source_shape=(2, 16, 16))
    assert "nothing of a source" in str(refusal(resolve("pix2pix", share), two_channels))
    assert refusal(resolve("pix2pix", share), Signature((3, 16, 16), source_shape=(1, 16, 16))) is None

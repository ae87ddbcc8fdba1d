"""`mintage.train` with a folder: what goes on from it, ends in the same bits; what is another training is refused."""

from pathlib import Path

import pytest
import torch

from mintage.dataset import Dataset
from mintage.errors import CheckpointError
from mintage.model import load
from mintage.training import train
from tests.mintage.helpers import TINY, labeled_digits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return labeled_digits()


def test_a_training_that_goes_on_ends_in_the_bits_of_one_that_did_not_stop(digits: Dataset, tmp_path: Path) -> None:
    def trained(images: int, folder: Path) -> torch.Tensor:
        made = train(digits, "modern_conditional", images, TINY, folder=folder, progress=False).model.sample(8)
        assert torch.equal(load(folder).sample(8), made)
        return made

    whole = trained(160, tmp_path / "whole")
    trained(80, tmp_path / "parts")
    assert torch.equal(trained(160, tmp_path / "parts"), whole)
    assert torch.equal(trained(160, tmp_path / "parts"), whole)  # nothing is left to do


def test_a_state_of_another_training_is_not_gone_on_from(digits: Dataset, tmp_path: Path) -> None:
    train(digits, "gan", 32, TINY, folder=tmp_path, progress=False)
    for recipe, seed in ((TINY, 1), ({**TINY, "width": 4}, 0)):
        with pytest.raises(CheckpointError, match="another training"):
            train(digits, "gan", 32, recipe, seed=seed, folder=tmp_path, progress=False)


def test_a_state_of_more_images_is_not_returned_for_fewer(digits: Dataset, tmp_path: Path) -> None:
    train(digits, "gan", 50, TINY, folder=tmp_path, progress=False)
    assert train(digits, "gan", 50, TINY, folder=tmp_path, progress=False).images == 64  # the last turn is complete
    with pytest.raises(CheckpointError, match="has seen 64 images, and this asks for 32: give images = 64"):
        train(digits, "gan", 32, TINY, folder=tmp_path, progress=False)


def test_a_state_is_not_gone_on_from_in_another_arithmetic(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mintage.devices.computes_in_bfloat16", lambda _: True)
    train(digits, "gan", 32, TINY, precision="float32", folder=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=r"trained in float32, .* in bfloat16.*: set precision to float32"):
        train(digits, "gan", 64, TINY, precision="bfloat16", folder=tmp_path, progress=False)


def test_a_variant_is_a_training_of_its_own(digits: Dataset, tmp_path: Path) -> None:
    small = {**TINY, "minibatch_stddev": 0}
    model = train(digits, "cgan", 64, small, variant="modulated", folder=tmp_path, progress=False).model
    assert model.generator.config.generator_conditioning == "batch_norm"
    again = train(digits, "cgan", 64, small, variant="modulated", folder=tmp_path, progress=False).model
    assert torch.equal(again.sample(4), model.sample(4))
    with pytest.raises(CheckpointError, match="another training"):
        train(digits, "cgan", 64, small, folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match="it has short, modulated, paper"):
        train(digits, "cgan", 64, variant="lecture", progress=False)


def test_images_of_the_same_numbers_and_other_sides_are_another_training(tmp_path: Path) -> None:
    wide = torch.rand(16, 1, 8, 16) * 2 - 1
    train(Dataset(wide), "gan", 32, TINY, folder=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match="another training"):
        train(Dataset(wide.reshape(16, 1, 16, 8)), "gan", 64, TINY, folder=tmp_path, progress=False)

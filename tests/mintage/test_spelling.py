"""Recipes with the spelling of older params are those with the American one."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mintage.dataset import Dataset
from mintage.errors import CheckpointError
from mintage.families import recipe_of
from mintage.training import train


def test_an_augmentation_by_its_older_name_is_the_same() -> None:
    assert recipe_of("gan", {"augment": ["colour", "cutout"]}) == recipe_of("gan", {"augment": ["color", "cutout"]})


def test_an_axis_by_its_older_name_is_the_same() -> None:
    assert recipe_of("ssgan", {"labelled": 0.5}) == recipe_of("ssgan", {"labeled": 0.5})


def test_what_is_unknown_in_any_spelling_is_shown_as_it_was_written() -> None:
    with pytest.raises(ValueError, match=r"recipe\.grey = 1 is not a known key"):
        recipe_of("gan", {"grey": 1})


@pytest.mark.parametrize(("first", "then"), [("color", "colour"), ("colour", "color"), ("colour", "colour")])
def test_a_training_goes_on_whichever_spelling_its_recipe_has(tmp_path: Path, first: str, then: str) -> None:
    trained(tmp_path, first)
    assert trained(tmp_path, then) == 64


def test_a_state_of_an_earlier_version_goes_on_in_the_spelling_that_it_was_begun_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("mintage.training.respelled", lambda _, recipe: recipe)
        trained(tmp_path, "colour")
    assert trained(tmp_path, "colour") == 64
    with pytest.raises(CheckpointError):
        trained(tmp_path, "cutout")


def trained(folder: Path, color: str) -> int:
    """The images seen by a training that goes on from the folder; CheckpointError if it is another one's."""
    data = Dataset(image=torch.zeros(16, 3, 8, 8))
    recipe: dict[str, Any] = {"width": 8, "latent_size": 8, "batch_size": 16, "augment": [color]}
    return train(data, "gan", images=64, recipe=recipe, folder=folder, progress=False).images

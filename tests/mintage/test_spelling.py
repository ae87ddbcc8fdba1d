"""Recipes with the spelling of older params are those with the American one."""

import pytest

from mintage.families import recipe_of


def test_an_augmentation_by_its_older_name_is_the_same() -> None:
    assert recipe_of("gan", {"augment": ["colour", "cutout"]}) == recipe_of("gan", {"augment": ["color", "cutout"]})


def test_an_axis_by_its_older_name_is_the_same() -> None:
    assert recipe_of("ssgan", {"labelled": 0.5}) == recipe_of("ssgan", {"labeled": 0.5})


def test_what_is_unknown_in_any_spelling_is_shown_as_it_was_written() -> None:
    with pytest.raises(ValueError, match=r"recipe\.grey = 1 is not a known key"):
        recipe_of("gan", {"grey": 1})

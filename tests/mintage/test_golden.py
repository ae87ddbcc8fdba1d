"""Every family's first turns, against what was pinned."""

import pytest

from mintage.families import FAMILIES
from tests.mintage.golden import arithmetic, pinned, results


def test_each_family_is_pinned() -> None:
    assert pinned()["families"].keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_makes_what_it_made_when_it_was_pinned(family: str) -> None:
    """To the bit on the same kind of processor, else but for rounding (which Adam turns into small steps)."""
    expected, found = pinned()["families"][family], results(family)
    figures = {name: found["figures"][name] for name in expected["figures"]}  # a new column is no change
    assert figures == pytest.approx(expected["figures"], rel=2e-2, abs=5e-3)
    if arithmetic() == pinned()["arithmetic"]:
        assert (found["state"], found["samples"]) == (expected["state"], expected["samples"])

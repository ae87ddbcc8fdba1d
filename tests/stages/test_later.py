"""Imports that wait: a module is loaded when it is used, and not before."""

import sys

from stages.common.later import put_off
from tests.programs import printed_by


def test_a_module_that_is_put_off_is_loaded_when_it_is_used() -> None:
    sys.modules.pop("colorsys", None)
    with put_off("colorsys"):
        import colorsys
    assert "colorsys" not in sys.modules
    assert colorsys.rgb_to_hsv(1, 1, 1) == (0, 0, 1)
    assert "colorsys" in sys.modules


def test_a_module_that_is_used_within_the_block_is_loaded_there() -> None:
    sys.modules.pop("colorsys", None)
    with put_off("colorsys"):
        from colorsys import hsv_to_rgb
    assert hsv_to_rgb(0, 0, 1) == (1, 1, 1)


def test_a_module_that_is_loaded_already_stays() -> None:
    import json

    with put_off("json"):
        assert sys.modules["json"] is json


def test_the_gate_s_library_does_without_what_it_never_uses() -> None:
    code = """
import sys
import pandas as pd
from stages.validation.checks import between
from stages.validation.judge import judge
(verdict,) = judge([between("all", "images", "mean", 0, 1)], {"images": pd.DataFrame({"key": ["a"], "mean": [0.5]})})
assert verdict.success
assert not {"scipy.stats", "altair"} & sys.modules.keys()
"""
    printed_by("-c", code)

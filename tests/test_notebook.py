"""The notebook of docs/ runs from top to bottom, and holds what a run shows."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests import notebook


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(notebook.PATH.read_text())
    return found


@pytest.fixture(scope="module")
def outputs(written: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """Of each code cell, run in an empty folder, with a tenth of the training."""
    text = json.dumps(written)
    shorter = text.replace("images=60_000", "images=6_000")
    assert shorter != text
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        return [cell["outputs"] for cell in notebook.run(json.loads(shorter))]


def kinds(outputs: list[dict[str, Any]]) -> list[list[str]]:
    return [sorted(output.get("data", {"text": None})) for output in outputs]


def test_it_runs_from_top_to_bottom_and_shows_what_it_holds(
    written: dict[str, Any], outputs: list[list[dict[str, Any]]]
) -> None:
    code = [cell for cell in written["cells"] if cell["cell_type"] == "code"]
    assert [kinds(cell["outputs"]) for cell in code] == [kinds(made) for made in outputs], "python -m tests.notebook"


def test_its_pictures_are_pictures(outputs: list[list[dict[str, Any]]]) -> None:
    pictures = [one["data"]["image/png"] for made in outputs for one in made if "image/png" in one.get("data", {})]
    assert len(pictures) == 3
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)


def test_what_it_keeps_is_loaded_again_to_the_same_bits(outputs: list[list[dict[str, Any]]]) -> None:
    assert outputs[-1][-1]["data"]["text/plain"] == ["True"]


def test_a_cell_that_fails_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(NameError, match="nowhere"):
        notebook.run({"cells": [{"cell_type": "code", "source": ["nowhere"]}]})

"""The page beside the release before: what compares, what does not, and that it never fails for it."""

import re
from pathlib import Path
from typing import Any

import pytest

from stages.common.files import read_json, write_json, write_text
from stages.reporting.previous import read_previous
from tests.stages.report_inputs import write_inputs
from tests.stages.report_pages import page

URL = "file:published/releases/0123456789abcdef0123"


def published(root: Path, url: str = URL, **changes: Any) -> Path:
    """What the report reads, and the release that was made of the same, with changed measures."""
    write_inputs(root)
    write_json(root / "published.json", {"release": "0123456789abcdef0123", "url": url})
    folder = root / "published/releases/0123456789abcdef0123"
    write_json(folder / "metrics/selection.json", read_json(root / "metrics/selection.json") | changes)
    write_json(folder / "provenance/train.json", read_json(root / "provenance/train.json"))
    return root


def section(root: Path) -> str:
    found = re.search(r'<section id="previous".*?</section>', page(root), re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def test_figures_stand_beside_those_of_the_release_before(tmp_path: Path) -> None:
    text = section(published(tmp_path, frechet_distance=19.62, conditional_accuracy=0.95))
    assert "Frechet distance 19.6 9.81 0.523 (0.401 to 0.777) 50% better" in text
    assert "Conditional accuracy 95.0% 91.2% 98.6% 3.8 points worse" in text
    assert "Kernel distance 0.0412 ± 0.0031 0.0412 ± 0.0031 −0.00021 the same" in text
    assert "other terms" not in text


def test_a_figure_that_was_not_measured_then_is_not_compared(tmp_path: Path) -> None:
    assert "Precision" not in section(published(tmp_path, precision=None, recall=0.1))


def test_what_was_measured_on_other_terms_is_said_to_be(tmp_path: Path) -> None:
    features = {"network": "inception", "sha256": "aa" * 32, "protocol": "as in clean-fid"}
    root = published(tmp_path, features=features, samples=500)
    assert "(the features, the number of samples)" in section(root)
    train = root / "published/releases/0123456789abcdef0123/provenance/train.json"
    write_json(train, read_json(train) | {"data_fingerprint": "0" * 64})
    assert "(the data, the features, the number of samples)" in section(root)


def test_a_page_made_again_after_its_own_release_compares_nothing(tmp_path: Path) -> None:
    assert "measured the same: there is nothing to compare" in section(published(tmp_path))


def test_a_release_in_a_folder_by_its_whole_address_is_found(tmp_path: Path) -> None:
    root = published(tmp_path / "a name", frechet_distance=19.62)
    folder = (root / "published/releases/0123456789abcdef0123").as_uri()
    write_json(root / "published.json", {"release": "x", "url": folder})
    assert "50% better" in section(root)


def test_a_release_out_of_reach_is_named_with_the_reason(tmp_path: Path) -> None:
    assert "without a network" in section(published(tmp_path, url="s3://bucket/releases/0123"))
    write_json(tmp_path / "published.json", {"release": "0123", "url": "file:elsewhere/releases/0123"})
    assert "not where it was published" in section(tmp_path)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"release": 1, "url": "file:x"}', "\x00"])
def test_no_receipt_or_one_that_is_none_leaves_the_page_whole(tmp_path: Path, content: str | None) -> None:
    write_inputs(tmp_path)
    if content is not None:
        write_text(tmp_path / "published.json", content)
    assert read_previous(tmp_path) is None
    assert "nothing to compare with" in section(tmp_path)

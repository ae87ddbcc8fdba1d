"""Media whose files are no pictures, with any number of sides: from a source to the shards and the gate."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from stages import media
from stages.common.params import Normalize
from stages.common.shards import read_tables
from stages.common.split import Split
from stages.ingest import ingest
from stages.media.images import Images
from stages.media.medium import Decoded, Medium, UnusableError
from stages.media.settings import require_settings
from stages.normalize import normalize
from stages.sources import RawImage, Source
from stages.validate import validate
from tests.refusals import refused
from tests.stages.source_files import ingest_params, normalize_params
from tests.stages.summary_tables import LIMITS


@dataclass(frozen=True)
class Blocks(Medium):
    """Arrays of three sides, as npy files."""

    name = "blocks"
    sides: ClassVar[tuple[str, ...]] = ("depth", "height", "width")
    lacks: ClassVar = {"picture files": "blocks are arrays", "looks": "blocks are not looked at", "spectrum": "none"}
    fits = ("resize",)

    def decode(self, content: bytes, to: Normalize, most: int) -> Decoded:
        try:
            values = np.load(io.BytesIO(content), allow_pickle=False)
        except ValueError as error:
            raise UnusableError(f"it is no array ({error})") from None
        if values.size > most:
            raise UnusableError("it is too large")
        return Decoded(values.reshape(to.shape_of(self.sides)), "npy", (1, *values.shape))


@dataclass(frozen=True)
class Strings(Blocks):
    """The same of one side."""

    name = "strings"
    sides = ("width",)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Blocks, Strings):
        monkeypatch.setitem(media.BUILT_IN, kind.name, f"{__name__}:{kind.__name__}")


def encoded(values: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def source_of(medium: Medium, contents: list[bytes]) -> Source:
    def images() -> Iterator[RawImage]:
        for number, content in enumerate(contents):
            yield RawImage(f"one-{number:03d}", f"{number}.npy", content, number % 2, None)

    return Source("made", "CC0", "here", ["even", "odd"], images(), medium=medium)


def random_samples(*shape: int, count: int = 40) -> Any:
    return np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype(np.float32)


def through(folder: Path, medium: Medium, contents: list[bytes], **settings: Any) -> dict[str, Any]:
    """Ingested and normalized; the manifest."""
    ingest(source_of(medium, contents), ingest_params(path="here"), folder / "raw", folder / "resume-ingest")
    return normalize(normalize_params(**settings), folder / "raw", folder / "normalized", folder / "resume")


@pytest.mark.parametrize(
    ("medium", "sides", "settings"),
    [(Blocks(), (2, 3, 4), {"depth": 2, "height": 3, "width": 4}), (Strings(), (24,), {"width": 24})],
)
def test_samples_of_any_number_of_sides_arrive_as_they_were(
    tmp_path: Path, medium: Medium, sides: tuple[int, ...], settings: dict[str, int]
) -> None:
    values = random_samples(*sides)
    manifest = through(tmp_path, medium, [encoded(one) for one in values], **settings)
    assert manifest["shape"] == [1, *sides]
    assert manifest["medium"] == {"name": medium.name}
    found: dict[str, Any] = {}
    for side in ("train", "holdout"):
        split = Split(tmp_path / "normalized" / side)
        assert split.shape == (1, *sides)
        found |= dict(zip(split.keys, split.images(), strict=True))
    assert np.array_equal(np.stack([found[f"one-{number:03d}"][0] for number in range(40)]), values)
    stats = pd.read_parquet(tmp_path / "normalized/stats.parquet")
    for side, size in zip(medium.sides, sides, strict=True):
        assert set(stats[side]) == set(stats[f"source_{side}"]) == {size}
    assert ("depth" in stats.columns) == ("depth" in medium.sides)
    assert stats["difference_hash"].isna().all(), "which is of pictures"


def test_the_raw_shards_keep_each_files_own_bytes_and_call_none_a_picture(tmp_path: Path) -> None:
    contents = [encoded(one) for one in random_samples(24)]
    through(tmp_path, Strings(), contents, width=24)
    [table] = read_tables(tmp_path / "raw")
    assert [row["bytes"] for row in table["image"].to_pylist()] == contents
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"]["bytes"] == {"_type": "Value", "dtype": "binary"}


def test_the_gate_judges_their_sides_and_finds_copies_across_the_split(tmp_path: Path) -> None:
    values = [encoded(one) for one in random_samples(2, 2, 2)]
    through(tmp_path, Blocks(), values, depth=2, height=2, width=2)
    limits = LIMITS.model_copy(update={"min_images": 10})
    outcome = validate(tmp_path / "normalized", limits, tmp_path / "reports", tmp_path)
    names = [verdict.name for verdict in outcome.verdicts]
    assert outcome.failed == []
    assert "The depth of every image is the manifest's" in names
    assert any("held-out images are" in name for name in names)
    assert {one["reason"] for one in outcome.not_checked} >= {"blocks are not looked at"}


def test_equal_samples_of_unlike_files_stay_on_one_side(tmp_path: Path) -> None:
    values = random_samples(2, 2, 2, count=10)
    contents = [encoded(one) for one in values] + [encoded(one.astype(np.float64)) for one in values]
    through(tmp_path, Blocks(), contents, depth=2, height=2, width=2)
    train, holdout = ({*map(bytes, Split(tmp_path / "normalized" / side).images())} for side in ("train", "holdout"))
    assert len(train) + len(holdout) == 10
    assert not train & holdout


def test_a_file_that_its_medium_cannot_use_is_counted_with_the_reason(tmp_path: Path) -> None:
    contents = [*(encoded(one) for one in random_samples(24)), b"no array", encoded(np.zeros(60_000))]
    ingest(
        source_of(Strings(), contents),
        ingest_params(path="here", max_pixels=50_000),
        tmp_path / "raw",
        tmp_path / "resume",
    )
    settings = normalize_params(width=24, max_broken=0.1)
    manifest = normalize(settings, tmp_path / "raw", tmp_path / "normalized", tmp_path / "resume")
    assert manifest["counts"]["broken"] == 2
    reasons = {one["key"]: one["reason"] for one in manifest["broken"]}
    assert reasons["one-040"].startswith("it is no array")
    assert reasons["one-041"] == "it is too large"


@pytest.mark.parametrize(
    ("medium", "settings", "code", "reason"),
    [
        (Blocks(), {}, "side-missing", "normalize.depth is null, and the sides of images are depth, height, width"),
        (Images(), {"depth": 4}, "side-superfluous", "normalize.depth = 4, and the sides of images are height, width"),
        (Blocks(), {"depth": 2, "white": 255.0}, "settings-of-pictures", "normalize.white is a setting of pictures"),
        (Blocks(), {"depth": 2, "partner": "edges"}, "settings-of-pictures", "and blocks are arrays: set it to null"),
        (Blocks(), {"depth": 2, "fit": "crop"}, "fit-of-pictures", "set it to resize"),
    ],
)
def test_settings_that_a_medium_has_not_are_refused(
    medium: Medium, settings: dict[str, Any], code: str, reason: str
) -> None:
    with refused(code, reason):
        require_settings(medium, normalize_params(**settings))


def test_what_is_no_picture_has_no_metadata_of_one_to_strip(tmp_path: Path) -> None:
    source = source_of(Strings(), [encoded(one) for one in random_samples(24)])
    with refused("settings-of-pictures", "ingest.strip_metadata is a setting of pictures, and blocks are arrays"):
        ingest(source, ingest_params(path="here", strip_metadata=True), tmp_path / "raw", tmp_path / "resume")

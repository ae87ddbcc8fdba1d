"""What older params and files say in British spelling is still read."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages.common.params import Card
from stages.common.sections import Section, validated
from stages.common.shards import shards
from stages.examples import Source
from stages.media import medium_of
from stages.media.points import Points
from stages.releases.card import completed
from stages.reporting.facts import Manifest as Reported
from stages.selection.discriminator import Training, training_of
from stages.sources.glyphs import Options as Glyphs
from stages.validation.manifest import Manifest as Validated
from tests.refusals import refused
from tests.stages.report_inputs import write_data
from tests.stages.source_files import ingested, normalize_params, normalized, write_tree


def test_values_of_older_params_mean_the_same() -> None:
    assert normalize_params(partner="grey", channels=3).partner == "gray"
    assert normalize_params(crop_position="centre").crop_position == "center"


def test_keys_of_older_params_and_examples_mean_the_same() -> None:
    assert Glyphs.model_validate({"colours": "grey"}).colors == "gray"
    assert Card.model_validate({"data_licence": "CC0-1.0"}).data_license == "CC0-1.0"
    assert Source.model_validate({"name": "digits", "licence": "MIT", "origin": "made up"}).license == "MIT"


def test_a_key_in_both_spellings_is_refused() -> None:
    with refused(
        "params-invalid",
        "ingest.options.colours = 'rgb' is the older spelling of 'colors', which is there, too: leave one out",
    ):
        validated(Glyphs, {"colours": "rgb", "colors": "gray"}, "params.yaml", "ingest.options")


def test_the_options_of_somebody_elses_source_keep_their_spelling() -> None:
    class Options(Section):
        colour: str

    assert Options.model_validate({"colour": "grey"}).colour == "grey"


def test_raw_shards_of_an_older_ingest_still_tell_the_license(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", path=str(write_tree(tmp_path / "tree", {"": 6})))
    about = {"name": "made", "licence": "CC0-1.0", "origin": "this test"}
    for path in shards(tmp_path / "raw"):
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"source": json.dumps(about)}), path)
    assert normalized(tmp_path)["source"] == {"name": "made", "license": "CC0-1.0", "origin": "this test"}


@pytest.mark.parametrize("kind", [Reported, Validated])
def test_an_older_manifest_still_tells_the_license(kind: type[Any], tmp_path: Path) -> None:
    write_data(tmp_path, None)
    facts = json.loads((tmp_path / "data/normalized/manifest.json").read_text())
    source = kind.model_validate(facts | {"source": {"name": "made", "licence": "MIT", "origin": None}}).source
    assert (source["license"] if isinstance(source, dict) else source.license) == "MIT"


def test_an_older_card_gets_the_license_of_its_images() -> None:
    text = "---\ntags:\n- gan\n---\n\nLicence of the images: not stated.\n"
    assert "\nLicense of the images: MIT.\n" in completed(text, Card(data_license="MIT"))


def test_a_training_of_an_older_version_tells_its_share_of_labels() -> None:
    made = {"params": {"seed": 3}, "recipe": {"labelled": 0.5, "batch_size": 64}}
    assert training_of(made) == Training(3, 0.5, 64)


def test_the_centers_of_points_are_read_in_either_spelling_and_written_as_older_versions_read_them() -> None:
    points = Points([[1.0]], 0.5, 4.0)
    assert "centres" in points.to_json()
    for key in ("centers", "centres"):
        assert medium_of({"medium": {"name": "points", key: [[1.0]], "std": 0.5, "scale": 4.0}}) == points

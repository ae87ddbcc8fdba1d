"""What a publisher says of a model: in the card of the release, asked for before anything is published."""

from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.check import check
from stages.common.params import Card, load_params
from stages.releases.card import completed
from stages.releases.content import gather
from tests.refusals import refused
from tests.stages.release_trees import make_tree
from tests.stages.report_inputs import write_inputs
from tests.stages.report_pages import Elements, page
from tests.stages.summary_tables import CLASSES, judged, manifest_of, valid_stats

TEXT = """---
license: "other"
license_name: "not-stated"
tags:
- gan
---

# cgan on faces

## Data

faces: 10 images. Origin: x.y. License of the images: not stated.

## Consent

Not stated.

## Intended use

Study.

## Limits

- It knows little.

## Origin

cgan
"""
SAID = Card(
    data_license="CC-BY-4.0",
    consent="Each person signed \\1.",
    intended_use="Test data. Not: faces of anyone.",
    limits="No old people.",
)


def test_each_thing_said_stands_in_its_section_and_the_license_in_the_header_too() -> None:
    text = completed(TEXT, SAID)
    header, _, body = text.removeprefix("---\n").partition("---\n")
    assert YAML(typ="safe").load(header) == {"license": "cc-by-4.0", "tags": ["gan"]}
    assert "License of the images: CC-BY-4.0.\n" in body
    assert "## Consent\n\nEach person signed \\1.\n\n## Intended use\n\nTest data. Not: faces of anyone.\n\n" in body
    assert "## Limits\n\n- It knows little.\n- No old people.\n\n## Origin\n\ncgan\n" in body
    assert completed(text, Card()) == text


def test_the_license_of_data_that_are_no_images_stands_in_the_text_too() -> None:
    text = completed(TEXT.replace("of the images", "of the sounds"), SAID)
    assert "License of the sounds: CC-BY-4.0.\n" in text


def test_a_card_of_which_nothing_is_said_stays_as_it_was() -> None:
    assert completed(TEXT, Card()) == TEXT
    assert completed("no headings", Card(consent="None is needed.")).endswith("## Consent\n\nNone is needed.\n")


def set_upload(root: Path, **values: object) -> None:
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["upload"].update(values)
    yaml.dump(params, root / "params.yaml")


def test_the_release_has_what_is_said_and_the_selected_model_stays(tmp_path: Path) -> None:
    make_tree(tmp_path)
    card = tmp_path / "models/selected/README.md"
    before = card.read_bytes()
    set_upload(tmp_path, card={"consent": "None is needed: drawings."})
    [file] = [file for file in gather(tmp_path) if file.path == "README.md"]
    assert isinstance(file.source, bytes)
    assert b"## Consent\n\nNone is needed: drawings.\n" in file.source
    assert card.read_bytes() == before


def test_the_pages_of_a_release_state_the_license_that_its_card_states(tmp_path: Path) -> None:
    make_tree(tmp_path)
    judged(tmp_path, (stats := valid_stats()), manifest_of(stats, CLASSES))
    (tmp_path / "reports/index.html").write_text(page(write_inputs(tmp_path / "run")))
    sources = licenses_of(tmp_path)
    set_upload(tmp_path, card={"data_license": "Ours & theirs"})
    assert sources == {"reports/index.html": "CC BY 4.0", "reports/validation.html": "CC0-1.0"}
    assert licenses_of(tmp_path) == dict.fromkeys(sources, "Ours & theirs")


def licenses_of(root: Path) -> dict[str, str]:
    """What each page of a release says of the license of the data."""
    pages = [file for file in gather(root) if file.path.endswith(".html")]
    contents = {
        file.path: file.source.decode() if isinstance(file.source, bytes) else file.source.read_text() for file in pages
    }
    words = {path: [one.strip() for one in Elements(content).words] for path, content in contents.items()}
    return {path: said[[one.lower() for one in said].index("license") + 1] for path, said in words.items()}


@pytest.mark.tried(
    "`upload.require_card: true` and a card that says nothing of consent",
    "params.yaml: upload.require_card is true, and upload.card says nothing of consent, limits: fill in what is null",
)
def test_where_params_ask_for_a_card_nothing_is_published_or_begun_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    make_tree(tmp_path)
    set_upload(tmp_path, require_card=True, card={"data_license": "CC0-1.0", "intended_use": "Tests."})
    with refused("card-incomplete", "consent, limits") as refusal:
        gather(tmp_path)
    read(str(refusal.value))
    monkeypatch.chdir(tmp_path)
    Path("data/source").mkdir(parents=True)
    with refused("params-do-not-fit", "upload.card says nothing of consent, limits"):
        check(load_params(), [])
    set_upload(tmp_path, publish="never")
    check(load_params(), [])
    set_upload(tmp_path, card=SAID.model_dump())
    assert gather(tmp_path)

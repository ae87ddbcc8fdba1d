"""Media: the stages ask one what they need to know, and name none; whatever is said of points is said by points."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from mintage.__main__ import COMMANDS
from stages import media
from stages.images.decode import decode
from stages.media import load, medium_of
from stages.media.images import Images
from stages.media.medium import Medium
from stages.media.points import Points
from stages.media.rolls import Rolls
from stages.media.sounds import Sounds
from stages.selection.metrics import METRICS
from stages.sources.ring import MEDIUM as RING
from stages.sources.sentences import MEDIUM as SENTENCES
from stages.sources.solids import MEDIUM as SOLIDS
from tests.refusals import refused
from tests.stages.tiny_data import ROOT

POINTS_ARE_SAID_IN = re.compile(r"stages/media/points\w*[.]py|stages/sources/(mixture|ring|grid|gaussian)[.]py")
"""The medium itself, and the sources that make points."""
OTHER_MEANINGS = {
    "stages/media/__init__.py": "entry_points|stages[.]media[.]points:Points|^points$",  # and the catalog of media
    "stages/sources/__init__.py": "entry_points",
    "stages/sources/arrays.py": "fractions (and|or) truths",  # bits
    "stages/common/pictures.py": "^truth$",  # what stands beside a translation
    "stages/selection/metrics.py": "the truth's|their truths|a truth may be|its truth|own truth",  # likewise
    "stages/selection/figures.py": "a truth beside it",
    "stages/selection/quality.py": "with the truths",
    "stages/reporting/measures.py": "^(0.0)? points ?$",  # of percent
    "stages/reporting/charts.py": "offset points",  # a unit of matplotlib
    "stages/releases/__main__.py": "(?i)point(s|) (a channel|to)",
    "stages/releases/catalog.py": "points? (to|it)",
    "stages/releases/channels.py": "point_latest|points it",
    "stages/releases/publish.py": "point_latest",
}
"""By file the phrases in which a word means another thing."""
_WORD = re.compile(
    r"(?<![A-Za-z])(truths?|points?)(?![a-z])|(Truths?|Points?)(?![a-z])|(?<![A-Za-z])(TRUTHS?|POINTS?)(?![A-Za-z])"
)


def names_a_medium(text: str) -> bool:
    """Whether one of its words does: `_OF_POINTS`, `TruthFacts`, `points` and "of 2 points", but not "checkpoints"."""
    return _WORD.search(text) is not None


def code_in(text: str) -> Iterator[str]:
    """Identifiers and strings; docstrings are comments."""
    tree = ast.parse(text)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
        fields = ("id", "attr", "arg", "name", "module", "asname")
        yield from (name for field in fields if isinstance(name := getattr(node, field, None), str))


def said_in(place: str, text: str) -> list[str]:
    """What of a file names points, or their truth, as a medium."""
    if POINTS_ARE_SAID_IN.fullmatch(place):
        return []
    said = code_in(text) if place.endswith(".py") else iter(re.findall(r"{[{%].*?[%}]}", text))
    other = re.compile(OTHER_MEANINGS.get(place, "$^"))
    return [f"{place}: {one}" for one in said if names_a_medium(other.sub("", one))]


@pytest.mark.parametrize(
    ("medium", "shape"),
    [
        (Images(), (1, 8, 8)),
        (Sounds(), (1, 64)),
        (Rolls(60, 24), (1, 16, 24)),
        (SOLIDS, (1, 8, 8, 8)),
        (RING, (1, 1, 2)),
        (SENTENCES, SENTENCES.shape),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_the_help_names_each_kind_of_file_that_samples_are_written_as(medium: Medium, shape: tuple[int, ...]) -> None:
    content, suffix = medium.encode(np.ones(shape, np.float32))
    opened = medium.to_open(content, suffix, "generated")
    assert opened is not None
    kind = {"mid": "MIDI", "txt": "text"}.get(opened[1], opened[1].upper())
    assert kind in COMMANDS["files"].text.partition(": ")[2].split(", ")


@pytest.mark.parametrize("room", ["stages", "flows"])
def test_no_stage_and_no_flow_names_points_or_their_truth(room: str) -> None:
    files = [path for path in sorted((ROOT / room).rglob("*")) if path.suffix in (".py", ".j2")]
    found = [one for path in files for one in said_in(path.relative_to(ROOT).as_posix(), path.read_text())]
    assert len(files) > 20
    assert found == []


@pytest.mark.parametrize(
    "code",
    ["points = 3", "def draw(truth=None): ...", "x.read_truth()", "import stages.media.points", "class TruthFacts: ...",
     "_OF_POINTS = ()", "kind = f'{n} points'", "known['truth']", "Known(points=True)"],
)  # fmt: skip
def test_the_search_finds_a_branch_on_points(code: str) -> None:
    assert said_in("stages/train.py", code)
    assert said_in("stages/media/points_plots.py", code) == []


@pytest.mark.parametrize("code", ["checkpoints = 3", "# of points", '"""Of points."""', "breakpoint_at = 1"])
def test_the_search_passes_over_other_words_and_comments(code: str) -> None:
    assert said_in("stages/train.py", code) == []


def test_the_search_reads_templates_too() -> None:
    assert said_in("stages/reporting/templates/samples.html.j2", "<p>{% if points %}</p>")
    assert said_in("stages/reporting/templates/samples.html.j2", "<p>10 points</p>") == []


@pytest.mark.parametrize("medium", [Images(), RING])
def test_a_medium_is_read_again_from_what_it_says_of_itself(medium: Medium) -> None:
    facts = json.loads(json.dumps({"medium": medium.to_json(), "shape": [1, 1, 2]}))
    assert medium_of(facts) == medium
    with pytest.raises(FrozenInstanceError):
        medium.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("facts", "medium"),
    [
        ({}, Images()),
        ({"truth": None}, Images()),
        ({"truth": {"centres": [[1.0]], "std": 0.5, "scale": 4.0}}, Points([[1.0]], 0.5, 4.0)),
    ],
)
def test_what_was_written_before_media_had_names_is_understood(facts: dict[str, Any], medium: Medium) -> None:
    assert medium_of(facts) == medium


@pytest.mark.parametrize(
    ("about", "code", "reason"),
    [
        ({"name": "point"}, "medium-unknown", "there is no medium 'point': did you mean 'points'?"),
        ({"name": "points", "centres": [[1.0]]}, "medium-misfit", "what is known of the medium 'points' does not fit"),
        ({"name": "images", "std": 1}, "medium-misfit", "what is known of the medium 'images' does not fit"),
    ],
)
def test_a_medium_that_nobody_brings_or_with_facts_of_another_is_refused(
    about: dict[str, Any], code: str, reason: str
) -> None:
    with refused(code, reason):
        medium_of({"medium": about})


def test_a_medium_of_ones_own_that_is_broken_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(media.BUILT_IN, "bad", "nowhere_to_be_found:Bad")
    with refused("medium-broken", "the medium 'bad' (nowhere_to_be_found:Bad) cannot be imported (ModuleNotFound"):
        medium_of({"medium": {"name": "bad"}})


@pytest.mark.parametrize("name", media.names())
def test_a_metric_needs_what_its_medium_offers_and_is_known_where_metrics_are(name: str) -> None:
    kind = load(name)
    assert {metric.needs for metric in kind.metrics.values()} == set(kind.offers)
    assert all(METRICS[one] == metric for one, metric in kind.metrics.items())


@pytest.mark.parametrize("medium", [RING, SOLIDS, SENTENCES], ids=lambda medium: medium.name)
def test_what_a_medium_is_judged_by_is_measured_of_it(medium: Medium) -> None:
    needed = {METRICS[name].needs for name in medium.judged_by}
    assert needed
    assert needed <= medium.has <= set(medium.offers)


def test_a_sentence_on_images_is_said_in_the_words_of_a_medium() -> None:
    words = load("volumes").words
    sentence = "Of images, an image repeats another image, pixel for pixel: set validate.min_images, imagery"
    assert words.said(sentence) == (
        "Of volumes, a volume repeats another volume, cell for cell: set validate.min_images, imagery"
    )
    assert Images().words.said(sentence) == sentence
    assert words.said("Images: train.images is 5") == f"{words.many.capitalize()}: train.images is 5"


@pytest.mark.parametrize(("medium", "bits"), [(Images(), 8), (RING, 32)])
def test_an_encoded_sample_is_decoded_to_as_many_bits_as_its_medium_keeps(medium: Medium, bits: int) -> None:
    sample = np.random.default_rng(0).uniform(-1, 1, medium.shape or (3, 8, 8)).astype(np.float32)
    content, _ = medium.encode(sample)
    picture = decode(content, sample.shape[0], 100).picture.astype(np.float32) / 127.5 - 1
    again = picture if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
    np.testing.assert_allclose(again.reshape(sample.shape), sample, atol=1e-6 if bits == 32 else 1 / 255)
    assert medium.exact == (bits == 32)

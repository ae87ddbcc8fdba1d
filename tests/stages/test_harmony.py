"""Chord symbols of MusicXML: a bar's chord is the one that is written, where a file writes any."""

from pathlib import Path

import pytest

from mintage.chords import ATTRIBUTES, CHORDS
from stages.media import harmony
from stages.media.scores import score_of
from stages.sources import open_source
from tests.stages.bars import MOST, RANGE, SIZE
from tests.stages.source_files import ingest_params, ingested, normalized
from tests.stages.test_notation import A, line, meter, mxl, quarters, xml

_KINDS = [
    "major", "minor", "augmented", "diminished", "dominant", "major-seventh", "minor-seventh", "diminished-seventh",
    "augmented-seventh", "half-diminished", "major-minor", "major-sixth", "minor-sixth", "dominant-ninth",
    "major-ninth", "minor-ninth", "dominant-11th", "major-11th", "minor-11th", "dominant-13th", "major-13th",
    "minor-13th", "suspended-second", "suspended-fourth", "Neapolitan", "Italian", "French", "German", "pedal",
    "power", "Tristan", "other", "none",
]  # fmt: skip
"""All of MusicXML 4.0."""


def symbol(root: str, kind: str = "major", alter: int = 0, offset: int | None = None, more: str = "") -> str:
    """A chord symbol; `offset` is in sixteenths."""
    altered = f"<root-alter>{alter}</root-alter>" if alter else ""
    later = "" if offset is None else f"<offset>{offset}</offset>"
    return (
        f"<harmony{more}><root><root-step>{root}</root-step>{altered}</root><kind text='x'>{kind}</kind>"
        f"<bass><bass-step>B</bass-step></bass><degree><degree-value>9</degree-value></degree>{later}</harmony>"
    )


def chords(content: bytes) -> list[str | None]:
    """Of each bar that is kept."""
    score = score_of(content, MOST)
    found = [score.chord_at(begin) for begin in score.bars]
    return [chord and chord.name for chord in found]


HALF = quarters(60, 60)


def test_a_symbol_holds_until_the_next_one_and_of_two_in_a_bar_the_longer_of_equal_ones_the_first() -> None:
    bars = [
        symbol("D", "minor") + A,
        A,  # still D minor
        quarters(60) + symbol("G", "dominant") + quarters(60, 60, 60),
        symbol("C") + HALF + symbol("A", "minor-seventh") + HALF,
        symbol("E") + quarters(60) + symbol("B", alter=-1) + quarters(60) + symbol("E", "major-sixth") + HALF,
        symbol("F", offset=12) + A,
    ]
    assert chords(xml(bars)) == ["Dm", "Dm", "G", "C", "E", "E"]
    assert chords(mxl(xml([*bars, A]))) == ["Dm", "Dm", "G", "C", "E", "E", "F"]
    assert chords(xml([quarters(60, 60, 60) + symbol("C", offset=-8) + quarters(60)])) == ["C"], "none before, as long"


@pytest.mark.parametrize("kind", _KINDS)
def test_a_kind_is_major_or_minor_by_its_third_where_its_fifth_is_perfect_and_else_none_of_the_24(kind: str) -> None:
    third = "m" if kind.startswith("minor") or kind == "major-minor" else ""
    plain = kind.partition("-")[0] in ("major", "minor", "dominant")
    assert chords(xml([symbol("F", kind, alter=1) + A])) == ["F#" + third if plain else None]
    assert {*_KINDS} >= harmony.MAJOR | harmony.MINOR


def test_roots_are_where_their_instrument_sounds_and_whatever_else_is_written_is_no_chord() -> None:
    clarinet = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    assert chords(xml([clarinet + symbol("C") + A, symbol("C", alter=-1) + A])) == ["Bb", "A"]
    bars = [
        symbol("C") + A,
        symbol("C", "none") + A,
        A,
        symbol("H") + A,
        "<harmony><function>V</function></harmony>" + A,
    ]
    assert chords(xml(bars)) == ["C", None, None, None, None]
    alternate = symbol("G", more=" type='alternate'")
    assert chords(xml([symbol("C") + alternate + A])) == ["C"]


def test_symbols_stand_in_any_part_and_are_played_again_with_their_bars() -> None:
    melody = [A, A, line(ending="1") + A + line("backward", "1", "stop"), line(ending="2") + A]
    symbols = [symbol("C") + A, A, symbol("F") + A, symbol("G") + A]
    assert chords(xml(melody, symbols)) == ["C", "C", "F", "C", "C", "G"]
    assert chords(xml([meter("3") + symbol("D") + quarters(60, 60, 60), meter("4") + A])) == ["D"], "of another meter"


def test_a_file_without_symbols_tells_what_it_sounds_like() -> None:
    triad = [quarters(pitch, pitch, pitch, pitch) for pitch in (57, 60, 64)]
    assert chords(xml(*[[part, part] for part in triad])) == ["Am", "Am"]
    assert chords(xml(*[[part, symbol("F") * (number == 0) + part] for number, part in enumerate(triad)])) == [
        None,
        "F",
    ]


def test_bars_without_a_chord_are_left_out_and_counted_and_a_file_of_such_alone_is_named(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / "in").mkdir(exist_ok=True)
        bars = [quarters(60, 61 + number % 5, 62 + number // 2, 64 + at) for at in range(4)]
        written = symbol("C") + bars[0], bars[1], symbol("B", "diminished") + bars[2], symbol("A", "minor") + bars[3]
        (tmp_path / f"in/{number:02d}.musicxml").write_bytes(xml([*written]))
    (tmp_path / "in/without.xml").write_bytes(xml([symbol("C", "power") + A]))
    options = {**RANGE, "chords": True}
    source = open_source(ingest_params(source="rolls", path=str(tmp_path / "in"), options=options))
    found = {image.key.partition("#")[2]: image.attributes for image in source.images}
    expected = {chord.name: chord.attributes for chord in CHORDS}
    assert [found[number] for number in ("0000", "0001", "0003")] == [expected[name] for name in ("C", "C", "Am")]
    assert "left out 13 bars whose chord symbol is none of the 24 triads, or that have none" in source.notes
    ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "in"), options=options)
    manifest = normalized(tmp_path, **SIZE, max_broken=0.5)
    assert (manifest["attributes"], [one["key"] for one in manifest["broken"]]) == ([*ATTRIBUTES], ["without.xml"])
    assert "with a chord, where those are asked for" in manifest["broken"][0]["reason"]

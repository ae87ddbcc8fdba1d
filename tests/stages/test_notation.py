"""MusicXML as bars of music: the same as of MIDI; pick-ups, repeats, parts, and files that are none or hostile."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.media.medium import UnusableError
from stages.media.notation import is_notation, written_in
from stages.media.scores import score_of
from stages.sources import open_source
from stages.sources.kinds import advice_on
from tests.stages.bars import MOST, RANGE, SIZE, bar_of, midi, pitches_in
from tests.stages.source_files import ingest_params, ingested, normalized, zipped
from tests.stages.test_source_fuzz import damaged, fuzzed

_NAMES = ("C", "C1", "D", "D1", "E", "F", "F1", "G", "G1", "A", "A1", "B")
_DIVISIONS = 4


def note(pitch: int | None, sixteenths: float, extra: str = "") -> str:
    """A note, or a rest of so many sixteenths; `extra` stands first in it."""
    if pitch is None:
        sounds = "<rest/>"
    else:
        name = _NAMES[pitch % 12]
        sharp = "<alter>1</alter>" if name[1:] else ""
        sounds = f"<pitch><step>{name[0]}</step>{sharp}<octave>{pitch // 12 - 1}</octave></pitch>"
    return f"<note>{extra}{sounds}<duration>{sixteenths:g}</duration></note>"


def meter(beats: str, kind: int = 4) -> str:
    return f"<attributes><time><beats>{beats}</beats><beat-type>{kind}</beat-type></time></attributes>"


def quarters(*pitches: int | None) -> str:
    return "".join(note(pitch, 4) for pitch in pitches)


def line(repeat: str = "", ending: str = "", kind: str = "start", **more: Any) -> str:
    said = "".join(f' {name}="{value}"' for name, value in more.items())
    inner = f'<ending number="{ending}" type="{kind}"/>' if ending else ""
    return f"<barline>{inner}{f'<repeat direction={chr(34)}{repeat}{chr(34)}{said}/>' if repeat else ''}</barline>"


def xml(*parts: list[str], root: str = "score-partwise", head: str = "") -> bytes:
    """A score of parts, each of bars."""
    begin = f"<attributes><divisions>{_DIVISIONS}</divisions></attributes>"
    written = "".join(
        f'<part id="P{number}">{"".join(f"<measure>{begin * (not at)}{bar}</measure>" for at, bar in enumerate(bars))}'
        "</part>"
        for number, bars in enumerate(parts)
    )
    return f'<?xml version="1.0"?>{head}<{root}>{written}</{root}>'.encode()


def mxl(content: bytes, name: str = "score.xml", container: bytes | None = None, more: bytes = b"") -> bytes:
    said = f'<container><rootfiles><rootfile full-path="{name}"/></rootfiles></container>'.encode()
    files = {"META-INF/container.xml": said if container is None else container, "score.xml": content}
    return zipped(files | ({"more.xml": more} if more else {}))


def begins(content: bytes) -> list[int]:
    """The first pitch of each bar that is kept."""
    pitches = pitches_in(content)
    return [pitches[begin] for begin in score_of(content, MOST).bars]


@st.composite
def pieces(draw: st.DrawFn) -> list[list[tuple[int, int | None]]]:
    """Bars in 4/4 of notes and rests, each its sixteenths and its pitch."""
    bars = []
    for _ in range(draw(st.integers(1, 4))):
        cuts = sorted(draw(st.sets(st.integers(1, 15), max_size=6)))
        lengths = [end - begin for begin, end in zip([0, *cuts], [*cuts, 16], strict=True)]
        bars.append([(length, draw(st.none() | st.integers(30, 90))) for length in lengths])
    return bars


@given(piece=pieces(), chord=st.integers(1, 12))
def test_a_piece_gives_the_same_bars_in_midi_in_musicxml_and_packed(
    piece: list[list[tuple[int, int | None]]], chord: int
) -> None:
    events, bars, now = [], [], 0
    for of_bar in piece:
        written = ""
        for sixteenths, pitch in of_bar:
            written += note(pitch, sixteenths)
            if pitch is not None:
                written += note(pitch - chord, sixteenths, "<chord/>")
                events += [(now / 4, sixteenths / 4, each) for each in (pitch, pitch - chord)]
            now += sixteenths
        bars.append(written)
    content = xml(bars)
    if not events:
        with pytest.raises(UnusableError, match="it has no notes"):
            score_of(content, MOST)
        return
    for voices in ("one", "many"):
        expected = score_of(midi(events), MOST, voices)
        for found in (score_of(content, MOST, voices), score_of(mxl(content), MOST, voices)):
            length = min(len(found.sounding), len(expected.sounding))
            assert np.array_equal(found.sounding[:length], expected.sounding[:length])
            assert not found.sounding[length:].any()
            assert found.bars == [16 * number for number in range(len(piece))]
            assert found.others == 0


def test_bars_are_those_of_the_score_a_pick_up_and_another_meter_are_counted() -> None:
    content = xml(
        [meter("4") + quarters(59), quarters(60, 62, 64, 65), meter("3") + quarters(67, 69, 71), meter("2+2"),
         quarters(72, 74, None, 76)]
    )  # fmt: skip
    score = score_of(content, MOST)
    assert (score.bars, score.others) == ([4, 32, 48], 2)
    assert begins(content) == [60, -1, 72]


A, B, C, D = (quarters(pitch, pitch, pitch, pitch) for pitch in (60, 62, 64, 65))


@pytest.mark.parametrize(
    ("bars", "played"),
    [
        ([A, B + line("backward"), C], [60, 62, 60, 62, 64]),
        ([A, line("forward") + B, C + line("backward", times=3), D], [60, 62, 64, 62, 64, 62, 64, 65]),
        ([line("forward") + A + line("backward"), line("forward") + B + line("backward")], [60, 60, 62, 62]),
        ([A, line(ending="1") + B + line("backward", "1", "stop"), line(ending="2") + C + line("", "2", "discontinue"),
          D + line("backward")], [60, 62, 60, 64, 65, 65]),
        ([line("forward") + A, line(ending="1, 2") + B + line("backward", "1, 2", "stop"),
          line(ending="3") + C + line("", "3", "stop")], [60, 62, 60, 62, 60, 64]),
        ([A, line(ending="1") + B, C + line("backward", "1", "stop"), line(ending="2") + D], [60, 62, 64, 60, 65]),
        ([A, line(ending="1") + B + line("backward", "1", "stop"), C], [60, 62, 60, 64]),
        ([A, line(ending="2") + B + line("backward", "2", "stop"), line("forward") + C], [60, 64]),
    ],
    ids=["from the start", "three times", "two", "endings", "two rounds and a third", "long", "one", "never"],
)  # fmt: skip
def test_repeats_are_played_out(bars: list[str], played: list[int]) -> None:
    assert begins(xml(bars)) == played


def test_parts_are_tracks_and_sound_where_their_instrument_does() -> None:
    clarinet = (
        "<attributes><transpose><chromatic>-2</chromatic><octave-change>1</octave-change></transpose></attributes>"
    )
    content = xml([A], [clarinet + D], ["<note><unpitched/><duration>16</duration></note>"])
    assert pitches_in(content) == [75] * 16
    assert pitches_in(content, track=1) == [60] * 16
    with pytest.raises(UnusableError, match=r"in 2 of its tracks: ingest.options.track is 3"):
        score_of(content, MOST, track=3)
    with pytest.raises(UnusableError, match="no notes but of drums"):
        score_of(xml(["<note><unpitched/><duration>16</duration></note>"]), MOST)


def test_voices_grace_notes_cues_and_ties_are_as_they_are_heard() -> None:
    bar = (
        note(72, 8) + note(71, 1, "<grace/>") + note(74, 6) + "<backup><duration>14</duration></backup>" + note(48, 6)
        + "<forward><duration>2</duration></forward>" + note(50, 8, "<cue/>") + "<harmony><root/></harmony>"
    )  # fmt: skip
    after = note(74, 4, "<tie type='stop'/>") + quarters(60, 60, 60)
    many = score_of(xml([bar, after]), MOST, "many")
    assert sorted(map(tuple, many.sounding[[0, 6, 13, 15]].nonzero()[1].reshape(-1, 1).tolist())) == [
        (48,), (72,), (72,), (74,)
    ]  # fmt: skip
    assert pitches_in(xml([bar, after])) == [72] * 8 + [74] * 6 + [-1] * 2 + [74] * 4 + [60] * 12


def test_a_score_is_found_though_its_title_broke_the_container() -> None:
    broken = b"<container><rootfiles><rootfile full-path='I'll String.xml'/></rootfiles></container>"
    assert begins(mxl(xml([A]), container=broken)) == [60]


BOMB = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'>%s]>" % "".join(  # noqa: UP031 - of braces
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 9)
).replace("&a0;", "&a;")
BROKEN: list[tuple[bytes | Callable[[], bytes], str]] = [
    (b"<html></html>", "it is XML, but no MusicXML: it begins with html"),
    (b"<score-partwise", "it is no whole XML"),
    (xml([A])[:-30], "it is no whole XML"),
    (b"\xef\xbb\xbf<\xff>", "it is no whole XML"),
    (b"<?xml version='1.0' encoding='klingon'?><a/>", "it is no whole XML"),
    (xml([A], root="score-timewise"), "save it by part"),
    (xml([]), "it has no notes"),
    (xml([quarters(None)]), "it has no notes"),
    (xml([A], head=BOMB), "entities of its own"),
    (xml([A], head="<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"), "entities of its own"),
    (xml([A]).decode().replace("?>", "?><!DOCTYPE a [<!ENTITY a 'b'>]>").encode("utf-16"), "entities of its own"),
    (xml([A.replace("<octave>4", "<octave>44")]), "none of MIDI's"),
    (xml([A.replace("<step>C", "<step>H")]), "cannot be read as MusicXML"),
    (xml([A.replace("<duration>4", "<duration>1e999999999")]), "is no number of a score"),
    (xml([A.replace("<duration>4", "<duration>999999999")]), "it is too long"),
    (xml(["<attributes><divisions>0</divisions></attributes>" + A]), "make no steps"),
    (xml([f"<attributes><divisions>{prime}</divisions></attributes>" + A for prime in (99989, 99991, 99971)]), "no"),
    (xml([meter("4", 0) + A]), "cannot be read as MusicXML"),
    (mxl(xml([A]), "other.xml"), "is a zip without"),
    (mxl(xml([A]), container=b"<container/>"), "names no score"),
    (mxl(xml([A]), container=b"<container", more=b"<score/>"), "it is no whole XML"),
    (mxl(xml([A]), container=BOMB.encode() + b"<a/>"), "entities of its own"),
    (mxl(xml([A]))[:-40], "no whole .mxl"),
    (lambda: mxl(bytes(10**8)), "unpacks to more"),
    (mxl(xml([A])).replace(b"META-INF", b"META-INN"), "it is a zip without"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "reason"), BROKEN, ids=[f"{n} {reason}" for n, (_, reason) in enumerate(BROKEN)])
def test_what_is_no_score_is_named_with_its_reason(content: bytes | Callable[[], bytes], reason: str) -> None:
    content = content if isinstance(content, bytes) else content()
    assert is_notation(content)
    with pytest.raises(UnusableError, match=reason) as found:
        score_of(content, MOST)
    assert "\n" not in str(found.value)


@fuzzed
@given(
    content=damaged(
        st.sampled_from(
            [xml([line("forward") + A, line(ending="1") + B + line("backward", "1", "stop"), C], [D]), mxl(xml([A]))]
        )
    )
)
def test_any_file_is_written_music_or_unusable(content: bytes) -> None:
    with suppress(UnusableError):
        written = written_in(content, 10**4)
        assert all(0 <= begin <= end for part in written.parts for begin, end, _ in part)
        assert sum(length for _, length in written.bars) <= 10**4


def test_a_folder_of_scores_of_all_kinds_becomes_bars_of_its_classes(tmp_path: Path) -> None:
    for number in range(12):
        folder = tmp_path / "in" / ("high", "low")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        bars = [quarters(60, 61 + number % 5, 62 + number // 2, 64 + at) for at in range(3)]
        content = xml([*bars[:2], bars[2] + line("backward")])
        name, content = [("a.musicxml", content), ("b.mxl", mxl(content)), ("c.xml", content)][number % 3]
        (folder / f"{number:02d}{name}").write_bytes(content)
    assert "set ingest.source to rolls" in advice_on(tmp_path / "in", but="folder")
    (tmp_path / "in/low/bad.mxl").write_bytes(b"PK\x03\x04")
    source = open_source(ingest_params(source="rolls", path=str(tmp_path / "in"), options=RANGE))
    found = [image for image in source.images if "#" in image.key]
    assert len(found) == 12 * 6
    assert int(bar_of(found[0])[0].argmax()) == 0
    ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "in"), options=RANGE)
    manifest = normalized(tmp_path, **SIZE, max_broken=0.5)
    assert manifest["classes"] == ["high", "low"]
    assert [one["key"] for one in manifest["broken"]] == ["low/bad.mxl"]

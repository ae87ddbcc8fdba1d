"""Sources of bars: folders and archives of MIDI files, and drawn tunes; MIDI files of any kind."""

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.midi import encode_midi
from stages.common.split import Split
from stages.media import medium_of
from stages.media.cells import npy
from stages.media.medium import UnusableError
from stages.media.rolls import STEPS, Rolls
from stages.media.scores import score_of
from stages.sources import open_source
from stages.sources.kinds import advice_on
from stages.sources.tunes import LOWEST, PITCHES, SCALES, draw_tune
from tests.refusals import refused
from tests.stages.bars import MOST, RANGE, SIZE, bar_of, midi, pitches_in, scale
from tests.stages.source_files import ingest_params, ingested, normalize_params, normalized, zip_beside, zipped
from tests.stages.test_source_fuzz import damaged, fuzzed, taken

pytest.importorskip("mido")


def write_folder(root: Path, count: int = 12) -> None:
    for number in range(count):
        folder = root / ("high", "low")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        tune = scale((72, 60)[number % 2] + number // 4, bars=3)
        (folder / f"{number:02d}.mid").write_bytes(
            midi([(beat, lasts, pitch - int(beat) % (2 + number)) for beat, lasts, pitch in tune])
        )


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_a_zip_of_midi_becomes_bars_of_its_classes_and_a_piece_stays_on_one_side(
    tmp_path: Path, packed: bool
) -> None:
    write_folder(tmp_path / "tree")
    path = zip_beside(tmp_path / "tree") if packed else tmp_path / "tree"
    table = ingested(tmp_path / "raw", source="rolls", path=str(path), options=RANGE)
    assert table.num_rows == 12 * 3
    manifest = normalized(tmp_path, **SIZE)
    assert (manifest["shape"], manifest["classes"]) == ([1, STEPS, PITCHES], ["high", "low"])
    assert medium_of(manifest) == Rolls(LOWEST, PITCHES)
    sides = [Split(tmp_path / "normalized" / side) for side in ("train", "holdout")]
    pieces = [{key.split("#")[0] for key in side.keys} for side in sides]
    assert not pieces[0] & pieces[1]
    assert len(pieces[1]) >= 1
    bar = sides[0].images()[sides[0].keys.index(next(key for key in sides[0].keys if key.endswith("#0001")))]
    assert set(np.unique(bar)) == {-1.0, 1.0}
    assert ((bar > 0).sum(-1) == 1).all(), "one voice sounds in each step"


def test_notes_begin_and_end_at_the_nearest_sixteenth_and_last_one_at_least() -> None:
    content = midi([(0, 1, 60), (1.02, 0.4, 62), (2.0, 0.01, 64), (3.2, 0.3, 65)])
    assert pitches_in(content) == [60] * 4 + [62] * 2 + [-1] * 2 + [64] + [-1] * 4 + [65] + [-1] * 2


def test_of_one_voice_the_highest_sounds_and_of_many_all_and_a_track_can_be_chosen() -> None:
    content = midi([(0, 4, 72)], [(0, 2, 60), (0, 4, 76)])
    assert pitches_in(content) == [76] * 16
    assert pitches_in(content, track=1) == [72] * 16
    many = score_of(content, MOST, "many").sounding
    assert many.sum(1).tolist() == [3] * 8 + [2] * 8
    with pytest.raises(UnusableError, match=r"in 2 of its tracks: ingest.options.track is 3"):
        score_of(content, MOST, track=3)


def test_drums_are_no_notes() -> None:
    with pytest.raises(UnusableError, match="no notes but of drums"):
        score_of(midi(scale(), channel=9), MOST)


@pytest.mark.parametrize(
    ("meters", "bars", "others"),
    [
        ((), [0, 16, 32], 0),
        (((0, 4, 4),), [0, 16, 32], 0),
        (((0, 2, 2),), [0, 16, 32], 0),
        (((0, 3, 4),), [], 4),
        (((0, 1, 4), (1, 4, 4)), [4, 20, 36], 1),
        (((0, 4, 4), (4, 3, 4), (10, 4, 4)), [0, 40], 2),
        (((0, 4, 4), (6, 4, 4)), [0, 24, 40], 1),
    ],
    ids=["none", "4/4", "2/2", "3/4", "a pick-up", "a change and back", "cut short"],
)
def test_bars_are_cut_by_the_meter_and_those_of_another_are_counted(
    meters: tuple[tuple[float, int, int], ...], bars: list[int], others: int
) -> None:
    score = score_of(midi(scale(bars=3), meters=meters), MOST)
    assert (score.bars, score.others) == (bars, others)
    assert len(score.sounding) >= max([48, *[begin + STEPS for begin in bars]])


def test_a_piece_is_moved_by_octaves_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    low = [(beat, 1, 36 + beat % 12) for beat in range(16)]
    (tmp_path / "tree/low.mid").write_bytes(midi(low))
    (tmp_path / "tree/wide.mid").write_bytes(midi([*scale(60, 1), (4, 1, 100), (8, 1, 60), (12, 4, 30)]))
    (tmp_path / "tree/gap.mid").write_bytes(midi([(0, 4, 60), (8, 4, 62)], meters=((0, 4, 4), (12, 3, 4), (15, 4, 4))))
    options = {"lowest": 60, "pitches": 12}
    source = open_source(ingest_params(source="rolls", path=str(tmp_path / "tree"), options=options))
    images = [*source.images]
    assert [image.key for image in images if image.key.startswith("wide")] == ["wide.mid#0000", "wide.mid#0002"]
    assert [image.key for image in images if image.key.startswith("gap")] == ["gap.mid#0000", "gap.mid#0002"]
    lows = [bar_of(image) for image in images if image.key.startswith("low")]
    assert [int(one[0].argmax()) for one in lows] == [0, 4, 8, 0]
    assert source.notes == [
        "left out 1 bar without notes",
        "left out 2 bars with notes outside 60 to 71 (ingest.options.lowest and pitches)",
    ]


BROKEN: list[tuple[Callable[[], bytes], str]] = [
    (lambda: b"", "it is empty"),
    (lambda: b"X:1\nK:C\nCDEF|", "it is no MIDI file and no MusicXML"),
    (lambda: midi(scale())[:60], "it cannot be read as MIDI"),
    (lambda: midi(scale())[:18], "it cannot be read as MIDI"),
    (lambda: midi([]), "it has no notes"),
    (lambda: midi([(0, 10_000, 60)]), "40000 steps long: its steps by 128 pitches are over"),
    (lambda: b"MThd" + struct.pack(">IHHh", 6, 0, 0, -7640), "it counts in seconds"),
    (lambda: b"MThd" + struct.pack(">IHHh", 6, 2, 0, 96), "its tracks are pieces of their own"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_what_is_no_music_is_named_with_its_reason(content: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        score_of(content(), MOST)


def test_broken_files_and_those_without_a_bar_are_left_out_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "tree", 20)
    (tmp_path / "tree/low/bad.mid").write_bytes(b"MThd....")
    (tmp_path / "tree/low/waltz.mid").write_bytes(midi(scale(), meters=((0, 3, 4),)))
    (tmp_path / "tree/low/cut.mid").write_bytes(midi(scale())[:70])
    ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "tree"), options=RANGE)
    broken = {one["key"]: one["reason"] for one in normalized(tmp_path, **SIZE, max_broken=0.5)["broken"]}
    assert [*broken] == ["low/bad.mid", "low/cut.mid", "low/waltz.mid"]
    assert "no bar of 16 sixteenths" in broken["low/waltz.mid"]


def test_without_mido_it_is_one_sentence_which_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "tree", 2)
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None)
    with refused("rolls-need-mido", "pip install -c requirements/constraints.txt -r requirements/music.txt"):
        ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "tree"))


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"width": 48}, "medium-resized", "set normalize.channels to 1, height to 16, width to 24"),
        ({"length": 64}, "side-superfluous", "the sides of bars are height, width"),
        ({"black": 0.0}, "medium-rescaled", "bars have a scale of their own"),
        ({"partner": "edges"}, "settings-of-pictures", "bars are cut from scores"),
    ],
)
def test_settings_that_no_bar_has_are_refused(tmp_path: Path, changes: dict[str, Any], code: str, reason: str) -> None:
    ingested(tmp_path / "raw", source="tunes", path="drawn", options={"tunes": 6})
    with refused(code, reason):
        normalized(tmp_path, **SIZE | changes)


def test_a_folder_of_midi_is_told_apart_and_an_empty_one_says_what_they_are_known_by(tmp_path: Path) -> None:
    write_folder(tmp_path / "tree", 2)
    assert "set ingest.source to rolls" in advice_on(tmp_path / "tree", but="folder")
    (tmp_path / "none").mkdir()
    with refused("source-without-images", "holds no bars (known by .mid .midi .musicxml .mxl .xml)"):
        ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "none"))
    with refused("source-missing", "set ingest.path to a folder or an archive of scores"):
        ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "nowhere"))
    with refused("params-invalid", "lowest + pitches is over 128"):
        ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "tree"), options={"lowest": 100})


ARCHIVE = zipped({f"{number % 2}/{number}.mid": midi(scale(60 + number)) for number in range(3)})


@fuzzed
@given(content=damaged(st.just(ARCHIVE)))
def test_any_bytes_are_bars_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input").write_bytes(content)
    taken(tmp_path, "rolls")


@fuzzed
@given(
    content=damaged(
        st.sampled_from([midi(scale(), [(1, 2, 50)], meters=((0, 3, 8), (2, 4, 4))), encode_midi(draw_tune(1, 0, 0))])
    ),
    voices=st.sampled_from(["one", "many"]),
)
def test_any_file_is_a_score_or_unusable(content: bytes, voices: Any) -> None:
    with suppress(UnusableError):
        score = score_of(content, 10**5, voices)
        assert score.sounding.size <= 10**5 + 128 * STEPS
        assert score.sounding.any()
        assert all(0 <= begin <= len(score.sounding) - STEPS for begin in score.bars)


def test_a_bar_of_another_shape_or_kind_is_unusable() -> None:
    for values in (np.zeros((16, 12), np.bool_), np.zeros((16, 24), np.uint8)):
        with pytest.raises(UnusableError, match="a bar is bits of 16 steps"):
            Rolls(60, 24).decode(npy(values), normalize_params(**SIZE), MOST)


@pytest.mark.parametrize("number", range(6))
def test_a_tune_is_the_same_each_time_and_in_its_scale(number: int) -> None:
    tune = draw_tune(4, 0, number)
    assert tune.shape == (64, PITCHES)
    assert np.array_equal(tune, draw_tune(4, 0, number))
    assert not np.array_equal(tune, draw_tune(4, 1, number))
    assert (tune.sum(1) <= 1).all()
    assert {*(tune.nonzero()[1] % 12)} <= {*[*SCALES.values()][number % len(SCALES)]}


def test_bars_that_come_back_in_other_pieces_tie_no_pieces_together(tmp_path: Path) -> None:
    for number in range(60):
        own = [(4 + beat, 1, 60 + (number + beat * (1 + number // 12)) % 12) for beat in range(4)]
        (tmp_path / "tree").mkdir(exist_ok=True)
        (tmp_path / f"tree/{number:02d}.mid").write_bytes(midi([(0, 4, 60), *own]))
    ingested(tmp_path / "raw", source="rolls", path=str(tmp_path / "tree"), options=RANGE)
    manifest = normalized(tmp_path, **SIZE)
    assert manifest["counts"]["holdout"] == pytest.approx(0.2 * 120, abs=2)
    sides = [{key.split("#")[0] for key in Split(tmp_path / "normalized" / side).keys} for side in ("train", "holdout")]
    assert not sides[0] & sides[1]
    normalized(tmp_path, **SIZE, split_seed=1)
    assert {key.split("#")[0] for key in Split(tmp_path / "normalized/holdout").keys} != sides[1]


def test_tunes_keep_their_bars_together_and_have_the_classes_of_their_scales(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="tunes", path="drawn", options={"tunes": 60, "bars": 2})
    manifest = normalized(tmp_path, **SIZE)
    assert manifest["classes"] == list(SCALES)
    sides = [Split(tmp_path / "normalized" / side) for side in ("train", "holdout")]
    assert sum(len(side) for side in sides) == 120
    tunes = [{key.split("#")[0] for key in side.keys} for side in sides]
    assert not tunes[0] & tunes[1]

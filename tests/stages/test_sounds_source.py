"""Sources of sounds: folders and archives of files, whole or in windows, and drawn tones."""

import io
import math
import struct
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.waves import encode_wav
from stages.common.errors import UserError
from stages.common.split import Split
from stages.media import medium_of
from stages.media.medium import UnusableError
from stages.media.recordings import samples_of
from stages.media.sounds import Sounds
from stages.sources import open_source
from stages.sources.kinds import advice_on
from stages.sources.tones import RATE, TONES, draw_tone
from tests.refusals import refused
from tests.stages.source_files import ingest_params, ingested, normalize_params, normalized, zip_beside, zipped
from tests.stages.test_source_fuzz import damaged, fuzzed, taken

SIZE: dict[str, Any] = {"length": 400, "fit": "crop"}
MOST = 10**6


def tone(hertz: float, rate: int = 8000, seconds: float = 0.1, channels: int = 1) -> npt.NDArray[np.float64]:
    return np.tile(0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate), (channels, 1))


def write_folder(root: Path, count: int = 12, seconds: float = 0.1) -> None:
    for number in range(count):
        folder = root / ("high", "low")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        sound = tone((1000, 200)[number % 2] + 7 * number, seconds=seconds)
        (folder / f"{number:03d}.wav").write_bytes(encode_wav(sound, 8000))


def decoded(content: bytes, **changes: Any) -> npt.NDArray[np.float32]:
    return Sounds(8000).decode(content, normalize_params(**SIZE | changes), MOST).values


def by_soundfile(sound: npt.NDArray[np.float64], **kind: str) -> bytes:
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, sound.T, 8000, **kind)
    return file.getvalue()


def test_both_sides_of_a_stereo_sound_are_kept_where_two_channels_are_asked_for() -> None:
    sides = np.concatenate([tone(300, rate=4000), tone(500, rate=4000)])
    both, mixed = (decoded(encode_wav(sides, 4000), channels=count) for count in (2, 1))
    assert (both.shape, mixed.shape) == ((2, 400), (1, 400))
    assert np.abs(both.mean(0) - mixed[0]).max() < 1e-4
    assert abs(float(both[0] @ both[1])) < 0.1 * float(both[0] @ both[0])
    alone = decoded(encode_wav(tone(300), 8000), channels=2)
    assert np.array_equal(alone[0], alone[1])
    with pytest.raises(UnusableError, match="it has 6 channels: mix it to stereo"):
        decoded(encode_wav(tone(300, channels=6), 8000), channels=2)


def test_stereo_files_of_the_rate_that_is_asked_for_go_through_normalize_with_their_samples(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sounds = {f"{number:02d}.wav": random.uniform(-0.9, 0.9, (2, 400)) for number in range(12)}
    (tmp_path / "tree").mkdir()
    for name, sound in sounds.items():
        (tmp_path / "tree" / name).write_bytes(encode_wav(sound, 8000))
    ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"))
    assert normalized(tmp_path, **SIZE, channels=2)["shape"] == [2, 400]
    splits = [Split(tmp_path / "normalized" / side) for side in ("train", "holdout")]
    found = {key: image for split in splits for key, image in zip(split.keys, split.images(), strict=True)}
    assert found.keys() == sounds.keys()
    assert max(np.abs(found[name] - sound).max() for name, sound in sounds.items()) < 2 / 2**15


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_a_zip_of_sounds_is_read_in_all_its_classes(tmp_path: Path, packed: bool) -> None:
    write_folder(tmp_path / "tree")
    path = zip_beside(tmp_path / "tree") if packed else tmp_path / "tree"
    table = ingested(tmp_path / "raw", source="sounds", path=str(path))
    for row in table.to_pylist():
        assert row["image"]["bytes"] == (tmp_path / "tree" / row["key"]).read_bytes()
    manifest = normalized(tmp_path, **SIZE)
    assert (manifest["shape"], manifest["classes"]) == ([1, 400], ["high", "low"])
    assert medium_of(manifest) == Sounds(8000)


def test_windows_of_a_file_are_parts_of_it_and_stay_on_one_side(tmp_path: Path) -> None:
    write_folder(tmp_path / "tree", count=10, seconds=1.0)
    (tmp_path / "tree/low/short.wav").write_bytes(encode_wav(tone(200, seconds=0.05), 8000))
    options = {"seconds": 0.2, "overlap": 0.5}
    table = ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"), options=options)
    rows = table.to_pylist()
    assert len(rows) == 10 * 9
    first = [samples_of(row["image"]["bytes"], MOST)[0][0] for row in rows[:3]]
    assert all(len(one) == 1600 for one in first)
    assert np.array_equal(first[0][800:], first[1][:800])
    normalized(tmp_path, length=1600, fit="crop")
    sides = [{key.split("#")[0] for key in Split(tmp_path / "normalized" / side).keys} for side in ("train", "holdout")]
    assert not sides[0] & sides[1]
    assert len(sides[1]) >= 1
    source = open_source(ingest_params(source="sounds", path=str(tmp_path / "tree"), options=options))
    assert len([*source.images]) == 90
    assert source.notes == ["left out 1 file that is shorter than a window (ingest.options.seconds)"]


def test_channels_are_mixed_and_another_rate_is_brought_to_the_asked_one() -> None:
    both = np.concatenate([tone(300), tone(300) * 0])
    assert np.abs(decoded(encode_wav(both, 8000)) - tone(300)[:, 200:600] / 2).max() < 1e-3
    fast = decoded(encode_wav(tone(300, 44_100), 44_100), fit="crop", length=800)
    assert np.abs(fast - tone(300))[:, 100:-100].max() < 2e-3
    with pytest.raises(UnusableError, match=r"4000 samples a second, fewer than 8000"):
        decoded(encode_wav(tone(300, 4000), 4000), upscale="refuse")
    assert decoded(encode_wav(tone(300, 4000), 4000)).shape == (1, 400)


def test_a_longer_sound_gives_its_middle_or_is_refused_and_behind_a_shorter_one_is_silence() -> None:
    whole = encode_wav(tone(300), 8000)
    assert np.abs(decoded(whole) - tone(300)[:, 200:600]).max() < 1e-4
    with pytest.raises(UnusableError, match="800 samples long at 8000 Hz, more than"):
        decoded(whole, fit="pad")
    longer = decoded(whole, fit="pad", length=1000)
    assert np.abs(longer[:, :800] - tone(300)).max() < 1e-4
    assert not longer[:, 800:].any()


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ({"format": "FLAC"}, 1e-4),
        ({"format": "OGG"}, 0.1),
        ({"format": "MP3"}, 0.6),
        ({"format": "WAV", "subtype": "FLOAT"}, 1e-6),
    ],
    ids=str,
)
def test_what_the_standard_library_does_not_read_soundfile_does(kind: dict[str, str], loss: float) -> None:
    samples, rate, _ = samples_of(by_soundfile(tone(300, seconds=0.5), **kind), MOST)
    assert rate == 8000
    length = min(samples.shape[1], 4000)
    assert abs(samples.shape[1] - 4000) < 2500  # MP3 has frames before and behind
    if loss < 0.5:
        assert np.abs(samples[:, :length] - tone(300, seconds=0.5)[:, :length]).max() < loss


def test_without_soundfile_it_is_one_sentence_which_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    content = by_soundfile(tone(300), format="FLAC")
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None)
    with refused("sounds-need-soundfile", "pip install -c requirements/constraints.txt -r requirements/sounds.txt"):
        samples_of(content, MOST)


BROKEN: list[tuple[Callable[[], bytes], str]] = [
    (lambda: b"", "it is empty"),
    (lambda: b"GIF89a", "it is neither WAV nor FLAC, OGG or MP3"),
    (lambda: encode_wav(tone(300), 8000)[:-100], "it is cut off"),
    (lambda: encode_wav(tone(300), 8000)[:44], "it is cut off|it has 0 samples"),
    (lambda: encode_wav(tone(300), 8000)[:30], "it is no WAV file"),
    (lambda: encode_wav(tone(300, seconds=200), 8000), "it says it has 1600000 samples, over"),
    (lambda: by_soundfile(4 * tone(300), format="WAV", subtype="FLOAT"), "it goes to 2, beyond 1"),
    (lambda: by_soundfile(tone(300) * math.nan, format="WAV", subtype="FLOAT"), "not finite"),
    (lambda: by_soundfile(tone(300, seconds=150), format="FLAC"), "it says it has 1200000 samples, over"),
    (lambda: bool(pytest.importorskip("soundfile")) * (b"fLaC" + bytes(40)), "it cannot be read"),
]


@pytest.mark.parametrize(("content", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_what_is_no_sound_is_named_with_its_reason(content: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        samples_of(content(), MOST)


def test_a_header_that_says_no_samples_is_refused() -> None:
    content = bytearray(encode_wav(tone(300), 8000)[:44])
    content[40:44] = struct.pack("<I", 0)
    with pytest.raises(UnusableError, match="it has 0 samples"):
        samples_of(bytes(content), MOST)


def test_a_broken_file_among_sounds_is_left_out_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "tree", count=20)
    (tmp_path / "tree/low/bad.wav").write_bytes(b"RIFF....")
    for options in ({}, {"seconds": 0.05}):
        ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"), options=options)
        manifest = normalized(tmp_path, **SIZE | {"max_broken": 0.5})
        assert [one["key"] for one in manifest["broken"]] == ["low/bad.wav"]


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"length": None}, "side-missing", "normalize.length is null"),
        ({"depth": 8}, "side-superfluous", "the sides of sounds are length"),
        ({"fit": "resize"}, "fit-of-pictures", "set it to crop or pad"),
        ({"black": 0.0}, "settings-of-pictures", "sounds are WAV, FLAC, OGG or MP3"),
        ({"channels": 3}, "channels-unsuitable", "sounds have 1 or 2"),
    ],
)
def test_settings_that_no_sound_has_are_refused(
    tmp_path: Path, changes: dict[str, Any], code: str, reason: str
) -> None:
    write_folder(tmp_path / "tree", 4)
    ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"))
    with refused(code, reason):
        normalized(tmp_path, **SIZE | changes)


def test_a_folder_of_sounds_is_told_apart_and_an_empty_one_says_what_they_are_known_by(tmp_path: Path) -> None:
    write_folder(tmp_path / "tree", 2)
    assert "set ingest.source to sounds" in advice_on(tmp_path / "tree", but="folder")
    (tmp_path / "none").mkdir()
    with refused("source-without-images", "holds no sounds (known by .flac .mp3 .oga .ogg .wav .wave)"):
        ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "none"))
    with refused("source-missing", "set ingest.path to a folder or an archive of sounds"):
        ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "nowhere"))
    with refused("source-without-images", "tree/a holds no sounds"):
        pairs = {"by": "name", "folders": ["a", "b"]}
        ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"), pairs=pairs)


ARCHIVE = zipped({f"{number % 2}/{number}.wav": encode_wav(tone(300, seconds=0.01), 8000) for number in range(3)})


@fuzzed
@given(content=damaged(st.just(ARCHIVE)), windows=st.booleans())
def test_any_bytes_are_sounds_or_one_sentence(tmp_path: Path, content: bytes, windows: bool) -> None:
    (tmp_path / "input").write_bytes(content)
    taken(tmp_path, "sounds", options={"seconds": 0.002} if windows else {})


STARTS = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb")
REFUSED = (UnusableError,) if find_spec("soundfile") else (UnusableError, UserError)
"""The second asks for soundfile."""


@fuzzed
@given(content=damaged(st.sampled_from([encode_wav(tone(300, seconds=0.01, channels=2), 8000), *STARTS])))
def test_any_file_is_a_sound_or_unusable(content: bytes) -> None:
    with suppress(*REFUSED):
        samples, rate, kind = samples_of(content, 10_000)
        assert samples.size <= 10_000
        assert np.abs(samples).max() <= 1
        assert rate > 0
        assert kind


@pytest.mark.parametrize("number", range(2 * len(TONES)))
def test_a_tone_is_the_same_each_time_and_within_its_range(number: int) -> None:
    sound = draw_tone(1024, 0, number)
    assert np.array_equal(sound, draw_tone(1024, 0, number))
    assert not np.array_equal(sound, draw_tone(1024, 1, number))
    assert 0.2 < np.abs(sound).max() <= 1
    assert abs(draw_tone(1024, 0, number, None)[0]) < 0.05


def test_a_tone_is_as_many_decibels_as_asked_for_above_noise_of_equal_power_in_each_octave() -> None:
    noises, levels = [], set()
    for number in range(40):
        alone, heard = (draw_tone(1024, 0, number, background) for background in (None, [25.0, 30.0]))
        noise = heard - alone
        noises.append(noise / np.sqrt(np.square(noise).mean()))
        levels.add(round(10 * np.log10(np.square(alone).sum() / np.square(noise).sum()), 1))
    assert levels == {25, 30}
    power = np.square(np.abs(np.fft.rfft(noises))).mean(0)
    octaves = [power[begin : 2 * begin].sum() for begin in (8, 32, 128)]
    assert max(octaves) < 1.3 * min(octaves)


def test_each_kind_of_tone_is_what_it_is_called() -> None:
    def highest(sound: npt.NDArray[np.float64]) -> float:
        return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**15)).argmax() * RATE / 2**15)

    kinds = list(TONES)
    for number in range(0, 40):
        sound = draw_tone(2048, 0, number)
        begin, end = highest(sound[:512]), highest(sound[-512:])
        if kinds[number % len(kinds)] == "rising":
            assert end > 1.3 * begin
        if kinds[number % len(kinds)] == "falling":
            assert end < 0.8 * begin
        if kinds[number % len(kinds)] == "pure":
            assert end == pytest.approx(begin, rel=0.02)

"""Pairs of sounds: two folders, or a sound and itself under noise; at the same moment of both, always."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import mintage
from mintage.waves import FULL, decode_wav, encode_wav, mixed
from stages.common.files import write_json
from stages.common.foresight import Known, require_fit
from stages.common.shards import ShardReader
from stages.media.images import Images
from stages.media.sounds import Sounds
from stages.sources.tones import draw_tone
from tests.refusals import refused
from tests.stages.forked import try_stage_in
from tests.stages.source_files import ingested, normalized
from tests.stages.tiny_data import write_params

RATE = 8000
Sound = npt.NDArray[np.float64]


def tone(hertz: float, length: int = 1600, loudness: float = 0.4) -> Sound:
    sound: Sound = loudness * np.sin(2 * np.pi * hertz * np.arange(length) / RATE)[None]
    return sound


def write(path: Path, sound: Sound, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_wav(sound, rate))


def speech_and_noise(root: Path, count: int = 12) -> Path:
    """Tones from 200 Hz on; to train on under noise at 2 kHz, held out under noise at 3 kHz."""
    for side, hertz in (("train", 2000), ("test", 3000)):
        write(root / f"noise/{side}/hum.wav", tone(hertz, 500))
        for number in range(count):
            write(root / side / f"{number:02d}.wav", tone(200 + 10 * number))
    return root


def pairs(folder: Path, side: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    reader = ShardReader(folder / "normalized" / side)
    both = [(reader.images(block), reader.images(block, "partner")) for block in reader.blocks]
    clean, noisy = (np.concatenate(each) for each in zip(*both, strict=True))
    return clean, noisy


def decibels(clean: npt.NDArray[Any], noisy: npt.NDArray[Any]) -> npt.NDArray[Any]:
    power = np.square(clean).sum((1, 2)) / np.square(noisy - clean).sum((1, 2))
    found: npt.NDArray[Any] = 10 * np.log10(power)
    return found


def test_a_sound_under_noise_is_so_many_decibels_above_it_and_never_beyond_the_range() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 1600))
    for wanted in (-5.0, 0.0, 12.0):
        clean, noisy = mixed(tone(300).astype(np.float32), noise.astype(np.float32), wanted)
        assert decibels(clean[None], noisy[None])[0] == pytest.approx(wanted, abs=1e-3)
        assert abs(noisy).max() <= 1
    silent, same = mixed(np.zeros((1, 8), np.float32), noise[:, :8].astype(np.float32), 0.0)
    assert not silent.any()
    assert not same.any()


def test_each_sound_gets_itself_under_noise_of_its_own_side_at_the_asked_levels(tmp_path: Path) -> None:
    speech_and_noise(tmp_path / "tree")
    options = {"noise": "noise", "decibels": [0, 10]}
    table = ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"), options=options)
    assert len(table) == 24
    manifest = normalized(tmp_path, length=1600, fit="crop")
    assert (manifest["partner"], manifest["partner_shape"]) == ("its own", [1, 1600])
    for side, hertz in (("train", 2000), ("holdout", 3000)):
        clean, noisy = pairs(tmp_path, side)
        levels = decibels(clean, noisy)
        assert np.abs(levels[:, None] - [0, 10]).min(1).max() < 0.1
        assert levels.max() - levels.min() > 9, "both levels are drawn"
        spectrum = np.abs(np.fft.rfft(noisy - clean)).mean((0, 1))
        assert abs(spectrum.argmax() * RATE / 1600 - hertz) < 20


def test_the_seed_decides_the_noise_and_nothing_else_does(tmp_path: Path) -> None:
    tree = speech_and_noise(tmp_path / "tree", count=3)
    kept = []
    for number, seed in enumerate((0, 0, 1)):
        options = {"noise": "noise", "noise_seed": seed}
        table = ingested(tmp_path / f"raw{number}", source="sounds", path=str(tree), options=options)
        kept.append([row["partner"]["bytes"] for row in table.to_pylist()])
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]


def test_windows_are_cut_at_the_same_places_of_both(tmp_path: Path) -> None:
    tree = speech_and_noise(tmp_path / "tree", count=4)
    options = {"noise": "noise", "decibels": [5], "seconds": 0.05}
    table = ingested(tmp_path / "raw", source="sounds", path=str(tree), options=options)
    assert len(table) == 2 * 4 * 4
    normalized(tmp_path, length=400, fit="crop")
    clean, noisy = pairs(tmp_path, "train")
    spectrum = np.abs(np.fft.rfft(noisy - clean))[:, 0]
    assert set(spectrum.argmax(1) * RATE // 400) == {2000}, "what differs is the noise alone"


def test_two_folders_are_pairs_by_name_whatever_the_format(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path / f"tree/clean/{number}.wav", tone(200 + number))
        write(tmp_path / f"tree/noisy/{number}.WAV", tone(200 + number, loudness=0.1))
    by_name = {"by": "name", "folders": ["clean", "noisy"]}
    ingested(tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"), pairs=by_name)
    normalized(tmp_path, length=1600, fit="crop")
    clean, noisy = pairs(tmp_path, "train")
    assert np.abs(clean - 4 * noisy).max() < 1e-3
    (tmp_path / "tree/noisy/3.WAV").unlink()
    with refused("partner-missing", "3.wav has no partner"):
        ingested(tmp_path / "raw2", source="sounds", path=str(tmp_path / "tree"), pairs=by_name)


def test_drawn_tones_have_themselves_under_noise_as_partners_where_that_is_asked_for(tmp_path: Path) -> None:
    options = {"sounds": 40, "length": 1600, "decibels": [0, 10]}
    table = ingested(tmp_path / "raw", source="tones", path="data/source", options=options)
    assert len({row["partner"]["bytes"] for row in table.to_pylist()}) == 40
    normalized(tmp_path, length=1600, fit="crop")
    for side in ("train", "holdout"):
        levels = decibels(*pairs(tmp_path, side))
        assert np.abs(levels[:, None] - [0, 10]).min(1).max() < 0.1
    options = {"sounds": 40, "length": 1600, "background": None}
    alone = ingested(tmp_path / "alone", source="tones", path="data/source", options=options)
    assert "partner" not in alone.column_names
    kept = {row["key"]: row["image"]["bytes"] for row in alone.to_pylist()}
    assert np.abs(decode_wav(kept["tone-000007"])[0] - draw_tone(1600, 0, 7, None)).max() < 2 / FULL


def test_both_channels_of_both_are_mixed_into_one(tmp_path: Path) -> None:
    for number in range(6):
        both = np.concatenate([tone(200 + number), tone(900 + number)])
        write(tmp_path / f"tree/clean/{number}.wav", both)
        write(tmp_path / f"tree/noisy/{number}.wav", both / 2)
    ingested(
        tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"),
        pairs={"by": "name", "folders": ["clean", "noisy"]},
    )  # fmt: skip
    normalized(tmp_path, length=1600, fit="crop")
    clean, noisy = pairs(tmp_path, "train")
    assert clean.shape[1:] == (1, 1600)
    assert np.abs(clean - 2 * noisy).max() < 1e-3


@pytest.mark.parametrize("seconds", [None, 0.1])
def test_a_partner_of_another_length_or_rate_is_broken_and_says_so(tmp_path: Path, seconds: float | None) -> None:
    for number in range(30):
        write(tmp_path / f"tree/clean/{number}.wav", tone(200 + number))
        write(tmp_path / f"tree/noisy/{number}.wav", tone(200 + number, loudness=0.1))
    write(tmp_path / "tree/noisy/3.wav", tone(203, length=1500))
    write(tmp_path / "tree/noisy/4.wav", tone(203), rate=16_000)
    (tmp_path / "tree/noisy/5.wav").write_bytes(b"RIFF")
    ingested(
        tmp_path / "raw", source="sounds", path=str(tmp_path / "tree"), options={"seconds": seconds},
        pairs={"by": "name", "folders": ["clean", "noisy"]},
    )  # fmt: skip
    manifest = normalized(tmp_path, length=800, fit="crop", max_broken=0.5)
    assert {one["key"]: one["reason"].split(":")[0] for one in manifest["broken"]} == {
        "3.wav": "it has 1600 samples at 8000 Hz and its partner 1500 at 8000 Hz",
        "4.wav": "it has 1600 samples at 8000 Hz and its partner 1600 at 16000 Hz",
        "5.wav": "its partner",
    }


def test_noise_that_cannot_be_laid_over_anything_is_refused(tmp_path: Path) -> None:
    tree = speech_and_noise(tmp_path / "tree", count=3)

    def read(**changes: Any) -> None:
        given = {"source": "sounds", "path": str(tree), "options": {"noise": "noise"}} | changes
        ingested(tmp_path / "raw", **given)

    with refused("noise-missing", "'nois' in ingest.path", "holds no sounds to lay over"):
        read(options={"noise": "nois"})
    with refused("noise-and-pairs"):
        read(pairs={"by": "name", "folders": ["train", "test"]})
    (tree / "noise/test/hum.wav").unlink()
    with refused("noise-missing", "holds no sounds for test to lay over"):
        read()
    write(tree / "noise/test/hum.wav", np.zeros((1, 100)))
    with refused("noise-unusable", "is silent"):
        read()
    (tree / "noise/test/hum.wav").write_bytes(b"RIFFandmore")
    with refused("noise-unusable", "it is no WAV file"):
        read()


def test_a_file_that_cannot_be_read_stays_and_is_named(tmp_path: Path) -> None:
    tree = speech_and_noise(tmp_path / "tree", count=10)
    (tree / "train/03.wav").write_bytes(encode_wav(tone(300), RATE)[:-9])
    ingested(tmp_path / "raw", source="sounds", path=str(tree), options={"noise": "noise"})
    (broken,) = normalized(tmp_path, length=1600, fit="crop", max_broken=0.2)["broken"]
    assert broken["key"] == "train/03.wav"
    assert "it is cut off" in broken["reason"]


@pytest.mark.parametrize(("paired", "shape"), [(False, (1, 1024)), (True, (1, 8, 8))])
def test_only_pairs_of_sounds_are_chosen_by_how_much_of_them_is_their_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paired: bool, shape: tuple[int, ...]
) -> None:
    family = "pix2pix" if paired else "wavegan"
    write_params(tmp_path, {"train.family": family, "select.metric": "si_sdr"})
    monkeypatch.chdir(tmp_path)
    with refused("params-do-not-fit", "select.metric names 'si_sdr', which is of pairs of sounds"):
        require_fit(Known(shape, Images() if paired else Sounds(), classes=0, paired=paired, domains=False))


@pytest.mark.parametrize(
    ("family", "paired", "said"),
    [
        (
            "segan",
            False,
            "'segan' needs pairs, and your sounds have no partner: set ingest.pairs or ingest.options.noise",
        ),
        ("cyclegan", True, "'cyclegan' makes pictures, and these are sounds: set train.family to segan"),
        ("pix2pix", True, None),
        ("segan", True, None),
    ],
)
def test_a_family_and_pairs_that_do_not_fit_are_said_before_anything_is_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, paired: bool, said: str | None
) -> None:
    write_params(tmp_path, {"train.family": family})
    monkeypatch.chdir(tmp_path)
    known = Known((1, 1024), Sounds(), classes=0, paired=paired, domains=False)
    if said is None:
        require_fit(known)
    else:
        with refused("params-do-not-fit", said):
            require_fit(known)


def test_a_stereo_release_takes_both_sides_of_a_file_and_keeps_them_apart(tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).uniform(-0.5, 0.5, (32, 2, 256)).astype(np.float32)
    data = mintage.Dataset(noisy / 2, source=noisy, rank=1)
    mintage.train(data, "segan", 64, {"width": 4}, progress=False).model.save(tmp_path / "model")
    write_json(tmp_path / "model/provenance.json", {"medium": Sounds(RATE).to_json()})
    sides = np.concatenate([tone(300), tone(700)])
    write(tmp_path / "in/both.wav", sides)
    write(tmp_path / "in/one.wav", sides[:1])
    code, said = try_stage_in(tmp_path, "translate", "in", "--release", "model", "--out", "out")
    assert (code, "translated 2 sounds" in said) == (0, True), said
    made = {path.stem: decode_wav(path.read_bytes())[0] for path in (tmp_path / "out").iterdir()}
    expected = mintage.load(tmp_path / "model").translate(decode_wav(encode_wav(sides, RATE))[0][None])[0].numpy()
    assert {name: sound.shape for name, sound in made.items()} == {"both": (2, 1600), "one": (2, 1600)}
    assert np.abs(made["both"] - expected).max() < 2 / FULL

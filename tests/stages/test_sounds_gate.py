"""What the gate asks of sounds alone: it warns of clipping, of an offset and of silence, and goes on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mintage.waves import encode_wav
from stages.media.sounds import Sounds
from stages.validate import Outcome, validate
from tests.stages.source_files import ingested, normalized
from tests.stages.summary_tables import LIMITS

Spoil = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
COUNT, LENGTH = 40, 800


def tone(number: int, loudness: float = 0.5) -> npt.NDArray[np.float64]:
    sound: npt.NDArray[np.float64] = loudness * np.sin((0.2 + 0.01 * number) * np.arange(LENGTH))
    return sound


def gate(folder: Path, sounds: list[npt.NDArray[np.float64]]) -> Outcome:
    for number, sound in enumerate(sounds):
        path = folder / f"files/{number:02d}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_wav(sound[None], 8000))
    ingested(folder / "raw", source="sounds", path=str(folder / "files"))
    normalized(folder, length=LENGTH, fit="crop")
    return validate(folder / "normalized", LIMITS, folder / "reports", folder)


def test_sound_tones_meet_all_that_is_asked_of_sounds(tmp_path: Path) -> None:
    outcome = gate(tmp_path, [tone(number) for number in range(COUNT)])
    asked = [one for one in outcome.verdicts if one.column and one.column.startswith("medium_")]
    assert [one.observed for one in asked] == [0, 0, 0]
    assert not outcome.warned


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda sound: np.clip(4 * sound, -1, 1), "sounds are clipped"),
        (lambda sound: sound + 0.1, "sounds lie off the middle"),
        (lambda sound: np.where(np.arange(LENGTH) < 500, 0, sound), "sounds are silent, below a thousandth"),
    ],
)
def test_the_gate_warns_of_a_fault_and_says_how_many_have_it(spoil: Spoil, said: str, tmp_path: Path) -> None:
    outcome = gate(tmp_path, [spoil(tone(n)) if n < COUNT // 4 else tone(n) for n in range(COUNT)])
    (warning,) = outcome.warned
    assert said in warning.name
    assert warning.observed == 0.25
    assert len(warning.examples) == 10
    assert all(int(name[:2]) < 10 for name in warning.examples)
    assert not outcome.failed


def test_a_full_sine_is_loud_and_not_clipped() -> None:
    rising = np.stack([tone(number, loudness=1.0) for number in range(COUNT)]).astype(np.float32)[:, None]
    figures = Sounds().figures(rising)
    assert max(figures["clipped"]) < 0.001
    assert max(Sounds().figures(np.clip(1.5 * rising, -1, 1))["clipped"]) > 0.1

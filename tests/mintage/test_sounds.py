"""Sound: its networks, its spectrograms, its files, another rate."""

import io
import math
import wave
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import mintage
from mintage.dataset import Dataset
from mintage.evaluator import EvaluatorConfig
from mintage.families import recipe_of, resolve
from mintage.learning import build_evaluator
from mintage.model_config import model_config
from mintage.networks.parts import PhaseShuffle
from mintage.players import build_players
from mintage.randomness import stream
from mintage.rules import refusal
from mintage.sounds import mel_bands, read_wav, resampled, save_wav, spectrograms
from mintage.waves import GENERATED, encode_wav, info_of
from tests.mintage.helpers import play, tiny_trainer

LONG = {"resampling": "long"}
TINY: dict[str, object] = {
    "width": 4,
    "latent_size": 6,
    "batch_size": 8,
    "generator": {"conditioning": "concat"},
    "discriminator": {"conditioning": "projection"},
}


def tone(hertz: float, rate: int = 8000, seconds: float = 0.5) -> Tensor:
    """As loud as it can be, `[T]`."""
    return torch.sin(2 * math.pi * hertz * torch.arange(int(rate * seconds), dtype=torch.float64) / rate).float()


def noise(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=stream(0, "test")) * 2 - 1


def loudness(sound: Tensor) -> float:
    return sound.square().mean().sqrt().item()


def test_the_papers_networks_have_the_papers_sizes() -> None:
    config = model_config(recipe_of("wavegan", {}, "paper"), (1, 16_384), None)
    generator, discriminator = build_players(config, seed=0)
    shapes = [tuple(w.shape) for w in generator.state_dict().values() if w.ndim == 3]
    assert shapes == [(1024, 512, 25), (512, 256, 25), (256, 128, 25), (128, 64, 25), (64, 1, 25)]
    shapes = [tuple(w.shape) for w in discriminator.state_dict().values() if w.ndim == 3]
    assert shapes == [(64, 1, 25), (128, 64, 25), (256, 128, 25), (512, 256, 25), (1024, 512, 25)]
    assert discriminator.network.feature_size == 16 * 1024
    assert sum(isinstance(layer, PhaseShuffle) for layer in discriminator.modules()) == 4


@pytest.mark.parametrize("length", [8, 15, 16, 17, 65, 1000])
def test_sound_of_any_length_is_made_and_every_sample_is_judged(length: int) -> None:
    recipe = resolve("wavegan", {"width": 4})
    generator, discriminator = build_players(model_config(recipe, (2, length), None), seed=0)
    made = generator(noise(3, recipe.latent_size))
    assert made.shape == (3, 2, length)
    sounds = noise(3, 2, length).requires_grad_()
    discriminator.network(sounds).square().sum().backward()
    assert sounds.grad is not None
    with torch.no_grad():  # nothing is moved out of sight
        before = discriminator.network(sounds)
        for place in (0, length - 1):
            other = sounds.detach().clone()
            other[:, :, place] += 0.5
            assert (discriminator.network(other) != before).any(1).all()


def test_a_phase_shuffle_moves_maps_by_a_few_places_and_mirrors_their_ends() -> None:
    maps, shuffle = torch.arange(10.0).repeat(2, 3, 1), PhaseShuffle(2)
    moved = [shuffle(maps)[0, 0].tolist() for _ in range(100)]
    plain = [*range(10)]
    expected = [[2, 1, *plain[:8]], [1, *plain[:9]], plain, [*plain[1:], 8], [*plain[2:], 8, 7]]
    assert {tuple(one) for one in moved} == {tuple(map(float, one)) for one in expected}
    with torch.no_grad():
        assert torch.equal(shuffle(maps), maps)


def test_phases_are_shuffled_by_the_seed_and_leave_other_random_numbers_alone() -> None:
    def state(seed: int) -> dict[str, Tensor]:
        return play(tiny_trainer("wavegan", seed, shape=(1, 64)), 2).state()[0]

    before = torch.random.get_rng_state()
    first, again = state(0), state(0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    plain = play(tiny_trainer("wavegan", shape=(1, 64), discriminator={"phase_shuffle": 0}), 2).state()[0]
    assert any(not torch.equal(first[name], plain[name]) for name in plain)


def test_sound_in_long_steps_goes_on_to_the_same_bits_and_is_loaded_again(tmp_path: Path) -> None:
    data = Dataset(noise(20, 64), torch.arange(20) % 2, rank=1)
    recipe = TINY | {"batch_size": 4}
    whole = mintage.train(data, "wavegan", images=32, recipe=recipe, progress=False).model
    mintage.train(data, "wavegan", images=12, recipe=recipe, folder=tmp_path / "run", progress=False)
    resumed = mintage.train(data, "wavegan", images=32, recipe=recipe, folder=tmp_path / "run", progress=False).model
    assert torch.equal(resumed.sample(4, label="1"), whole.sample(4, label="1"))
    whole.save(tmp_path / "model")
    assert torch.equal(mintage.load(tmp_path / "model").sample(3), whole.sample(3))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"generator": LONG}, "long convolutions are of sound"),
        ({"discriminator": LONG}, "long convolutions are of sound"),
        ({"discriminator": {"phase_shuffle": 2}}, "feature maps of sound alone"),
    ],
)
def test_what_is_of_sound_is_refused_for_pictures(changes: dict[str, object], sentence: str) -> None:
    assert sentence in (refusal(resolve("dcgan", changes), Dataset(noise(4, 1, 8, 8)).signature) or "")
    assert refusal(resolve("dcgan", changes), Dataset(noise(4, 64), rank=1).signature) is None


def test_a_tone_is_a_line_at_its_height_as_bright_as_it_is_loud() -> None:
    heights = [200, 500, 1000, 2000, 3500]
    drawn = spectrograms(torch.stack([tone(hertz) for hertz in heights])[:, None])
    assert drawn.shape == (5, 1, 64, 63)
    rows = drawn[:, 0, :, 20:40].mean(-1).argmax(1).tolist()
    assert rows == sorted(rows, reverse=True)  # the lowest at the bottom
    centers = mel_bands(8000, 64).argmax(0) * 4000 / 256
    for hertz, row in zip(heights, rows, strict=True):
        assert centers[63 - row].item() == pytest.approx(hertz, rel=0.05, abs=25)
    loud, soft = (spectrograms(tone(500)[None, None] * scale).max().item() for scale in (1.0, 0.01))
    assert loud == pytest.approx(1, abs=0.15)
    assert loud - soft == pytest.approx(1, abs=1e-3)  # 40 decibels of 80
    assert (spectrograms(torch.zeros(1, 2, 300)) == -1).all()


def test_a_sound_that_begins_later_is_drawn_further_to_the_right() -> None:
    click = torch.zeros(2, 1, 4096)
    click[0, 0, 512], click[1, 0, 3072] = 1, 1
    columns = spectrograms(click)[:, 0].mean(1).argmax(1)
    assert columns.tolist() == pytest.approx([512 / 64, 3072 / 64], abs=1)


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
@pytest.mark.parametrize("bands", [32, 64])
def test_every_band_hears_something(rate: int, bands: int) -> None:
    assert torch.isfinite(mel_bands(rate, bands)).all()


def test_a_spectrogram_of_two_channels_is_of_both() -> None:
    one, two = tone(300), tone(2000)
    apart, mixed = spectrograms(torch.stack([one, two])[None]), spectrograms((one + two)[None, None] / 2**0.5)
    assert (apart - mixed)[..., 4:-4].abs().max() < 0.02


@given(st.integers(1, 3), st.integers(1, 50), st.sampled_from([8000, 44_100, 1]))
def test_a_written_sound_is_read_again_but_for_rounding(channels: int, length: int, rate: int) -> None:
    sound = noise(channels, length)
    content = encode_wav(sound.numpy(), rate, {"ISFT": "Mintage", "ICMT": "né"})
    again, found = read_wav(content)
    assert found == rate
    assert (again - sound).abs().max() < 1e-4
    assert info_of(content) == {"ISFT": "Mintage", "ICMT": "né"}


@pytest.mark.parametrize(
    ("width", "frames", "numbers"),
    [
        (1, b"\x00\x80\xff", [-1, 0, 127 / 128]),
        (2, b"\x00\x80\x00\x00\xff\x7f", [-1, 0, 32767 / 32768]),
        (3, b"\x00\x00\x80\x00\x00\x00\x00\x00\x40", [-1, 0, 0.5]),
        (4, b"\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x40", [-1, 0, 0.5]),
    ],
)
def test_samples_of_each_width_are_read(width: int, frames: bytes, numbers: list[float]) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, width, 8000, 0, "NONE", ""))
        written.writeframes(frames)
    assert read_wav(file.getvalue())[0].tolist() == [numbers]


def test_a_saved_sound_says_that_it_was_generated_and_is_cut_where_it_is_too_loud(tmp_path: Path) -> None:
    save_wav(tmp_path / "one.wav", torch.tensor([[0.0, 1.5, -1.5]]), 8000)
    content = (tmp_path / "one.wav").read_bytes()
    assert info_of(content) == GENERATED
    assert read_wav(content)[0].tolist()[0] == pytest.approx([0, 1, -1], abs=1e-4)
    with pytest.raises(ValueError, match=r"give \[C,T\]"):
        save_wav(tmp_path / "two.wav", torch.zeros(3), 8000)
    with pytest.raises(ValueError, match="not finite"):
        save_wav(tmp_path / "two.wav", torch.tensor([[float("nan")]]), 8000)


@given(st.binary(max_size=200), st.integers(0, 80), st.integers(0, 255))
def test_a_damaged_file_is_refused_in_a_sentence_or_read(tail: bytes, place: int, value: int) -> None:
    whole = bytearray(encode_wav(noise(1, 20).numpy(), 8000, GENERATED))
    whole[place] = value
    for content in (tail, bytes(whole), bytes(whole[:place]), bytes(whole[:place]) + tail):
        info_of(content)
        with suppress(ValueError):
            sound, _ = read_wav(content)
            assert sound.ndim == 2
            assert sound.abs().max() <= 1


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44_100, 8000), (22_050, 16_000), (44_099, 8000), (8000, 16_000), (16_000, 8000)]
)
def test_another_rate_keeps_a_tone_and_folds_none_back(rate: int, wanted: int) -> None:
    inner = slice(wanted // 20, -wanted // 20)
    for hertz in (100, 1000, 3500):
        made = resampled(tone(hertz, rate), rate, wanted)
        assert (made - tone(hertz, wanted))[inner].abs().max() < 4e-3
    if wanted < rate:
        for high in (0.55 * wanted, 0.49 * rate):  # they would be heard as other tones
            assert loudness(resampled(tone(high, rate), rate, wanted)[inner]) < 10 ** (-60 / 20)


@given(st.integers(1, 300), st.sampled_from([3, 8, 12, 25]), st.sampled_from([3, 8, 12, 25]))
def test_a_sound_of_another_rate_lasts_as_long(length: int, rate: int, wanted: int) -> None:
    made = resampled(noise(2, 1, length), rate, wanted)
    assert made.shape == (2, 1, math.ceil(length * wanted / rate))
    assert torch.isfinite(made).all()


def test_16_bit_samples_are_a_dataset_of_sound_and_no_picture() -> None:
    whole = torch.tensor([[-(2**15), 0, 2**14]], dtype=torch.int16)
    assert Dataset(whole, rank=1).image.tolist() == [[[-1, 0, 0.5]]]
    with pytest.raises(ValueError, match="8-bit levels"):
        Dataset(whole[None], rank=2)


@pytest.mark.parametrize("classes", [None, ("low", "high")])
def test_words_are_compared_by_their_spectrograms(classes: tuple[str, ...] | None) -> None:
    config = EvaluatorConfig((1, 4096), classes, 8)
    evaluator = build_evaluator(config, 0).eval()
    assert evaluator.view(noise(2, 1, 4096)).shape == (2, 1, 32, 32)
    sounds = noise(2, 1, 4096)
    assert torch.equal(evaluator.features(sounds), evaluator.features(-sounds))  # nobody hears the sign
    assert evaluator(sounds).shape == ((2, 2) if classes else (2, 1, 32, 32))


def test_tones_are_told_apart_and_measured_beside_their_floor() -> None:
    heights = torch.tensor([250.0, 900.0]).repeat(40)
    phases = torch.rand(80, generator=stream(0, "test")) * 2 * math.pi
    seconds = torch.arange(1024) / 8000
    sounds = torch.sin(2 * math.pi * heights[:, None] * seconds + phases[:, None]) * 0.8
    data = Dataset(sounds, (torch.arange(80) % 2), ("low", "high"), rank=1)
    model = mintage.train(data, "wavegan", images=32, recipe=TINY, progress=False).model
    table = mintage.measure(model, data, evaluator_images=8000)
    assert table["conditional_accuracy"].floor == 1
    assert table["frechet_distance"].value > table["frechet_distance"].floor

"""Sound to sound: the U-Net over time, what is measured of pairs, and sounds of any length through windows."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import mintage
from mintage.dataset import Signature
from mintage.families import resolve
from mintage.metrics.pairs import likeness, psnr, si_sdr
from mintage.model_config import model_config
from mintage.players import build_players
from mintage.rules import refusal
from mintage.windows import Windows

LENGTH = 256


def tones(count: int, length: int = LENGTH, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    pitch, phase = torch.rand(2, count, 1, generator=random)
    return 0.5 * torch.sin((0.1 + 0.2 * pitch) * torch.arange(length) + 6 * phase)[:, None]


def under_noise(sounds: Tensor, seed: int = 1) -> Tensor:
    noise = torch.randn(sounds.shape, generator=torch.Generator().manual_seed(seed))
    return (sounds + 0.15 * noise).clamp(-1, 1)


@pytest.fixture(scope="module")
def model() -> mintage.Model:
    data = mintage.Dataset(image=tones(400), source=under_noise(tones(400)), rank=1)
    recipe = {"width": 8, "ema_half_life": 200.0}
    return mintage.train(data, "segan", images=4_000, recipe=recipe, progress=False).model


def test_what_was_noise_is_taken_off_tones_that_nobody_has_heard(model: mintage.Model) -> None:
    clean = tones(64, seed=5)
    noisy = under_noise(clean, seed=6)
    made = model.translate(noisy)
    assert made.shape == clean.shape
    assert si_sdr(made, clean).mean() > si_sdr(noisy, clean).mean() + 2


@settings(deadline=None)
@given(length=st.integers(1, 300), size=st.integers(2, 64), channels=st.integers(1, 2))
def test_windows_that_stay_as_they_are_make_the_sound_again(length: int, size: int, channels: int) -> None:
    sound = torch.rand(channels, length, generator=torch.Generator().manual_seed(length)) * 2 - 1
    windows = Windows(length, size)
    cut = windows.cut(sound)
    assert cut.shape == (len(windows), channels, size)
    assert torch.allclose(windows.joined(cut), sound, atol=1e-5)


def test_windows_that_differ_meet_without_a_step() -> None:
    windows = Windows(1024, 128)
    made = [torch.full((1, 128), (-1.0) ** number) for number in range(len(windows))]
    joined = windows.joined(made)[0]
    assert joined.diff().abs().max() < 0.06, "2 in a step, were they laid side by side"


@pytest.mark.parametrize("length", [1, 100, LENGTH - 1, LENGTH + 1, 3 * LENGTH, 1000])
def test_sounds_of_any_length_are_translated_at_their_length(model: mintage.Model, length: int) -> None:
    noisy = under_noise(tones(2, length))
    made = model.translate(noisy)
    assert made.shape == (2, 1, length)
    assert torch.equal(made[:1], model.translate(noisy[:1])), "each by itself"
    if length == 3 * LENGTH:
        middle = model.translate(noisy[:, :, LENGTH : 2 * LENGTH])
        assert (made[:, :, LENGTH : 2 * LENGTH] - middle).abs().mean() < 0.05


def test_channels_that_the_model_was_not_told_of_are_refused(model: mintage.Model) -> None:
    with pytest.raises(ValueError, match="sources are"):
        model.translate(torch.zeros(2, 2, 1000))


def test_si_sdr_is_the_ratio_of_powers_whatever_the_loudness() -> None:
    truth, random = tones(8, 4000), torch.Generator().manual_seed(3)
    noise = torch.randn(truth.shape, generator=random)
    truth, noise = truth - truth.mean(-1, keepdim=True), noise - noise.mean(-1, keepdim=True)
    noise -= (noise * truth).sum(-1, keepdim=True) / truth.square().sum(-1, keepdim=True) * truth
    noise *= truth.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)
    for decibels in (-10, 0, 20):
        heard = truth + 10 ** (-decibels / 20) * noise
        for loudness in (0.1, 1.0, 3.0):
            assert si_sdr(loudness * heard, truth).tolist() == pytest.approx([decibels] * 8, abs=1e-3)
    assert si_sdr(truth, truth).tolist() == [100.0] * 8
    assert si_sdr(noise, truth).tolist() == [-30.0] * 8
    assert si_sdr(noise, 0 * truth).tolist() == [-30.0] * 8, "a silent truth"


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((1, 64), {"l1", "psnr", "si_sdr"}),
        ((3, 16, 16), {"l1", "psnr", "ssim", "luminance_correlation", "chroma_error"}),
        ((1, 8, 8, 8), {"l1", "psnr"}),
    ],
)
def test_pairs_are_measured_by_what_data_of_so_many_sides_have(shape: tuple[int, ...], names: set[str]) -> None:
    images = torch.rand(4, *shape) * 2 - 1
    found = likeness(images, images)
    assert set(found) == names
    assert all(figure.shape == (4,) for figure in found.values())
    assert psnr(images, images).tolist() == [100.0] * 4


def test_measure_compares_sounds_with_their_truths_and_with_the_sources_themselves(model: mintage.Model) -> None:
    clean = tones(80, seed=7)
    data = mintage.Dataset(image=clean, source=under_noise(clean, seed=8), rank=1)
    table = mintage.measure(model, data, data, evaluator_images=256)
    assert table["si_sdr"].value > (table["si_sdr"].baseline or math.inf)
    assert table["si_sdr"].floor == 100
    assert {"ssim", "luminance_correlation"}.isdisjoint(table)


def test_noise_is_an_axis_and_reaches_the_sound() -> None:
    recipe = resolve("segan", {"width": 4, "latent_size": 8})
    config = model_config(recipe, (1, 1024), None, source_shape=(1, 1024))
    generator, _ = build_players(config, seed=0)
    source = tones(2, 1024)
    one, other = (generator(torch.full((2, 8), value), source) for value in (-3.0, 3.0))
    assert not torch.equal(one, other)


def test_the_papers_network_is_five_times_quartered_and_as_wide_as_it_says() -> None:
    recipe = resolve("segan", {}, "paper")
    config = model_config(recipe, (1, 16_384), None, source_shape=(1, 16_384))
    generator, _ = build_players(config, seed=0)
    convolutions = [layer for layer in generator.modules() if isinstance(layer, torch.nn.Conv1d)]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 1024]
    assert {layer.stride for layer in convolutions} == {(4,)}
    assert config.latent_size == 1024
    assert [term.weight for term in recipe.terms] == [100], "of L1"
    assert (config.residual, config.blend) == (False, 0), "drawn anew, and nothing of the source stays"


def test_pictures_are_refused_where_layers_are_of_sound() -> None:
    recipe = resolve("segan", {})
    assert "long convolutions are of sound" in (
        refusal(recipe, Signature((1, 16, 16), None, source_shape=(1, 16, 16))) or ""
    )
    assert refusal(recipe, Signature((1, 64), None, source_shape=(1, 64))) is None
    assert "learns from pairs" in (refusal(recipe, Signature((1, 64), None)) or "")


def test_stopped_and_gone_on_it_ends_in_the_same_bits(tmp_path: Path) -> None:
    data = mintage.Dataset(image=tones(40), source=under_noise(tones(40)), rank=1)
    recipe = {"width": 4, "batch_size": 8}
    whole = mintage.train(data, "segan", images=64, recipe=recipe, progress=False).model
    mintage.train(data, "segan", images=24, recipe=recipe, folder=tmp_path / "run", progress=False)
    resumed = mintage.train(data, "segan", images=64, recipe=recipe, folder=tmp_path / "run", progress=False).model
    loaded = mintage.load(tmp_path / "run")
    noisy = under_noise(tones(3))
    assert torch.equal(whole.translate(noisy), resumed.translate(noisy))
    assert torch.equal(whole.translate(noisy), loaded.translate(noisy))

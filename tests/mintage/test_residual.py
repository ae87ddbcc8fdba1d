"""Translators that begin as their source and learn what to change of it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mintage
from mintage.dataset import Signature
from mintage.families import resolve
from mintage.frames import next_frames
from mintage.metrics.pairs import absolute_error
from mintage.rules import refusal
from mintage.sources import untouched
from mintage.terms import Play, spectrum
from tests.mintage.helpers import assert_goes_on, tiny_trainer
from tests.mintage.test_source_shapes import waves, with_hole

TINY: dict[str, Any] = {"width": 4, "batch_size": 16, "ema_half_life": 100.0, "residual": True}
AT_REST = {"generator": {"learning_rate": 1e-6}}
NOT_AT_ALL = 0.02
"""On average, after one step."""


def gray(images: Tensor) -> Tensor:
    return images.mean(1, keepdim=True)


def under_noise(images: Tensor) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(2))
    return (images + 0.3 * noise).clamp(-1, 1)


def with_a_map(images: Tensor) -> Tensor:
    return torch.cat([under_noise(images), -images, images], 1)


def one_axis(images: Tensor) -> Tensor:
    return images.flatten(1)[:, None]


def three_axes(images: Tensor) -> Tensor:
    return images[:, None, :, ::2, ::2].repeat_interleave(3, 2)[:, :, :8]


@pytest.mark.parametrize(
    ("family", "network", "form", "shown"),
    [
        ("pix2pix", "unet", Tensor.contiguous, gray),
        ("pix2pix", "unet", Tensor.contiguous, with_a_map),
        ("pix2pix", "unet", three_axes, under_noise),
        ("pix2pix", "resnet_translator", Tensor.contiguous, under_noise),
        ("segan", "unet", one_axis, under_noise),
        ("context_encoder", "unet", Tensor.contiguous, with_hole),
        ("context_encoder", "resnet_translator", Tensor.contiguous, with_hole),
    ],
)
def test_it_begins_as_its_source_brought_to_the_image_s_shape(
    family: str, network: str, form: Callable[[Tensor], Tensor], shown: Callable[[Tensor], Tensor]
) -> None:
    images = form(waves(32))
    pairs = mintage.Dataset(image=images, source=shown(images), rank=images.ndim - 2)
    recipe = TINY | {"network": network, "redrawn": False}
    model = mintage.train(pairs, family, images=1, recipe=recipe, progress=False).model
    assert pairs.source is not None
    made, source = model.translate(pairs.source), untouched(pairs.source, model.shape)
    assert made.abs().max() <= 1
    assert (made - source).abs().mean() < NOT_AT_ALL
    assert (made - source).abs().max() < 0.3


def test_a_next_frame_begins_as_the_frame_before_it() -> None:
    videos = waves(8 * 6, (1, 16, 16)).reshape(8, 6, 1, 16, 16)
    model = mintage.train(next_frames(videos, 4), "next_frame", 1, TINY, progress=False).model
    assert (model.predict(videos[:, :4])[:, 0] - videos[:, 3]).abs().mean() < NOT_AT_ALL


def test_between_domains_an_image_begins_as_itself_both_ways() -> None:
    images = waves(32)
    data = mintage.Dataset(image=images, domain=["sea", "sky"] * 16)
    model = mintage.train(data, "cyclegan", images=1, recipe=TINY | AT_REST, progress=False).model
    for domain in ("sea", "sky"):
        assert (model.translate(images, to=domain) - images).abs().mean() < NOT_AT_ALL


def test_what_nobody_could_know_of_a_source_is_learned_and_nothing_else_is_lost() -> None:
    """Colors that follow from the gray: without the axis the network draws the gray anew, too, and worse."""

    def tinted(count: int, seed: int) -> Tensor:
        light = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8
        return torch.cat([light, light * 0.6, light * 0.6 - 0.2], 1)

    images, held_out = tinted(300, 0), tinted(50, 1)
    pairs = mintage.Dataset(image=images, source=images[:, :1])
    recipe = TINY | {"pretrain_images": 1e9, "generator": {"learning_rate": 2e-3, "dropout": 0.0}}
    errors = [
        absolute_error(
            mintage.train(pairs, "pix2pix", 3_000, recipe | {"residual": residual}, progress=False)
            .model.translate(held_out[:, :1]),
            held_out,
        ).mean()
        for residual in (True, False)
    ]  # fmt: skip
    source = absolute_error(untouched(held_out[:, :1], (3, 16, 16)), held_out).mean()
    assert errors[0] < 0.5 * source
    assert errors[0] < 0.5 * errors[1]


def test_a_place_at_the_end_of_the_range_still_learns() -> None:
    trainer = tiny_trainer("pix2pix", residual=True, latent_size=0)
    generator = trainer.game.generator
    made = generator(torch.empty(2, 0), torch.ones(2, 1, 8, 8))
    (slope,) = torch.autograd.grad(made.sum(), [dict(generator.named_parameters())["network.last.1.convolution.bias"]])
    assert slope.abs().max() > 0.1


def test_stopped_and_gone_on_it_ends_in_the_same_bits() -> None:
    assert_goes_on(lambda: tiny_trainer("pix2pix", residual=True), turns=6, stop=3)


def test_a_model_of_before_there_was_the_axis_loads_as_it_was(tmp_path: Path) -> None:
    images = waves(32)
    pairs = mintage.Dataset(image=images, source=gray(images))
    model = mintage.train(pairs, "pix2pix", 64, TINY | {"residual": False}, progress=False).model
    model.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["residual"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert torch.equal(mintage.load(tmp_path).translate(gray(images)), model.translate(gray(images)))


@pytest.mark.parametrize(
    ("network", "source", "sentence"),
    [
        ("unet", (1, 32, 32), None),
        ("unet", (2, 32, 32), "one channel"),
        ("unet", (3, 32, 32), None),
        ("unet", (4, 32, 32), None),
        ("unet", (12, 32, 32), None),
        ("unet", (3, 16, 16), "srresnet"),
        ("srresnet", (3, 16, 16), "adds to it anyway"),
        ("encoder_decoder", (3, 32, 32), "begins with no source"),
    ],
)
def test_a_source_that_is_no_image_to_begin_as_is_refused(
    network: str, source: tuple[int, int, int], sentence: str | None
) -> None:
    recipe = {"residual": True, "network": network}
    reason = refusal(resolve("pix2pix", recipe), Signature((3, 32, 32), source_shape=source))
    assert reason is None if sentence is None else sentence in str(reason)


def sound(seed: int = 0, length: int = 2048) -> Tensor:
    return torch.randn(2, 1, length, generator=torch.Generator().manual_seed(seed)) * 0.1


def gap(fakes: Tensor, images: Tensor) -> float:
    return spectrum(Play(nn.Identity(), images, fakes)).item()


def test_a_spectrum_is_off_by_the_logarithm_of_how_much_louder_a_sound_is() -> None:
    assert gap(sound(), sound()) == 0
    assert gap(2 * sound(), sound()) == pytest.approx(math.log(2), rel=0.02)
    assert gap(sound(), 2 * sound()) == pytest.approx(math.log(2), rel=0.02)


def test_a_spectrum_hears_pitch_and_no_phase() -> None:
    times = torch.arange(2048.0)[None, None]
    tone, later, higher = (0.5 * torch.sin(times * pitch + phase) for pitch, phase in ((0.5, 0), (0.5, 2), (0.6, 0)))
    assert gap(later, tone) < 0.2 * gap(higher, tone)
    assert (later - tone).abs().mean() > (higher - tone).abs().mean() * 0.8


def test_a_spectrum_is_of_silence_and_of_short_sounds_too() -> None:
    silent = torch.zeros(1, 1, 2048, requires_grad=True)
    (slope,) = torch.autograd.grad(spectrum(Play(nn.Identity(), sound()[:1], silent)), [silent])
    assert slope.isfinite().all()
    assert gap(sound(0, 20), sound(1, 20)) > 0


def test_only_sound_has_a_spectrum() -> None:
    recipe = {"terms": [{"name": "spectrum"}, {"name": "l1"}]}
    assert refusal(resolve("segan", recipe), Signature((1, 64), source_shape=(1, 64))) is None
    reason = refusal(resolve("pix2pix", recipe), Signature((1, 8, 8), source_shape=(1, 8, 8)))
    assert "only sound has a spectrum" in str(reason)

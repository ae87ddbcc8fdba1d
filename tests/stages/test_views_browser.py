"""What is no picture in the explorer, in real Chromium: beside what Python makes of the same latents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mintage.chords import ATTRIBUTES
from mintage.metrics.modes import mode_figures
from mintage.midi import GENERATED as SAID
from mintage.midi import encode_midi, notes_of
from mintage.model_config import ModelConfig
from mintage.rolls import as_rolls, sounding
from mintage.sampling import generate
from mintage.sources import with_attributes
from mintage.volumes import shaded_views
from mintage.waves import GENERATED, decode_wav, encode_wav, info_of
from mintage.windows import Windows
from stages.common.levels import to_uint8
from stages.media.points import Points
from stages.media.rolls import Rolls
from stages.media.sounds import Sounds
from stages.media.tokens import Tokens
from stages.media.volumes import Volumes
from stages.sources.ring import MEDIUM as RING
from tests.stages.explorer_pages import MARKS, Page, Site, site_of
from tests.stages.webdriver import Browser, browser

pytestmark = MARKS
SOUNDS = Sounds(4000)
WORDS = ["<end>", "<unknown>", "a", "rose", "is", "</p><b>bold", "שלום", "."]
MODELS = {
    "lines": (ModelConfig("recurrent", 16, (1, 1, 8), None, 8, "uniform", vocabulary=tuple(WORDS)), Tokens(WORDS, 8)),
    "plane": (ModelConfig("points", 16, (1, 1, 2), None, 2, "normal"), RING),
    "line": (ModelConfig("points", 16, (1, 1, 1), None, 2, "normal"), Points([[-1.0], [1.0]], 0.5, 4.0)),
    "rolls": (ModelConfig("midinet", 16, (1, 16, 24), None, 12, "normal"), Rolls(48, 24, tempo=100)),
    "chords": (ModelConfig("midinet", 16, (1, 16, 60), None, 12, "normal"), Rolls(36, 60, "many")),
    "following": (
        ModelConfig("midinet_following", 16, (1, 16, 24), None, 12, "normal", "source", source_shape=(1, 16, 24)),
        Rolls(48, 24, tempo=100),
    ),
    "both": (
        ModelConfig(
            "midinet_following",
            16,
            (1, 16, 24),
            None,
            12,
            "normal",
            "source",
            attributes=ATTRIBUTES,
            source_shape=(1 + len(ATTRIBUTES), 16, 24),
        ),
        Rolls(48, 24, tempo=100),
    ),
    "volumes": (ModelConfig("dcgan", 8, (1, 16, 16, 16), None, 12, "normal"), Volumes()),
    "sounds": (ModelConfig("dcgan", 8, (2, 1024), ("low", "high"), 12, "uniform", "concat", "batch"), SOUNDS),
    "pairs": (ModelConfig("unet", 8, (1, 1024), None, 0, "normal", "source", source_shape=(1, 1024)), SOUNDS),
}
UP, RIGHT = "\ue013", "\ue014"
"""Keys of arrows, as WebDriver has them."""
LATENTS = """
const asked = askedOf(document.getElementById("explore-form"), RELEASE);
const feeds = feedsOf(together(asked), RELEASE);
return { latents: [...feeds.latents], labels: [...feeds.labels] };
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(tmp_path_factory.mktemp("views"), MODELS)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def torchs(page: Page) -> Tensor:
    """What torch makes of the latents, and of the class, that the page is asked for."""
    heard_there = page.window.run(LATENTS)
    z = torch.tensor(heard_there["latents"]).view(-1, page.config.latent_size)
    labels = torch.tensor(heard_there["labels"]).view(len(z), -1).argmax(1) if page.config.conditional else None
    return generate(page.model.generator, z, labels)


def heard(page: Page) -> tuple[Any, bytes]:
    """The samples of the player's file as whole numbers, and the file."""
    wav = bytes(page.window.run("await explorer.idle(); return [...player.wav]"))
    return np.frombuffer(wav, "<i2", int.from_bytes(wav[40:44], "little") // 2, 44), wav


def test_a_sound_is_heard_as_torch_makes_it(window: Browser, models: Site) -> None:
    page = Page(window, models, "sounds")
    for label in (0, 1):
        page.ask("label", label)
        _, wav = heard(page)
        samples, rate = decode_wav(wav)
        expected = torchs(page).numpy()[0]
        assert rate == 4000
        assert expected.std() > 0.05
        assert np.abs(samples * 32768 - np.clip(expected, -1, 1) * 32767).max() < 1.5
        assert info_of(wav) == GENERATED
    assert page.status().startswith("Sound 1 of the class high: 0.26 seconds, made in")
    assert window.console() == []


def test_the_spectrogram_is_the_one_that_the_report_draws(window: Browser, models: Site) -> None:
    page = Page(window, models, "sounds")
    page.window.run("await explorer.idle()")
    expected = SOUNDS.pixels(torchs(page).numpy())[0, 0].astype(int)
    found = page.canvas()[96::2, :: 512 // expected.shape[1], 0]
    assert found.shape == expected.shape
    assert expected.std() > 10
    assert np.abs(found - expected).max() <= 2
    assert (page.canvas()[:96] != 0).any()


def test_a_sound_plays_when_a_new_one_is_asked_for_and_its_box_is_checked(window: Browser, models: Site) -> None:
    Page(window, models, "sounds")
    window.click("#explore-at-once")
    window.click("#explore-new")
    played = """
    await explorer.idle();
    const ends = (look) => (player.audio.ended ? look() : requestAnimationFrame(() => ends(look)));
    await new Promise(ends);
    return player.audio.duration;
    """
    assert window.run(played) == pytest.approx(1024 / 4000, abs=0.01)
    assert window.console() == []


@pytest.mark.parametrize("name", ["rolls", "chords"])
def test_a_bar_is_seen_heard_and_taken_along_as_python_has_it(window: Browser, models: Site, name: str) -> None:
    page, medium = Page(window, models, name), MODELS[name][1]
    levels, wav = heard(page)
    bars = torchs(page)
    assert isinstance(medium, Rolls)
    expected = medium.pixels(bars.numpy())[0].transpose(1, 2, 0).astype(int)
    assert np.abs(page.canvas() - expected).max() <= 1
    played = np.frombuffer(medium.play(bars[0].numpy())[44:], "<i2")
    assert played.std() > 500
    assert np.abs(levels[: len(played)].astype(int) - played).max() <= 1
    assert info_of(wav) == GENERATED
    sounds = sounding(bars, medium.voices)[0].numpy()
    midi = bytes(window.run('return [...document.getElementById("explore-midi").midi]'))
    assert midi == encode_midi(sounds, medium.lowest, medium.tempo, SAID)
    notes = list(notes_of(sounds))
    assert page.status().count(" ") > len(notes)
    assert window.console() == []


def levels_in(wav: bytes) -> Any:
    samples, rate = decode_wav(wav)
    assert rate == SOUNDS.rate
    return samples * 32768


def held_out(shape: tuple[int, ...]) -> Any:
    """The first source that these releases have to listen to."""
    return np.random.default_rng(0).uniform(-1, 1, (3, 3, *shape)).astype(np.float32)[0, 0]


def test_a_held_out_sound_and_one_of_ones_own_of_any_length_become_what_torch_makes_of_them(
    window: Browser, models: Site, tmp_path: Path
) -> None:
    page = Page(window, models, "pairs")
    both = "await explorer.idle(); return [[...explorer.given.wav], [...player.wav]]"
    given, _ = map(bytes, window.run(both))
    assert np.abs(levels_in(given) - held_out((1, 1024)) * 32767).max() < 1.5
    moments = np.arange(5000) / 11025
    tones = np.stack([np.sin(2 * np.pi * 440 * moments), np.sin(2 * np.pi * 700 * moments) ** 3]) * 0.7
    own = encode_wav(tones, 11025)
    (tmp_path / "own.wav").write_bytes(own)
    window.type("#explore-own", str(tmp_path / "own.wav"))
    given, made = map(bytes, window.run(both))
    sound = SOUNDS.decode_whole(own, 1, 2**20)
    assert np.abs(levels_in(given) - sound * 32767).max() < 1.5
    windows = Windows(sound.shape[1], 1024)
    pieces = generate(page.model.generator, torch.empty(len(windows), 0), windows.cut(torch.from_numpy(sound)))
    expected = windows.joined(pieces).numpy()
    assert len(windows) == 3
    assert expected.std() > 0.05
    assert np.abs(levels_in(made) - np.clip(expected, -1, 1) * 32767).max() < 1.5
    assert [info_of(given), info_of(made)] == [{}, GENERATED]
    seen = SOUNDS.pixels(sound[None])[0, 0].astype(int)
    drawn = page.canvas("#explore-source")
    assert np.abs(drawn[96::2, :: drawn.shape[1] // seen.shape[1], 0] - seen).max() <= 2
    (tmp_path / "none.wav").write_text("no sound")
    window.type("#explore-own", str(tmp_path / "none.wav"))
    window.run("await explorer.idle()")
    assert "cannot read that sound" in page.status()
    assert window.console() == []


NOISE_OF_SEEDS = "return given[0].map((seed) => noiseOf(RELEASE.latents, seed))"


def test_a_tune_goes_on_bar_by_bar_with_the_notes_of_torch_and_is_saved_as_midi(window: Browser, models: Site) -> None:
    page, medium = Page(window, models, "following"), MODELS["following"][1]
    assert isinstance(medium, Rolls)
    first = sounding(torch.from_numpy(held_out((1, 16, 24))[None]), "one")

    def tune(begin: Tensor, count: int) -> bytes:
        bars = [begin] if begin.any() else []
        before = begin
        for noise in torch.tensor(window.run(NOISE_OF_SEEDS, [1, 2, 3][:count])):
            before = sounding(generate(page.model.generator, noise[None], as_rolls(before)), "one")
            bars.append(before)
        assert len(torch.unique(torch.cat(bars), dim=0)) == len(bars)
        return encode_midi(torch.cat(bars).flatten(0, 1).numpy(), medium.lowest, medium.tempo, SAID)

    def saved() -> bytes:
        return bytes(window.run('await explorer.idle(); return [...document.getElementById("explore-midi").midi]'))

    assert saved() == tune(first, 1)
    for button in ("new", "new", "back"):
        window.click(f"#explore-{button}")
    assert saved() == tune(first, 2)
    assert page.status().startswith("Bar 3: ")
    window.click("#explore-other")
    assert saved() != tune(first, 2)
    window.click("#explore-clear")
    window.click("#explore-new")
    assert saved() == tune(first & False, 2)
    heard = window.run('await explorer.idle(); return document.querySelectorAll("#explore-row canvas").length')
    assert heard == 2
    for _ in range(3):
        window.click("#explore-back")
    window.run("await explorer.idle()")
    assert page.status() == "The generator has made no bar yet."
    assert window.console() == []


def test_a_line_is_the_one_that_torch_writes_and_is_text_whatever_its_words_are(window: Browser, models: Site) -> None:
    page, medium = Page(window, models, "lines"), Tokens(WORDS, 8)
    written = 'return document.getElementById("explore-picture").textContent'
    seen = set()
    for seed in range(20):
        page.ask("seed", seed)
        expected = medium.encode(torchs(page)[0].numpy())[0].decode()
        assert window.run(written) == (expected or "\N{EMPTY SET}")
        assert f"“{expected}”" in page.status()
        seen.add(expected)
    assert len(seen) > 10
    assert any("<b>" in line for line in seen)
    assert window.run('return document.querySelectorAll("#explore b").length') == 0
    window.click("#explore-new")
    window.run("await explorer.idle()")
    steps = window.run('return [...document.querySelectorAll("#explore-steps p")].map((one) => one.textContent)')
    assert len(steps) == 9
    assert steps[0] == window.run(written)
    assert window.console() == []


@pytest.mark.parametrize("name", ["plane", "line"])
def test_points_are_shown_where_torch_puts_them_and_counted_at_their_modes(
    window: Browser, models: Site, name: str
) -> None:
    page, medium = Page(window, models, name), MODELS[name][1]
    window.run("await explorer.idle()")
    assert isinstance(medium, Points)
    points = medium.coordinates(torchs(page))
    assert points.shape == (500, len(medium.centers[0]))
    found = mode_figures(points, medium.mixture())
    said = f"{found.captured} of {len(medium.centers)} modes reached, {100 * found.high_quality:.1f}% within 3 std"
    assert said in page.status()
    green = (page.canvas()[..., 1] - page.canvas()[..., 0]) > 30
    if name == "plane":
        places = ((points / medium.scale * torch.tensor([1.0, -1.0]) + 1) * 240).numpy()
        inside = places[(np.abs(places - 240) < 235).all(1)].astype(int)
        assert len(inside) > 100
        assert green[inside[:, 1], inside[:, 0]].mean() > 0.95
    else:
        shares = np.histogram(points.clamp(-3.49, 3.49).numpy(), 60, (-3.5, 3.5))[0] / 500
        heights = green.sum(0).reshape(60, 8).mean(1)
        np.testing.assert_allclose(heights / heights.sum(), shares, atol=0.01)
    assert window.console() == []


def assert_seen_alike(page: Page, volumes: Tensor, azimuth: float, elevation: float) -> None:
    """But for rays that pass the edge of a cell, which rounding decides."""
    found = page.canvas()[..., 0]
    expected = to_uint8(shaded_views(volumes, len(found), azimuth, elevation).numpy())[0, 0].astype(int)
    assert 0.05 < (expected < 255).mean() < 0.95
    assert (np.abs(found - expected) > 3).mean() < 0.02


def test_a_volume_is_seen_as_python_shows_it_and_turned_by_keys_and_by_a_drag(window: Browser, models: Site) -> None:
    page = Page(window, models, "volumes")
    page.window.run("await explorer.idle()")
    volumes = torchs(page)
    assert_seen_alike(page, volumes, 35, 25)
    first = page.canvas()
    window.type("#explore-picture", RIGHT * 3 + UP)
    assert_seen_alike(page, volumes, 65, 35)
    window.drag("#explore-picture", (0, 0), (40, 30), (80, 0))
    assert (page.canvas() != first).any()
    turned = window.run("return [seen.azimuth, seen.elevation]")
    assert turned[0] < 60
    assert turned[1] == pytest.approx(35)
    window.click("#explore-beside button")
    np.testing.assert_array_equal(page.canvas(), first)
    assert window.console() == []


def test_a_threshold_says_which_cells_of_a_volume_are_occupied(window: Browser, models: Site) -> None:
    page = Page(window, models, "volumes")
    page.window.run("await explorer.idle()")
    volumes = torchs(page)
    assert f"{int((volumes > 0).sum())} of 4096 cells are occupied" in page.status()
    script = """
    const slider = document.getElementById("explore-threshold");
    slider.value = 0.5;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    """
    window.run(script)
    assert f"{int((volumes > 0.5).sum())} of 4096 cells are occupied" in page.status()
    assert_seen_alike(page, volumes - 0.5, 35, 25)


@pytest.mark.parametrize(("name", "pairs"), [("sounds", 3), ("pairs", 3), ("volumes", 10)])
def test_the_game_is_played_by_ear_or_by_eye(window: Browser, models: Site, name: str, pairs: int) -> None:
    players, answer = Page(window, models, name).play(pairs, found=pairs - 1)
    assert players == (0 if name == "volumes" else 2)
    assert f"You found {pairs - 1} of {pairs} real {MODELS[name][1].words.many}" in answer
    assert "finds 87.1%, asked about 1000 such pairs" in answer
    assert window.console() == []


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("name", MODELS)
def test_each_view_fits_its_window_and_each_control_has_a_name(
    window: Browser, models: Site, name: str, width: int, tmp_path: Path
) -> None:
    page = Page(window, models, name, width)
    assert page.needed == width
    assert page.nameless() == []
    assert page.status().endswith(" ms.")
    assert window.console() == []


def test_each_bar_of_a_tune_is_of_the_chord_that_is_asked_for_then(window: Browser, models: Site) -> None:
    page, medium = Page(window, models, "both"), MODELS["both"][1]
    assert isinstance(medium, Rolls)
    window.click("#explore-clear")
    noise = torch.tensor(window.run(NOISE_OF_SEEDS, [1, 2, 3]))
    bars = [torch.full((1, 1, 16, 24), -1.0)]
    for number, (root, minor) in enumerate([("A", -1), ("G", 1), ("Eb", -0.5)]):
        asked = [1.0 if name == f"root={root}" else -1.0 for name in ATTRIBUTES[:-1]] + [minor]
        bars.append(generate(page.model.generator, noise[number : number + 1], both(bars[-1], asked)))
        if number:
            page.ask("word-root", str(ATTRIBUTES.index(f"root={root}")))
            page.ask(f"attribute-{len(ATTRIBUTES) - 1}", minor)
            window.click("#explore-new")
    shown = "await explorer.idle(); return document.querySelectorAll('#explore-row canvas').length"
    assert window.run(shown) == 3
    expected = medium.pixels(bars[-1].numpy())[0].transpose(1, 2, 0).astype(int)
    found = page.canvas()
    assert np.abs(found[:: len(found) // len(expected), :: found.shape[1] // expected.shape[1]] - expected).max() <= 1
    assert len(torch.unique(torch.cat(bars), dim=0)) == 4
    page.ask("seed", 1)
    assert np.array_equal(page.canvas(), found), "the bars keep their chords where they are made again"
    assert window.console() == []


def both(bar: Tensor, asked: list[float]) -> Tensor:
    """A source: what is heard of the bar before, and attributes."""
    return with_attributes(as_rolls(sounding(bar, "one")), torch.tensor([asked]))

"""Two domains held together by features that learn from classes first, and stay as they are from then on."""

from typing import Any

import pytest
import torch
from torch import Tensor

import mintage
from mintage.conditioning.heads import Judgment
from mintage.data import RealImages
from mintage.games.transfer import OF_SOURCE, OF_TARGET, REAL, kinds_loss
from mintage.streaming import Blocks, StreamedImages
from mintage.terms import Between, Play, constancy, identity_squares
from mintage.trainer import Trainer
from mintage.training import make_trainer
from tests.mintage.helpers import CPU, assert_goes_on, changed, copies, play, step, tiny_trainer
from tests.mintage.test_no_waiting import NoWaiting, moved
from tests.mintage.test_translation import strokes

FIRST = 24
"""Images over which features learn: three turns of eight."""


def tiny() -> Trainer:
    return tiny_trainer("dtn", pretrain_images=FIRST)


def test_features_learn_first_and_alone_and_stay_as_they_are_from_then_on() -> None:
    trainer = tiny()
    start = copies(trainer.engine.state())
    before = copies(play(trainer, 3).engine.state())
    learned = {name for name in start if not torch.equal(start[name], before[name])}
    assert any(name.startswith("readers") for name in learned)
    for direction in ("generator.network", "generator.back.network"):
        assert any(name.startswith(f"{direction}.extractor") for name in learned)
    assert "discriminator" not in changed(start, before)
    assert not any(name.endswith("exp_avg") for name in before if name.startswith(("generator_o", "discriminator_o")))
    after = copies(play(trainer, 3).engine.state())
    assert {"generator", "discriminator"} <= changed(before, after)
    frozen = [name for name in before if name.startswith("readers") or "network.extractor" in name]
    assert all(torch.equal(before[name], after[name]) for name in frozen if not name.startswith("average"))


@pytest.mark.parametrize("domain", [0, 1])
def test_features_of_either_direction_learn_from_the_classes_of_both_domains(domain: int) -> None:
    images, of_domain = torch.rand(40, 1, 8, 8) * 2 - 1, torch.arange(40) % 2
    labels = torch.arange(40) // 2 % 3
    states = []
    for classes in (labels, torch.where(of_domain == domain, (labels + 1) % 3, labels)):
        data = mintage.Dataset(images, classes, domain=of_domain, domains=("d", "e"))
        trainer = make_trainer(data, "dtn", {"width": 4, "batch_size": 8}, 0, device=CPU, precision="float32")
        states.append(copies(play(trainer, 1).engine.state()))
    different = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    for direction in ("generator.network", "generator.back.network"):
        assert any(name.startswith(f"{direction}.extractor") for name in different)


def test_every_column_is_told_from_the_start() -> None:
    trainer = tiny()
    rows = [set(play(trainer, 2).summarize()) for _ in range(3)]
    assert rows[0] == rows[1] == rows[2]
    assert all(0 <= row["extractor_accuracy"] <= 1 for row in trainer.history)


@pytest.mark.parametrize("turns", [2, 5])
def test_a_game_that_was_killed_goes_on_to_the_same_bits_before_and_after_features_are_frozen(turns: int) -> None:
    assert_goes_on(tiny, turns=7, stop=turns)


def test_a_turn_of_the_game_reads_nothing_back_from_the_device() -> None:
    trainer = moved(play(tiny(), 4))
    trainer.images_seen = 2 * FIRST
    with NoWaiting():
        play(trainer, 1)


def test_the_generators_move_without_their_features() -> None:
    trainer = play(tiny(), 3)
    before = copies(trainer.engine.state())
    step(trainer, FIRST, "generator")
    after = trainer.engine.state()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    drawn = ("generator.network.drawer", "generator.back.network.drawer")
    assert moved
    assert all(name.startswith(drawn) for name in moved if name.startswith("generator."))


def test_the_discriminator_tells_three_kinds_and_its_logit_is_that_of_being_real() -> None:
    trainer = tiny()
    judgment = trainer.game.discriminator[0](torch.rand(5, 1, 8, 8) * 2 - 1)
    likely = judgment.class_logits.softmax(1)
    torch.testing.assert_close(judgment.logit.sigmoid(), likely[:, REAL])
    for kind in (OF_SOURCE, OF_TARGET, REAL):
        expected = -likely[:, kind].log().mean()
        torch.testing.assert_close(kinds_loss(judgment, kind), expected)


def test_a_discriminator_that_guesses_loses_the_log_of_three_of_each_kind() -> None:
    guess = Judgment(torch.zeros(4), torch.zeros(4, 1), class_logits=torch.zeros(4, 3))
    for kind in (OF_SOURCE, OF_TARGET, REAL):
        assert kinds_loss(guess, kind).item() == pytest.approx(torch.tensor(3.0).log().item())


def test_constancy_is_of_features_and_identity_of_pixels() -> None:
    sources, images = torch.rand(5, 1, 8, 8), torch.rand(5, 1, 8, 8)

    def played(fakes: Tensor, kept: Tensor) -> Play:
        between = Between(sources, lambda _: kept, lambda one: one, known=lambda shown: shown.flatten(1).sum(1))
        return Play(torch.nn.Identity(), images, fakes, between)

    assert constancy(played(sources.flip(2, 3), images)).item() < 1e-6  # of the same sum
    assert constancy(played(sources + 0.5, images)).item() == pytest.approx(32.0**2, rel=1e-4)
    assert identity_squares(played(sources, images)) == 0
    assert identity_squares(played(sources, images + 0.5)).item() == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("window", [None, 12])
def test_images_of_a_domain_come_with_their_classes(window: int | None) -> None:
    images = torch.arange(40.0).view(-1, 1, 1, 1)
    domain, labels = torch.arange(40) % 2, torch.arange(40) % 5
    real = RealImages(images, domain, 0, CPU)
    if window is not None:
        pieces = torch.split(images, 7)
        real = StreamedImages(Blocks([len(one) for one in pieces], pieces.__getitem__), domain, window, 0, CPU)
    real.labels = labels
    for number in (0, 1):
        shown, classes = real.group(number).batch(3, 30)
        assert classes is not None
        assert torch.equal(classes, labels[shown.flatten().long()])


def test_it_learns_to_translate_pictures_it_has_not_seen_and_keeps_what_they_show() -> None:
    """Strokes, upright or level, which are the classes, of full contrast and of less."""

    def pictures(seed: int) -> tuple[Tensor, Tensor]:
        made = strokes(150, side=8, seed=seed)
        return torch.cat([made, made.transpose(2, 3)]), torch.arange(2).repeat_interleave(150)

    def faint(images: Tensor) -> Tensor:
        return 0.4 * images + 0.2

    (bright, labels), (others, other_labels) = pictures(0), pictures(1)
    data = mintage.Dataset(
        torch.cat([bright, faint(others)]),
        torch.cat([labels, other_labels]),
        domain=[0] * 300 + [1] * 300,
        domains=("bright", "faint"),
    )
    recipe: dict[str, Any] = {"width": 8, "batch_size": 16, "pretrain_images": 640, "ema_half_life": 100.0}
    players: dict[str, Any] = {"generator": {"learning_rate": 3e-3}, "discriminator": {"learning_rate": 1e-3}}
    trainer = make_trainer(data, "dtn", recipe | players, 0, device=CPU, precision="float32")
    model = mintage.Model(play(trainer, 120).average)
    held_out, _ = pictures(7)
    for to, given, truth in (("faint", held_out, faint(held_out)), ("bright", faint(held_out), held_out)):
        made = model.translate(given, to=to)
        assert (made - truth).abs().mean() < 0.6 * (given - truth).abs().mean()
        assert torch.corrcoef(torch.stack([made.flatten(), truth.flatten()]))[0, 1] > 0.6

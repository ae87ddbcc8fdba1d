"""Sequences of words: what is given, what is written, the rewards of a word, and how sequences are measured."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mintage
from mintage.data import RealImages
from mintage.dataset import Signature
from mintage.evaluator import EvaluatorConfig, features_of
from mintage.families import resolve
from mintage.games.policy import finish, less_others_mean
from mintage.layers import Layers
from mintage.learning import Schedule, train_evaluator
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.sequences import bleu, copies, counted_surprise, self_bleu
from mintage.model import Model
from mintage.networks.recurrent import Generator, draw_words
from mintage.rules import refusal
from mintage.tokens import as_samples, as_tokens, sequences
from mintage.training import make_trainer
from tests.mintage.helpers import CPU, assert_goes_on, play

FAMILIES = ("seqgan", "lstm")
WORDS = ("a", "rose", "is", "no")
SMALL: dict[str, Any] = {"width": 8, "batch_size": 8}


def roses(count: int = 64, seed: int = 0) -> mintage.Dataset:
    """Sequences of six words, in which a rose, once it has begun, goes on in order."""
    start = torch.randint(4, (count, 1), generator=torch.Generator().manual_seed(seed))
    return sequences((start + torch.arange(6)) % 4, WORDS)


def writer(length: int = 3, words: int = 3, seed: int = 0) -> Generator:
    """One that is not shy of what it likes."""
    torch.manual_seed(seed)
    network = Generator(length, (1, 1, length), 4, Layers("none"), words).double()
    for weight in network.parameters():
        torch.nn.init.normal_(weight)
    return network


@given(words=st.integers(2, 5_000), seed=st.integers(0, 2**32))
def test_tokens_are_the_same_after_they_were_samples(words: int, seed: int) -> None:
    tokens = torch.randint(words, (3, 7), generator=torch.Generator().manual_seed(seed))
    samples = as_samples(tokens, words)
    assert samples.shape == (3, 1, 1, 7)
    assert samples.abs().max() <= 1
    assert as_tokens(samples, words).equal(tokens)


@pytest.mark.parametrize(
    ("tokens", "vocabulary", "part"),
    [
        ([[0, 1], [1]], WORDS, "unlike length"),
        ([[0.5, 1.0]], WORDS, "whole numbers"),
        ([0, 1], WORDS, r"\[N,T\]"),
        (torch.zeros(0, 4, dtype=torch.int64), WORDS, r"\[N,T\]"),
        ([[0, 4]], WORDS, "has 4 words"),
        ([[-1, 0]], WORDS, "from -1"),
        ([[0, 0]], ["a"], "2 or more"),
        ([[0, 1]], ["a", "a"], "2 or more"),
        ([["rose", "is"], ["is", "rose"]], WORDS, "number of each"),
        (["a rose", "a rose"], WORDS, "number of each"),
    ],
)
def test_what_are_no_sequences_of_the_words_is_refused(tokens: Any, vocabulary: Any, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        sequences(tokens, vocabulary)


def test_words_are_drawn_as_often_as_they_are_likely() -> None:
    likely = torch.tensor([[0.5, 0.2, 0.0, 0.3]])
    places = (torch.arange(1000) + 0.5) / 1000
    found = draw_words(likely.log().expand(1000, -1), places).bincount(minlength=4)
    assert found.tolist() == [500, 200, 0, 300]


def test_the_likelihood_of_all_sequences_there_are_adds_up_to_one_and_is_how_often_they_are_written() -> None:
    network = writer()
    every = torch.tensor(list(itertools.product(range(3), repeat=3)))
    likely = network.log_likelihood(every).sum(1).exp()
    assert likely.sum().item() == pytest.approx(1)
    vector = torch.rand(20_000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2 - 1
    written = as_tokens(network(vector), 3) @ torch.tensor([9, 3, 1])
    assert (written.bincount(minlength=27) / 20_000 - likely).abs().max() < 0.015


def test_a_beginning_is_finished_as_often_as_the_rest_is_likely_and_is_itself_kept() -> None:
    network = writer(seed=3)
    tokens = torch.tensor([[2, 0, 1], [1, 1, 0]])
    draws = torch.rand(2, 8_000, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rolled = finish(network, tokens, draws)
    for kept in (1, 2):
        assert rolled[:, :, kept - 1, :kept].equal(tokens[:, None, :kept].expand(-1, 8_000, -1))
        rests = torch.tensor(list(itertools.product(range(3), repeat=3 - kept)))
        for row in range(2):
            whole = torch.cat([tokens[row, :kept].expand(len(rests), -1), rests], 1)
            expected = network.log_likelihood(whole)[:, kept:].sum(1).exp()
            found = torch.stack([(rolled[row, :, kept - 1] == one).all(1).double().mean() for one in whole])
            assert (found - expected).abs().max() < 0.025


def test_the_gradient_by_rewards_is_that_of_the_expected_reward() -> None:
    """Over all sequences there are, each as often as it is likely: Yu et al. 2017, equations 1 and 6."""
    network = writer(length=2)
    every = torch.tensor(list(itertools.product(range(3), repeat=2)))
    worth = torch.rand(9, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    likely = network.log_likelihood(every)
    exact = torch.autograd.grad((likely.sum(1).exp() * worth).sum(), list(network.parameters()), retain_graph=True)
    after_first = (likely[:, 1].exp() * worth).reshape(3, 3).sum(1).repeat_interleave(3).detach()
    rewards = torch.stack([after_first, worth], 1)
    by_reward = ((likely * rewards).sum(1) * likely.sum(1).exp().detach()).sum()
    for one, other in zip(exact, torch.autograd.grad(by_reward, list(network.parameters())), strict=True):
        assert one.allclose(other, atol=1e-12)


def test_rewards_beyond_the_others_leave_a_sequences_own_out() -> None:
    rewards = torch.tensor([[1.0, 0.0], [0.0, 3.0], [0.5, 0.0]])
    assert less_others_mean(rewards).tolist() == [[0.75, -1.5], [-0.75, 3.0], [0.0, -1.5]]
    assert less_others_mean(rewards[:1]).equal(rewards[:1])


@pytest.mark.parametrize("family", FAMILIES)
def test_by_likelihood_it_learns_which_word_follows(family: str) -> None:
    recipe = SMALL | {"pretrain_images": 1e9, "generator": {"learning_rate": 0.02}}
    model = mintage.train(roses(), family, 2_400, recipe, progress=False).model
    assert model.log_likelihood(roses(seed=1))[:, 1:].mean() > -0.1
    written = model.write(50)
    assert ((written.diff(dim=1) % 4) == 1).double().mean() > 0.95


def test_rewards_teach_a_generator_what_its_judge_likes() -> None:
    """A judge that wants one word finds it everywhere in the end."""
    trainer = make_trainer(roses(), "seqgan", SMALL | {"pretrain_images": 0}, 0, device=CPU, precision="float32")
    trainer.game._likely_real = lambda tokens: (tokens == 3).double().mean(1).float()
    before = Model(trainer.average).write(64)
    after = Model(play(trainer, 60).average).write(64)
    assert (before == 3).double().mean() < 0.5
    assert (after == 3).double().mean() > 0.9


@pytest.mark.parametrize("phase", [0, 40, 1e9], ids=["game", "between", "likelihood"])
def test_a_training_goes_on_to_the_same_bits(phase: float) -> None:
    def begin() -> Any:
        recipe = SMALL | {"pretrain_images": phase}
        return make_trainer(roses(), "seqgan", recipe, 0, device=CPU, precision="float32")

    assert_goes_on(begin, turns=6, stop=3)
    losses = {"generator_loss", "generator_surprise", "discriminator_loss"}
    assert play(begin(), 1).summarize().keys() >= losses


def test_the_copy_that_finishes_sequences_is_the_generator_before_the_game_and_follows_it_in_it() -> None:
    trainer = make_trainer(roses(), "seqgan", SMALL | {"pretrain_images": 32}, 0, device=CPU, precision="float32")
    writes, follows = (player.network.output.weight for player in (trainer.game.generator, trainer.game.follower))
    play(trainer, 4)
    assert follows.equal(writes)
    play(trainer, 4)
    before, target = follows.clone(), writes.clone()
    assert not before.equal(target)
    play(trainer, 1)
    assert follows.allclose(0.8 * before + 0.2 * writes)
    assert not writes.equal(target)


def test_a_model_of_words_is_kept_and_writes_the_same(tmp_path: Path) -> None:
    model = mintage.train(roses(), "lstm", 64, SMALL, progress=False, folder=tmp_path).model
    loaded = mintage.load(tmp_path)
    assert loaded.vocabulary == WORDS
    assert loaded.write(70).equal(model.write(70))
    assert loaded.write(5).equal(model.write(70)[:5])
    with pytest.raises(ValueError, match="write"):
        model.sample(3)
    for asked in (model.translate, model.decode):
        with pytest.raises(ValueError, match="writes words"):
            asked(torch.zeros(2, 6))
    with pytest.raises(ValueError, match="other words"):
        model.log_likelihood(sequences([[0, 1, 0, 1, 0, 1]], ["x", "y"]))
    images = mintage.train(
        mintage.Dataset(torch.rand(8, 1, 8, 8) * 2 - 1), "gan", 64, {"width": 4}, progress=False
    ).model
    with pytest.raises(ValueError, match="sample"):
        images.write(3)


def test_measure_puts_real_sequences_beside_written_ones() -> None:
    model = mintage.train(roses(), "lstm", 1_600, SMALL, progress=False).model
    table = mintage.measure(model, roses(40, seed=1), roses(), evaluator_images=6_400)
    assert {"frechet_distance", "counted_surprise", "bleu", "self_bleu", "copies"} <= set(table)
    assert table["bleu"].floor == 1
    assert table["counted_surprise"].value < 2 * table["counted_surprise"].floor
    assert table["copies"].value > 0.5


def test_bleu_is_what_it_is_by_hand() -> None:
    one, reference = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 3, 9]])
    assert bleu(one, one) == pytest.approx(1)
    # 3 of 4 words, 2 of 3 pairs, 1 of 2 triples
    assert bleu(one, reference) == pytest.approx((3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3))
    # a word counts as often as a reference has it: 1 of 4; (1, 1) never, so half of 3; no triple: half of 2
    assert bleu(torch.tensor([[1, 1, 1, 1]]), reference) == pytest.approx((1 / 4 * 0.5 / 3 * 0.5 / 2) ** (1 / 3))


def test_self_bleu_is_bleu_beside_all_others() -> None:
    rows = torch.randint(3, (12, 6), generator=torch.Generator().manual_seed(0))
    others = [torch.cat([rows[:number], rows[number + 1 :]]) for number in range(12)]
    expected = sum(bleu(rows[number : number + 1], others[number]) for number in range(12)) / 12
    assert self_bleu(rows) == pytest.approx(expected)
    assert self_bleu(rows[:1].expand(4, -1)) == pytest.approx(1)


def worse() -> dict[str, torch.Tensor]:
    """Sequences that are worse than 400 of these, by what is wrong with them."""
    real, random = roses(400).image, torch.Generator().manual_seed(5)
    tokens = as_tokens(real, 4)
    return {
        "shuffled": torch.stack([row[torch.randperm(6, generator=random)] for row in tokens]),
        "at random": torch.randint(4, (400, 6), generator=random),
        "a fifth at random": torch.where(torch.rand(400, 6, generator=random) < 0.2, tokens.flip(0) * 0, tokens),
        "one over and over": tokens[:1].expand(400, -1),
    }


@pytest.mark.parametrize("kind", worse())
def test_surprise_by_counts_and_the_distance_tell_bad_sequences_from_real_ones(kind: str) -> None:
    held, real, bad = (
        as_tokens(one, 4) for one in (roses(400, 1).image, roses(400).image, as_samples(worse()[kind], 4))
    )
    assert counted_surprise(held, bad, 4) > counted_surprise(held, real, 4) + 0.1
    config = EvaluatorConfig((1, 1, 6), None, 8, words=4)
    taught = RealImages(roses(400, 2).image, None, 0, CPU)
    judge = train_evaluator(config, taught, Schedule(6_000, 50, 0.01, 0))
    of_held, of_real, of_bad = (features_of(judge, as_samples(one, 4)) for one in (held, real, bad))
    assert frechet_distance(of_held, of_bad) > 3 * frechet_distance(of_held, of_real)


def test_surprise_by_counts_is_what_it_is_by_hand() -> None:
    """0 behind nothing is (1 + 1 / 2) / 2 likely; behind one beginning, and two, (1 + what is behind less) / 2."""
    first = (1 + (1 + (1 + 0.5) / 2) / 2) / 2
    assert counted_surprise(torch.tensor([[0]]), torch.tensor([[0]]), 2) == pytest.approx(-math.log(first))
    unseen = torch.tensor([[1]])
    assert counted_surprise(unseen, torch.tensor([[0]]), 2) == pytest.approx(-math.log(1 - first))


def test_what_stands_behind_the_end_of_a_sequence_is_not_read() -> None:
    ended, same = torch.tensor([[1, 2, 0, 0, 0]]), torch.tensor([[1, 2, 0, 2, 1]])
    assert bleu(ended, same, end=0) == bleu(same, ended, end=0) == pytest.approx(1)
    assert copies(ended, same, end=0) == 1
    assert copies(ended, same) == 0
    assert counted_surprise(ended, same, 3, end=0) == counted_surprise(same, same, 3, end=0)


def test_copies_are_counted_word_for_word() -> None:
    known = torch.tensor([[1, 2], [3, 4]])
    assert copies(torch.tensor([[1, 2], [2, 1], [3, 4], [3, 4]]), known) == 0.75


@pytest.mark.parametrize(
    ("family", "changes", "words", "part"),
    [
        ("seqgan", {}, None, "has none"),
        ("dcgan", {}, WORDS, "seqgan"),
        ("seqgan", {"game": "adversarial", "pretrain_images": 0}, WORDS, "choice of a word"),
        ("seqgan", {"objective": "hinge"}, WORDS, "probability"),
        ("seqgan", {"latent_distribution": "normal"}, WORDS, "as likely anywhere"),
        ("seqgan", {"augment": ["cutout"]}, WORDS, "of images"),
        ("seqgan", {"generator": {"conditioning": "concat"}}, WORDS, "without a condition"),
        ("seqgan", {"generator": {"dropout": 0.5}}, WORDS, "as they are written"),
        ("gan", {"roll_outs": 2}, None, "roll_outs"),
    ],
)
def test_what_does_not_go_with_words_is_refused(family: str, changes: Any, words: Any, part: str) -> None:
    reason = refusal(resolve(family, changes), Signature((1, 1, 8), vocabulary=words))
    assert reason is not None
    assert part in reason

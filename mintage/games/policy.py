"""A generator that chooses words learns by reward, since no gradient goes through a choice: SeqGAN (Yu et al. 2017).

First it learns by likelihood, over `pretrain_images`; then the discriminator alone, a quarter as long; then both.
"""

import torch
from torch import Tensor

from mintage.conditioning.heads import Judgment
from mintage.dataset import Signature
from mintage.games import Losses, OneDiscriminator, Scene, gathered
from mintage.model_config import model_config
from mintage.networks.recurrent import Generator as Writer
from mintage.networks.recurrent import State, draw_words
from mintage.players import Discriminator, Generator, build_players
from mintage.randomness import uniform
from mintage.recipes import Recipe
from mintage.tokens import as_samples, as_tokens

_ALONE = 0.25
"""How long the discriminator learns alone, as a share of `pretrain_images`."""
_KEPT = 0.8
"""Share of its weights that the roll-out copy keeps at each step (the authors' `update_rate`)."""


class Policy(OneDiscriminator):
    """k steps of the discriminator, then one of the generator, with the discriminator's judgment as its reward.

    The reward of a word is the mean judgment of sequences that begin with it and the words before it (equation 4). A
    copy of the generator, which follows it slowly, writes the rest of each sequence `roll_outs` times.
    """

    of_words = True

    def __init__(self, generator: Generator, discriminator: Discriminator, recipe: Recipe) -> None:
        super().__init__(generator, discriminator, recipe)
        self.follower = Generator(self.config).requires_grad_(False)
        self.follower.load_state_dict(generator.state_dict())

    @classmethod
    def build(cls, recipe: Recipe, real: Signature, seed: int) -> "Policy":
        config = model_config(recipe, real.shape, real.classes, vocabulary=real.vocabulary)
        return cls(*build_players(config, seed), recipe)

    @property
    def words(self) -> int:
        return len(self.config.vocabulary or ())

    def schedule(self, images_seen: int, batch_size: int) -> list[tuple[str, ...]]:
        """The discriminator's steps; the generator moves in the last. A single step while likelihood is learned."""
        alone = self.recipe.discriminator_steps - 1 if images_seen >= self.recipe.pretrain_images else 0
        return [*[("discriminator",)] * alone, self.sides]

    def losses(self, side: str, scene: Scene) -> Losses:
        position, first = scene.step.position, self.recipe.pretrain_images
        if side == "discriminator":
            with torch.set_grad_enabled(position >= first):
                return self._discriminator_losses(scene)
        tokens = as_tokens(scene.real.batch(*scene.step.rows)[0], self.words)
        likelihood = -self.generator.network.log_likelihood(tokens).mean()
        loss = likelihood if position < first else likelihood.detach()
        if position >= first * (1 + _ALONE):
            loss = self._policy_loss(scene)
        return {"generator_loss": loss, "generator_surprise": likelihood.detach()}

    def after(self, side: str, parts: list[Scene]) -> dict[str, Tensor]:
        """Statistics of the discriminator's logits; the copy follows, or equals the generator before the game."""
        if side == "generator":
            share = 1.0 if parts[0].step.position < self.recipe.pretrain_images * (1 + _ALONE) else 1 - _KEPT
            for copied, weight in zip(self.follower.parameters(), self.generator.parameters(), strict=True):
                copied.lerp_(weight.detach(), share)
            return {}
        return self.objective.statistics(gathered(parts, "real"), gathered(parts, "fake"))

    def _fakes(self, scene: Scene) -> Tensor:
        with torch.no_grad():
            return self.generator(scene.step.latents(self.config, scene.device))

    def _discriminator_losses(self, scene: Scene) -> Losses:
        real = scene.real.batch(*scene.step.rows)[0]
        judgment: Judgment = self.discriminator(torch.cat([real, scene.once("fakes", lambda: self._fakes(scene))]))
        on_real, on_fake = (one.logit for one in judgment.split(2))
        scene.cache.update(real=on_real.detach(), fake=on_fake.detach())
        return {"discriminator_loss": self.objective.discriminator_loss(on_real, on_fake)}

    def _policy_loss(self, scene: Scene) -> Tensor:
        """Minus the sum over words of log p times (reward - mean reward of the other sequences) (equation 7)."""
        tokens = as_tokens(scene.once("fakes", lambda: self._fakes(scene)), self.words)
        count, length = tokens.shape
        shape = (count, self.recipe.roll_outs, length - 1, length)
        draws = uniform(shape, scene.step.random("roll-outs"), scene.device)
        rewards = self._rewards(tokens, finish(self.follower.network, tokens, draws))
        return -(self.generator.network.log_likelihood(tokens) * less_others_mean(rewards)).sum(1).mean()

    @torch.no_grad()
    def _rewards(self, tokens: Tensor, rolled: Tensor) -> Tensor:
        """The discriminator's probability `[N,T]` that a sequence is real, given its first 1 to T words."""
        on_rolled, on_whole = (self._likely_real(one) for one in (rolled.flatten(0, 2), tokens))
        return torch.cat([on_rolled.reshape(rolled.shape[:3]).mean(1), on_whole[:, None]], 1)

    def _likely_real(self, tokens: Tensor) -> Tensor:
        samples = as_samples(tokens, self.words).reshape(-1, *self.config.image_shape)
        judgment: Judgment = self.discriminator(samples)
        return judgment.logit.sigmoid()


@torch.no_grad()
def finish(network: Writer, tokens: Tensor, draws: Tensor) -> Tensor:
    """Each beginning of the sequences `[N,T]`, with the rest written anew R times: `[N,R,T-1,T]`.

    Number k of T - 1, from 0, keeps the first k + 1 words. `draws` `[N,R,T-1,T]` in [0,1) choose the words.
    """
    copies, length = draws.shape[1], tokens.shape[1]
    rolled = tokens[:, None, None].expand(-1, copies, length - 1, -1).clone()
    begun: State | None = None  # of the roll-outs that already write their own words, `[N R k, width]` each
    for place, (own, state) in enumerate(network.steps(tokens)):
        if place == 0:
            continue
        likely = _repeat(own, copies)[:, :, None]
        states = [_repeat(part, copies)[:, :, None] for part in state]
        if begun is not None:
            before = rolled[:, :, : place - 1, place - 1]
            more, begun = network.step(before.flatten(), begun)
            older = [part.reshape(*before.shape, -1) for part in (more, *begun)]
            likely, *states = (torch.cat(both, 2) for both in zip(older, (likely, *states), strict=True))
        chosen = draw_words(likely.flatten(0, 2), draws[:, :, :place, place].flatten())
        rolled[:, :, :place, place] = chosen.reshape(likely.shape[:3])
        begun = (states[0].flatten(0, 2), states[1].flatten(0, 2))
    return rolled


def _repeat(values: Tensor, copies: int) -> Tensor:
    """`[N,...]` as `[N,copies,...]`."""
    return values[:, None].expand(-1, copies, *values.shape[1:])


def less_others_mean(rewards: Tensor) -> Tensor:
    """Rewards `[N,T]` minus the mean of the other sequences' rewards: the same mean gradient, with less variance."""
    others = len(rewards) - 1
    return rewards - (rewards.sum(0) - rewards) / others if others else rewards

"""Rules on what stands on a released generator: a second stage that refines it, an encoder; see `mintage.rules`."""

from dataclasses import replace

from mintage.conditioning.discriminator import NONE
from mintage.model_config import ModelConfig, inverting_config, model_config
from mintage.recipes import OF_GENERATORS, set_axes
from mintage.setting import Rule, Setting, enlargement

_SHOWN = 10
"""Names of classes or attributes, at most, in a sentence."""


def _latents(config: ModelConfig) -> tuple[object, ...]:
    return config.latent_size, config.latent_distribution, config.code_categories, config.code_continuous


def _asked(config: ModelConfig) -> tuple[object, ...]:
    """What the generator is given beside latents: classes, in their order, or attributes."""
    return config.classes if config.conditional else None, config.attributes


def _stages(setting: Setting) -> tuple[ModelConfig, ModelConfig] | None:
    """The config of the first stage, and that of the second as it would be; None without two, or without noise."""
    first, real = setting.real.first, setting.real
    if not setting.stands or first is None or not _of_noise(first):
        return None
    if setting.game.inverts:
        told = inverting_config(setting.recipe, first, real.classes)
        return first, replace(told, image_shape=real.shape, attributes=first.attributes and real.attributes)
    return first, model_config(setting.recipe, real.shape, real.classes, real.attributes)


def _of_noise(config: ModelConfig) -> bool:
    return not (config.translates or config.couples) and config.vocabulary is None


def _condition_of_both(setting: Setting) -> list[str]:
    """What each stage is told, in words, the first stage first; empty if both are told the same."""
    both = _stages(setting)
    if both is None or _asked(both[0]) == _asked(both[1]):
        return []
    names = [config.attributes or (config.classes if config.conditional else None) or () for config in both]
    alike = next((place for place, (one, other) in enumerate(zip(*names, strict=False)) if one != other), 0)
    first, second = (f"{_condition_words(config)}{_some(of, alike)}" for config, of in zip(both, names, strict=True))
    return [f"{first}; this one {second}"]


def _condition_words(config: ModelConfig) -> str:
    if config.attributes is not None:
        return "the attributes "
    if not config.conditional:
        return "nothing"
    return "the classes " if config.classes else "classes that the data lack"


def _some(names: tuple[str, ...], start: int) -> str:
    """The names, if there are few; of many, some from where both stages begin to differ, and how many there are."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    parts = ["..."] * (start > 0) + [*names[start : start + _SHOWN]] + ["..."] * (start + _SHOWN < len(names))
    return f"{', '.join(parts)} ({len(names)} in all)"


def _latents_differ(setting: Setting) -> bool:
    both = _stages(setting)
    return both is not None and _latents(both[0]) != _latents(both[1])


def _shapes_differ(setting: Setting) -> bool:
    """Whether the second stage cannot enlarge the images of the first."""
    if (both := _stages(setting)) is None:
        return False
    (channels, *small), (own, *large) = (config.image_shape for config in both)
    return channels != own or enlargement(tuple(small), tuple(large)) is None


WITHOUT_FIRST = "this family has no use of a first stage: leave out first, or set family to stackgan or age_cgan"
STAGES: list[Rule] = [
    (
        lambda s: s.stands and s.real.first is None,
        "this family stands on a released generator, and none is named: set first to a channel, a release or a folder "
        "of a model, or name a family of one stage, such as cgan",
    ),
    (lambda s: not s.stands and s.real.first is not None, WITHOUT_FIRST),
    (
        lambda s: s.stands and s.real.first is not None and not _of_noise(s.real.first),
        "a first stage makes one image from noise, and this one translates, writes words or makes images of two "
        "domains: name another in first",
    ),
    (
        lambda s: s.network.stacks and (s.game.encodes or s.game.inverts),
        "a second stage learns in a game without an encoder: set game to adversarial, or network to another",
    ),
    (
        _latents_differ,
        "both stages are made of the same latents: set latent_size, latent_distribution and, with a code, "
        "discriminator.conditioning, code_categories and code_continuous as in the first stage's config.json",
    ),
    (
        _condition_of_both,
        "both stages are told the same, and the first one is told {axes}: train the first on these data, and "
        "set conditioning and condition alike in both (none, where the first is told nothing)",
    ),
    (
        lambda s: s.game.inverts and s.real.first is not None and s.real.first.image_shape != s.real.shape,
        "an encoder reads images as the first stage makes them, and these are of another size or other channels: set "
        "channels, height and width as in its config.json, or name another first stage",
    ),
    (
        lambda s: s.game.inverts and s.real.first is not None and s.real.first.code_size > 0,
        "an encoder finds noise alone, and the first stage has an information code: name another in first",
    ),
    (
        lambda s: s.game.inverts and s.real.first is not None and s.real.first.encodes,
        "the model in first has an encoder already, as a training of this family gives it one (a channel leads to what "
        "was published to it last): name the release of a generator alone",
    ),
    (
        lambda s: s.game.inverts and (s.generator_conditioning.takes is not None or s.discriminator is not NONE),
        "what is told is told to the first stage, and the encoder sees pictures alone: set conditioning of both "
        "players to none",
    ),
    (
        lambda s: [*set_axes(s.recipe, OF_GENERATORS), *s.of_judge] if s.game.inverts else [],
        "an encoder alone learns, which has no such axis: leave {axes} as the family has it",
    ),
    (
        _shapes_differ,
        "images must have as many channels as those of the first stage, and be 1, 2, 4 or 8 times as high and wide: "
        "set channels, height and width so, or name another first stage",
    ),
]

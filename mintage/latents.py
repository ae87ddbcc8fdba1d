"""A generator's latents: noise, followed by the information code if the model has one."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mintage.model_config import ModelConfig
from mintage.randomness import draw_latents


def draw(config: ModelConfig, count: int, random: torch.Generator) -> Tensor:
    """Latents `[N, latent_size + code_size]`: z, one category of each code as one-hot, numbers uniform on [-1,1]."""
    noise = draw_latents(config.latent_distribution, count, config.latent_size, random)
    if not config.code_size:
        return noise
    parts = [noise]
    if config.code_categories:
        category = torch.randint(config.code_categories, (count,), generator=random)
        parts.append(one_hot(category, config.code_categories).float())
    return torch.cat([*parts, draw_latents("uniform", count, config.code_continuous, random)], dim=1)


def code_of(config: ModelConfig, latents: Tensor) -> Tensor | None:
    """The code `[N, code_size]` in latents; None if the model has no code."""
    return latents[:, config.latent_size :] if config.code_size else None


def with_category(config: ModelConfig, latents: Tensor, category: Tensor) -> Tensor:
    """The same latents with these categories `[N]` in their code."""
    start, stop = config.latent_size, config.latent_size + config.code_categories
    code = one_hot(category, config.code_categories).to(latents.dtype)
    return torch.cat([latents[:, :start], code, latents[:, stop:]], dim=1)

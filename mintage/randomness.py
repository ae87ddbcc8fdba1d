"""Random numbers that depend on their purpose and on how many images were seen, never on history."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from mintage import processes


def stream(seed: int, purpose: str, position: int = 0) -> torch.Generator:
    """A CPU generator for one purpose at one position; distinct arguments give independent streams.

    Numbers are drawn on the CPU and copied, so that runs on any device start from the same ones. The copy is
    non_blocking, so that no step waits for the device.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}/{position}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


@contextmanager
def seeded(random: torch.Generator, device: torch.device) -> Iterator[None]:
    """Within the block, layers that draw random numbers by themselves, such as dropout, use a separate stream."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(random.initial_seed())
        yield


def draw_latents(distribution: str, count: int, size: int, random: torch.Generator) -> torch.Tensor:
    """`count` latents `[N, size]`: standard normal, or uniform on [-1, 1]."""
    if distribution == "uniform":
        return torch.rand(count, size, generator=random) * 2 - 1
    return torch.randn(count, size, generator=random)


def uniform_by_image(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """A number in [0,1) for each of the images `[N,C,*S]`: `[N,1,...]`, with their dtype and device."""
    return uniform((len(images), *[1] * (images.ndim - 1)), random).to(images, non_blocking=True)


def uniform(shape: Sequence[int], random: torch.Generator, device: torch.device | None = None) -> torch.Tensor:
    """Numbers in [0,1), a row for each of this process's images; drawn for the whole batch."""
    return _drawn(torch.rand, shape, random, device)


def normal(shape: Sequence[int], random: torch.Generator, device: torch.device | None = None) -> torch.Tensor:
    """Standard normal numbers, likewise."""
    return _drawn(torch.randn, shape, random, device)


def integers(
    start: int, stop: int, shape: Sequence[int], random: torch.Generator, device: torch.device | None = None
) -> torch.Tensor:
    """Integers in [start, stop), likewise."""
    return _drawn(partial(torch.randint, start, stop), shape, random, device)


def _drawn(
    draw: Callable[..., torch.Tensor], shape: Sequence[int], random: torch.Generator, device: torch.device | None
) -> torch.Tensor:
    rows, *rest = shape
    whole = draw((rows * processes.count(), *rest), generator=random)
    return processes.share(whole).to(device or whole.device, non_blocking=True)

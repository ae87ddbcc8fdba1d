"""Random numbers that depend on what they are for and on how many images were seen, never on history."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from mintage import processes


def stream(seed: int, purpose: str, position: int = 0) -> torch.Generator:
    """A CPU generator for one purpose at one position; distinct arguments give independent streams.

    Drawing on the CPU and moving the result makes runs on any device start from the same numbers; the move does not
    wait for the device (non_blocking), so that no step does.
    """
    digest = hashlib.blake2b(f"{seed}/{purpose}/{position}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


@contextmanager
def seeded(random: torch.Generator, device: torch.device) -> Iterator[None]:
    """Within the block what layers draw by themselves, as dropout does, comes from a stream of its own."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(random.initial_seed())
        yield


def draw_latents(distribution: str, count: int, size: int, random: torch.Generator) -> torch.Tensor:
    """`count` latents `[N, size]`: standard normal, or uniform on [-1, 1]."""
    if distribution == "uniform":
        return torch.rand(count, size, generator=random) * 2 - 1
    return torch.randn(count, size, generator=random)


def uniform_by_image(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """A number in [0,1) for each of the images `[N,C,*S]`: `[N,1,...]`, of their kind."""
    return uniform((len(images), *[1] * (images.ndim - 1)), random).to(images, non_blocking=True)


def uniform(shape: Sequence[int], random: torch.Generator) -> torch.Tensor:
    """Numbers in [0,1), a row for each of this process's images; drawn for the whole batch."""
    rows, *rest = shape
    return processes.share(torch.rand(rows * processes.count(), *rest, generator=random))


def normal(shape: Sequence[int], random: torch.Generator) -> torch.Tensor:
    """Standard normal numbers, likewise."""
    rows, *rest = shape
    return processes.share(torch.randn(rows * processes.count(), *rest, generator=random))


def integers(start: int, stop: int, shape: Sequence[int], random: torch.Generator) -> torch.Tensor:
    """Integers in [start, stop), likewise."""
    rows, *rest = shape
    return processes.share(torch.randint(start, stop, (rows * processes.count(), *rest), generator=random))

"""Several processes that train as one: each has its rows of every batch, and gradients are averaged.

A single process has rank 0 of 1, and every function here returns its argument.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

_PATIENCE = timedelta(hours=2)
"""How long other processes wait while the first one saves, draws or measures."""


class LostError(Exception):
    """Another of the processes that train together is gone."""


def count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0; process 0 writes files."""
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Within the block, this process belongs to the group that torchrun started."""
    gpu = device.type == "cuda"
    with _together():
        dist.init_process_group("nccl" if gpu else "gloo", timeout=_PATIENCE, device_id=device if gpu else None)
    try:
        yield
    finally:
        dist.destroy_process_group()


def share(rows: Tensor) -> Tensor:
    """This process's rows of the whole batch `[N,...]`; N is a multiple of the number of processes."""
    size = len(rows) // count()
    return rows[rank() * size : (rank() + 1) * size]


def gathered(rows: Tensor) -> Tensor:
    """The inverse of `share`: the whole batch's rows, the same in every process."""
    if count() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(count())]
    with _together():
        dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def total(value: Tensor) -> Tensor:
    """The sum over the processes, the same in each."""
    if count() == 1:
        return value
    summed = value.clone()
    with _together():
        dist.all_reduce(summed)
    return summed


def average(tensors: Iterable[Tensor]) -> None:
    """Each tensor becomes its mean over the processes, the same bits in each; one message for all."""
    listed = list(tensors)
    if count() == 1 or not listed:
        return
    flat = total(torch.cat([tensor.reshape(-1) for tensor in listed])) / count()
    for tensor, part in zip(listed, torch.split(flat, [tensor.numel() for tensor in listed]), strict=True):
        tensor.copy_(part.view(tensor.shape))


def broadcast_bytes(content: bytes, device: torch.device) -> bytes:
    """The content that the first process gave."""
    if count() == 1:
        return content
    size = torch.tensor([len(content)], device=device)
    with _together():
        dist.broadcast(size, src=0)
        sent = torch.zeros(int(size), dtype=torch.uint8, device=device)
        if rank() == 0:
            sent.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        dist.broadcast(sent, src=0)
    return sent.cpu().numpy().tobytes()


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostError(f"another of the processes that train together is gone ({error})") from error

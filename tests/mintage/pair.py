"""Two real processes that play one game, each its half of every batch."""

import io
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.queues import Queue
from typing import Any

import torch

from mintage import processes
from tests.programs import free_port

Play = Callable[[], Any]


def in_two_processes(play: Play) -> list[Any]:
    """What `play`, a function of a module, returns in each of two joined processes."""
    context = get_context("spawn")
    port = free_port()
    answers: Queue[tuple[int, bytes]] = context.Queue()
    started = [context.Process(target=_joined, args=(play, rank, port, answers)) for rank in (0, 1)]
    for process in started:
        process.start()
    found = dict(answers.get(timeout=120) for _ in started)
    for process in started:
        process.join()
    return [torch.load(io.BytesIO(found[rank])) for rank in (0, 1)]


def _joined(play: Play, rank: int, port: int, answers: "Queue[tuple[int, bytes]]") -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with processes.joined(torch.device("cpu")):
        packed = io.BytesIO()
        torch.save(play(), packed)  # as bytes: a tensor in a queue is a file that its process must keep open
        answers.put((rank, packed.getvalue()))
